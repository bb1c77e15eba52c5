//! The form of a command line: `kind key=value key="a value with spaces"`.

use std::fmt;

use serde_json::{Map, Value};

use crate::spec_error::FaultSpecError;

/// Parses it into the table that it represents.
pub(super) fn table(text: &str) -> Result<Map<String, Value>, FaultSpecError> {
    let mut words = words(text)?.into_iter();
    let Some(kind) = words.next() else {
        return Err(FaultSpecError::new(
            "a fault is written as a kind and its keys, such as `idle-cut after=5s how=rst`",
        ));
    };
    if kind.contains('=') {
        return Err(FaultSpecError::at(
            "kind",
            format!("`{kind}`: the kind must come first, such as `cut {kind}`"),
        ));
    }
    let mut table = Map::new();
    table.insert("kind".into(), Value::String(kind.strip_suffix(':').unwrap_or(&kind).into()));
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(FaultSpecError::at(
                &word,
                format!("`{word}` is not a parameter; write key=value, such as `after=5s`"),
            ));
        };
        if table.insert(key.into(), read(key, value)?).is_some() {
            return Err(FaultSpecError::at(key, format!("`{key}` is given twice")));
        }
    }
    Ok(table)
}

/// Writes a table in this form.
pub(super) fn write(table: &Map<String, Value>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(Value::String(kind)) = table.get("kind") {
        f.write_str(kind)?;
    }
    for (key, value) in table.iter().filter(|(key, _)| *key != "kind") {
        match value {
            Value::String(text) if is_plain(text) => write!(f, " {key}={text}")?,
            // Quoted as in JSON, which `read` accepts.
            value => write!(f, " {key}={value}")?,
        }
    }
    Ok(())
}

/// Returns whether a word is parsed as the same string.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/%+".contains(c))
        && !matches!(text, "true" | "false")
        && text.parse::<f64>().is_err()
}

fn read(key: &str, value: &str) -> Result<Value, FaultSpecError> {
    if value.starts_with(['"', '{', '[']) {
        return serde_json::from_str(value).map_err(|_| {
            FaultSpecError::at(key, format!("`{key}={value}` is not a valid value; quote it as in JSON"))
        });
    }
    Ok(match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match serde_json::from_str(value) {
            Ok(number @ Value::Number(_)) => number,
            _ => Value::String(value.into()),
        },
    })
}

/// Splits the text at white space outside quotes and braces.
fn words(text: &str) -> Result<Vec<String>, FaultSpecError> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_u32);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && !quoted && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if quoted || depth > 0 {
        return Err(FaultSpecError::new(format!("`{text}` has a quote or a brace that is not closed")));
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}
