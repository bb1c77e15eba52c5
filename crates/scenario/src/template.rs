//! Texts with `{{ names }}`, and JSON with such texts in it.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

use crate::variables::{Names, Values, VariableSlot};

/// The maximum size of a rendered template in bytes; the user fails when it is exceeded.
pub(crate) const MAX_RENDERED: usize = 16 << 20;

/// The maximum size of a value in a variable, in bytes of JSON and in levels; the user fails when it is exceeded.
const MAX_VALUE: usize = 1 << 20;
const MAX_DEPTH: usize = 128;

/// The maximum length of `$randomString`, in characters.
const MAX_RANDOM: usize = 1 << 20;

/// A text that may contain `{{ name }}`, `{{ name.field[0] }}`, `{{ $randomNumber(1, 6) }}`, `{{ $randomString(8) }}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(Box<str>),
    Value(VariableSlot, Vec<Key>),
    RandomNumber(i64, i64),
    RandomString(usize),
}

/// One element of a path into a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Key {
    Field(Box<str>),
    Index(usize),
}

/// JSON that may contain templates. Fields keep the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// A value without templates.
    Constant(Value),
    Text(Template),
    List(Vec<Shape>),
    Map(Vec<(Template, Shape)>),
}

/// The reason why a template cannot be rendered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RenderError {
    /// The variable has no value, or its value lacks the field.
    Unset(VariableSlot),
    /// The result exceeds [`MAX_RENDERED`], or a value exceeds its limits.
    TooLarge,
}

impl Template {
    /// Parses a template. `line` and `column` are the place of its text in the file.
    pub(crate) fn parse(text: &str, names: &mut Names, line: u32, column: u32) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            literal.push_str(&rest[..open]);
            let inside = rest[open..].trim_start_matches('{');
            let braces = rest.len() - open - inside.len();
            let Some(close) = inside.find("}}") else {
                return Err("`{{` without `}}`".to_owned());
            };
            let part = parse_part(inside[..close].trim(), names, line, column)?;
            let after = &inside[close..];
            // `{{{ name }}}` is the same as `{{ name }}`; braces beyond what was opened are text.
            let closing = after.len() - after.trim_start_matches('}').len();
            rest = &after[closing.min(braces.clamp(2, 3))..];
            match part {
                Part::Text(text) => literal.push_str(&text),
                part => {
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal).into()));
                    }
                    parts.push(part);
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self { parts })
    }

    /// Creates a template without variables.
    pub(crate) fn literal(text: &str) -> Self {
        Self { parts: if text.is_empty() { Vec::new() } else { vec![Part::Text(text.into())] } }
    }

    /// Returns the text if the template has no variables.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends the rendered template to `out`.
    pub(crate) fn write(
        &self,
        values: &Values,
        rng: &mut fastrand::Rng,
        out: &mut String,
    ) -> Result<(), RenderError> {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(slot, path) => write_text(lookup(values, *slot, path)?, out),
                Part::RandomNumber(low, high) => {
                    // Writing to a string does not fail.
                    let _ = write!(out, "{}", rng.i64(*low..=*high));
                }
                Part::RandomString(length) => out.extend((0..*length).map(|_| rng.alphanumeric())),
            }
            if out.len() > MAX_RENDERED {
                return Err(RenderError::TooLarge);
            }
        }
        Ok(())
    }

    /// Returns the rendered template.
    pub(crate) fn text(&self, values: &Values, rng: &mut fastrand::Rng) -> Result<String, RenderError> {
        let mut out = String::new();
        self.write(values, rng, &mut out)?;
        Ok(out)
    }

    /// Returns the value itself if the template is a single variable, so numbers stay numbers; otherwise the rendered text.
    fn value(
        &self,
        values: &Values,
        rng: &mut fastrand::Rng,
        budget: &mut usize,
    ) -> Result<Value, RenderError> {
        let value = match self.parts.as_slice() {
            [Part::Value(slot, path)] => {
                let value = lookup(values, *slot, path)?;
                spend(budget, size(value))?;
                return Ok(value.clone());
            }
            _ => self.text(values, rng)?,
        };
        spend(budget, value.len())?;
        Ok(Value::String(value))
    }
}

