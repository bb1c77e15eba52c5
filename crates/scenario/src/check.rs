//! Expectations: whether a message is the expected one, and which values to capture from it.

use std::time::Duration;

use regex_lite::Regex;
use serde_json::Value;
use undrop_frame::Message;

use crate::path::JsonPath;
use crate::template::{RenderError, Shape, Template, size, write_json, write_text};
use crate::variables::{Values, VariableSlot};

/// The maximum size of a captured value, in bytes of JSON.
const MAX_CAPTURE: usize = 256 << 10;

/// The maximum number of characters of a message in a failure.
const SHOWN: usize = 200;

/// The message that a step waits for.
#[derive(Debug)]
pub(crate) struct Expectation {
    /// The time limit, from the start of the step.
    pub(crate) within: Duration,
    /// Whether the next message must match; otherwise other messages are skipped.
    pub(crate) only_next: bool,
    pub(crate) checks: Vec<Check>,
    pub(crate) captures: Vec<Capture>,
}

/// One condition on a message.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) subject: Subject,
    pub(crate) rule: Rule,
    /// Whether a mismatch rejects the message; otherwise it is only reported.
    pub(crate) strict: bool,
}

/// The part of a message that a condition applies to.
#[derive(Debug)]
pub(crate) enum Subject {
    /// The whole message as text.
    Whole,
    /// The values that a path finds. Any of them may satisfy a check; a capture chooses one at random.
    Json(JsonPath),
    /// The match of a regular expression, or one of its groups.
    Regex(Box<Regex>, RegexGroup),
}

#[derive(Debug)]
pub(crate) enum RegexGroup {
    All,
    Number(usize),
    Name(String),
}

#[derive(Debug)]
pub(crate) enum Rule {
    Present,
    /// The value is equal; an object has at least these fields.
    Equals(Shape),
    Contains(Template),
}

/// A value that is captured into a variable.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) subject: Subject,
    pub(crate) slot: VariableSlot,
    /// Whether a missing value rejects the message; otherwise the variable keeps its value.
    pub(crate) strict: bool,
}

/// The result of matching a message with an expectation.
pub(crate) enum MatchResult {
    /// The message matches. Contains the captured values and the first mismatch of a check that is not strict.
    Taken { captured: Vec<(VariableSlot, Value)>, mismatch: Option<String> },
    /// The message does not match: the expected and the actual content.
    Mismatch(String),
}

/// The values that messages are compared with, rendered when the step starts.
pub(crate) struct Expected {
    values: Vec<Value>,
    /// A random number that selects one of several captured values.
    pick: usize,
}

impl Expectation {
    pub(crate) fn expected(&self, values: &Values, rng: &mut fastrand::Rng) -> Result<Expected, RenderError> {
        let render = |check: &Check| match &check.rule {
            Rule::Present => Ok(Value::Null),
            Rule::Equals(shape) => shape.value(values, rng),
            Rule::Contains(template) => template.text(values, rng).map(Value::String),
        };
        let values = self.checks.iter().map(render).collect::<Result<_, _>>()?;
        Ok(Expected { values, pick: rng.usize(..) })
    }

    /// Describes the expected message, for failures.
    pub(crate) fn words(&self, expected: &Expected) -> String {
        let words = self.checks.iter().zip(&expected.values);
        let words: Vec<String> = words.map(|(check, value)| check.words(value)).collect();
        if words.is_empty() { "any message".to_owned() } else { words.join(" and ") }
    }

    pub(crate) fn judge(&self, expected: &Expected, message: &Message) -> MatchResult {
        let mut document = Document { message, json: None };
        let mut mismatch = None;
        for (check, value) in self.checks.iter().zip(&expected.values) {
            if let Err(got) = check.holds(value, &mut document) {
                let text = format!("expected {}, got {got}", check.words(value));
                if check.strict {
                    return MatchResult::Mismatch(text);
                }
                mismatch.get_or_insert(text);
            }
        }
        let mut captured = Vec::with_capacity(self.captures.len());
        for capture in &self.captures {
            match document.find_one(&capture.subject, expected.pick) {
                Some(value) if size(&value) <= MAX_CAPTURE => captured.push((capture.slot, value)),
                Some(_) => {
                    let limit = MAX_CAPTURE >> 10;
                    return MatchResult::Mismatch(format!(
                        "{} is larger than {limit} KiB, too large to capture",
                        capture.subject.words()
                    ));
                }
                None if capture.strict => {
                    let (what, got) = (capture.subject.words(), show_message(message));
                    return MatchResult::Mismatch(format!("expected {what} to capture, got {got}"));
                }
                None => {}
            }
        }
        MatchResult::Taken { captured, mismatch }
    }
}

