//! A few connections kept open for days: each that ends is told, and opened again.

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

/// Ended connections that are kept for the report; the oldest make room.
const KEPT: usize = 1_000;

/// Longest wait before a connection is opened again; the wait is drawn between nothing and a limit that doubles up to this.
const BACKOFF: Duration = Duration::from_secs(30);

/// Something that happened to a sentinel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchEvent {
    /// When, seconds since 1970.
    pub unix_s: f64,
    /// What the connection did: `silent`, `ping`, `data with reply`.
    #[serde(rename = "sentinel")]
    pub connection: String,
    /// What happened.
    pub what: WatchEventKind,
    /// Its age, seconds; 0 unless it ended.
    pub age_s: f64,
    /// How long no byte had gone, seconds; 0 unless it ended.
    pub quiet_s: f64,
    /// How it ended, or why it was not opened, in the shared words.
    pub ending: Option<String>,
    /// The code that a browser shows for this end.
    pub browser: Option<u16>,
}

/// What happened to a sentinel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchEventKind {
    /// It was opened.
    Opened,
    /// It ended.
    Dropped,
    /// It could not be opened.
    Failed,
}

/// Keeps sentinels open until the run is stopped, or until `limit` of them were dropped, and returns what was seen, so that
/// it can be diagnosed. `told` hears of every incident. When the handshake fails at the start, nothing is watched.
pub async fn watch_endpoint(
    url: &Url,
    options: &Options,
    limit: Option<u64>,
    stop: &CancellationToken,
    listener: &dyn RunListener,
    told: &dyn Fn(&WatchEvent),
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
            told,
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

/// What every sentinel does: nothing, Pings, and messages where they are answered.
fn scripts(options: &Options, known: Capabilities) -> Vec<ConnectionScript> {
    // Longer than any run: a sentinel is never done.
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

/// A connection that ended younger than this counts as a failure to keep one, seconds.
const SHORT_S: f64 = 10.0;

/// How many times in a row no connection could be kept: a server that opens and ends at once is not asked without a pause.
fn failed_in_a_row(before: u32, connection: &WatchedConnection) -> u32 {
    if connection.end.is_some() && connection.age_s < SHORT_S { before.saturating_add(1) } else { 0 }
}

struct EndpointWatch<'a> {
    prober: Prober<'a>,
    stop: &'a CancellationToken,
    told: &'a dyn Fn(&WatchEvent),
    started_s: f64,
    dropped: Cell<u64>,
    limit: u64,
    connections: RefCell<VecDeque<WatchedConnection>>,
    /// So many were dropped that it is enough.
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
                    self.tell(
                        &WatchedConnection::failed(script.traffic.clone(), at_s, Ending::Fin),
                        WatchEventKind::Opened,
                    );
                    let connection = watch(opened.into_socket(), &script, at_s, self.stop).await;
                    failures = failed_in_a_row(failures, &connection);
                    if connection.end.is_some() {
                        self.tell(&connection, WatchEventKind::Dropped);
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
                    self.tell(&connection, WatchEventKind::Failed);
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

    fn tell(&self, connection: &WatchedConnection, what: WatchEventKind) {
        let end = match what {
            WatchEventKind::Opened => None,
            WatchEventKind::Dropped => connection.end.as_ref(),
            WatchEventKind::Failed => connection.failed.as_ref(),
        };
        (self.told)(&WatchEvent {
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
