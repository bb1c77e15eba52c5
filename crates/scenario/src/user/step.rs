//! The execution of each operation.

use std::time::{Duration, Instant};

use serde_json::Value;
use undrop_frame::{CloseCode, Message};
use undrop_text::duration;

use super::{
    ConnectRequest, LinkState, LoopEnd, Pending, Progress, Round, UserAction, UserFailureKind, UserRun,
};
use crate::program::{Action, Dial, Jitter, Loop, MessageBody, Pause, PauseTime, Rounds, parse_count};
use crate::template::{RenderError, Template};
use crate::variables::Values;
use std::sync::Arc;

/// The text that filler repeats.
const FILLER: &[u8] = b"undrop bench 0123456789 abcdefghijklmnopqrstuvwxyz ";

impl UserRun {
    /// Starts the current operation. Returns `None` if the engine has nothing to do.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Result<Option<UserAction>, RenderError> {
        let scenario = Arc::clone(&self.scenario);
        let Some(operation) = scenario.flows[self.flow].program.operations.get(self.at) else {
            return Ok(Some(self.finish()));
        };
        match &operation.action {
            Action::Connect(_) if self.link == LinkState::Open => {
                // A user has one connection, so a new one replaces it. The step starts again when the old one is closed.
                self.link = LinkState::Closing;
                return Ok(Some(UserAction::Close(CloseCode::NORMAL, String::new())));
            }
            Action::Connect(dial) => {
                let connect = render_dial(dial, &self.values, rng)?;
                self.link = LinkState::Dialling;
                self.early.clear();
                self.early_bytes = 0;
                self.last_sent = None;
                self.advance();
                return Ok(Some(UserAction::Connect(connect)));
            }
            Action::Send { .. } | Action::Expect(_) | Action::ExpectEnd { .. }
                if self.link != LinkState::Open =>
            {
                self.fail(
                    UserFailureKind::UserAction,
                    "there is no open connection at this step; a `connect` is missing".to_owned(),
                );
            }
            Action::Send { body, forget_earlier } => {
                let message = render_body(body, &self.values, rng)?;
                if *forget_earlier {
                    self.early.clear();
                    self.early_bytes = 0;
                    self.dropped = 0;
                }
                self.last_sent = Some(now);
                self.advance();
                return Ok(Some(UserAction::Send(message)));
            }
            Action::Expect(expectation) => {
                let expected = expectation.expected(&self.values, rng)?;
                let deadline = now + expectation.within;
                self.progress =
                    Progress::Reply(Box::new(Pending { deadline, expected, others: 0, mismatch: None }));
                while matches!(self.progress, Progress::Reply(_))
                    && let Some((arrived, message)) = self.early.pop_front()
                {
                    self.early_bytes -= message.len();
                    self.judge(arrived, &message);
                }
            }
            Action::ExpectEnd { within, .. } => self.progress = Progress::End(now + *within),
            Action::Think(pause) => match render_pause(pause, &self.values, rng)? {
                Ok(time) => self.progress = Progress::Until(now + time),
                Err(why) => self.fail(UserFailureKind::UserAction, why),
            },
            Action::Enter(entered) => self.enter(entered, now, rng)?,
            Action::Repeat => self.repeat(now),
            Action::Set(slot, shape) => {
                self.values[*slot] = Some(Arc::new(shape.value(&self.values, rng)?));
                self.advance();
            }
            Action::Log(template) => {
                let line = template.text(&self.values, rng)?;
                self.advance();
                return Ok(Some(UserAction::Log(line)));
            }
            Action::Close(code, reason) => {
                let reason = reason.text(&self.values, rng)?;
                self.advance();
                if self.link == LinkState::Open {
                    self.link = LinkState::Closing;
                    return Ok(Some(UserAction::Close(CloseCode::new(*code), close_reason(reason))));
                }
            }
        }
        Ok(None)
    }

    /// Closes the connection after the last operation.
    fn finish(&mut self) -> UserAction {
        if self.link == LinkState::Open {
            self.link = LinkState::Closing;
            return UserAction::Close(CloseCode::NORMAL, String::new());
        }
        UserAction::Done
    }

    fn enter(&mut self, entered: &Loop, now: Instant, rng: &mut fastrand::Rng) -> Result<(), RenderError> {
        let (index, end) = match &entered.rounds {
            Rounds::Range(from, before) => (*from, LoopEnd::Before(*before)),
            Rounds::For(time) => (0, LoopEnd::At(now + *time)),
            Rounds::Forever => (0, LoopEnd::Never),
            Rounds::Computed(template) => {
                let text = template.text(&self.values, rng)?;
                match parse_count(&text) {
                    Some((from, before)) => (from, LoopEnd::Before(before)),
                    None => {
                        self.fail(UserFailureKind::UserAction, format!("`{text}` is not a number of rounds"));
                        return Ok(());
                    }
                }
            }
            Rounds::Over(list) => {
                let list = list.shared(&self.values, rng)?;
                if !list.is_array() {
                    self.fail(
                        UserFailureKind::UserAction,
                        "what the loop goes over is not a list".to_owned(),
                    );
                    return Ok(());
                }
                (0, LoopEnd::Over(list))
            }
        };
        self.loops.push(Round { enter: self.at, index, end });
        self.start_round(now);
        Ok(())
    }

    fn repeat(&mut self, now: Instant) {
        if let Some(round) = self.loops.last_mut() {
            round.index += 1;
            self.start_round(now);
        } else {
            self.advance();
        }
    }

    /// Jumps to the first step of the loop, or past its end if no round is left.
    fn start_round(&mut self, now: Instant) {
        let scenario = Arc::clone(&self.scenario);
        let Some(round) = self.loops.last_mut() else { return };
        let Action::Enter(entered) = &scenario.flows[self.flow].program.operations[round.enter].action else {
            return;
        };
        let (more, element) = match &mut round.end {
            LoopEnd::Before(before) => (round.index < *before, None),
            LoopEnd::At(end) => (now < *end, None),
            LoopEnd::Never => (true, None),
            LoopEnd::Over(list) => match list.get(round.index as usize) {
                Some(item) => (true, Some(item.clone())),
                None => (false, None),
            },
        };
        self.progress = Progress::New;
        if more {
            let number = Arc::new(Value::from(round.index));
            self.values[entered.element] = Some(element.map_or_else(|| Arc::clone(&number), Arc::new));
            self.values[entered.counter] = Some(number);
            self.at = round.enter + 1;
        } else {
            self.at = entered.exit;
            self.loops.pop();
        }
    }
}

