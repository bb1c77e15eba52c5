//! One virtual user: a machine that says what to do next, and is told what happened.
//!
//! ```text
//!   closed ──Connect──▶ dialling ──connected──▶ open ──Close──▶ closing
//!      ▲                    │ closed: failed      │ closed: failed, unless the step waits for the end
//!      └────────────────────┴─────────────────────┴───────────────────────── closed
//! ```
//!
//! [`Run::next`] is a question about the state: what it answered stays the answer until time passes or something is told. Only
//! `Connect`, `Send`, `Log` and `Close` are handed out once each, to be done.

mod step;

pub(crate) use step::parse_count;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use undrop_frame::{CloseCode, Ending, Message};
use undrop_text::duration;

use crate::check::{Expectation, Expected, Verdict, shorten};
use crate::model::Scenario;
use crate::program::{Action, Program};
use crate::template::RenderError;
use crate::variables::Values;

/// Most messages that wait for a step to look at them, for each user; then the oldest is dropped.
const MAX_WAITING: usize = 64;

/// Most bytes of them.
const MAX_WAITING_BYTES: usize = 256 << 10;

/// Most operations in a row that ask nothing of the engine; more is a loop that does nothing.
const MAX_SILENT: usize = 10_000;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Dial; then call [`Run::connected`], [`Run::refused`] or [`Run::closed`].
    Connect(Connect),
    /// Write this, then ask again at once.
    Send(Message),
    /// Ask again at that time. The connection, when open, is read meanwhile.
    Think(Instant),
    /// A message or the end of the connection is waited for; ask again after either, at the latest at that time.
    Expect(Instant),
    /// The answer to `Connect` or `Close` is still awaited.
    Waiting,
    /// Print this, then ask again at once.
    Log(String),
    /// Start the closing handshake, then call [`Run::closed`] with how it ended (whatever it is, the run goes on).
    Close(CloseCode, String),
    /// The flow is at its end and its connection closed.
    Done,
    /// The flow cannot go on. Drop the connection.
    Failed(Failure),
}

/// A connection to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// A `ws` or `wss` URL.
    pub target: String,
    /// Request headers besides those of the handshake.
    pub headers: Vec<(String, String)>,
    /// Sub-protocols to offer.
    pub protocols: Vec<String>,
}

/// An expectation that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Line of the step that waited.
    pub line: u32,
    /// From the last message of this user to the arrival of the answer. `None` when nothing was sent before it, or something was sent
    /// between its arrival and the step that waited for it, so that nobody knows which message it answers.
    pub latency: Option<Duration>,
    /// A check with `strict: false` that did not hold: expected and got.
    pub mismatch: Option<String>,
}

/// Why a user's flow stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For counting.
    pub kind: FailureKind,
    /// Line of the step.
    pub line: u32,
    /// The whole story, with the line's file left to the caller.
    pub message: String,
}

/// What stopped a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// The connection could not be opened.
    Connect,
    /// It ended while the flow was not at its end.
    Dropped,
    /// Nothing came in time.
    Timeout,
    /// What came was something else.
    Mismatch,
    /// A step cannot be done: a variable without a value, a message too large, a send before `connect`.
    Step,
}

impl FailureKind {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "not connected",
            Self::Dropped => "dropped",
            Self::Timeout => "no answer in time",
            Self::Mismatch => "wrong answer",
            Self::Step => "step not possible",
        }
    }
}

/// One virtual user. A few hundred bytes, and what its variables and early messages take.
#[derive(Debug)]
pub struct Run {
    scenario: Arc<Scenario>,
    flow: usize,
    /// The operation that comes next, or is in progress.
    at: usize,
    values: Values,
    loops: Vec<Round>,
    link: Link,
    progress: Progress,
    early: VecDeque<(Instant, Message)>,
    early_bytes: usize,
    /// Early messages that had to be dropped.
    dropped: u64,
    last_sent: Option<Instant>,
    /// Not taken yet. As many as early messages at most, in one call of `next`.
    answers: VecDeque<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Closed,
    Dialling,
    Open,
    Closing,
}

/// How far the operation in progress is.
#[derive(Debug)]
enum Progress {
    /// Not begun.
    New,
    Until(Instant),
    Answer(Box<Pending>),
    End(Instant),
    Failed(Failure),
}

/// A round of a loop.
#[derive(Debug)]
struct Round {
    /// The operation that entered it.
    enter: usize,
    index: u64,
    end: LoopEnd,
}

#[derive(Debug)]
enum LoopEnd {
    Before(u64),
    Over(Arc<serde_json::Value>),
    At(Instant),
    Never,
}

