//! The two applications: the messages they send, and checks of those they receive.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use undrop_frame::{CloseCode, Message};

use super::schedule::Schedule;

/// Returns message number `index` (from 1) of `who` in session number `epoch`. It depends only on the arguments, so a
/// receiver can distinguish it from every other one.
pub(super) fn message(schedule: &Schedule, who: char, epoch: u64, index: u64) -> Message {
    let mix = (schedule.seed ^ epoch << 48 ^ index << 8 ^ u64::from(u32::from(who)))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(23)
        .wrapping_mul(0xff51_afd7_ed55_8ccd);
    let len = (mix >> 40) as usize % schedule.max_payload;
    let escape = if mix.is_multiple_of(5) { "\u{1f}" } else { "" };
    let mut text = format!("{escape}{who}{epoch}.{index}");
    while text.len() < len {
        text.push(char::from(b'a' + (text.len() % 26) as u8));
    }
    if mix.is_multiple_of(3) { Message::Binary(text.into_bytes()) } else { Message::Text(text) }
}

/// Returns `epoch` and `index` of a message of [`message`].
pub(super) fn read(message: &Message) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(message.as_bytes()).ok()?;
    let text = text.trim_start_matches('\u{1f}');
    let (epoch, rest) = text.get(1..)?.split_once('.')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((epoch.parse().ok()?, rest[..digits].parse().ok()?))
}

/// The application of the client.
pub(super) struct Page {
    pub(super) next: Instant,
    /// The time of the next check for received messages.
    pub(super) next_take: Instant,
    pub(super) sent: u64,
    /// The last received message: session and index.
    pub(super) seen: (u64, u64),
    /// The same for every earlier session.
    earlier: Vec<(u64, u64)>,
    pub(super) received: u64,
    /// The ranges that were reported as lost, by session.
    pub(super) announced: Vec<(u64, u64, u64)>,
    pub(super) acked: u64,
    pub(super) close_sent: bool,
    pub(super) closed: Option<CloseCode>,
    /// The session that the machine is in.
    pub(super) epoch: u64,
    pub(super) wrong: Option<String>,
    pub(super) hurry: bool,
}

impl Page {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: now,
            next_take: now,
            sent: 0,
            seen: (1, 0),
            earlier: Vec::new(),
            received: 0,
            announced: Vec::new(),
            acked: 0,
            close_sent: false,
            closed: None,
            epoch: 1,
            wrong: None,
            hurry: false,
        }
    }

    pub(super) fn hurry(&mut self, now: Instant) {
        self.hurry = true;
        self.next = now;
        self.next_take = now;
    }

    /// Checks a received message: it must be the next one, or the first of a later session.
    pub(super) fn see(&mut self, schedule: &Schedule, message: &Message) -> Result<(), String> {
        self.received += 1;
        let Some((epoch, index)) = read(message) else {
            return Err(format!("the client received an unknown message: {message:?}"));
        };
        if *message != self::message(schedule, 'g', epoch, index) {
            return Err(format!("the client got g{epoch}.{index} with other contents"));
        }
        let (at, last) = self.seen;
        let expected = if epoch > at { 1 } else { last + 1 };
        if epoch < at || index != expected {
            let how = if (epoch, index) <= (at, last) { "again" } else { "too early" };
            return Err(format!("the client got g{epoch}.{index} {how}, after g{at}.{last}"));
        }
        if epoch > at {
            self.earlier.push(self.seen);
        }
        self.seen = (epoch, index);
        Ok(())
    }

    /// Returns the last received message of an earlier session.
    pub(super) fn last_of(&self, epoch: u64) -> u64 {
        self.earlier.iter().find(|(at, _)| *at == epoch).map_or(0, |(_, last)| *last)
    }

    /// Checks a reported loss: it must follow the last received message directly.
    pub(super) fn gap(&mut self, from: u64, to: u64) -> Result<(), String> {
        let (epoch, last) = self.seen;
        if from != last + 1 {
            return Err(format!("loss of {from} to {to} announced after {last}"));
        }
        self.announced.push((epoch, from, to));
        self.seen = (epoch, to);
        Ok(())
    }
}

/// The backend, across all sessions of a run.
pub(super) struct Backend {
    pub(super) next: Instant,
    pub(super) next_take: Instant,
    /// The number of messages sent in each session, from session 1.
    pub(super) sent: Vec<u64>,
    pub(super) total: u64,
    /// The number of client messages that were consumed in order.
    pub(super) seen: u64,
    pub(super) received: u64,
    pub(super) close_sent: bool,
    pub(super) closed: Option<CloseCode>,
    /// The number of units that the policy dropped during the run.
    pub(super) dropped: u64,
    pub(super) hurry: bool,
}

impl Backend {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: now,
            next_take: now,
            sent: Vec::new(),
            total: 0,
            seen: 0,
            received: 0,
            close_sent: false,
            closed: None,
            dropped: 0,
            hurry: false,
        }
    }

    pub(super) fn hurry(&mut self, now: Instant) {
        self.hurry = true;
        self.next = now;
        self.next_take = now;
    }

    /// Checks a message of the client. Client messages are one sequence across all sessions.
    pub(super) fn see(&mut self, schedule: &Schedule, message: &Message) -> Result<(), String> {
        self.received += 1;
        let Some((_, index)) = read(message) else {
            return Err(format!("the backend received an unknown message: {message:?}"));
        };
        if *message != self::message(schedule, 'c', 0, index) {
            return Err(format!("the backend got c{index} with other contents"));
        }
        if index != self.seen + 1 {
            let how = if index <= self.seen { "again" } else { "too early" };
            return Err(format!("the backend got c{index} {how}, after c{}", self.seen));
        }
        self.seen = index;
        Ok(())
    }
}

/// Messages that the backend has not consumed yet.
pub(super) type Pipe = VecDeque<Message>;

/// The time between two checks of an application after the network has healed.
pub(super) const HURRIED: Duration = Duration::from_millis(5);
