//! Logging to standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::exit::{Code, Failure};

/// Installs the subscriber that writes the log of this process to standard error.
pub(crate) fn install(filter: &str) -> Result<(), Failure> {
    // The same grammar as `EnvFilter` but without filters on spans and fields, whose regular expressions take long to compile.
    let filter: Targets = filter.parse().map_err(|error| {
        Failure::new(
            Code::Usage,
            anyhow::anyhow!(
                "--log: {error}; use a level such as info, or a filter such as undrop_gateway=debug"
            ),
        )
    })?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    registry().with(fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_filter(filter)).init();
    Ok(())
}
