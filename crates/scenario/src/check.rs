//! Whether a message is the one that was waited for, and what to keep of it.

use std::time::Duration;

use regex_lite::Regex;
use serde_json::Value;
use undrop_frame::Message;

use crate::path::JsonPath;
use crate::template::{RenderError, Shape, Template, size, write_json, write_text};
use crate::variables::{Values, VariableSlot};

/// Longest captured value, in bytes of JSON.
const MAX_CAPTURE: usize = 256 << 10;

/// Most characters of a message that a failure shows.
const SHOWN: usize = 200;

/// What a step waits for.
#[derive(Debug)]
pub(crate) struct Expectation {
    /// From when the step is reached.
    pub(crate) within: Duration,
    /// The next message must be it; otherwise others are passed over.
    pub(crate) only_next: bool,
    pub(crate) checks: Vec<Check>,
    pub(crate) captures: Vec<Capture>,
}

/// One thing that must be so.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) subject: Subject,
    pub(crate) rule: Rule,
    /// False: reported, but the message is taken all the same.
    pub(crate) strict: bool,
}

/// The part of a message that is looked at.
#[derive(Debug)]
pub(crate) enum Subject {
    /// The text.
    Whole,
    /// What a path finds; of several, any may satisfy a check, and a capture takes one at random.
    Json(JsonPath),
    /// What an expression, or one of its groups, finds.
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
    /// Equal; an object holds at least these fields.
    Equals(Shape),
    Contains(Template),
}

/// A value that is kept.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) subject: Subject,
    pub(crate) slot: VariableSlot,
    /// False: when nothing is found, the variable stays as it is.
    pub(crate) strict: bool,
}

/// A message, judged.
pub(crate) enum MatchResult {
    /// It is the one. Captured values, and the first check that is not strict and did not hold.
    Taken { captured: Vec<(VariableSlot, Value)>, mismatch: Option<String> },
    /// Expected and got.
    Mismatch(String),
}

/// The values that a message is compared with, written out when the step is reached.
pub(crate) struct Expected {
    values: Vec<Value>,
    /// Picks one of several captured values.
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

    /// What is expected, in words, for when nothing came.
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

    /// Err: what was there instead.
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

/// `expected` is in `found`: objects field by field, lists element by element, numbers by value.
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