impl Check {
    fn words(&self, expected: &Value) -> String {
        let subject = self.subject.words();
        match &self.rule {
            Rule::Present => subject,
            Rule::Equals(_) => format!("{subject} = {}", show(expected)),
            Rule::Contains(_) => format!("{subject} with {} in it", show(expected)),
        }
    }

    /// Returns the actual content as an error if the check fails.
    fn holds(&self, expected: &Value, document: &mut Document<'_>) -> Result<(), String> {
        let message = document.message;
        let is = |found: &Value| match (&self.rule, expected) {
            (Rule::Present, _) => true,
            (Rule::Equals(_), expected) => includes(expected, found),
            (Rule::Contains(_), Value::String(part)) => {
                let mut text = String::new();
                write_text(found, &mut text);
                text.contains(part.as_str())
            }
            (Rule::Contains(_), _) => false,
        };
        match &self.subject {
            Subject::Whole => {
                let text = String::from_utf8_lossy(message.as_bytes());
                let holds = match (&self.rule, expected) {
                    (Rule::Present, _) => true,
                    (Rule::Contains(_), Value::String(part)) => text.contains(part.as_str()),
                    (_, expected) => {
                        let mut wanted = String::new();
                        write_text(expected, &mut wanted);
                        text == wanted
                    }
                };
                if holds { Ok(()) } else { Err(show_message(message)) }
            }
            Subject::Json(path) => {
                let Some(json) = document.json() else {
                    return Err(format!("{}, which is not JSON", show_message(message)));
                };
                let found = path.find(json);
                match found.first() {
                    _ if found.iter().any(|value| is(value)) => Ok(()),
                    Some(first) if path.as_str() != "$" => {
                        Err(format!("{} in {}", show(first), show_message(message)))
                    }
                    Some(_) => Err(show_message(message)),
                    None => Err(format!("nothing there in {}", show_message(message))),
                }
            }
            Subject::Regex(..) => match document.find_one(&self.subject, 0) {
                Some(found) if is(&found) => Ok(()),
                Some(found) => Err(format!("{} in {}", show(&found), show_message(message))),
                None => Err(show_message(message)),
            },
        }
    }
}

impl Subject {
    fn words(&self) -> String {
        match self {
            Subject::Whole => "a message".to_owned(),
            Subject::Json(path) => path.as_str().to_owned(),
            Subject::Regex(regex, RegexGroup::All) => format!("/{regex}/"),
            Subject::Regex(regex, RegexGroup::Number(group)) => format!("group {group} of /{regex}/"),
            Subject::Regex(regex, RegexGroup::Name(group)) => format!("group `{group}` of /{regex}/"),
        }
    }
}

/// A message that is parsed as JSON at most once.
struct Document<'m> {
    message: &'m Message,
    json: Option<Option<Value>>,
}

impl Document<'_> {
    fn json(&mut self) -> Option<&Value> {
        let bytes = self.message.as_bytes();
        self.json.get_or_insert_with(|| serde_json::from_slice(bytes).ok()).as_ref()
    }

    fn find_one(&mut self, subject: &Subject, pick: usize) -> Option<Value> {
        match subject {
            Subject::Whole => {
                Some(Value::String(String::from_utf8_lossy(self.message.as_bytes()).into_owned()))
            }
            Subject::Json(path) => {
                let found = path.find(self.json()?);
                let chosen = pick.checked_rem(found.len())?;
                found.get(chosen).map(|value| (*value).clone())
            }
            Subject::Regex(regex, group) => {
                let text = String::from_utf8_lossy(self.message.as_bytes());
                let groups = regex.captures(&text)?;
                let found = match group {
                    RegexGroup::All => groups.get(0),
                    RegexGroup::Number(number) => groups.get(*number),
                    RegexGroup::Name(name) => groups.name(name),
                };
                found.map(|found| Value::String(found.as_str().to_owned()))
            }
        }
    }
}

/// Returns whether `found` includes `expected`: objects by field, lists by element, numbers by value.
fn includes(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| includes(value, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(e, f)| includes(e, f))
        }
        (Value::Number(expected), Value::Number(found)) => {
            expected == found || expected.as_f64() == found.as_f64()
        }
        (expected, found) => expected == found,
    }
}

fn show(value: &Value) -> String {
    let mut text = String::new();
    write_json(value, &mut text);
    shorten(&text)
}

fn show_message(message: &Message) -> String {
    match message {
        Message::Text(text) => format!("`{}`", shorten(text)),
        Message::Binary(bytes) => format!("{} bytes of binary", bytes.len()),
    }
}

pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
