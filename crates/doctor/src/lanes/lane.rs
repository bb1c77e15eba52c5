//! One connection, watched until it ends, its time is over, or the run is stopped.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout_at};

use crate::clock::between_s;
use crate::socket::{Frame, Wire};
use crate::stop::Stop;
use undrop_diagnosis::observations::{Arm, Life, Question};
use undrop_frame::Ending;

/// How many times of frames are kept for one connection.
const KEPT: usize = 64;

/// The payload of our Pings.
const PING: &[u8] = b"undrop";

/// What a lane does while it is watched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Script {
    pub(crate) arm: Arm,
    /// What it sends, and how often.
    pub(crate) beat: Option<(Beat, Duration)>,
    /// How it asks whether the connection is there.
    pub(crate) means: Means,
    /// A text; for data, and for questions where Pings are not answered.
    pub(crate) message: String,
    /// Sent first of all, so that the server begins to talk.
    pub(crate) subscribe: Option<String>,
    /// When it asks, and is done; since the handshake.
    pub(crate) asks_after: Duration,
    /// How long it reads nothing, from the beginning.
    pub(crate) sleeps: Option<Duration>,
    /// The server's Pings are answered.
    pub(crate) answers_pings: bool,
    /// How long an answer may take.
    pub(crate) patience: Duration,
}

/// What is sent to keep a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping,
    Pong,
    Message,
    /// Frames of a message that never ends.
    Fragment,
    /// A Ping and a message.
    Both,
}

/// How to ask whether a connection is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    Ping,
    Message,
    /// Neither is answered: only a connection that ends tells anything.
    None,
}

/// Watches a connection. `at_s`: when its handshake was done, since the start of the run.
pub(crate) async fn watch(mut wire: Wire, script: &Script, at_s: f64, stop: &Stop) -> Life {
    wire.answers_pings = script.answers_pings;
    if let Some(text) = &script.subscribe {
        wire.text(text);
    }
    let start = Instant::now();
    let mut lane = Lane {
        wire,
        script,
        start,
        life: Life::new(script.arm.clone(), at_s),
        waiting: None,
        heard: start,
        fragments: 0,
    };
    if let Some(sleeps) = script.sleeps {
        tokio::select! {
            () = sleep_until(start + sleeps) => {}
            () = stop.stopped() => {}
        }
    }
    let end = lane.run(stop).await;
    lane.finish(end)
}

struct Lane<'a> {
    wire: Wire,
    script: &'a Script,
    start: Instant,
    life: Life,
    /// Since when something that was sent is not answered.
    waiting: Option<Instant>,
    /// When the last byte came.
    heard: Instant,
    fragments: u32,
}

/// How a watch ended.
enum Over {
    /// The end was seen now.
    Ended(Ending),
    /// Nothing came since the last byte.
    Hole,
    Alive,
}

