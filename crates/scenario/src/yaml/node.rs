//! A YAML document as a tree with the place of every value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{Location, Spanned};

/// A value with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: YamlValue,
}

/// A line and column, from 1; 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum YamlValue {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// The entries in the order of the file, with unique keys.
    Map(Vec<MapEntry>),
}

#[derive(Clone, Debug)]
pub(crate) struct MapEntry {
    pub(crate) key: String,
    /// The place of the key.
    pub(crate) place: Place,
    pub(crate) value: Node,
}

/// A YAML error with its place in the file.
pub(crate) struct YamlError {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl Node {
    /// Parses the text of one document.
    pub(crate) fn parse(text: &str) -> Result<Self, YamlError> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_documents: 1, max_depth: 48, max_aliases: 5_000 },
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            with_snippet: false,
        };
        let parsed: Result<Spanned<YamlValue>, _> = serde_saphyr::from_str_with_options(text, options);
        parsed.map(Node::from).map_err(|error| {
            let place = error.location().map(Place::from).unwrap_or_default();
            let message = error.to_string();
            // The place is reported separately.
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            YamlError { place, message }
        })
    }

    /// Returns a scalar as text, or `None` for other values. Numbers are written as in JSON.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.kind {
            YamlValue::Text(text) => Some(text.clone()),
            YamlValue::Number(_) | YamlValue::Bool(_) => {
                let mut text = String::new();
                crate::template::write_json(&self.value(), &mut text);
                Some(text)
            }
            YamlValue::Null | YamlValue::List(_) | YamlValue::Map(_) => None,
        }
    }

    pub(crate) fn map(&self) -> Option<&[MapEntry]> {
        match &self.kind {
            YamlValue::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &self.kind {
            YamlValue::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the value as JSON.
    pub(crate) fn value(&self) -> Value {
        match &self.kind {
            YamlValue::Null => Value::Null,
            YamlValue::Bool(value) => Value::Bool(*value),
            YamlValue::Number(number) => Value::Number(number.clone()),
            YamlValue::Text(text) => Value::String(text.clone()),
            YamlValue::List(items) => Value::Array(items.iter().map(Node::value).collect()),
            YamlValue::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.value())).collect())
            }
        }
    }

    /// Describes the value for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            YamlValue::Null => "nothing".to_owned(),
            YamlValue::Bool(value) => format!("`{value}`"),
            YamlValue::Number(number) => format!("the number {number}"),
            YamlValue::Text(text) => format!("the text `{}`", crate::check::shorten(text)),
            YamlValue::List(_) => "a list".to_owned(),
            YamlValue::Map(_) => "a map".to_owned(),
        }
    }
}

impl From<Spanned<YamlValue>> for Node {
    fn from(spanned: Spanned<YamlValue>) -> Self {
        Self { place: Place::from(spanned.referenced), kind: spanned.value }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        let number = |n: u64| u32::try_from(n).unwrap_or(0);
        Self { line: number(location.line()), column: number(location.column()) }
    }
}

impl<'de> Deserialize<'de> for YamlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = YamlValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<YamlValue, E> {
        Ok(YamlValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<YamlValue, E> {
        Ok(YamlValue::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<YamlValue, E> {
        Ok(YamlValue::Number(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<YamlValue, E> {
        Ok(YamlValue::Text(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<YamlValue, E> {
        Ok(YamlValue::Text(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<YamlValue, E> {
        Number::from_f64(value).map(YamlValue::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<YamlValue, E> {
        Ok(YamlValue::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<YamlValue, E> {
        Ok(YamlValue::Text(value))
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<YamlValue, E> {
        Err(E::custom("`!!binary` is not understood here; to send bytes write `base64:` or `hex:`"))
    }

    fn visit_unit<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Null)
    }

    fn visit_none<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<YamlValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<YamlValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<YamlValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<YamlValue>>()? {
            list.push(Node::from(item));
        }
        Ok(YamlValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<YamlValue, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<YamlValue>>()? {
            let key = Node::from(key);
            let name = key.scalar().ok_or_else(|| A::Error::custom("a key must be a text"))?;
            let value = Node::from(entries.next_value::<Spanned<YamlValue>>()?);
            map.push(MapEntry { key: name, place: key.place, value });
        }
        Ok(YamlValue::Map(map))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn everything_knows_its_place() {
        let text = "a: 1\nb:\n  - x: yes\n    y: 010\n  - {k: 1.0}\nc:\n  d: *\n".replace(": *", ": &z 5")
            + "e: *z\n";
        let node = Node::parse(&text).map_err(|e| e.message).unwrap();
        let map = node.map().unwrap();
        let places: Vec<_> = map
            .iter()
            .map(|e| (e.place.line, e.place.column, e.value.place.line, e.value.place.column))
            .collect();
        assert_eq!(places, [(1, 1, 1, 4), (2, 1, 3, 3), (6, 1, 7, 3), (8, 1, 8, 4)]);
        let first = map[1].value.list().unwrap()[0].map().unwrap();
        assert_eq!(first[0].value.scalar().as_deref(), Some("yes"));
        assert_eq!(first[1].value.scalar().as_deref(), Some("010"));
        assert_eq!((first[1].place.line, first[1].place.column), (4, 5));
        assert_eq!(node.value()["b"][1]["k"], 1.0);
        assert_eq!(node.value()["e"], 5);
    }

    #[test]
    fn errors_have_a_place() {
        for (text, line) in [
            ("a: [1\nb: 2", 2),
            ("a: 1\na: 2", 2),
            ("a: 1\n---\nb: 1", 2),
            ("a:\n  ? [x]\n  : 1", 2),
            ("", 0),
        ] {
            let error = Node::parse(text).map(|n| n.describe());
            match error {
                Err(error) => assert!(error.place.line >= line.min(1), "{text}: {}", error.message),
                Ok(kind) => assert_eq!((line, kind.as_str()), (0, "nothing")),
            }
        }
    }
}
