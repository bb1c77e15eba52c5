//! What a code, a flag, an answer or an error line means: its causes, what tells them apart, what to do.
//!
//! The knowledge is data (`data/*.toml`); [`explain`] finds in it what somebody typed or pasted. [`log`] reads whole access
//! logs and judges the drops in them.
//!
//! ```
//! use undrop_explain::{Answer, explain};
//!
//! let Answer::Known(found) = explain("cD--") else { panic!("a termination state of HAProxy") };
//! assert!(found[0].meaning.contains("timeout client"));
//! assert!(matches!(explain("HTTP 777"), Answer::Unknown { .. }));
//! ```

#![forbid(unsafe_code)]

mod codes;
mod flags;
mod head;
pub mod log;
mod nearest;
mod pattern;
mod topic;

use serde::Serialize;

pub use topic::{Cause, Example, Family};

use topic::{Book, Topic};

/// Only this much of a query is looked at, bytes.
pub const LONGEST_QUERY: usize = 64 * 1024;

/// Explanations that a text gets, at most, before those of the codes in it.
const MOST: usize = 3;

/// What there is to say about one thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Where it comes from.
    pub family: Family,
    /// What [`explain`] finds it by.
    pub id: String,
    /// One line.
    pub title: String,
    /// What it says, in a sentence or two.
    pub meaning: String,
    /// Who may send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Whether to connect again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Its parts, each with what it says: characters of a state, products that answer so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<(String, String)>,
    /// What browsers and libraries show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// The likely causes, the likeliest first.
    pub causes: Vec<Cause>,
    /// What to do.
    pub fix: Vec<String>,
    /// A block to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
    /// What else to ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub see: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The explanations, what fits best first.
    Known(Vec<Explanation>),
    /// Nothing here knows it.
    Unknown {
        /// What looks most like it, the closest first.
        nearest: Vec<String>,
    },
}

/// Explains a close code, an HTTP status or response head, termination flags of HAProxy, response flags of Envoy, or a
/// line of an error log or a console. Never panics, whatever the text; only its first [`LONGEST_QUERY`] bytes count.
pub fn explain(query: &str) -> Answer {
    let query = query.get(..query.floor_char_boundary(LONGEST_QUERY)).unwrap_or_default().trim();
    let book = Book::open();
    let mut found = find(book, query);
    if found.is_empty() {
        return Answer::Unknown { nearest: nearest::nearest(book, query) };
    }
    let mut known: Vec<(Family, String)> = Vec::new();
    found.retain(|one| {
        let key = (one.family, one.id.clone());
        let new = !known.contains(&key);
        known.push(key);
        new
    });
    Answer::Known(found)
}

fn find(book: &Book, query: &str) -> Vec<Explanation> {
    if query.is_empty() {
        return Vec::new();
    }
    if head::looks_like(query) {
        return head::explain(book, query);
    }
    if !query.contains(char::is_whitespace) {
        let found = word(book, query, None);
        if !found.is_empty() {
            return found;
        }
    } else if let Some((family, rest)) = family(query) {
        let found = word(book, rest, Some(family));
        if !found.is_empty() {
            return found;
        }
    }
    text(book, query)
}

/// A query of two words, the first of which says what the second is.
fn family(query: &str) -> Option<(Family, &str)> {
    let (first, rest) = query.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    if rest.contains(char::is_whitespace) {
        return match (first.to_ascii_lowercase().as_str(), rest.split_once(char::is_whitespace)?) {
            ("close" | "websocket", ("code", number)) => Some((Family::CloseCode, number.trim())),
            ("http", ("status", number)) | ("status", ("code", number)) => {
                Some((Family::Answer, number.trim()))
            }
            _ => None,
        };
    }
    let family = match first.to_ascii_lowercase().as_str() {
        "close" | "code" | "closed" => Family::CloseCode,
        "http" | "status" => Family::Answer,
        "haproxy" => Family::Haproxy,
        "envoy" | "istio" => Family::Envoy,
        _ => return None,
    };
    Some((family, rest))
}

fn word(book: &Book, word: &str, only: Option<Family>) -> Vec<Explanation> {
    let asked = |family| only.is_none_or(|only| only == family);
    let mut found = Vec::new();
    if let Ok(number) = word.parse::<u32>() {
        match number {
            0 | 100..=599 if asked(Family::Answer) => found.extend(codes::status(book, number as u16)),
            _ if asked(Family::CloseCode) => found.extend(codes::close(book, number)),
            _ => {}
        }
        return found;
    }
    if asked(Family::Envoy) {
        found.extend(flags::envoy(book, word));
    }
    if asked(Family::Haproxy) {
        found.extend(flags::haproxy(book, word, only.is_some() || found.is_empty()));
    }
    if found.is_empty() {
        let same = |topic: &&Topic| topic.id.eq_ignore_ascii_case(word) && asked(topic.family);
        found.extend(book.topics().find(same).map(Topic::explanation));
    }
    found
}

fn text(book: &Book, query: &str) -> Vec<Explanation> {
    let line = pattern::normalise(query);
    let mut hits: Vec<(usize, &Topic, pattern::Numbers)> = book
        .topics()
        .filter_map(|topic| {
            let best =
                topic.patterns.iter().filter_map(|pattern| pattern.find(&line)).max_by_key(|hit| hit.0)?;
            Some((best.0, topic, best.1))
        })
        .collect();
    // The longest match says most; the order of the data decides among equals.
    hits.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
    let best = hits.first().map_or(0, |(length, ..)| *length);
    hits.retain(|(length, ..)| 2 * length > best);
    hits.truncate(MOST);
    let mut found: Vec<Explanation> = hits.iter().map(|(_, topic, _)| topic.explanation()).collect();
    let mut numbers: Vec<pattern::Numbers> = hits.into_iter().map(|(_, _, numbers)| numbers).collect();
    numbers.push(pattern::numbers(&line));
    for number in numbers {
        found.extend(number.status.and_then(|status| codes::status(book, status)));
        found.extend(number.code.and_then(|code| codes::close(book, u32::from(code))));
    }
    found
}

#[cfg(test)]
mod tests;
