//! `send` with `match` and `capture`, `wait`, and the `expect` of guides.

use std::time::Duration;

use super::context::FlowContext;
use crate::builder::Builder;
use crate::check::{Capture, Check, Expectation, Rule, Subject};
use crate::keys::check_name;
use crate::native::{self, EXPECT_KEYS};
use crate::pattern;
use crate::program::{Action, MessageBody};
use undrop_text::suggest;

use crate::yaml::node::{MapEntry, Node, Place, YamlValue};
use crate::yaml::reader::{Fields, Reader, Result};

/// Keys of captures and matches that only apply to HTTP.
const FOREIGN: &[&str] = &["header", "selector", "xpath", "transform"];

/// Reads `send` or `wait`.
pub(crate) fn read(
    reader: &mut Reader,
    builder: &mut Builder,
    context: &mut FlowContext,
    entry: &MapEntry,
) -> Result<()> {
    let is_wait = entry.key == "wait";
    let entries = entry.value.map().unwrap_or_default();
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    if !has("match") && !has("capture") {
        if is_wait {
            return Err(reader.error_with_help(
                entry.place,
                "`wait` needs a `match` or a `capture`",
                "to pause, write `think`",
            ));
        }
        if entries.len() == 1 && has("payload") {
            reader.notice(entry.place, "`send` with `payload` alone sends the JSON object {\"payload\": …}, as Artillery does; to send the payload itself write `send: …`");
        }
        let body = body(reader, &entry.value, entry.place)?;
        return builder.push(reader, entry.place, Action::Send { body, forget_earlier: false });
    }
    let mut fields = reader.fields(&entry.value, if is_wait { "`wait`" } else { "`send`" })?;
    let payload = fields.take("payload");
    let (matches, captures) = (fields.take("match"), fields.take("capture"));
    reader.finish(&fields)?;
    let mut expectation =
        Expectation { within: context.within, only_next: false, checks: Vec::new(), captures: Vec::new() };
    if let Some(entry) = matches {
        for node in one_or_more(entry) {
            expectation.checks.push(read_match(reader, node)?);
        }
    }
    if let Some(entry) = captures {
        for node in one_or_more(entry) {
            expectation.captures.push(read_capture(reader, node)?);
        }
    }
    if let Some(entry) = payload {
        let body = body(reader, &entry.value, entry.place)?;
        builder.push(reader, entry.place, Action::Send { body, forget_earlier: true })?;
    }
    builder.push(reader, entry.place, Action::Expect(expectation))
}

fn one_or_more(entry: &MapEntry) -> &[Node] {
    match &entry.value.kind {
        YamlValue::List(nodes) => nodes,
        _ => std::slice::from_ref(&entry.value),
    }
}

fn read_match(reader: &mut Reader, node: &Node) -> Result<Check> {
    let mut fields = reader.fields(node, "`match`")?;
    let subject = subject(reader, &mut fields, node)?;
    let (value, strict) = (fields.take("value"), fields.take("strict"));
    reader.finish(&fields)?;
    let strict = strict.map(|entry| reader.flag(entry)).transpose()?.unwrap_or(true);
    let rule = match value {
        Some(entry) => Rule::Equals(reader.shape(&entry.value)?),
        None => {
            reader.notice(
                node.place,
                "`match` without `value` checks nothing in Artillery; here something must be found",
            );
            Rule::Present
        }
    };
    Ok(Check { subject, rule, strict })
}

fn read_capture(reader: &mut Reader, node: &Node) -> Result<Capture> {
    let mut fields = reader.fields(node, "`capture`")?;
    let subject = subject(reader, &mut fields, node)?;
    let (name, strict) = (fields.take("as"), fields.take("strict"));
    reader.finish(&fields)?;
    let entry =
        name.ok_or_else(|| reader.error(node.place, "`capture` needs `as`, the name of the variable"))?;
    let name = reader.text(entry)?;
    check_name(reader, &name, entry.value.place)?;
    let strict = strict.map(|entry| reader.flag(entry)).transpose()?.unwrap_or(true);
    Ok(Capture { subject, slot: reader.names.set(&name), strict })
}

fn subject(reader: &mut Reader, fields: &mut Fields<'_>, node: &Node) -> Result<Subject> {
    let (json, regexp) = (fields.take("json"), fields.take("regexp"));
    let (group, flags) = (fields.take("group"), fields.take("flags"));
    for key in FOREIGN {
        if let Some(entry) = fields.take_quietly(key) {
            let message = format!("`{key}` is not supported for WebSocket messages");
            return Err(reader.error_with_help(entry.place, message, "use `json` or `regexp`"));
        }
    }
    match (json, regexp) {
        (Some(entry), _) => {
            let text = reader.fixed(entry)?;
            Ok(Subject::Json(native::json_path(reader, &text, entry.value.place)?))
        }
        (None, Some(entry)) => {
            let flags = flags.map(|entry| reader.text(entry)).transpose()?.unwrap_or_default();
            let regex = pattern::compile(reader, &reader.text(entry)?, &flags, entry.value.place)?;
            let group = pattern::group(reader, group, &regex)?;
            Ok(Subject::Regex(Box::new(regex), group))
        }
        (None, None) => Err(reader.error(node.place, "a `match` or `capture` needs `json` or `regexp`")),
    }
}

/// Reads `expect`: a text that the message must equal, a JSON object whose fields it must have, or the keys of the native `expect`.
pub(crate) fn expect(reader: &mut Reader, entry: &MapEntry, within: Duration) -> Result<Expectation> {
    let Some(entries) = entry.value.map() else { return native::expect(reader, entry, within) };
    let keys_are = |known: &[&str]| entries.iter().all(|entry| known.contains(&entry.key.as_str()));
    if keys_are(&["match", "capture"]) && !entries.is_empty() {
        let mut expectation =
            Expectation { within, only_next: false, checks: Vec::new(), captures: Vec::new() };
        for part in entries {
            for node in one_or_more(part) {
                match part.key.as_str() {
                    "match" => expectation.checks.push(read_match(reader, node)?),
                    _ => expectation.captures.push(read_capture(reader, node)?),
                }
            }
        }
        return Ok(expectation);
    }
    // A JSON message may have a field `text`, but it is unlikely that all its fields are named like keys of `expect`.
    if keys_are(EXPECT_KEYS)
        || (entries.len() > 1
            && entries.iter().all(|e| suggest::nearest(&e.key, EXPECT_KEYS.iter().copied()).is_some()))
    {
        return native::expect(reader, entry, within);
    }
    let mut expectation = Expectation { within, only_next: false, checks: Vec::new(), captures: Vec::new() };
    native::json_checks(reader, &entry.value, &mut expectation.checks)?;
    Ok(expectation)
}

/// Reads the message of a `send` without `match` and `capture`.
fn body(reader: &mut Reader, node: &Node, place: Place) -> Result<MessageBody> {
    match &node.kind {
        YamlValue::Null => Err(reader.error(place, "`send` has nothing to send")),
        YamlValue::List(_) | YamlValue::Map(_) => Ok(MessageBody::Json(reader.shape(node)?)),
        _ => {
            let text = node.scalar().unwrap_or_default();
            Ok(MessageBody::Text(reader.template(&text, node.place)?))
        }
    }
}
