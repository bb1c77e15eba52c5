//! JSONPath (RFC 9535) expressions of captures and matches.

use serde_json::Value;
use serde_json_path::ParseError;

/// The maximum number of values that one expression finds; more are left out.
const MAX_FOUND: usize = 10_000;

/// The maximum number of `..` in one expression, since each may multiply the number of visited values by the depth of the message.
const MAX_DESCENDANTS: usize = 3;

/// A parsed expression, or the name of one field.
#[derive(Clone, Debug)]
pub(crate) struct JsonPath {
    text: Box<str>,
    query: Query,
}

#[derive(Clone, Debug)]
enum Query {
    Field(Box<str>),
    Expression(Box<serde_json_path::JsonPath>),
}

/// The reason why a text is not an accepted expression.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonPathError {
    /// The text does not start with `$`.
    #[error("`{0}` is not a JSONPath; an expression starts with `$`, such as `$.id`")]
    NoRoot(String),
    /// The text does not follow the grammar of RFC 9535.
    #[error("`{text}` is not a valid JSONPath: {error}{}", hint(text))]
    Syntax {
        /// The text as it was given.
        text: String,
        /// The error of the parser.
        error: ParseError,
    },
    /// The expression is too expensive for large messages.
    #[error("`{0}` has more than {MAX_DESCENDANTS} descendant segments (`..`)")]
    TooManyDescendants(String),
}

/// A name such as `user-id` must be quoted in RFC 9535, unlike in older dialects of JSONPath.
fn hint(text: &str) -> &'static str {
    if text.contains('-') && !text.contains('[') { "; write names with `-` as `$['user-id']`" } else { "" }
}

impl JsonPath {
    /// Parses a JSONPath expression.
    pub(crate) fn parse(text: &str) -> Result<Self, JsonPathError> {
        let text = text.trim();
        if !text.starts_with('$') {
            return Err(JsonPathError::NoRoot(text.to_owned()));
        }
        let query = serde_json_path::JsonPath::parse(text)
            .map_err(|error| JsonPathError::Syntax { text: text.to_owned(), error })?;
        if text.matches("..").count() > MAX_DESCENDANTS {
            return Err(JsonPathError::TooManyDescendants(text.to_owned()));
        }
        Ok(Self { text: text.into(), query: Query::Expression(Box::new(query)) })
    }

    /// Returns the path to one field of the document.
    pub(crate) fn field(name: &str) -> Self {
        Self { text: format!("$.{name}").into(), query: Query::Field(name.into()) }
    }

    /// Returns the values that the expression finds, in the order of the document, at most [`MAX_FOUND`].
    pub(crate) fn find<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        match &self.query {
            Query::Field(name) => document.get(name.as_ref()).into_iter().collect(),
            Query::Expression(path) => path.query(document).into_iter().take(MAX_FOUND).collect(),
        }
    }

    /// Returns the expression as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
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
            ("$.a.b[?@.c > 1].c", json!([2])),
            ("$.a.b[0:1].c", json!([1])),
            ("$..c", json!([3, 1, 2])),
            ("$..[0]", json!([{"c": 1}])),
            ("$.a.b[7]", json!([])),
            ("$.a.b[-9]", json!([])),
            ("$.c.d", json!([])),
        ] {
            let path = JsonPath::parse(path).unwrap();
            assert_eq!(json!(path.find(&document)), found, "{}", path.as_str());
        }
        assert_eq!(JsonPath::field("c").find(&document), [&json!(3)]);
    }

    #[test]
    fn malformed_and_expensive_expressions_are_rejected() {
        for path in ["", "a", "$a", "$.", "$..", "$[", "$.a.[0]x", "$['a'", "$..a..b..c..d"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
        let error = JsonPath::parse("$.user-id").unwrap_err().to_string();
        assert!(error.ends_with("; write names with `-` as `$['user-id']`"), "{error}");
    }
}
