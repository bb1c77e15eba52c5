//! Observations of a run: facts with times, without conclusions.
//! All times are in seconds. `_s` fields of a connection count from the end of its handshake, `at_s` fields from the start of the
//! run. A run can be saved and evaluated again; the evaluation needs nothing else.

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

/// The observations of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observations {
    /// The version of the saved format.
    pub version: u32,
    /// The options of the run.
    pub plan: RunPlan,
    /// The start of the run, in seconds since 1970.
    pub started_unix_s: f64,
    /// The duration of the run, in seconds.
    pub took_s: f64,
    /// The largest delay of this program's own timers, in seconds.
    #[serde(default)]
    pub lag_s: f64,
    /// Whether the run was stopped early.
    pub interrupted: bool,
    /// The target, followed by the endpoints for comparison.
    pub endpoints: Vec<Endpoint>,
    /// Facts about this machine.
    pub local: LocalMachine,
}

/// The options of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunPlan {
    /// The URL of the target.
    pub url: String,
    /// The time for which connections are watched, in seconds; 0 if they are not.
    pub horizon_s: f64,
    /// The interval of the traffic on connections that are not quiet, in seconds.
    pub every_s: f64,
    /// The time after which a reply counts as missing, in seconds.
    pub patience_s: f64,
    /// The age that every connection has to reach, in seconds.
    pub expect_alive_s: Option<f64>,
    /// The URL of the page that opens the WebSocket.
    pub page: Option<String>,
    /// The subprotocols that were offered.
    pub protocols: Vec<String>,
    /// The probes that were skipped because the target is public and the user did not confirm that it is theirs.
    pub held_back: Vec<String>,
}

impl Observations {
    /// The version that this crate writes and reads.
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

    /// Returns the target of the run.
    pub fn target(&self) -> Option<&Endpoint> {
        self.endpoints.first()
    }

    /// Returns the endpoints that the target is compared with.
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

/// Rounds to whole microseconds, so that a time is the same after it was written as text and read again.
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
