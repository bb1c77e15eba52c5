//! Conditions on the result, converted to the form of `--ensure`.

use crate::model::Condition;
use crate::yaml::node::{MapEntry, Place, YamlValue};
use crate::yaml::reader::{Reader, Result, suggestion};

/// The comparison operators, the longest first, so `<=` is not read as `<`.
const COMPARISONS: [&str; 6] = ["<=", ">=", "==", "!=", "<", ">"];

/// The metrics of Artillery with their names here. Latencies in Artillery are in milliseconds.
const METRICS: &[(&str, &str)] = &[
    ("vusers.created", "users"),
    ("vusers.completed", "completed"),
    ("vusers.failed", "failed"),
    ("vusers.skipped", "skipped"),
    ("websocket.messages_sent", "sent"),
    ("websocket.messages_received", "received"),
    ("websocket.send_rate", "send-rate"),
    ("websocket.receive_rate", "receive-rate"),
];

/// The aggregates of latency in Artillery with their names here.
const AGGREGATES: &[(&str, &str)] = &[
    ("min", "min"),
    ("max", "max"),
    ("mean", "mean"),
    ("median", "p50"),
    ("p50", "p50"),
    ("p75", "p75"),
    ("p90", "p90"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("p999", "p99.9"),
];

/// Reads the native form: a list of texts such as `p99 < 50ms`.
pub(crate) fn native(reader: &mut Reader, entry: &MapEntry) -> Result<Vec<Condition>> {
    let items = match &entry.value.kind {
        YamlValue::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.value),
    };
    let mut conditions = Vec::with_capacity(items.len());
    for item in items {
        let YamlValue::Text(text) = &item.kind else {
            let message = format!("a condition is a text such as `p99 < 50ms`, not {}", item.describe());
            return Err(reader.error(item.place, message));
        };
        let (metric, comparison, limit) =
            split(text).ok_or_else(|| not_a_condition(reader, text, item.place))?;
        conditions.push(condition(item.place, metric, comparison, limit, true));
    }
    Ok(conditions)
}

/// Reads `ensure` of Artillery: `thresholds`, `conditions`, and the older `p95: 200`, `maxErrorRate: 1`.
pub(crate) fn artillery(reader: &mut Reader, entry: &MapEntry) -> Result<Vec<Condition>> {
    let node = &entry.value;
    if matches!(node.kind, YamlValue::Null) {
        return Ok(Vec::new());
    }
    let mut fields = reader.fields(node, "`ensure`")?;
    let mut conditions = Vec::new();
    if let Some(entry) = fields.take("thresholds") {
        for threshold in reader.list(entry)? {
            for entry in reader.fields(threshold, "a threshold")?.left() {
                let limit = reader.number(entry)?;
                conditions.push(metric(reader, &entry.key, "<", limit, entry.place, true)?);
            }
        }
    }
    if let Some(entry) = fields.take("conditions") {
        for item in reader.list(entry)? {
            let mut fields = reader.fields(item, "a condition")?;
            let expression = fields.take("expression");
            let strict = fields.take("strict").map(|entry| reader.flag(entry)).transpose()?.unwrap_or(true);
            reader.finish(&fields)?;
            let expression =
                expression.ok_or_else(|| reader.error(item.place, "a condition needs an `expression`"))?;
            conditions.extend(expressions(reader, expression, strict)?);
        }
    }
    for (old, ours) in AGGREGATES {
        if let Some(entry) = fields.take(old) {
            let limit = reader.number(entry)?;
            conditions.push(condition(entry.place, ours, "<=", &format!("{limit}ms"), true));
        }
    }
    if let Some(entry) = fields.take("maxErrorRate") {
        let limit = reader.number(entry)?;
        conditions.push(condition(entry.place, "errors", "<=", &format!("{limit}%"), true));
    }
    reader.finish(&fields)?;
    Ok(conditions)
}

/// Reads a conjunction such as `a < 5 and b == 0`.
fn expressions(reader: &mut Reader, entry: &MapEntry, strict: bool) -> Result<Vec<Condition>> {
    let (text, place) = (reader.text(entry)?, entry.value.place);
    let unsupported = |reader: &Reader| {
        reader.error_with_help(
            place,
            format!("the condition `{text}` is not supported"),
            "write comparisons of a metric with a number, joined by `and`",
        )
    };
    if [" or ", "||", "(", ")", "*", "+", "/"].iter().any(|word| text.contains(word)) {
        return Err(unsupported(reader));
    }
    let mut conditions = Vec::new();
    for part in text.replace("&&", " and ").split(" and ") {
        let Some((name, comparison, limit)) = split(part) else { return Err(unsupported(reader)) };
        let Ok(limit) = limit.parse::<f64>() else { return Err(unsupported(reader)) };
        conditions.push(metric(reader, name, comparison, limit, place, strict)?);
    }
    Ok(conditions)
}

/// Translates a metric of Artillery.
fn metric(
    reader: &mut Reader,
    name: &str,
    comparison: &'static str,
    limit: f64,
    place: Place,
    strict: bool,
) -> Result<Condition> {
    if let Some((_, ours)) = METRICS.iter().find(|(theirs, _)| *theirs == name) {
        return Ok(condition(place, ours, comparison, &limit.to_string(), strict));
    }
    let latency = name.strip_prefix("http.response_time.").or(name.strip_prefix("websocket.response_time."));
    let aggregate =
        latency.or(Some(name)).and_then(|name| AGGREGATES.iter().find(|(theirs, _)| *theirs == name));
    if let Some((_, ours)) = aggregate {
        if name.starts_with("http.") {
            reader.notice(
                place,
                format!(
                    "`{name}` has no values in a WebSocket test; read as `{ours}` of the latency of replies"
                ),
            );
        }
        return Ok(condition(place, ours, comparison, &format!("{limit}ms"), strict));
    }
    let known: Vec<&str> = METRICS.iter().map(|(theirs, _)| *theirs).chain(["p95", "p99"]).collect();
    let message =
        format!("the metric `{name}` is not measured here, so this condition would never be checked");
    Err(reader.error_with_help(place, message, suggestion(name, &known)))
}

fn condition(place: Place, metric: &str, comparison: &'static str, limit: &str, strict: bool) -> Condition {
    Condition {
        line: place.line,
        expression: format!("{metric}{comparison}{limit}"),
        metric: metric.to_owned(),
        comparison,
        limit: limit.to_owned(),
        strict,
    }
}

/// Splits a condition into metric, comparison and limit.
fn split(text: &str) -> Option<(&str, &'static str, &str)> {
    let at = text.find(['<', '>', '=', '!'])?;
    let comparison = COMPARISONS.iter().find(|comparison| text[at..].starts_with(**comparison))?;
    let (metric, limit) = (text[..at].trim(), text[at + comparison.len()..].trim());
    let word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let good = word(metric, "._-") && word(limit, ".%/-") && limit.starts_with(|c: char| c.is_ascii_digit());
    good.then_some((metric, *comparison, limit))
}

fn not_a_condition(reader: &Reader, text: &str, place: Place) -> crate::error::ScenarioError {
    reader.error_with_help(
        place,
        format!("`{text}` is not a condition"),
        "write metric, comparison, limit: `p99 < 50ms`, `survival >= 99.9%`",
    )
}
