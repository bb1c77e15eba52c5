//! One virtual user: a machine that says what to do next, and is told what happened.
//!
//! ```text
//!   closed ──Connect──▶ dialling ──connected──▶ open ──Close──▶ closing
//!      ▲                    │ closed: failed      │ closed: failed, unless the step waits for the end
//!      └────────────────────┴─────────────────────┴───────────────────────── closed
//! ```
//!
//! [`UserRun::next`] is a question about the state: what it answered stays the answer until time passes or something is told. Only
//! `Connect`, `Send`, `Log` and `Close` are handed out once each, to be done.

mod step;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use undrop_frame::{CloseCode, Ending, Message};
use undrop_text::duration;

use crate::check::{Expectation, Expected, MatchResult, shorten};
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
pub enum UserAction {
    /// Dial; then call [`UserRun::connected`], [`UserRun::refused`] or [`UserRun::closed`].
    Connect(ConnectRequest),
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
    /// Start the closing handshake, then call [`UserRun::closed`] with how it ended (whatever it is, the run goes on).
    Close(CloseCode, String),
    /// The flow is at its end and its connection closed.
    Done,
    /// The flow cannot go on. Drop the connection.
    Failed(UserFailure),
}

/// A connection to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// A `ws` or `wss` URL.
    pub target: String,
    /// Request headers besides those of the handshake.
    pub headers: Vec<(String, String)>,
    /// Sub-protocols to offer.
    pub protocols: Vec<String>,
}

/// An expectation that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
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
pub struct UserFailure {
    /// For counting.
    pub kind: UserFailureKind,
    /// Line of the step.
    pub line: u32,
    /// The whole story, with the line's file left to the caller.
    pub message: String,
}

/// What stopped a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserFailureKind {
    /// The connection could not be opened.
    Connect,
    /// It ended while the flow was not at its end.
    Dropped,
    /// Nothing came in time.
    Timeout,
    /// What came was something else.
    Mismatch,
    /// A step cannot be done: a variable without a value, a message too large, a send before `connect`.
    UserAction,
}

impl UserFailureKind {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "not connected",
            Self::Dropped => "dropped",
            Self::Timeout => "no answer in time",
            Self::Mismatch => "wrong answer",
            Self::UserAction => "step not possible",
        }
    }
}

/// One virtual user. A few hundred bytes, and what its variables and early messages take.
#[derive(Debug)]
pub struct UserRun {
    scenario: Arc<Scenario>,
    flow: usize,
    /// The operation that comes next, or is in progress.
    at: usize,
    values: Values,
    loops: Vec<Round>,
    link: LinkState,
    progress: Progress,
    early: VecDeque<(Instant, Message)>,
    early_bytes: usize,
    /// Early messages that had to be dropped.
    dropped: u64,
    last_sent: Option<Instant>,
    /// Not taken yet. As many as early messages at most, in one call of `next`.
    answers: VecDeque<Reply>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
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
    Reply(Box<Pending>),
    End(Instant),
    Failed(UserFailure),
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

impl UserRun {
    /// User number `user` of that flow (an index into [`Scenario::flows`]; the last one when there is no such). `rng` is this user's,
    /// see [`Scenario::rng`].
    pub fn new(scenario: &Arc<Scenario>, flow: usize, user: u64, rng: &mut fastrand::Rng) -> Self {
        Self {
            scenario: Arc::clone(scenario),
            flow: flow.min(scenario.flows.len().saturating_sub(1)),
            at: 0,
            values: scenario.variables.start(user, rng),
            loops: Vec::new(),
            link: LinkState::Closed,
            progress: Progress::New,
            early: VecDeque::new(),
            early_bytes: 0,
            dropped: 0,
            last_sent: None,
            answers: VecDeque::new(),
        }
    }

    /// What to do next. Does not block, never hands out the same act twice.
    pub fn next(&mut self, now: Instant, rng: &mut fastrand::Rng) -> UserAction {
        for _ in 0..MAX_SILENT {
            match &self.progress {
                Progress::Failed(failure) => return UserAction::Failed(failure.clone()),
                _ if matches!(self.link, LinkState::Dialling | LinkState::Closing) => {
                    return UserAction::Waiting;
                }
                Progress::Until(until) if now < *until => return UserAction::Think(*until),
                Progress::Until(_) => self.advance(),
                Progress::Reply(pending) if now < pending.deadline => {
                    return UserAction::Expect(pending.deadline);
                }
                Progress::Reply(_) => self.time_out(),
                Progress::End(deadline) if now < *deadline => return UserAction::Expect(*deadline),
                Progress::End(_) => {
                    self.fail(
                        UserFailureKind::Timeout,
                        "the connection was expected to end, and is still open".to_owned(),
                    );
                }
                Progress::New => match self.begin(now, rng) {
                    Ok(Some(step)) => return step,
                    Ok(None) => {}
                    Err(error) => {
                        let message = self.render_failure(&error);
                        self.fail(UserFailureKind::UserAction, message);
                    }
                },
            }
        }
        self.fail(
            UserFailureKind::UserAction,
            "a loop goes round without sending, waiting or thinking".to_owned(),
        );
        self.next(now, rng)
    }