impl Shape {
    /// Appends the value as JSON to `out`.
    pub(crate) fn write(
        &self,
        values: &Values,
        rng: &mut fastrand::Rng,
        out: &mut String,
    ) -> Result<(), RenderError> {
        match self {
            Shape::Constant(value) => write_json(value, out),
            Shape::Text(template) => match template.parts.as_slice() {
                [Part::Value(slot, path)] => write_json(lookup(values, *slot, path)?, out),
                _ => write_quoted(&template.text(values, rng)?, out),
            },
            Shape::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(values, rng, out)?;
                }
                out.push(']');
            }
            Shape::Map(fields) => {
                out.push('{');
                for (index, (key, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_quoted(&key.text(values, rng)?, out);
                    out.push(':');
                    value.write(values, rng, out)?;
                }
                out.push('}');
            }
        }
        if out.len() > MAX_RENDERED { Err(RenderError::TooLarge) } else { Ok(()) }
    }

    /// Returns a value of at most [`MAX_VALUE`] bytes and [`MAX_DEPTH`] levels, so a loop cannot build one without bounds.
    pub(crate) fn value(&self, values: &Values, rng: &mut fastrand::Rng) -> Result<Value, RenderError> {
        let mut budget = MAX_VALUE;
        let value = self.build(values, rng, &mut budget)?;
        if depth(&value) > MAX_DEPTH { Err(RenderError::TooLarge) } else { Ok(value) }
    }

    /// Returns a value, without a copy if it is the whole value of a variable.
    pub(crate) fn shared(&self, values: &Values, rng: &mut fastrand::Rng) -> Result<Arc<Value>, RenderError> {
        if let Shape::Text(template) = self
            && let [Part::Value(slot, path)] = template.parts.as_slice()
            && path.is_empty()
        {
            return values.get(*slot).and_then(Option::clone).ok_or(RenderError::Unset(*slot));
        }
        self.value(values, rng).map(Arc::new)
    }

    fn build(
        &self,
        values: &Values,
        rng: &mut fastrand::Rng,
        budget: &mut usize,
    ) -> Result<Value, RenderError> {
        Ok(match self {
            Shape::Constant(value) => {
                spend(budget, size(value))?;
                value.clone()
            }
            Shape::Text(template) => template.value(values, rng, budget)?,
            Shape::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    spend(budget, 1)?;
                    list.push(item.build(values, rng, budget)?);
                }
                Value::Array(list)
            }
            Shape::Map(fields) => {
                let mut map = serde_json::Map::new();
                for (key, value) in fields {
                    let key = key.text(values, rng)?;
                    spend(budget, key.len() + 4)?;
                    map.insert(key, value.build(values, rng, budget)?);
                }
                Value::Object(map)
            }
        })
    }
}

fn spend(budget: &mut usize, bytes: usize) -> Result<(), RenderError> {
    *budget = budget.checked_sub(bytes).ok_or(RenderError::TooLarge)?;
    Ok(())
}

/// Returns the approximate size as JSON. The depth of the recursion is that of the value, at most [`MAX_DEPTH`].
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(size).sum::<usize>() + items.len() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(key, item)| key.len() + size(item) + 4).sum::<usize>() + 2
        }
        _ => 8,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Appends a value as part of a text: strings without quotes, everything else as JSON.
pub(crate) fn write_text(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        other => write_json(other, out),
    }
}

/// Appends a value as JSON. Whole numbers have no `.0`, as in JavaScript, for which many scenario files were written.
pub(crate) fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < 9e15);
            // Writing to a string does not fail.
            let _ = match whole {
                Some(float) => write!(out, "{}", float as i64),
                None => write!(out, "{number}"),
            };
        }
        Value::String(text) => write_quoted(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (key, item)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_quoted(key, out);
                out.push(':');
                write_json(item, out);
            }
            out.push('}');
        }
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Null => out.push_str("null"),
    }
}

