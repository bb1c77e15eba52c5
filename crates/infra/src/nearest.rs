//! The name that somebody probably meant.

use thiserror::Error;

/// A name that nothing here has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no {what} is called `{name}`{}", hint(*.nearest))]
#[non_exhaustive]
pub struct UnknownName {
    /// What was looked for: `preset` or `intermediary`.
    pub what: &'static str,
    /// The name as it was given.
    pub name: String,
    /// The known name that differs least, if any is close.
    pub nearest: Option<&'static str>,
}

impl UnknownName {
    pub(crate) fn new(what: &'static str, name: &str, known: impl IntoIterator<Item = &'static str>) -> Self {
        Self { what, name: name.to_owned(), nearest: nearest(name, known) }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// Names longer than this are compared no further: no known name is half as long.
const LONGEST: usize = 64;

/// The known name with the fewest edits to `name`, if they are at most a third of its length, or that contains it.
fn nearest(name: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let name = name.to_lowercase().replace(['_', ' '], "-");
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let mut close: Option<(usize, &'static str)> = None;
    let mut containing = None;
    for candidate in known {
        let edits = distance(&name, candidate);
        if edits <= name.chars().count().div_ceil(3) && close.is_none_or(|(best, _)| edits < best) {
            close = Some((edits, candidate));
        }
        if containing.is_none() && name.len() >= 3 && candidate.contains(&name) {
            containing = Some(candidate);
        }
    }
    let exact = close.filter(|(edits, _)| *edits <= 1).map(|(_, name)| name);
    exact.or(containing).or(close.map(|(_, name)| name))
}

/// How many characters must be inserted, removed or replaced to make one out of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["alb", "nlb", "azure-lb", "cloudflare", "nginx-reload"];

    fn asked(name: &str) -> Option<&'static str> {
        nearest(name, KNOWN)
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_typo_finds_its_name_and_nonsense_finds_none() {
        assert_eq!(asked("cloudfare"), Some("cloudflare"));
        assert_eq!(asked("AZURE_LB"), Some("azure-lb"));
        assert_eq!(asked("reload"), Some("nginx-reload"));
        assert_eq!(asked("alp"), Some("alb"));
        assert_eq!(asked("toaster"), None);
        assert_eq!(asked(""), None);
        assert_eq!(asked(&"x".repeat(100_000)), None);
    }

    #[test]
    fn the_error_names_what_was_asked_and_what_was_meant() {
        let error = UnknownName::new("preset", "cloudfare", KNOWN);
        assert_eq!(error.to_string(), "no preset is called `cloudfare`; did you mean `cloudflare`?");
        assert_eq!(UnknownName::new("preset", "toaster", KNOWN).to_string(), "no preset is called `toaster`");
    }
}