    /// The connection that `Connect` asked for is open.
    pub fn connected(&mut self, _now: Instant) {
        if self.link == LinkState::Dialling {
            self.link = LinkState::Open;
        }
    }

    /// The connection that `Connect` asked for could not be opened, for a reason that is not an [`Ending`] (`HTTP 403`).
    pub fn refused(&mut self, _now: Instant, why: &str) {
        if self.link == LinkState::Dialling {
            self.link = LinkState::Closed;
            // The step is over, so its line is that of the operation before.
            self.fail_at(
                self.at.saturating_sub(1),
                UserFailureKind::Connect,
                format!("cannot connect: {}", shorten(why)),
            );
        }
    }

    /// The last `Send` was really written at that time. Without this call, the time when it was handed out counts.
    pub fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// A message has come. True when it was the one that a step waited for: [`take_reply`](Self::take_reply) has its latency. What
    /// comes early is kept when some step may want it: 64 messages and 256 KiB at most, then the oldest is dropped.
    pub fn received(&mut self, now: Instant, message: &Message) -> bool {
        match &self.progress {
            Progress::Reply(_) => self.judge(now, message),
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
        let link = std::mem::replace(&mut self.link, LinkState::Closed);
        match (&self.progress, link) {
            (Progress::Failed(_), _) | (_, LinkState::Closed | LinkState::Closing) => {}
            (_, LinkState::Dialling) => {
                self.fail_at(
                    self.at.saturating_sub(1),
                    UserFailureKind::Connect,
                    format!("cannot connect: {ending}"),
                );
            }
            (Progress::End(_), LinkState::Open) => self.ended_as_expected(ending),
            (Progress::Reply(pending), LinkState::Open) => {
                let expected = self.expectation().map(|e| e.words(&pending.expected)).unwrap_or_default();
                self.fail(UserFailureKind::Dropped, format!("{ending} while waiting for {expected}"));
            }
            (Progress::Until(_), LinkState::Open) => {
                self.fail(UserFailureKind::Dropped, format!("{ending} while thinking"));
            }
            (Progress::New, LinkState::Open) => self.fail(UserFailureKind::Dropped, ending.to_string()),
        }
    }

    /// The next expectation that was met: ask after [`received`](Self::received), and after [`next`](Self::next), which looks at what
    /// came early. Of those that nobody takes, the last 65 are kept.
    pub fn take_reply(&mut self) -> Option<Reply> {
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

    fn fail(&mut self, kind: UserFailureKind, message: String) {
        self.fail_at(self.at, kind, message);
    }

    fn fail_at(&mut self, at: usize, kind: UserFailureKind, message: String) {
        let line = self.line_of(at);
        self.progress = Progress::Failed(UserFailure { kind, line, message });
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
        let Progress::Reply(pending) = std::mem::replace(&mut self.progress, Progress::New) else { return };
        let Some(expectation) = self.expectation() else { return };
        let within = duration::spell(expectation.within);
        let dropped = match self.dropped {
            0 => String::new(),
            n => format!(
                "; {n} earlier messages did not fit the buffer of {MAX_WAITING} and were dropped unseen"
            ),
        };
        let (kind, message) = match (pending.mismatch, pending.others) {
            (Some(mismatch), 1) => {
                (UserFailureKind::Mismatch, format!("no answer within {within}: {mismatch}"))
            }
            (Some(mismatch), others) => (
                UserFailureKind::Mismatch,
                format!("no answer within {within} among {others} messages; of the last one: {mismatch}"),
            ),
            (None, _) => {
                let expected = expectation.words(&pending.expected);
                (UserFailureKind::Timeout, format!("nothing came within {within}; expected {expected}"))
            }
        };
        self.fail(kind, message + &dropped);
    }

    /// Judges a message against the expectation in progress; true when it was the one.
    fn judge(&mut self, arrived: Instant, message: &Message) -> bool {
        let Progress::Reply(pending) = &self.progress else { return false };
        let Some(expectation) = self.expectation() else { return false };
        match expectation.judge(&pending.expected, message) {
            MatchResult::Taken { captured, mismatch } => {
                for (slot, value) in captured {
                    self.values[slot] = Some(Arc::new(value));
                }
                let latency = self.last_sent.and_then(|sent| arrived.checked_duration_since(sent));
                if self.answers.len() > MAX_WAITING {
                    self.answers.pop_front();
                }
                self.answers.push_back(Reply { line: self.line(), latency, mismatch });
                self.advance();
                true
            }
            MatchResult::Mismatch(mismatch) if expectation.only_next => {
                self.fail(UserFailureKind::Mismatch, mismatch);
                false
            }
            MatchResult::Mismatch(mismatch) => {
                if let Progress::Reply(pending) = &mut self.progress {
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
                self.fail(UserFailureKind::Mismatch, format!("expected close {code}, got {ending}"));
            }
            _ => self.advance(),
        }
    }
}
