//! Watches one connection until it ends, its time is over, or the run is stopped.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout_at};

use crate::clock::between_s;
use crate::socket::{FrameSocket, ReceivedFrame};
use tokio_util::sync::CancellationToken;
use undrop_diagnosis::observations::{AliveProbe, Traffic, WatchedConnection};
use undrop_frame::Ending;

/// The maximum number of frame times that are kept for one connection.
const KEPT: usize = 64;

/// The payload of Pings.
const PING: &[u8] = b"undrop";

/// The traffic on a watched connection and the probe at its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConnectionScript {
    pub(crate) traffic: Traffic,
    /// The frames that are sent, and their interval.
    pub(crate) activity: Option<(Activity, Duration)>,
    /// The kind of probe at the end.
    pub(crate) probe_method: ProbeMethod,
    /// The text of messages, also of probes if Pings are not answered.
    pub(crate) message: String,
    /// A message that is sent first and makes the server send messages.
    pub(crate) subscribe: Option<String>,
    /// The time of the probe, which ends the watch, since the handshake.
    pub(crate) asks_after: Duration,
    /// The time at the start during which nothing is read.
    pub(crate) sleeps: Option<Duration>,
    /// Whether Pings of the server are answered.
    pub(crate) answers_pings: bool,
    /// The time limit for a reply.
    pub(crate) patience: Duration,
}

/// The frames that are sent to keep a connection alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Ping,
    Pong,
    Message,
    /// Frames of an endless message.
    Fragment,
    /// A Ping and a message each time.
    PingAndMessage,
}

/// The kind of probe that tests whether a connection is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeMethod {
    Ping,
    Message,
    /// Neither is answered, so only the end of the connection can be observed.
    None,
}

/// Watches a connection. `at_s`: the end of its handshake since the start of the run, in seconds.
pub(crate) async fn watch(
    mut socket: FrameSocket,
    script: &ConnectionScript,
    at_s: f64,
    stop: &CancellationToken,
) -> WatchedConnection {
    socket.answers_pings = script.answers_pings;
    if let Some(text) = &script.subscribe {
        socket.text(text);
    }
    let start = Instant::now();
    let mut connection = Watcher {
        socket,
        script,
        start,
        connection: WatchedConnection::new(script.traffic.clone(), at_s),
        waiting: None,
        heard: start,
        fragments: 0,
    };
    if let Some(sleeps) = script.sleeps {
        tokio::select! {
            () = sleep_until(start + sleeps) => {}
            () = stop.cancelled() => {}
        }
    }
    let end = connection.run(stop).await;
    connection.finish(end)
}

struct Watcher<'a> {
    socket: FrameSocket,
    script: &'a ConnectionScript,
    start: Instant,
    connection: WatchedConnection,
    /// The time since which a reply is missing.
    waiting: Option<Instant>,
    /// The time of the last received byte.
    heard: Instant,
    fragments: u32,
}

/// The result of a watch.
enum WatchResult {
    /// The connection ended now.
    Ended(Ending),
    /// Nothing was received since the last byte.
    BlackHole,
    Alive,
}