fn write_quoted(text: &str, out: &mut String) {
    // A string is always serializable.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Returns the value of a variable, or of a field in it.
fn lookup<'v>(values: &'v Values, slot: VariableSlot, path: &[Key]) -> Result<&'v Value, RenderError> {
    let unset = || RenderError::Unset(slot);
    let mut value: &Value = values.get(slot).and_then(Option::as_ref).map(Arc::as_ref).ok_or_else(unset)?;
    for key in path {
        value = match key {
            Key::Field(name) => value.get(name.as_ref()),
            Key::Index(index) => value.get(*index),
        }
        .ok_or_else(unset)?;
    }
    Ok(value)
}

fn parse_part(inside: &str, names: &mut Names, line: u32, column: u32) -> Result<Part, String> {
    if let Some((function, arguments)) = inside.split_once('(') {
        let arguments = arguments.trim_end().strip_suffix(')').ok_or("`(` without `)`")?;
        return parse_call(function.trim(), arguments);
    }
    for prefix in ["$env.", "$processEnvironment."] {
        if let Some(name) = inside.strip_prefix(prefix) {
            let value = names.environment.get(name);
            let value = value.ok_or_else(|| format!("the environment variable `{name}` is not set"))?;
            return Ok(Part::Text(value.as_str().into()));
        }
    }
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    let end = inside.find(|c| !is_name(c)).unwrap_or(inside.len());
    let (name, path) = inside.split_at(end);
    if name.is_empty() {
        return Err(format!("`{{{{ {inside} }}}}` is not the name of a variable"));
    }
    let path = parse_path(path.trim_end())
        .ok_or_else(|| format!("`{inside}` is not a variable: write `name`, `name.field` or `name[0]`"))?;
    Ok(Part::Value(names.read(name, line, column), path))
}

fn parse_call(function: &str, arguments: &str) -> Result<Part, String> {
    let numbers: Vec<i64> = if arguments.trim().is_empty() {
        Vec::new()
    } else {
        let numbers = arguments.split(',').map(|argument| argument.trim().parse::<i64>());
        numbers
            .collect::<Result<_, _>>()
            .map_err(|_| format!("`{function}` takes whole numbers, not `{}`", arguments.trim()))?
    };
    match (function, numbers.as_slice()) {
        ("$randomNumber", [low, high]) => Ok(Part::RandomNumber(*low.min(high), *low.max(high))),
        ("$randomNumber", [high]) => Ok(Part::RandomNumber(0.min(*high), 0.max(*high))),
        ("$randomNumber", []) => Ok(Part::RandomNumber(0, 1)),
        ("$randomString", []) => Ok(Part::RandomString(10)),
        ("$randomString", [length]) => match usize::try_from(*length) {
            Ok(length) if length <= MAX_RANDOM => Ok(Part::RandomString(length)),
            _ => Err(format!("`$randomString` takes a length of 0 to {MAX_RANDOM}, not {length}")),
        },
        ("$randomNumber" | "$randomString", _) => Err(format!("too many arguments for `{function}`")),
        _ => Err(format!(
            "unknown function `{function}`; the functions are `$randomNumber(from, to)` and `$randomString(length)`"
        )),
    }
}

/// Parses any number of `.field`, `[0]` and `["field"]`.
fn parse_path(mut text: &str) -> Option<Vec<Key>> {
    let mut path = Vec::new();
    while !text.is_empty() {
        if let Some(rest) = text.strip_prefix('.') {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if name.is_empty() || name.contains([' ', ']', '\'', '"']) {
                return None;
            }
            path.push(Key::Field(name.into()));
            text = after;
        } else {
            let (inside, after) = text.strip_prefix('[')?.split_once(']')?;
            path.push(match inside.trim().parse() {
                Ok(index) => Key::Index(index),
                Err(_) => Key::Field(unquote(inside.trim())?.into()),
            });
            text = after;
        }
    }
    Some(path)
}

/// Returns the text between a pair of single or double quotes.
pub(crate) fn unquote(text: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}
