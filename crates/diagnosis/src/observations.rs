//! What was seen: facts with times, nothing concluded from them.
//!
//! Every time is in seconds: `_s` fields of a connection count from when its handshake was done, `at_s` fields from the
//! start of the run. A run can be saved and judged again; judging reads nothing but this.

mod connection;
mod endpoint;
mod local;
mod tls;

use serde::{Deserialize, Serialize};

pub use connection::{AliveProbe, Traffic, WatchedConnection};
pub use endpoint::{
    CloseTest, CompressionTest, DnsLookup, EchoTest, Endpoint, EndpointRole, HttpAttempt, HttpOutcome,
    MessageOutcome, PingTest, RequestVariant, SizeTest, TcpConnect, UpgradeFlaw,
};
pub use local::LocalMachine;
pub use tls::{Certificate, TlsAttempt, TlsFailure, TlsFailureKind, TlsResult};

/// Everything one run saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observations {
    /// Version of this structure.
    pub version: u32,
    /// What was asked for.
    pub plan: RunPlan,
    /// The time of day when the run began, seconds since 1970.
    pub started_unix_s: f64,
    /// How long the run took.
    pub took_s: f64,
    /// How late this program came to its own timers, at most.
    #[serde(default)]
    pub lag_s: f64,
    /// Somebody stopped the run before it was done.
    pub interrupted: bool,
    /// The target first, then what it is compared with.
    pub endpoints: Vec<Endpoint>,
    /// This machine.
    pub local: LocalMachine,
}

/// What a run was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunPlan {
    /// The URL.
    pub url: String,
    /// How long connections are watched at most; 0: not at all.
    pub horizon_s: f64,
    /// How often the lanes that are not quiet do something.
    pub every_s: f64,
    /// How long an answer is waited for before it counts as missing.
    pub patience_s: f64,
    /// A connection must live this long.
    pub expect_alive_s: Option<f64>,
    /// The page that the WebSocket is opened from.
    pub page: Option<String>,
    /// Sub-protocols that were to be offered.
    pub protocols: Vec<String>,
    /// What was left out because the target is public and nobody said that it is theirs.
    pub held_back: Vec<String>,
}

impl Observations {
    /// The version that this crate writes.
    pub const VERSION: u32 = 2;

    /// Reads a run that was saved as JSON.
    ///
    /// # Errors
    /// The text is not a saved run, or another version of this crate saved it.
    pub fn from_json(text: &str) -> Result<Observations, SavedRunError> {
        /// The part of a saved run that every version has.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(text)?;
        if version != Self::VERSION {
            return Err(SavedRunError::Version { found: version });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The target itself.
    pub fn target(&self) -> Option<&Endpoint> {
        self.endpoints.first()
    }

    /// What the target is compared with.
    pub fn others(&self) -> &[Endpoint] {
        self.endpoints.get(1..).unwrap_or_default()
    }
}

/// The reason why a saved run cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedRunError {
    /// The text is not a saved run.
    #[error("not a saved run: {0}")]
    NotARun(#[from] serde_json::Error),
    /// Another version of undrop saved the run.
    #[error(
        "saved in format {found}, and this program reads format {}; run the doctor again, or read the file with the version \
         of undrop that saved it",
        Observations::VERSION
    )]
    Version {
        /// The version in the file.
        found: u32,
    },
}

/// Whole microseconds, so that a time survives being written as text and read again.
pub fn micros(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checks::sample::healthy;

    #[test]
    fn a_saved_run_is_read_back_as_it_was() {
        let seen = healthy();
        let saved = serde_json::to_string(&seen).unwrap();
        assert_eq!(Observations::from_json(&saved).unwrap(), seen);
    }

    #[test]
    fn a_run_of_another_format_is_refused_by_its_number() {
        let error = Observations::from_json(r#"{"version":1,"plan":{}}"#).unwrap_err();
        assert!(
            error.to_string().starts_with("saved in format 1, and this program reads format 2;"),
            "{error}"
        );
        assert!(matches!(Observations::from_json("[]"), Err(SavedRunError::NotARun(_))));
    }
}
