//! The one way to open a WebSocket as a client: dial, send the request, validate the response, agree on compression.

use tokio::time::Instant;
use undrop_frame::Ending;

use crate::dial::{DialError, DialOptions, dial_to};
use crate::request::{ConnectRequest, Connected};
use crate::stage::{ConnectStage, ConnectTimings};
use crate::upgrade::{UpgradeError, upgrade};

/// The reason why [`connect`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no byte stream to the server.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server did not accept the upgrade.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
}

impl ConnectError {
    /// Returns the phase that failed.
    pub fn stage(&self) -> ConnectStage {
        match self {
            ConnectError::Dial(error) => error.stage(),
            ConnectError::Upgrade(_) => ConnectStage::Handshake,
        }
    }

    /// Returns the failure as an [`Ending`].
    pub fn ending(&self) -> Ending {
        match self {
            ConnectError::Dial(error) => error.ending(),
            ConnectError::Upgrade(error) => error.ending(),
        }
    }

    /// Returns the message, followed by the start of the response body if the server refused.
    pub fn explain(&self) -> String {
        match self {
            ConnectError::Dial(error) => error.to_string(),
            ConnectError::Upgrade(error) => error.explain(),
        }
    }

    /// Returns `true` if another attempt cannot succeed before something is reconfigured.
    pub fn is_permanent(&self) -> bool {
        match self {
            ConnectError::Dial(error) => error.is_permanent(),
            ConnectError::Upgrade(_) => false,
        }
    }
}

/// Opens a WebSocket connection: dials the host of the URL, sends the request, and validates the response.
///
/// [`DialOptions`] has the time limits for name lookup, TCP and TLS, [`ConnectRequest::upgrade_timeout`] the one for the
/// upgrade. Over a stream that is already open, use [`upgrade`].
///
/// # Errors
/// A phase failed or took too long; see [`ConnectError::stage`].
pub async fn connect(request: &ConnectRequest<'_>, options: &DialOptions) -> Result<Connected, ConnectError> {
    // Boxed: the state of this phase is much larger than that of the connection, which may be idle for hours.
    Box::pin(run(request, options)).await
}

async fn run(request: &ConnectRequest<'_>, options: &DialOptions) -> Result<Connected, ConnectError> {
    let mut timings = ConnectTimings::default();
    let stream = dial_to(request.url.destination(), options, &mut timings).await?;
    let start = Instant::now();
    let mut connected = upgrade(stream, request).await?;
    timings.upgrade = start.elapsed();
    connected.timings = timings;
    Ok(connected)
}
