//! A type name means one thing: the share of names that are defined more than once is limited.

use std::collections::BTreeMap;

use crate::Problem;
use crate::source::SourceLine;

/// The most names that may be defined more than once, in percent of all; in the workspace, and in each crate.
const LIMIT: usize = 10;

/// A type with the place of its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// The names of a workspace or a crate, with their definitions.
#[derive(Debug, Default)]
pub(crate) struct TypeNames(BTreeMap<String, Vec<(String, usize)>>);

impl TypeNames {
    pub(crate) fn new<'a>(definitions: impl IntoIterator<Item = &'a Definition>) -> Self {
        let mut names: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
        for Definition { name, file, line } in definitions {
            names.entry(name.clone()).or_default().push((file.clone(), *line));
        }
        Self(names)
    }

    /// The number of different names.
    pub(crate) fn all(&self) -> usize {
        self.0.len()
    }

    /// The names that are defined at least so many times, most often first.
    pub(crate) fn repeated(&self, times: usize) -> Vec<(&str, &[(String, usize)])> {
        let mut names: Vec<_> = self.0.iter().filter(|(_, places)| places.len() >= times).collect();
        names.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
        names.into_iter().map(|(name, places)| (name.as_str(), places.as_slice())).collect()
    }

    /// A problem if too many names are repeated.
    pub(super) fn check(&self, place: &str) -> Option<Problem> {
        let repeated = self.repeated(2);
        (repeated.len() * 100 > self.all() * LIMIT).then(|| {
            let names: Vec<String> =
                repeated.iter().map(|(name, places)| format!("{name} ({})", places.len())).collect();
            let message = format!(
                "{} of {} type names are defined more than once, {LIMIT} % at most; give each a name that says what it is: {}",
                repeated.len(),
                self.all(),
                names.join(", ")
            );
            Problem::new(place, message)
        })
    }
}

/// The types that a file defines outside of functions, other types and tests.
pub(crate) fn definitions(file: &str, lines: &[SourceLine]) -> Vec<Definition> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.test) {
        if depth == 0 {
            let words: Vec<&str> = line
                .code
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
                .collect();
            let at =
                words.iter().position(|word| ["struct", "enum", "union", "trait", "type"].contains(word));
            let qualifies = |word: &&str| ["pub", "crate", "super", "self", "in", "unsafe"].contains(word);
            if let Some(at) = at
                && words[..at].iter().all(qualifies)
                && let Some(name) = words.get(at + 1)
            {
                found.push(Definition { name: (*name).to_owned(), file: file.to_owned(), line: index + 1 });
            }
        }
        for c in line.code.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;

    fn names(text: &str) -> Vec<String> {
        definitions("a.rs", &source::lines(text)).into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn types_are_found_and_what_is_inside_of_items_is_not() {
        let text = "pub struct A;\npub(crate) enum B {\n    C,\n}\ntype D = u8;\nimpl E for A {\n    type F = u8;\n}\nfn g() {\n    struct H;\n}\n#[cfg(test)]\nmod tests {\n    struct I;\n}\n";
        assert_eq!(names(text), ["A", "B", "D"]);
    }

    #[test]
    fn a_tenth_may_be_repeated_and_no_more() {
        let defined = |names: &[String]| -> Vec<Definition> {
            names
                .iter()
                .map(|name| Definition { name: name.clone(), file: "a.rs".to_owned(), line: 1 })
                .collect()
        };
        let mut names: Vec<String> = (0..10).map(|number| format!("T{number}")).collect();
        names.push("T0".to_owned());
        assert_eq!(TypeNames::new(&defined(&names)).check("crates/x"), None);
        names.push("T1".to_owned());
        let problem = TypeNames::new(&defined(&names)).check("crates/x");
        assert!(problem.is_some_and(|problem| problem.message.starts_with("2 of 10 type names")));
    }
}
