//! One virtual user: a state machine that returns the next action and receives events.
//!
//! ```text
//!   closed ──Connect──▶ dialling ──connected──▶ open ──Close──▶ closing
//!      ▲                    │ closed: failed      │ closed: failed, unless the step waits for the end
//!      └────────────────────┴─────────────────────┴───────────────────────── closed
//! ```
//!
//! [`UserRun::next`] queries the state: it returns the same action until time passes or an event is reported. Only `Connect`, `Send`,
//! `Log` and `Close` are returned once each, to be executed.

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

/// The maximum number of early messages per user that wait for a step; then the oldest is dropped.
const MAX_WAITING: usize = 64;

/// The maximum size of all early messages of a user in bytes.
const MAX_WAITING_BYTES: usize = 256 << 10;

/// The maximum number of consecutive operations without an action for the engine; more indicates an empty loop.
const MAX_SILENT: usize = 10_000;

/// The next action of a user.
#[derive(Clone, Debug, PartialEq)]
pub enum UserAction {
    /// Open a connection, then call [`UserRun::connected`], [`UserRun::refused`] or [`UserRun::closed`].
    Connect(ConnectRequest),
    /// Send this message, then call [`UserRun::next`] again at once.
    Send(Message),
    /// Call [`UserRun::next`] again at this time. Meanwhile read from the connection if it is open.
    Think(Instant),
    /// Wait for a message or the end of the connection, then call [`UserRun::next`] again; at the latest at this time.
    Expect(Instant),
    /// Wait for the result of `Connect` or `Close`.
    Waiting,
    /// Print this line, then call [`UserRun::next`] again at once.
    Log(String),
    /// Close the connection, then call [`UserRun::closed`] with the ending. The run continues whatever the ending is.
    Close(CloseCode, String),
    /// The flow is complete and the connection is closed.
    Done,
    /// The flow has failed. Drop the connection.
    Failed(UserFailure),
}

/// A connection to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// A `ws` or `wss` URL.
    pub target: String,
    /// Request headers in addition to those of the handshake.
    pub headers: Vec<(String, String)>,
    /// The subprotocols to offer, in order of preference.
    pub protocols: Vec<String>,
}

/// An expectation that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The line of the step that waited for the message.
    pub line: u32,
    /// The time from the last message of this user to the arrival of the reply. `None` if nothing was sent before, or if another
    /// message was sent between the arrival and the step that waited for it, so the reply cannot be assigned to a message.
    pub latency: Option<Duration>,
    /// The expected and the actual content if a check with `strict: false` failed.
    pub mismatch: Option<String>,
}

/// The reason why the flow of a user failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFailure {
    /// The kind of failure, for counting.
    pub kind: UserFailureKind,
    /// The line of the step.
    pub line: u32,
    /// The full description, without the name of the file.
    pub message: String,
}

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserFailureKind {
    /// The connection could not be opened.
    Connect,
    /// The connection ended before the flow was complete.
    Dropped,
    /// No message arrived in time.
    Timeout,
    /// The messages that arrived did not match.
    Mismatch,
    /// A step cannot be executed: a variable has no value, a message is too large, or a `send` precedes `connect`.
    UserAction,
}

impl UserFailureKind {
    /// Returns the name for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "not connected",
            Self::Dropped => "dropped",
            Self::Timeout => "no reply in time",
            Self::Mismatch => "wrong reply",
            Self::UserAction => "step not possible",
        }
    }
}

/// The state of one virtual user: a few hundred bytes, plus its variables and early messages.
#[derive(Debug)]
pub struct UserRun {
    scenario: Arc<Scenario>,
    flow: usize,
    /// The index of the operation that is in progress or next.
    at: usize,
    values: Values,
    loops: Vec<Round>,
    link: LinkState,
    progress: Progress,
    early: VecDeque<(Instant, Message)>,
    early_bytes: usize,
    /// The number of early messages that were dropped.
    dropped: u64,
    last_sent: Option<Instant>,
    /// The replies that the engine has not taken yet.
    answers: VecDeque<Reply>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    Closed,
    Dialling,
    Open,
    Closing,
}

/// The progress of the current operation.
#[derive(Debug)]
enum Progress {
    /// The operation has not started.
    New,
    Until(Instant),
    Reply(Box<Pending>),
    End(Instant),
    Failed(UserFailure),
}

/// The current round of a loop.
#[derive(Debug)]
struct Round {
    /// The index of the operation that entered the loop.
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
    /// The number of messages that did not match.
    others: u64,
    /// The reason why the last of them did not match.
    mismatch: Option<String>,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("deadline", &self.deadline).field("others", &self.others).finish()
    }
}

impl UserRun {
    /// Creates user number `user` of a flow, which is an index into [`Scenario::flows`]; a larger index selects the last flow. `rng`
    /// must be the one of this user, see [`Scenario::rng`].
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

    /// Returns the next action. Never blocks, and never returns the same `Connect`, `Send`, `Log` or `Close` twice.
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
            "a loop repeats without sending, waiting or pausing".to_owned(),
        );
        self.next(now, rng)
    }

    /// Reports that the requested connection is open.
    pub fn connected(&mut self, _now: Instant) {
        if self.link == LinkState::Dialling {
            self.link = LinkState::Open;
        }
    }

    /// Reports that the requested connection could not be opened, with the reason.
    pub fn refused(&mut self, _now: Instant, why: &str) {
        if self.link == LinkState::Dialling {
            self.link = LinkState::Closed;
            // The step is complete, so its line is that of the previous operation.
            self.fail_at(
                self.at.saturating_sub(1),
                UserFailureKind::Connect,
                format!("cannot connect: {}", shorten(why)),
            );
        }
    }

    /// Reports when the last `Send` was written. Without this call, the time when the action was returned counts.
    pub fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// Reports a message. Returns whether a step waited for it; [`take_reply`](Self::take_reply) then returns its latency. A message
    /// that arrives early is kept if some step may wait for it: at most 64 messages and 256 KiB, then the oldest is dropped.
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

    /// Reports the end of the connection.
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

    /// Returns the next expectation that was met. Call it after [`received`](Self::received), and after [`next`](Self::next), which
    /// matches early messages. The last 65 are kept.
    pub fn take_reply(&mut self) -> Option<Reply> {
        self.answers.pop_front()
    }

    /// Returns the line of the current step.
    pub fn line(&self) -> u32 {
        self.line_of(self.at)
    }

    /// Returns the index of the flow of this user.
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
                (UserFailureKind::Mismatch, format!("no reply within {within}: {mismatch}"))
            }
            (Some(mismatch), others) => (
                UserFailureKind::Mismatch,
                format!("no reply within {within} among {others} messages; of the last one: {mismatch}"),
            ),
            (None, _) => {
                let expected = expectation.words(&pending.expected);
                (UserFailureKind::Timeout, format!("nothing came within {within}; expected {expected}"))
            }
        };
        self.fail(kind, message + &dropped);
    }

    /// Matches a message with the current expectation. Returns whether it matches.
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

    /// Keeps an early message for a later step.
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
