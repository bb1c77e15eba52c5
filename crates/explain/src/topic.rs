//! The explanations in the data files.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::explanation::{Cause, Example, Explanation, Family};
use super::pattern::Pattern;

/// An entry of a data file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Topic {
    #[serde(skip, default = "unset")]
    pub(super) family: Family,
    pub(super) id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    meaning: String,
    /// Other identifiers with the same meaning.
    #[serde(default)]
    pub(super) also: Vec<String>,
    #[serde(default)]
    seen: Vec<String>,
    #[serde(default)]
    causes: Vec<Cause>,
    #[serde(default)]
    fix: Vec<String>,
    example: Option<Example>,
    #[serde(default)]
    see: Vec<String>,
    #[serde(default, rename = "match")]
    pub(super) patterns: Vec<Pattern>,
}

fn unset() -> Family {
    Family::Library
}

/// The meanings of the characters in a termination state of HAProxy, by position.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Characters {
    pub(super) first: BTreeMap<char, String>,
    pub(super) second: BTreeMap<char, String>,
    pub(super) third: BTreeMap<char, String>,
    pub(super) fourth: BTreeMap<char, String>,
}

/// The contents of a data file.
#[derive(Deserialize)]
struct Chapter {
    topic: Vec<Topic>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// The entries of all data files.
pub(super) struct Book {
    topics: Vec<Topic>,
    pub(super) characters: Characters,
}

const CHAPTERS: [(Family, &str); 7] = [
    (Family::CloseCode, include_str!("data/close-codes.toml")),
    (Family::HttpStatus, include_str!("data/http.toml")),
    (Family::Haproxy, include_str!("data/haproxy.toml")),
    (Family::Envoy, include_str!("data/envoy.toml")),
    (Family::Nginx, include_str!("data/nginx.toml")),
    (Family::Browser, include_str!("data/browsers.toml")),
    (Family::Library, include_str!("data/libraries.toml")),
];

/// A file that cannot be parsed would be skipped; a test rules this out.
static BOOK: LazyLock<Book> = LazyLock::new(|| {
    let mut book = Book { topics: Vec::new(), characters: Characters::default() };
    for (family, text) in CHAPTERS {
        let Ok(chapter) = toml::from_str::<Chapter>(text) else { continue };
        book.topics.extend(chapter.topic.into_iter().map(|topic| Topic { family, ..topic }));
        if family == Family::Haproxy {
            book.characters = chapter.rest.try_into().unwrap_or_default();
        }
    }
    book
});

impl Book {
    pub(super) fn open() -> &'static Book {
        &BOOK
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter()
    }

    pub(super) fn topic(&self, family: Family, id: &str) -> Option<&Topic> {
        let named = |topic: &&Topic| topic.id == id || topic.also.iter().any(|also| also == id);
        self.topics.iter().filter(|topic| topic.family == family).find(named)
    }
}

impl Topic {
    pub(super) fn explanation(&self) -> Explanation {
        Explanation {
            family: self.family,
            id: self.id.clone(),
            title: if self.title.is_empty() { self.id.clone() } else { self.title.clone() },
            meaning: self.meaning.clone(),
            sender: None,
            retry: None,
            parts: Vec::new(),
            seen: self.seen.clone(),
            causes: self.causes.clone(),
            fix: self.fix.clone(),
            example: self.example.clone(),
            see: self.see.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Lookup, explain};
    use super::*;

    #[test]
    fn every_data_file_is_valid() {
        for (family, text) in CHAPTERS {
            let chapter =
                toml::from_str::<Chapter>(text).map_err(|error| format!("{family}: {error}")).unwrap();
            assert!(family == Family::Haproxy || chapter.rest.is_empty(), "{family}: {:?}", chapter.rest);
        }
        let characters = &Book::open().characters;
        assert_eq!((characters.first.len(), characters.second.len()), (12, 8));
        assert_eq!((characters.third.len(), characters.fourth.len()), (8, 7));
    }

    #[test]
    fn every_topic_says_what_causes_it_and_what_to_do() {
        let book = Book::open();
        let mut names: Vec<(&Family, &str)> = Vec::new();
        for topic in book.topics() {
            assert!(!topic.causes.is_empty() && !topic.fix.is_empty(), "{}", topic.id);
            let composed = matches!(topic.family, Family::CloseCode | Family::Haproxy);
            assert_eq!(composed, topic.meaning.is_empty(), "{}", topic.id);
            for id in topic.also.iter().chain([&topic.id]) {
                assert!(!names.contains(&(&topic.family, id)), "{id} twice");
                names.push((&topic.family, id));
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        for topic in Book::open().topics() {
            for see in &topic.see {
                assert!(matches!(explain(see), Lookup::Known(_)), "{} refers to {see}", topic.id);
            }
        }
    }
}
