//! The part of JSONPath (RFC 9535) that captures and matches use: `$`, `.name`, `['name']`, `[0]`, `[-1]`, `[*]`, `.*`, `..name`.

use serde_json::Value;

use crate::template::unquote;

/// Most values that one expression may find; the rest is left out.
const MAX_FOUND: usize = 10_000;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath {
    text: Box<str>,
    steps: Vec<UserAction>,
}

#[derive(Clone, Debug, PartialEq)]
enum UserAction {
    Field(Box<str>),
    /// From the end when negative.
    Index(i64),
    Every,
    /// This and everything below it.
    Descend,
}

impl JsonPath {
    /// Reads an expression.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("`{text}` is not a JSONPath that is understood here: {why}");
        let mut rest = text.trim().strip_prefix('$').ok_or_else(|| bad("it starts with `$`"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("..") {
                steps.push(UserAction::Descend);
                rest = after;
                if rest.starts_with('[') {
                    continue;
                }
            } else if let Some(after) = rest.strip_prefix('.') {
                rest = after;
            } else if let Some(after) = rest.strip_prefix('[') {
                let (inside, after) = split_bracket(after).ok_or_else(|| bad("`[` without `]`"))?;
                let inside = inside.trim();
                steps.push(match (unquote(inside), inside.parse()) {
                    (Some(name), _) => UserAction::Field(name.into()),
                    (None, Ok(index)) => UserAction::Index(index),
                    (None, Err(_)) if inside == "*" => UserAction::Every,
                    _ => {
                        return Err(bad(
                            "filters, slices and lists in `[…]` are not supported, only a number, a quoted name or `*`",
                        ));
                    }
                });
                rest = after;
                continue;
            } else {
                return Err(bad("write `.name` or `[0]` behind a value"));
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            match name {
                "" => return Err(bad("a name is missing behind `.`")),
                "*" => steps.push(UserAction::Every),
                name => steps.push(UserAction::Field(name.into())),
            }
            rest = after;
        }
        Ok(Self { text: text.trim().into(), steps })
    }

    /// The path to one field.
    pub(crate) fn field(name: &str) -> Self {
        Self { text: format!("$.{name}").into(), steps: vec![UserAction::Field(name.into())] }
    }

    /// Everything that it finds, in the order of the document; at most [`MAX_FOUND`] values.
    pub(crate) fn find<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![document];
        for step in &self.steps {
            let mut next = Vec::new();
            for value in found {
                if next.len() >= MAX_FOUND {
                    break;
                }
                match step {
                    UserAction::Field(name) => next.extend(value.get(name.as_ref())),
                    UserAction::Index(index) => next.extend(at(value, *index)),
                    UserAction::Every => next.extend(children(value).take(MAX_FOUND)),
                    UserAction::Descend => descend(value, &mut next),
                }
            }
            found = next;
        }
        found
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

fn at(value: &Value, index: i64) -> Option<&Value> {
    let list = value.as_array()?;
    let index =
        if index < 0 { list.len().checked_sub(index.unsigned_abs() as usize)? } else { index as usize };
    list.get(index)
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// The value and all below it, parents first. serde_json reads at most 128 levels, so the recursion is shallow.
fn descend<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    if found.len() >= MAX_FOUND {
        return;
    }
    found.push(value);
    for child in children(value) {
        descend(child, found);
    }
}

/// Splits behind the `]` that is not in quotes.
fn split_bracket(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (None, ']') => return Some((&text[..index], &text[index + 1..])),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn paths_find_what_they_name() {
        let document = json!({"a": {"b": [{"c": 1}, {"c": 2}], "x y": true}, "c": 3});
        for (path, found) in [
            ("$", json!([document])),
            ("$.a.b[0].c", json!([1])),
            ("$['a'][\"x y\"]", json!([true])),
            ("$.a.b[-1].c", json!([2])),
            ("$.a.b[*].c", json!([1, 2])),
            ("$..c", json!([3, 1, 2])),
            ("$..[0]", json!([{"c": 1}])),
            ("$.a.b[7]", json!([])),
            ("$.a.b[-9]", json!([])),
            ("$.c.d", json!([])),
        ] {
            let path = JsonPath::parse(path).unwrap();
            assert_eq!(json!(path.find(&document)), found, "{}", path.as_str());
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for path in ["", "a", "$a", "$.", "$..", "$[", "$[?(@.x)]", "$[1:2]", "$.a.[0]x", "$['a'"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
