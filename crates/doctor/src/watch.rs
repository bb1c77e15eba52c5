//! Keeps a few connections open for a long time, reports each that ends, and opens it again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::sleep;
use url::Url;

use crate::Options;
use crate::clock::Clock;
use crate::connections::Capabilities;
use crate::connections::watcher::{Activity, ConnectionScript, watch};
use crate::events::RunListener;
use crate::prober::Prober;
use crate::run::{RunFacts, known, observations, stages};
use tokio_util::sync::CancellationToken;
use undrop_diagnosis::observations::{EndpointRole, Observations, Traffic, WatchedConnection, micros};
use undrop_frame::Ending;

/// The maximum number of ended connections that are kept for the report; the oldest is discarded first.
const KEPT: usize = 1_000;

/// The maximum delay before a connection is opened again. The delay is random, below a limit that doubles up to this value.
const BACKOFF: Duration = Duration::from_secs(30);

/// An event on a watched connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchEvent {
    /// The time in seconds since 1970.
    pub unix_s: f64,
    /// The traffic on the connection: `silent`, `ping`, `data with reply`.
    #[serde(rename = "sentinel")]
    pub connection: String,
    /// The kind of the event.
    pub what: WatchEventKind,
    /// The age of the connection in seconds; 0 unless it ended.
    pub age_s: f64,
    /// The time since the last byte in seconds; 0 unless it ended.
    pub quiet_s: f64,
    /// The ending of the connection, or the reason why it could not be opened.
    pub ending: Option<String>,
    /// The close code that a browser reports for this ending.
    pub browser: Option<u16>,
}

/// The kind of an event on a watched connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchEventKind {
    /// The connection was opened.
    Opened,
    /// The connection ended on its own.
    Dropped,
    /// The connection could not be opened.
    Failed,
}

/// Keeps connections open until the run is stopped or `limit` of them ended, and returns the observations. `on_event` is called
/// for every event. If the handshake fails at the start, no connection is watched.
pub async fn watch_endpoint(
    url: &Url,
    options: &Options,
    limit: Option<u64>,
    stop: &CancellationToken,
    listener: &dyn RunListener,
    on_event: &dyn Fn(&WatchEvent),
) -> Observations {
    let clock = Clock::start();
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let prober = Prober { url: url.clone(), options, clock };
    let mut held_back = Vec::new();
    let mut target = stages(&prober, EndpointRole::Target, stop, listener, &mut held_back).await;
    if target.opens() && !stop.is_cancelled() {
        let watch = EndpointWatch {
            prober,
            stop,
            on_event,
            started_s: started.as_secs_f64(),
            dropped: Cell::new(0),
            limit: limit.unwrap_or(u64::MAX),
            connections: RefCell::new(VecDeque::new()),
            full: tokio::sync::Notify::new(),
        };
        let watching = scripts(options, known(&target)).into_iter().map(|script| watch.keep_open(script));
        tokio::select! {
            _ = join_all(watching) => {}
            () = watch.full.notified() => {}
        }
        target.connections = watch.connections.into_inner().into();
    }
    let facts = RunFacts {
        started_unix_s: started.as_secs_f64(),
        took_s: clock.now_s(),
        horizon_s: clock.now_s(),
        lag_s: 0.0,
        interrupted: false,
        held_back,
    };
    observations(url, options, facts, vec![target])
}

/// Returns the scripts: no traffic, Pings, and messages if the server replies to them.
fn scripts(options: &Options, known: Capabilities) -> Vec<ConnectionScript> {
    // The time is longer than any run, so that a watch never ends by itself.
    let for_ever = Duration::from_secs(100 * 365 * 86_400);
    let script = |traffic: Traffic, activity: Option<Activity>| ConnectionScript {
        activity: activity.map(|activity| (activity, options.every)),
        message: options.message.clone(),
        ..ConnectionScript::quiet(traffic, for_ever, known.probe_method(), options.patience)
    };
    let mut scripts = vec![script(Traffic::Silent, None), script(Traffic::Ping, Some(Activity::Ping))];
    if known.echoes {
        scripts.push(script(Traffic::Data, Some(Activity::Message)));
    }
    scripts
}

