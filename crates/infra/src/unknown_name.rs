//! The error for a name that is not in the knowledge base.

use thiserror::Error;
use undrop_text::suggest;

/// A name that nothing in the knowledge base has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no {what} is called `{name}`{}", nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default())]
#[non_exhaustive]
pub struct UnknownName {
    /// The sort of thing that was looked up, such as `preset` or `intermediary`.
    pub what: &'static str,
    /// The name as it was given.
    pub name: String,
    /// The most similar known name, if one is close enough.
    pub nearest: Option<&'static str>,
}

impl UnknownName {
    pub(crate) fn new(what: &'static str, name: &str, known: impl IntoIterator<Item = &'static str>) -> Self {
        Self { what, name: name.to_owned(), nearest: suggest::nearest(name, known) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_has_the_name_and_a_suggestion() {
        let known = ["alb", "cloudflare"];
        let error = UnknownName::new("preset", "cloudfare", known);
        assert_eq!(error.to_string(), "no preset is called `cloudfare`; did you mean `cloudflare`?");
        assert_eq!(UnknownName::new("preset", "toaster", known).to_string(), "no preset is called `toaster`");
    }
}
