//! The data files.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Explanation;
use super::pattern::Pattern;

/// Where something to be explained comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Family {
    /// A close code (RFC 6455 7.4).
    CloseCode,
    /// What answered a handshake, or did not.
    Answer,
    /// HAProxy's termination state.
    Haproxy,
    /// Envoy's response flags.
    Envoy,
    /// A line of nginx's error log.
    Nginx,
    /// A console message of a browser.
    Browser,
    /// An error of a library or framework.
    Library,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CloseCode => "close code",
            Self::Answer => "answer to the handshake",
            Self::Haproxy => "HAProxy termination state",
            Self::Envoy => "Envoy response flag",
            Self::Nginx => "nginx error log",
            Self::Browser => "browser console",
            Self::Library => "library error",
        })
    }
}

/// A possible cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cause {
    /// The cause.
    pub what: String,
    /// What tells it from the others.
    pub tell: String,
}

/// A block to paste.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Example {
    /// Its language, as Markdown names it.
    pub language: String,
    /// The block.
    pub text: String,
}

/// One entry of a data file.
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
    /// Ids that mean the same.
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

/// What each character of HAProxy's state means, by its position.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Characters {
    pub(super) first: BTreeMap<char, String>,
    pub(super) second: BTreeMap<char, String>,
    pub(super) third: BTreeMap<char, String>,
    pub(super) fourth: BTreeMap<char, String>,
}

/// A data file.
#[derive(Deserialize)]
struct Chapter {
    topic: Vec<Topic>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// All data files.
pub(super) struct Book {
    topics: Vec<Topic>,
    pub(super) characters: Characters,
}

const CHAPTERS: [(Family, &str); 7] = [
    (Family::CloseCode, include_str!("data/close-codes.toml")),
    (Family::Answer, include_str!("data/http.toml")),
    (Family::Haproxy, include_str!("data/haproxy.toml")),
    (Family::Envoy, include_str!("data/envoy.toml")),
    (Family::Nginx, include_str!("data/nginx.toml")),
    (Family::Browser, include_str!("data/browsers.toml")),
    (Family::Library, include_str!("data/libraries.toml")),
];

/// A file that cannot be parsed would be left out; a test holds that there is none.
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
    use super::super::{Answer, explain};
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
                assert!(matches!(explain(see), Answer::Known(_)), "{} refers to {see}", topic.id);
            }
        }
    }
}