impl Lane<'_> {
    async fn run(&mut self, stop: &Stop) -> Over {
        let asks_at = self.start + self.script.asks_after;
        let mut ticks = self.script.beat.map(|(_, every)| ticks(self.start + every, every));
        loop {
            let overdue = self.waiting.map(|since| since + self.script.patience);
            // In this order, so that what is due is not held up by a server that talks without a pause.
            tokio::select! {
                biased;
                () = stop.stopped() => return Over::Alive,
                () = sleep_until(asks_at) => return self.ask().await,
                () = sleep_until(overdue.unwrap_or(asks_at)), if overdue.is_some() => {
                    match self.overdue().await {
                        Some(over) => return over,
                        None => self.waiting = None,
                    }
                }
                () = tick(&mut ticks) => self.beat(),
                got = self.wire.recv() => match got {
                    Ok(frame) => self.note(&frame),
                    Err(end) => return Over::Ended(end),
                },
            }
        }
    }

    fn note(&mut self, frame: &Frame) {
        let now = Instant::now();
        self.heard = now;
        let age = between_s(self.start, now);
        self.life.last_byte_s = age;
        match frame {
            Frame::Ping => {
                if self.life.server_pings_s.len() < KEPT {
                    self.life.server_pings_s.push(age);
                }
            }
            Frame::Pong(_) => {
                self.life.pongs += 1;
                if !self.expects_message() {
                    self.waiting = None;
                }
            }
            Frame::Text(_) | Frame::Binary(_) => {
                self.life.received += 1;
                if self.life.messages_s.len() < KEPT {
                    self.life.messages_s.push(age);
                }
                self.waiting = None;
            }
        }
    }

    /// What was sent asks for a message rather than a Pong.
    fn expects_message(&self) -> bool {
        matches!(self.script.beat, Some((Beat::Message, _))) && self.life.stalled_s.is_none()
    }

    fn beat(&mut self) {
        let Some((beat, _)) = self.script.beat else { return };
        match beat {
            Beat::Ping => self.wire.ping(PING),
            Beat::Pong => self.wire.pong(b""),
            Beat::Message => self.wire.text(&self.script.message),
            Beat::Fragment => {
                self.wire.fragment(self.fragments == 0);
                self.fragments += 1;
            }
            Beat::Both => {
                self.wire.ping(PING);
                self.wire.text(&self.script.message);
            }
        }
        self.life.sent += 1;
        self.life.last_byte_s = between_s(self.start, Instant::now());
        let answered = match beat {
            Beat::Ping | Beat::Both => self.script.means == Means::Ping,
            // A message that was replied to once will be again.
            Beat::Message => self.life.received > 0 && self.life.stalled_s.is_none(),
            Beat::Pong | Beat::Fragment => false,
        };
        if answered && self.waiting.is_none() {
            self.waiting = Some(Instant::now());
        }
    }

    /// An answer is overdue. Messages may be lost on a connection that still answers Pings.
    async fn overdue(&mut self) -> Option<Over> {
        if self.expects_message() && self.script.means == Means::Ping {
            self.wire.ping(PING);
            let deadline = Instant::now() + self.script.patience;
            return match self.answer(Means::Ping, deadline).await {
                Some(Ok(())) => {
                    self.life.stalled_s = Some(self.life.messages_s.last().copied().unwrap_or(0.0));
                    None
                }
                Some(Err(end)) => Some(Over::Ended(end)),
                None => Some(Over::Hole),
            };
        }
        Some(Over::Hole)
    }

    /// The question at the end of a quiet time.
    async fn ask(&mut self) -> Over {
        let asked = Instant::now();
        let means = self.script.means;
        match means {
            Means::Ping => self.wire.ping(PING),
            Means::Message => self.wire.text(&self.script.message),
            Means::None => return Over::Alive,
        }
        let before = (self.life.last_byte_s, self.heard);
        let answer = self.answer(means, asked + self.script.patience).await;
        let answered_after_s = matches!(answer, Some(Ok(()))).then(|| between_s(asked, Instant::now()));
        let acked = if answered_after_s.is_some() { Some(true) } else { self.wire.acked() };
        self.life.question =
            Some(Question { asked_s: between_s(self.start, asked), answered_after_s, acked });
        // The quiet time ended with the question.
        (self.life.last_byte_s, self.heard) = before;
        match answer {
            Some(Ok(())) => Over::Alive,
            Some(Err(end)) => Over::Ended(end),
            None => Over::Hole,
        }
    }

    /// Waits for the answer to a question: `Some(Ok)` when it came, `Some(Err)` when the connection ended.
    async fn answer(&mut self, means: Means, deadline: Instant) -> Option<Result<(), Ending>> {
        loop {
            match timeout_at(deadline, self.wire.recv()).await {
                Ok(Ok(frame)) => {
                    let fits = match means {
                        Means::Ping => matches!(&frame, Frame::Pong(payload) if payload == PING),
                        Means::Message => frame.message().is_some(),
                        Means::None => false,
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

    fn finish(mut self, over: Over) -> Life {
        let now = Instant::now();
        self.life.age_s = match over {
            Over::Hole => between_s(self.start, self.heard),
            _ => between_s(self.start, now),
        };
        self.life.end = match over {
            Over::Ended(end) => Some(end),
            Over::Hole => Some(Ending::BlackHole),
            Over::Alive => None,
        };
        // The answer to the question is no part of the quiet time.
        if let Some(question) = &self.life.question
            && self.life.end.is_none()
        {
            self.life.age_s = question.asked_s;
        }
        self.life
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

impl Script {
    /// A lane that does nothing, then asks.
    pub(crate) fn quiet(arm: Arm, asks_after: Duration, means: Means, patience: Duration) -> Script {
        Script {
            arm,
            beat: None,
            means,
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