/// An expectation in progress.
struct Pending {
    deadline: Instant,
    expected: Expected,
    /// Messages that were passed over.
    others: u64,
    /// Why the last of them was not it.
    mismatch: Option<String>,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("deadline", &self.deadline).field("others", &self.others).finish()
    }
}

impl Run {
    /// User number `user` of that flow (an index into [`Scenario::flows`]; the last one when there is no such). `rng` is this user's,
    /// see [`Scenario::rng`].
    pub fn new(scenario: &Arc<Scenario>, flow: usize, user: u64, rng: &mut fastrand::Rng) -> Self {
        Self {
            scenario: Arc::clone(scenario),
            flow: flow.min(scenario.flows.len().saturating_sub(1)),
            at: 0,
            values: scenario.variables.start(user, rng),
            loops: Vec::new(),
            link: Link::Closed,
            progress: Progress::New,
            early: VecDeque::new(),
            early_bytes: 0,
            dropped: 0,
            last_sent: None,
            answers: VecDeque::new(),
        }
    }

    /// What to do next. Does not block, never hands out the same act twice.
    pub fn next(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Step {
        for _ in 0..MAX_SILENT {
            match &self.progress {
                Progress::Failed(failure) => return Step::Failed(failure.clone()),
                _ if matches!(self.link, Link::Dialling | Link::Closing) => return Step::Waiting,
                Progress::Until(until) if now < *until => return Step::Think(*until),
                Progress::Until(_) => self.advance(),
                Progress::Answer(pending) if now < pending.deadline => return Step::Expect(pending.deadline),
                Progress::Answer(_) => self.time_out(),
                Progress::End(deadline) if now < *deadline => return Step::Expect(*deadline),
                Progress::End(_) => {
                    self.fail(
                        FailureKind::Timeout,
                        "the connection was expected to end, and is still open".to_owned(),
                    );
                }
                Progress::New => match self.begin(now, rng) {
                    Ok(Some(step)) => return step,
                    Ok(None) => {}
                    Err(error) => {
                        let message = self.render_failure(&error);
                        self.fail(FailureKind::Step, message);
                    }
                },
            }
        }
        self.fail(FailureKind::Step, "a loop goes round without sending, waiting or thinking".to_owned());
        self.next(now, rng)
    }

    /// The connection that `Connect` asked for is open.
    pub fn connected(&mut self, _now: Instant) {
        if self.link == Link::Dialling {
            self.link = Link::Open;
        }
    }

    /// The connection that `Connect` asked for could not be opened, for a reason that is not an [`Ending`] (`HTTP 403`).
    pub fn refused(&mut self, _now: Instant, why: &str) {
        if self.link == Link::Dialling {
            self.link = Link::Closed;
            // The step is over, so its line is that of the operation before.
            self.fail_at(
                self.at.saturating_sub(1),
                FailureKind::Connect,
                format!("cannot connect: {}", shorten(why)),
            );
        }
    }

    /// The last `Send` was really written at that time. Without this call, the time when it was handed out counts.
    pub fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// A message has come. True when it was the one that a step waited for: [`take_answer`](Self::take_answer) has its latency. What
    /// comes early is kept when some step may want it: 64 messages and 256 KiB at most, then the oldest is dropped.
    pub fn received(&mut self, now: Instant, message: &Message) -> bool {
        match &self.progress {
            Progress::Answer(_) => self.judge(now, message),
            Progress::Failed(_) => false,
            _ if !self.program().expects => false,
            _ => {
                self.keep(now, message);
                false
            }
        }
    }

    /// The connection has ended, however.
    pub fn closed(&mut self, _now: Instant, ending: &Ending) {
        let link = std::mem::replace(&mut self.link, Link::Closed);
        match (&self.progress, link) {
            (Progress::Failed(_), _) | (_, Link::Closed | Link::Closing) => {}
            (_, Link::Dialling) => {
                self.fail_at(
                    self.at.saturating_sub(1),
                    FailureKind::Connect,
                    format!("cannot connect: {ending}"),
                );
            }
            (Progress::End(_), Link::Open) => self.ended_as_expected(ending),
            (Progress::Answer(pending), Link::Open) => {
                let expected = self.expectation().map(|e| e.words(&pending.expected)).unwrap_or_default();
                self.fail(FailureKind::Dropped, format!("{ending} while waiting for {expected}"));
            }
            (Progress::Until(_), Link::Open) => {
                self.fail(FailureKind::Dropped, format!("{ending} while thinking"));
            }
            (Progress::New, Link::Open) => self.fail(FailureKind::Dropped, ending.to_string()),
        }
    }

    /// The next expectation that was met: ask after [`received`](Self::received), and after [`next`](Self::next), which looks at what
    /// came early. Of those that nobody takes, the last 65 are kept.
    pub fn take_answer(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    /// Line of the step in progress, for a live view.
    pub fn line(&self) -> u32 {
        self.line_of(self.at)
    }

    /// The flow that this user follows.
    pub fn flow(&self) -> usize {
        self.flow
    }

    fn program(&self) -> &Program {
        &self.scenario.flows[self.flow].program
    }

    fn line_of(&self, at: usize) -> u32 {
        let operations = &self.program().operations;
        operations.get(at).or(operations.last()).map_or(0, |operation| operation.line)
    }

    fn expectation(&self) -> Option<&Expectation> {
        match &self.program().operations.get(self.at)?.action {
            Action::Expect(expectation) => Some(expectation),
            _ => None,
        }
    }

    fn advance(&mut self) {
        self.at += 1;
        self.progress = Progress::New;
    }

    fn fail(&mut self, kind: FailureKind, message: String) {
        self.fail_at(self.at, kind, message);
    }

    fn fail_at(&mut self, at: usize, kind: FailureKind, message: String) {
        let line = self.line_of(at);
        self.progress = Progress::Failed(Failure { kind, line, message });
        self.early = VecDeque::new();
        self.early_bytes = 0;
    }

    fn render_failure(&self, error: &RenderError) -> String {
        match error {
            RenderError::Unset(slot) => {
                format!("`{}` has no value here, or not that field", self.scenario.variables.name(*slot))
            }
            RenderError::TooLarge => "what this step makes is too large: a message has 16 MiB at most, a variable 1 MiB and 128 levels"
                    .to_owned(),
        }
    }

    fn time_out(&mut self) {
        let Progress::Answer(pending) = std::mem::replace(&mut self.progress, Progress::New) else { return };
        let Some(expectation) = self.expectation() else { return };
        let within = duration::spell(expectation.within);
        let dropped = match self.dropped {
            0 => String::new(),
            n => format!(
                "; {n} earlier messages did not fit the buffer of {MAX_WAITING} and were dropped unseen"
            ),
        };
        let (kind, message) = match (pending.mismatch, pending.others) {
            (Some(mismatch), 1) => (FailureKind::Mismatch, format!("no answer within {within}: {mismatch}")),
            (Some(mismatch), others) => (
                FailureKind::Mismatch,
                format!("no answer within {within} among {others} messages; of the last one: {mismatch}"),
            ),
            (None, _) => {
                let expected = expectation.words(&pending.expected);
                (FailureKind::Timeout, format!("nothing came within {within}; expected {expected}"))
            }
        };
        self.fail(kind, message + &dropped);
    }

    /// Judges a message against the expectation in progress; true when it was the one.
    fn judge(&mut self, arrived: Instant, message: &Message) -> bool {
        let Progress::Answer(pending) = &self.progress else { return false };
        let Some(expectation) = self.expectation() else { return false };
        match expectation.judge(&pending.expected, message) {
            Verdict::Taken { captured, mismatch } => {
                for (slot, value) in captured {
                    self.values[slot] = Some(Arc::new(value));
                }
                let latency = self.last_sent.and_then(|sent| arrived.checked_duration_since(sent));
                if self.answers.len() > MAX_WAITING {
                    self.answers.pop_front();
                }
                self.answers.push_back(Answer { line: self.line(), latency, mismatch });
                self.advance();
                true
            }
            Verdict::Mismatch(mismatch) if expectation.only_next => {
                self.fail(FailureKind::Mismatch, mismatch);
                false
            }
            Verdict::Mismatch(mismatch) => {
                if let Progress::Answer(pending) = &mut self.progress {
                    pending.others += 1;
                    pending.mismatch = Some(mismatch);
                }
                false
            }
        }
    }

    /// Keeps a message for a later step.
    fn keep(&mut self, now: Instant, message: &Message) {
        self.early_bytes += message.len();
        self.early.push_back((now, message.clone()));
        while self.early.len() > MAX_WAITING || self.early_bytes > MAX_WAITING_BYTES {
            let Some((_, dropped)) = self.early.pop_front() else { break };
            self.early_bytes -= dropped.len();
            self.dropped += 1;
        }
    }

    fn ended_as_expected(&mut self, ending: &Ending) {
        let expected = match self.program().operations.get(self.at).map(|operation| &operation.action) {
            Some(Action::ExpectEnd { code, .. }) => *code,
            _ => None,
        };
        let got = ending.close().map(|(code, _)| code.get());
        match expected {
            Some(code) if got != Some(code) => {
                self.fail(FailureKind::Mismatch, format!("expected close {code}, got {ending}"));
            }
            _ => self.advance(),
        }
    }
}
