//! Explains codes, flags, responses and error lines: the likely causes, how to distinguish them, and what to do.
//! The explanations are data (`data/*.toml`), in which [`explain`] looks up a query. [`log`] reads whole access logs and finds the
//! causes of drops in them.
//!
//! ```
//! use undrop_explain::{Lookup, explain};
//!
//! let Lookup::Known(found) = explain("cD--") else { panic!("a termination state of HAProxy") };
//! assert!(found[0].meaning.contains("timeout client"));
//! assert!(matches!(explain("HTTP 777"), Lookup::Unknown { .. }));
//! ```

#![forbid(unsafe_code)]

mod codes;
mod explanation;
mod flags;
mod head;
pub mod log;
mod pattern;
mod suggest;
mod topic;

pub use explanation::{Cause, Example, Explanation, Family};

use topic::{Book, Topic};

/// The maximum length of a query in bytes; the rest is ignored.
pub const LONGEST_QUERY: usize = 64 * 1024;

/// The maximum number of explanations of a text, without those of the codes in it.
const MOST: usize = 3;

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// The explanations, the best match first.
    Known(Vec<Explanation>),
    /// No explanation of the query exists.
    Unknown {
        /// The identifiers that are most similar, the closest first.
        nearest: Vec<String>,
    },
}

/// Explains a close code, an HTTP status or response head, termination flags of HAProxy, response flags of Envoy, or a line of an
/// error log or a console. Only the first [`LONGEST_QUERY`] bytes of the query count.
pub fn explain(query: &str) -> Lookup {
    let query = query.get(..query.floor_char_boundary(LONGEST_QUERY)).unwrap_or_default().trim();
    let book = Book::open();
    let mut found = find(book, query);
    if found.is_empty() {
        return Lookup::Unknown { nearest: suggest::suggestions(book, query) };
    }
    let mut known: Vec<(Family, String)> = Vec::new();
    found.retain(|one| {
        let key = (one.family, one.id.clone());
        let new = !known.contains(&key);
        known.push(key);
        new
    });
    Lookup::Known(found)
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

/// Splits a query of two words in which the first names the family of the second.
fn family(query: &str) -> Option<(Family, &str)> {
    let (first, rest) = query.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    if rest.contains(char::is_whitespace) {
        return match (first.to_ascii_lowercase().as_str(), rest.split_once(char::is_whitespace)?) {
            ("close" | "websocket", ("code", number)) => Some((Family::CloseCode, number.trim())),
            ("http", ("status", number)) | ("status", ("code", number)) => {
                Some((Family::HttpStatus, number.trim()))
            }
            _ => None,
        };
    }
    let family = match first.to_ascii_lowercase().as_str() {
        "close" | "code" | "closed" => Family::CloseCode,
        "http" | "status" => Family::HttpStatus,
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
            0 | 100..=599 if asked(Family::HttpStatus) => found.extend(codes::status(book, number as u16)),
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
    // The longest match is the most specific; the order of the data decides among equal ones.
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