fn render_dial(dial: &Dial, values: &Values, rng: &mut fastrand::Rng) -> Result<ConnectRequest, RenderError> {
    let mut headers = Vec::with_capacity(dial.headers.len());
    for (name, value) in &dial.headers {
        headers.push((name.clone(), value.text(values, rng)?));
    }
    let protocols = dial.protocols.iter().map(|p| p.text(values, rng)).collect::<Result<_, _>>()?;
    Ok(ConnectRequest { target: dial.target.text(values, rng)?, headers, protocols })
}

fn render_body(body: &MessageBody, values: &Values, rng: &mut fastrand::Rng) -> Result<Message, RenderError> {
    Ok(match body {
        MessageBody::Text(template) => Message::Text(template.text(values, rng)?),
        MessageBody::Json(shape) => {
            let mut text = String::new();
            shape.write(values, rng, &mut text)?;
            Message::Text(text)
        }
        MessageBody::Binary(bytes) => Message::Binary(bytes.clone()),
        MessageBody::Filler { length, binary } => {
            let bytes = FILLER.iter().copied().cycle().take(*length).collect::<Vec<u8>>();
            match (binary, String::from_utf8(bytes)) {
                (false, Ok(text)) => Message::Text(text),
                (_, Ok(text)) => Message::Binary(text.into_bytes()),
                (_, Err(error)) => Message::Binary(error.into_bytes()),
            }
        }
    })
}

fn render_pause(
    pause: &Pause,
    values: &Values,
    rng: &mut fastrand::Rng,
) -> Result<Result<Duration, String>, RenderError> {
    let time = match &pause.time {
        PauseTime::Fixed(time) => *time,
        PauseTime::Computed(template) => match duration::parse(&computed(template, values, rng)?) {
            Ok(time) => time,
            Err(error) => return Ok(Err(error.to_string())),
        },
    };
    let spread = match pause.jitter {
        Jitter::None => return Ok(Ok(time)),
        Jitter::By(spread) => spread.as_secs_f64(),
        Jitter::Part(part) => time.as_secs_f64() * part,
    };
    let moved = time.as_secs_f64() + spread * (2.0 * rng.f64() - 1.0);
    Ok(duration::from_seconds(moved.max(0.0)).map_err(|error| error.to_string()))
}

fn computed(template: &Template, values: &Values, rng: &mut fastrand::Rng) -> Result<String, RenderError> {
    template.text(values, rng)
}

/// Truncates a close reason to 123 bytes, the maximum of a Close frame (RFC 6455 §5.5).
fn close_reason(mut reason: String) -> String {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}