impl Watcher<'_> {
    async fn run(&mut self, stop: &CancellationToken) -> WatchResult {
        let asks_at = self.start + self.script.asks_after;
        let mut ticks = self.script.activity.map(|(_, every)| ticks(self.start + every, every));
        loop {
            let overdue = self.waiting.map(|since| since + self.script.patience);
            // The order is fixed, so that a server that sends without a pause does not delay deadlines.
            tokio::select! {
                biased;
                () = stop.cancelled() => return WatchResult::Alive,
                () = sleep_until(asks_at) => return self.ask().await,
                () = sleep_until(overdue.unwrap_or(asks_at)), if overdue.is_some() => {
                    match self.overdue().await {
                        Some(over) => return over,
                        None => self.waiting = None,
                    }
                }
                () = tick(&mut ticks) => self.activity(),
                got = self.socket.recv() => match got {
                    Ok(frame) => self.note(&frame),
                    Err(end) => return WatchResult::Ended(end),
                },
            }
        }
    }

    fn note(&mut self, frame: &ReceivedFrame) {
        let now = Instant::now();
        self.heard = now;
        let age = between_s(self.start, now);
        self.connection.last_byte_s = age;
        match frame {
            ReceivedFrame::Ping => {
                if self.connection.server_pings_s.len() < KEPT {
                    self.connection.server_pings_s.push(age);
                }
            }
            ReceivedFrame::Pong(_) => {
                self.connection.pongs += 1;
                if !self.expects_message() {
                    self.waiting = None;
                }
            }
            ReceivedFrame::Text(_) | ReceivedFrame::Binary(_) => {
                self.connection.received += 1;
                if self.connection.messages_s.len() < KEPT {
                    self.connection.messages_s.push(age);
                }
                self.waiting = None;
            }
        }
    }

    /// Returns whether the expected reply is a message rather than a Pong.
    fn expects_message(&self) -> bool {
        matches!(self.script.activity, Some((Activity::Message, _))) && self.connection.stalled_s.is_none()
    }

    fn activity(&mut self) {
        let Some((activity, _)) = self.script.activity else { return };
        match activity {
            Activity::Ping => self.socket.ping(PING),
            Activity::Pong => self.socket.pong(b""),
            Activity::Message => self.socket.text(&self.script.message),
            Activity::Fragment => {
                self.socket.fragment(self.fragments == 0);
                self.fragments += 1;
            }
            Activity::PingAndMessage => {
                self.socket.ping(PING);
                self.socket.text(&self.script.message);
            }
        }
        self.connection.sent += 1;
        self.connection.last_byte_s = between_s(self.start, Instant::now());
        let answered = match activity {
            Activity::Ping | Activity::PingAndMessage => self.script.probe_method == ProbeMethod::Ping,
            // If the server replied to a message once, it is expected to reply again.
            Activity::Message => self.connection.received > 0 && self.connection.stalled_s.is_none(),
            Activity::Pong | Activity::Fragment => false,
        };
        if answered && self.waiting.is_none() {
            self.waiting = Some(Instant::now());
        }
    }

    /// Handles a missing reply. A connection that loses messages may still answer Pings.
    async fn overdue(&mut self) -> Option<WatchResult> {
        if self.expects_message() && self.script.probe_method == ProbeMethod::Ping {
            self.socket.ping(PING);
            let deadline = Instant::now() + self.script.patience;
            return match self.answer(ProbeMethod::Ping, deadline).await {
                Some(Ok(())) => {
                    self.connection.stalled_s =
                        Some(self.connection.messages_s.last().copied().unwrap_or(0.0));
                    None
                }
                Some(Err(end)) => Some(WatchResult::Ended(end)),
                None => Some(WatchResult::BlackHole),
            };
        }
        Some(WatchResult::BlackHole)
    }

    /// Probes the connection after an idle time.
    async fn ask(&mut self) -> WatchResult {
        let asked = Instant::now();
        let probe_method = self.script.probe_method;
        match probe_method {
            ProbeMethod::Ping => self.socket.ping(PING),
            ProbeMethod::Message => self.socket.text(&self.script.message),
            ProbeMethod::None => return WatchResult::Alive,
        }
        let before = (self.connection.last_byte_s, self.heard);
        let answer = self.answer(probe_method, asked + self.script.patience).await;
        let reply_after_s = matches!(answer, Some(Ok(()))).then(|| between_s(asked, Instant::now()));
        let acked = if reply_after_s.is_some() { Some(true) } else { self.socket.acked() };
        self.connection.probe =
            Some(AliveProbe { sent_s: between_s(self.start, asked), reply_after_s, acked });
        // The probe is not part of the idle time.
        (self.connection.last_byte_s, self.heard) = before;
        match answer {
            Some(Ok(())) => WatchResult::Alive,
            Some(Err(end)) => WatchResult::Ended(end),
            None => WatchResult::BlackHole,
        }
    }

    /// Waits for the reply to a probe. Returns `Some(Ok)` for a reply, `Some(Err)` if the connection ended, and `None` after the deadline.
    async fn answer(&mut self, probe_method: ProbeMethod, deadline: Instant) -> Option<Result<(), Ending>> {
        loop {
            match timeout_at(deadline, self.socket.recv()).await {
                Ok(Ok(frame)) => {
                    let fits = match probe_method {
                        ProbeMethod::Ping => {
                            matches!(&frame, ReceivedFrame::Pong(payload) if payload == PING)
                        }
                        ProbeMethod::Message => frame.message().is_some(),
                        ProbeMethod::None => false,
                    };
                    self.note(&frame);
                    if fits {
                        return Some(Ok(()));
                    }
                }
                Ok(Err(end)) => return Some(Err(end)),
                Err(_) => return None,
            }
        }
    }

    fn finish(mut self, over: WatchResult) -> WatchedConnection {
        let now = Instant::now();
        self.connection.age_s = match over {
            WatchResult::BlackHole => between_s(self.start, self.heard),
            _ => between_s(self.start, now),
        };
        self.connection.end = match over {
            WatchResult::Ended(end) => Some(end),
            WatchResult::BlackHole => Some(Ending::BlackHole),
            WatchResult::Alive => None,
        };
        // The reply to the probe is not part of the idle time.
        if let Some(probe) = &self.connection.probe
            && self.connection.end.is_none()
        {
            self.connection.age_s = probe.sent_s;
        }
        self.connection
    }
}

fn ticks(first: Instant, every: Duration) -> Interval {
    let mut ticks = interval_at(first, every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}

impl ConnectionScript {
    /// Creates a script without traffic, with a probe at the end.
    pub(crate) fn quiet(
        traffic: Traffic,
        asks_after: Duration,
        probe_method: ProbeMethod,
        patience: Duration,
    ) -> ConnectionScript {
        ConnectionScript {
            traffic,
            activity: None,
            probe_method,
            message: String::new(),
            subscribe: None,
            asks_after,
            sleeps: None,
            answers_pings: true,
            patience,
        }
    }
}

#[cfg(test)]
mod tests;
