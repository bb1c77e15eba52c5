//! Literal observations for the tests of checks.
#![allow(clippy::unwrap_used)]

use undrop_report::Finding;

use super::Check;
use crate::analysis::Case;
use crate::observations::{
    AliveProbe, CloseTest, DnsLookup, EchoTest, Endpoint, HttpAttempt, HttpOutcome, LocalMachine,
    MessageOutcome, Observations, PingTest, RequestVariant, RunPlan, TcpConnect, Traffic, WatchedConnection,
};
use undrop_frame::{CloseCode, Ending};

/// Returns observations of a run of 130 s in which everything works.
pub(crate) fn healthy() -> Observations {
    Observations {
        version: Observations::VERSION,
        plan: RunPlan {
            url: "ws://example.com/chat".to_owned(),
            horizon_s: 130.0,
            every_s: 2.0,
            patience_s: 5.0,
            expect_alive_s: None,
            page: None,
            protocols: Vec::new(),
            held_back: Vec::new(),
        },
        started_unix_s: 1_800_000_000.0,
        took_s: 135.0,
        lag_s: 0.002,
        interrupted: false,
        endpoints: vec![endpoint()],
        local: LocalMachine::default(),
    }
}

/// A target without any fault.
pub(crate) fn endpoint() -> Endpoint {
    let address = "192.0.2.7:80".parse().unwrap();
    Endpoint {
        url: "ws://example.com/chat".to_owned(),
        host: "example.com".to_owned(),
        port: 80,
        public: true,
        dns: Some(DnsLookup { took_s: 0.01, addresses: vec!["192.0.2.7".parse().unwrap()], error: None }),
        connects: vec![TcpConnect { address, took_s: 0.02, failed: None }],
        attempts: vec![
            attempt(RequestVariant::AsRequested, switched(&[])),
            attempt(RequestVariant::SecondKey, switched(&[])),
        ],
        echo: Some(EchoTest {
            sent: "undrop doctor".to_owned(),
            result: MessageOutcome::Returned { rtt_s: 0.02 },
            greetings: 0,
        }),
        close: Some(CloseTest {
            end: Ending::Close { code: CloseCode::new(1000), reason: String::new() },
            took_s: 0.02,
        }),
        pings: Some(PingTest {
            pongs_s: vec![0.02, 0.021, 0.02],
            unanswered: 0,
            echoes_s: vec![0.021, 0.02, 0.022],
            tcp_rtt_s: Some(0.02),
        }),
        connections: patterns(),
        ..Endpoint::default()
    }
}

fn patterns() -> Vec<WatchedConnection> {
    let mut connections: Vec<WatchedConnection> = [
        Traffic::Silent,
        Traffic::TcpKeepalive,
        Traffic::Ping,
        Traffic::Pong,
        Traffic::Data,
        Traffic::OneWay,
        Traffic::NoPongs,
    ]
    .into_iter()
    .map(|traffic| alive(traffic, 1.0, 130.0))
    .collect();
    for quiet_s in [30.0, 45.0, 62.0, 90.0, 125.0] {
        connections.push(alive(Traffic::IdleProbe { quiet_s }, 1.0, quiet_s));
    }
    for i in 1..=5 {
        let at_s = 1.0 + f64::from(i) * 5.0;
        connections.push(alive(Traffic::Staggered, at_s, 131.0 - at_s));
    }
    connections
}

/// Returns a connection that stayed alive.
pub(crate) fn alive(traffic: Traffic, at_s: f64, age_s: f64) -> WatchedConnection {
    let busy = traffic.is_busy();
    let probe = (!busy).then_some(AliveProbe { sent_s: age_s, reply_after_s: Some(0.02), acked: Some(true) });
    WatchedConnection {
        at_s,
        failed: None,
        age_s,
        last_byte_s: if busy { age_s } else { 0.0 },
        sent: if busy { (age_s / 2.0) as u32 } else { 0 },
        pongs: if traffic == Traffic::Ping { (age_s / 2.0) as u32 } else { 0 },
        received: if matches!(traffic, Traffic::Data | Traffic::Staggered) {
            (age_s / 2.0) as u32
        } else {
            0
        },
        probe,
        ..WatchedConnection::failed(traffic, at_s, Ending::Fin)
    }
}

/// Returns the connection ended at this age, unchanged if it was not that old.
pub(crate) fn dropped(connection: WatchedConnection, age_s: f64, end: Ending) -> WatchedConnection {
    if age_s > connection.age_s {
        return connection;
    }
    let last_byte_s = if connection.traffic.is_busy() { age_s - 1.0 } else { 0.0 };
    WatchedConnection { age_s, end: Some(end), last_byte_s, probe: None, ..connection }
}

/// Returns the connection dropped without notice after this idle time, as its probe found.
pub(crate) fn hole(connection: WatchedConnection, after_s: f64) -> WatchedConnection {
    let sent_s = connection.age_s;
    if sent_s < after_s {
        return connection;
    }
    let probe = Some(AliveProbe { sent_s, reply_after_s: None, acked: Some(false) });
    WatchedConnection { age_s: 0.0, end: Some(Ending::BlackHole), probe, ..connection }
}

/// Returns the target with changed connections.
pub(crate) fn connections(change: impl Fn(WatchedConnection) -> WatchedConnection) -> Endpoint {
    let mut seen = endpoint();
    seen.connections = seen.connections.into_iter().map(change).collect();
    seen
}

/// Returns the staggered connections.
pub(crate) fn staggered(seen: &Endpoint) -> Vec<&WatchedConnection> {
    seen.connections.iter().filter(|connection| connection.traffic == Traffic::Staggered).collect()
}

/// Returns healthy observations with a change of the target.
pub(crate) fn with(change: impl FnOnce(&mut Endpoint)) -> Observations {
    let mut seen = healthy();
    change(&mut seen.endpoints[0]);
    seen
}

/// Returns observations of a failed handshake, without later stages.
pub(crate) fn refused(outcome: HttpOutcome) -> Observations {
    with(|target| {
        target.attempts = vec![attempt(RequestVariant::AsRequested, outcome)];
        target.stop_at_handshake();
    })
}

impl Endpoint {
    /// Removes the observations of all stages after the handshake.
    pub(crate) fn stop_at_handshake(&mut self) {
        (self.echo, self.pings, self.close) = (None, None, None);
        self.connections.clear();
    }
}

/// Returns a valid 101 response with additional fields.
pub(crate) fn switched(headers: &[(&str, &str)]) -> HttpOutcome {
    http(101, headers, "")
}

/// An HTTP/1.1 response with these parts.
pub(crate) fn http(status: u16, headers: &[(&str, &str)], body: &str) -> HttpOutcome {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpOutcome::Response { status, headers, body: body.to_owned(), flaws: Vec::new() }
}

/// Returns a request of this variant with its outcome.
pub(crate) fn attempt(variant: RequestVariant, outcome: HttpOutcome) -> HttpAttempt {
    HttpAttempt { variant, at_s: 0.5, took_s: 0.03, outcome }
}

/// Returns the only finding of a check.
#[track_caller]
pub(crate) fn fires(check: &Check, seen: &Observations) -> Finding {
    let mut found = check.evaluate(&Case::new(seen).unwrap());
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// Asserts that the check finds nothing.
#[track_caller]
pub(crate) fn silent(check: &Check, seen: &Observations) {
    assert_eq!(check.evaluate(&Case::new(seen).unwrap()), []);
}