/// The age in seconds below which the end of a connection counts as a failure to open one.
const SHORT_S: f64 = 10.0;

/// Returns the number of consecutive failures. A connection that ends early counts, so that such a server is retried with backoff.
fn failed_in_a_row(before: u32, connection: &WatchedConnection) -> u32 {
    if connection.end.is_some() && connection.age_s < SHORT_S { before.saturating_add(1) } else { 0 }
}

struct EndpointWatch<'a> {
    prober: Prober<'a>,
    stop: &'a CancellationToken,
    on_event: &'a dyn Fn(&WatchEvent),
    started_s: f64,
    dropped: Cell<u64>,
    limit: u64,
    connections: RefCell<VecDeque<WatchedConnection>>,
    /// Notified when the limit of drops is reached.
    full: tokio::sync::Notify,
}

impl EndpointWatch<'_> {
    async fn keep_open(&self, script: ConnectionScript) {
        let mut failures = 0;
        let ask = self.prober.handshake_request();
        while !self.stop.is_cancelled() {
            let opened = tokio::select! {
                opened = self.prober.open(None, &ask) => opened,
                () = self.stop.cancelled() => return,
            };
            let at_s = self.prober.clock.now_s();
            match opened {
                Ok(opened) => {
                    self.report(
                        &WatchedConnection::failed(script.traffic.clone(), at_s, Ending::Fin),
                        WatchEventKind::Opened,
                    );
                    let connection = watch(opened.into_socket(), &script, at_s, self.stop).await;
                    failures = failed_in_a_row(failures, &connection);
                    if connection.end.is_some() {
                        self.report(&connection, WatchEventKind::Dropped);
                        self.dropped.set(self.dropped.get() + 1);
                    }
                    self.keep(connection);
                    if self.dropped.get() >= self.limit {
                        self.full.notify_one();
                        return;
                    }
                }
                Err(end) => {
                    failures = failures.saturating_add(1);
                    let connection = WatchedConnection::failed(script.traffic.clone(), at_s, end);
                    self.report(&connection, WatchEventKind::Failed);
                    self.keep(connection);
                }
            }
            let most = BACKOFF.min(Duration::from_secs(1 << failures.min(5)));
            tokio::select! {
                () = sleep(most.mul_f64(fastrand::f64())) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    fn keep(&self, connection: WatchedConnection) {
        let mut connections = self.connections.borrow_mut();
        if connections.len() == KEPT {
            connections.pop_front();
        }
        connections.push_back(connection);
    }

    fn report(&self, connection: &WatchedConnection, what: WatchEventKind) {
        let end = match what {
            WatchEventKind::Opened => None,
            WatchEventKind::Dropped => connection.end.as_ref(),
            WatchEventKind::Failed => connection.failed.as_ref(),
        };
        (self.on_event)(&WatchEvent {
            unix_s: micros(self.started_s + self.prober.clock.now_s()),
            connection: connection.traffic.name(),
            what,
            age_s: if what == WatchEventKind::Dropped { connection.age_s } else { 0.0 },
            quiet_s: if what == WatchEventKind::Dropped { micros(connection.quiet_s()) } else { 0.0 },
            ending: end.map(ToString::to_string),
            browser: end.map(|end| end.browser_view().get()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use undrop_diagnosis::observations::Traffic;

    #[test]
    fn what_is_opened_and_ended_at_once_is_asked_for_less_and_less_often() {
        let ended = |age_s| WatchedConnection {
            age_s,
            end: Some(Ending::Fin),
            failed: None,
            ..WatchedConnection::failed(Traffic::Silent, 0.0, Ending::Fin)
        };
        let row = [0.0, 0.1, 9.0].into_iter().fold(0, |before, age_s| failed_in_a_row(before, &ended(age_s)));
        assert_eq!(row, 3);
        assert_eq!(failed_in_a_row(row, &ended(60.0)), 0);
        assert_eq!(failed_in_a_row(row, &WatchedConnection { end: None, ..ended(1.0) }), 0);
    }
}
