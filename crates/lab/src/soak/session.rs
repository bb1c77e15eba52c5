//! One session of the soak: numbered messages out, their echoes checked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use undrop_client::{Client, ClientConfig, CloseCode, Event, Message, SessionMode};

/// The work of every session.
pub(super) struct SoakPlan {
    pub(super) url: String,
    pub(super) rate: u32,
    /// No message is sent later.
    pub(super) end: Instant,
    /// A message that has not arrived by then counts as lost.
    pub(super) settle: Instant,
    pub(super) seed: u64,
}

/// The counts of one session, or of all together.
#[derive(Debug, Default)]
pub(super) struct SessionCounts {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) doubled: u64,
    pub(super) reordered: u64,
    pub(super) corrupt: u64,
    pub(super) gaps: u64,
    /// Sessions that could not be opened or ended early.
    pub(super) failed: u64,
    /// Times without a link.
    pub(super) resumes: Vec<Duration>,
}

impl SessionCounts {
    pub(super) fn add(&mut self, other: SessionCounts) {
        self.sent += other.sent;
        self.received += other.received;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.corrupt += other.corrupt;
        self.gaps += other.gaps;
        self.failed += other.failed;
        self.resumes.extend(other.resumes);
    }
}

/// Numbers that were expected and have not come.
#[derive(Default)]
struct ExpectedMessage {
    next: u64,
    missing: std::collections::BTreeSet<u64>,
}

pub(super) async fn run(stream: u32, plan: Arc<SoakPlan>) -> SessionCounts {
    let mut outcome = SessionCounts::default();
    let config = ClientConfig {
        session: SessionMode::Require,
        grace: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(5),
        ..ClientConfig::default()
    };
    let client = Client::builder(&plan.url).map(|builder| builder.config(config).start());
    let Ok(Ok(mut client)) = client else {
        outcome.failed = 1;
        return outcome;
    };
    let mut rng = fastrand::Rng::with_seed(plan.seed ^ (u64::from(stream) << 20));
    let mut events = client.events();
    let sender = client.sender();
    let mut ticks = interval(Duration::from_secs(1) / plan.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut expected = ExpectedMessage::default();
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if Instant::now() >= plan.end {
                    break;
                }
                // A full queue waits for the next beat.
                if sender.try_send(Message::Text(compose(stream, outcome.sent, &mut rng))).is_ok() {
                    outcome.sent += 1;
                }
            }
            message = client.recv() => match message {
                Some(message) => note(&mut outcome, &mut expected, stream, &message),
                None => {
                    outcome.failed = 1;
                    return outcome;
                }
            },
            Some(event) = events.next() => watch(&mut outcome, event),
        }
    }
    while outcome.received < outcome.sent {
        tokio::select! {
            message = timeout_at(plan.settle, client.recv()) => match message {
                Ok(Some(message)) => note(&mut outcome, &mut expected, stream, &message),
                Ok(None) | Err(_) => break,
            },
            Some(event) = events.next() => watch(&mut outcome, event),
        }
    }
    let closed = client.close(CloseCode::NORMAL, "").await;
    if closed.unacked > 0 {
        outcome.failed = 1;
    }
    outcome
}

/// The text of a message, `<stream>:<number>:<padding>`, 20 to 2,000 bytes long.
fn compose(stream: u32, number: u64, rng: &mut fastrand::Rng) -> String {
    let mut text = format!("{stream}:{number}:");
    let length = if rng.u8(0..16) == 0 { rng.usize(500..2000) } else { rng.usize(8..120) };
    text.extend(std::iter::repeat_with(|| rng.alphanumeric()).take(length));
    text
}

fn note(outcome: &mut SessionCounts, expected: &mut ExpectedMessage, stream: u32, message: &Message) {
    let number = std::str::from_utf8(message.as_bytes()).ok().and_then(|text| {
        let (from, rest) = text.split_once(':')?;
        let (number, _) = rest.split_once(':')?;
        (from.parse() == Ok(stream)).then(|| number.parse::<u64>().ok()).flatten()
    });
    let Some(number) = number.filter(|number| *number < outcome.sent) else {
        outcome.corrupt += 1;
        return;
    };
    if number >= expected.next {
        expected.missing.extend(expected.next..number);
        expected.next = number + 1;
        outcome.received += 1;
    } else if expected.missing.remove(&number) {
        outcome.reordered += 1;
        outcome.received += 1;
    } else {
        outcome.doubled += 1;
    }
}

fn watch(outcome: &mut SessionCounts, event: Event) {
    match event {
        Event::Resumed { seamless: false, after, .. } => outcome.resumes.push(after),
        Event::Gap { .. } => outcome.gaps += 1,
        _ => {}
    }
}
