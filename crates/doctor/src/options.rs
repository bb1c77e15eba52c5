//! The validated options of a run.

use std::time::Duration;

use undrop_frame::handshake::Headers;
use undrop_transport::DialOptions;
use undrop_transport::tls::Trust;
use url::Url;

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The options for connecting. Each probe replaces keepalive and user timeout of the TCP options.
    pub dial: DialOptions,
    /// The trusted certificate authorities; `dial.tls` has to be created from it.
    pub trust: Trust,
    /// Header fields of every request.
    pub headers: Headers,
    /// The subprotocols to offer.
    pub protocols: Vec<String>,
    /// The time limit for a name lookup, a connection, TLS and a handshake each. Default: 10 s.
    pub timeout: Duration,
    /// The time for which connections are watched; zero disables watching. Default: 130 s.
    pub horizon: Duration,
    /// The time limit for all stages of an endpoint. Default: 2 min.
    pub stages_within: Duration,
    /// The interval of traffic on connections that are not quiet. Default: 2 s.
    pub every: Duration,
    /// The time after which a reply counts as missing. Default: 5 s.
    pub patience: Duration,
    /// The age that every connection has to reach.
    pub expect_alive: Option<Duration>,
    /// The text of messages. Default: `undrop doctor`.
    pub message: String,
    /// A message that makes the server send messages.
    pub subscribe: Option<String>,
    /// The maximum message size in bytes; at most 64 KiB for targets on other machines without `own`. Default: 16 MiB.
    pub largest: u64,
    /// The page that opens the WebSocket, for the Origin and for mixed content.
    pub page: Option<Url>,
    /// The URL of the same server on a path that is expected to work.
    pub control: Option<Url>,
    /// The URLs of the same server at hops, with the names of the hops.
    pub via: Vec<(String, Url)>,
    /// The URL of the origin itself.
    pub direct: Option<Url>,
    /// Whether the user owns the target, which allows more load.
    pub own: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            dial: DialOptions::default(),
            trust: Trust::default(),
            headers: Headers::new(),
            protocols: Vec::new(),
            timeout: Duration::from_secs(10),
            horizon: Duration::from_secs(130),
            stages_within: Duration::from_secs(120),
            every: Duration::from_secs(2),
            patience: Duration::from_secs(5),
            expect_alive: None,
            message: "undrop doctor".to_owned(),
            subscribe: None,
            largest: 16 << 20,
            page: None,
            control: None,
            via: Vec::new(),
            direct: None,
            own: false,
        }
    }
}
