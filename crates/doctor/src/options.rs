//! What a run does, ready to use.

use std::time::Duration;

use undrop_frame::handshake::Headers;
use undrop_transport::DialOptions;
use undrop_transport::tls::Trust;
use url::Url;

/// What a run does.
#[derive(Debug, Clone)]
pub struct Options {
    /// How to connect. Keepalive and user timeout of its TCP options are replaced by those each probe needs.
    pub dial: DialOptions,
    /// Whose certificates are accepted; `dial.tls` has to be made from it.
    pub trust: Trust,
    /// Fields that every request carries.
    pub headers: Headers,
    /// Sub-protocols to offer.
    pub protocols: Vec<String>,
    /// For one handshake, and for looking up a name, connecting and TLS each. Default: 10 s.
    pub timeout: Duration,
    /// How long connections are watched; zero: not at all. Default: 130 s.
    pub horizon: Duration,
    /// The stages of an endpoint together get no more than this. Default: 2 min.
    pub stages_within: Duration,
    /// How often the lanes that are not quiet do something. Default: 2 s.
    pub every: Duration,
    /// How long an answer is waited for before it counts as missing. Default: 5 s.
    pub patience: Duration,
    /// A connection must live this long.
    pub expect_alive: Option<Duration>,
    /// The message that data lanes send. Default: `undrop doctor`.
    pub message: String,
    /// A message that makes the server send messages by itself.
    pub subscribe: Option<String>,
    /// Largest message that is tried, bytes; public targets that are not `own` get 64 KiB at most. Default: 16 MiB.
    pub largest: u64,
    /// The page that the WebSocket is opened from, for the Origin and for mixed content.
    pub page: Option<Url>,
    /// The same program, reached in a way that is expected to work.
    pub control: Option<Url>,
    /// The same program, entered at hops with names.
    pub via: Vec<(String, Url)>,
    /// The origin itself.
    pub direct: Option<Url>,
    /// The target is the user's own, so it may be asked more.
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
