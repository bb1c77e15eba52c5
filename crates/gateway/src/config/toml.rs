//! Reading TOML with errors that know their line and key.
//!
//! The `toml` crate reports an unknown key as text only. This deserializer keeps the position of every value and receives the
//! known keys from serde's derived code, so the declaration in [`super::file`] is the only list of keys.

use std::fmt;
use std::ops::Range;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use undrop_text::suggest;

use super::ConfigError;

/// Deserializes the text of a TOML file.
pub(super) fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, ConfigError> {
    let line = |span: Option<Range<usize>>| {
        span.map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1)
    };
    let root = DeTable::parse(text)
        .map_err(|error| ConfigError::new(error.message().trim_end()).on_line(line(error.span())))?;
    T::deserialize(TableReader::new(root.get_ref())).map_err(|error| {
        let line = line(error.span);
        let problem = match error.path.is_empty() {
            true => ConfigError::new(error.problem),
            false => ConfigError::at_key(error.path, error.problem),
        };
        problem.on_line(line)
    })
}

/// A value that does not fit its declaration.
#[derive(Debug)]
struct ValueError {
    /// The names of the keys that lead to the value, separated by dots.
    path: String,
    span: Option<Range<usize>>,
    problem: String,
}

impl ValueError {
    /// Adds a position, unless a more exact one is known.
    fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// Adds the key of the table that the value is in.
    fn under(mut self, key: &str) -> Self {
        self.path = if self.path.is_empty() { key.to_owned() } else { format!("{key}.{}", self.path) };
        self
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ValueError {}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { path: String::new(), span: None, problem: message.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("{found} is not allowed here; write {expected}"))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::custom(match suggest::nearest(field, known.iter().copied()) {
            Some(name) => format!("unknown key; did you mean `{name}`?"),
            None => format!("unknown key; the keys of this table are {}", known.join(", ")),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the key `{field}` is missing"))
    }
}

/// A value with its position.
struct ValueReader<'v, 'i>(&'v Spanned<DeValue<'i>>);

impl<'de> Deserializer<'de> for ValueReader<'_, '_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let bad =
            |found: &dyn fmt::Display| Err(serde::de::Error::custom(format_args!("`{found}` is too large")));
        let result = match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(value) => match u64::try_from(value) {
                    Ok(value) => visitor.visit_u64(value),
                    Err(_) => visitor.visit_i64(value),
                },
                Err(_) => bad(number),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(value) => visitor.visit_f64(value),
                Err(_) => bad(number),
            },
            DeValue::Datetime(_) => {
                Err(serde::de::Error::invalid_type(Unexpected::Other("a date"), &visitor))
            }
            DeValue::Array(values) => visitor.visit_seq(ArrayReader(values.iter())),
            DeValue::Table(table) => visitor.visit_map(TableReader::new(table)),
        };
        result.map_err(|error: ValueError| error.at(self.0.span()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The values of an array that are still to be read.
struct ArrayReader<'v, 'i>(std::slice::Iter<'v, Spanned<DeValue<'i>>>);

impl<'de> SeqAccess<'de> for ArrayReader<'_, '_> {
    type Error = ValueError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ValueError> {
        self.0.next().map(|value| seed.deserialize(ValueReader(value))).transpose()
    }
}

/// The keys of a table that are still to be read, and the value of the last one.
struct TableReader<'v, 'i> {
    entries: Vec<(&'v str, Range<usize>, &'v Spanned<DeValue<'i>>)>,
    current: Option<(&'v str, &'v Spanned<DeValue<'i>>)>,
}

impl<'v, 'i> TableReader<'v, 'i> {
    fn new(table: &'v DeTable<'i>) -> Self {
        let mut entries: Vec<_> =
            table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)).collect();
        // In the order of the file from the end, so that the first error of the file is the one reported.
        entries.sort_by_key(|(_, span, _)| std::cmp::Reverse(span.start));
        Self { entries, current: None }
    }
}

impl<'de> Deserializer<'de> for TableReader<'_, '_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for TableReader<'_, '_> {
    type Error = ValueError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ValueError> {
        let Some((key, span, value)) = self.entries.pop() else { return Ok(None) };
        self.current = Some((key, value));
        let name: StrDeserializer<'_, ValueError> = key.into_deserializer();
        seed.deserialize(name).map(Some).map_err(|error| error.at(span).under(key))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ValueError> {
        let Some((key, value)) = self.current.take() else {
            return Err(serde::de::Error::custom("a value was read before its key"));
        };
        // A conversion may fail after the value was read, so the position is added here as well.
        seed.deserialize(ValueReader(value)).map_err(|error| error.at(value.span()).under(key))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: Option<String>,
        count: Option<u32>,
        ratio: Option<f64>,
        #[serde(default)]
        inner: Vec<Inner>,
        map: Option<BTreeMap<String, bool>>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        path: String,
    }

    fn error(text: &str) -> String {
        from_str::<Outer>(text).unwrap_err().to_string()
    }

    #[test]
    fn every_sort_of_value_is_read() {
        let text = "name = 'a'\ncount = 0x1_0\nratio = 1_0.5\nmap = { b = true }\n[[inner]]\npath = '/'\n[[inner]]\npath = '/x'\n";
        let outer: Outer = from_str(text).unwrap();
        let inner = ["/", "/x"].map(|path| Inner { path: path.to_owned() }).into();
        let map = Some(BTreeMap::from([("b".to_owned(), true)]));
        assert_eq!(outer, Outer { name: Some("a".into()), count: Some(16), ratio: Some(10.5), inner, map });
    }

    #[test]
    fn an_unknown_key_gets_a_suggestion_or_the_known_ones() {
        assert_eq!(error("\nnmae = 1"), "line 2: `nmae`: unknown key; did you mean `name`?");
        assert_eq!(
            error("[[inner]]\npath = '/'\n[[inner]]\ntoaster = 1"),
            "line 4: `inner.toaster`: unknown key; the keys of this table are path"
        );
    }

    #[test]
    fn errors_have_the_line_and_the_path_of_their_key() {
        assert_eq!(error("\n[[inner]]\n"), "line 2: `inner`: the key `path` is missing");
        assert_eq!(
            error("[[inner]]\npath = 5"),
            "line 2: `inner.path`: integer `5` is not allowed here; write a string"
        );
        assert!(error("count = -1").starts_with("line 1: `count`: "), "{}", error("count = -1"));
        assert!(error("count = 99999999999999999999").contains("too large"));
        assert_eq!(error("name = 1979-05-27"), "line 1: `name`: a date is not allowed here; write a string");
        assert!(error("name = \n").starts_with("line 1: "), "{}", error("name = \n"));
    }

    #[test]
    fn the_first_error_of_the_file_is_reported() {
        assert!(error("zzz = 1\naaa = 1").contains("`zzz`"));
    }
}
