//! Suggestions for an unknown query.

use undrop_text::suggest;

use super::explanation::Family;
use super::pattern::normalise;
use super::topic::Book;

/// The maximum number of suggestions.
const MOST: usize = 5;

/// The number of characters of a query that are compared.
const LONGEST: usize = 200;

/// Returns identifiers that are similar to the query, the most similar first. The measure is the number of common pairs of
/// characters, which works for mistyped words and for sentences.
pub(super) fn suggestions(book: &Book, query: &str) -> Vec<String> {
    let query: String = normalise(query).chars().take(LONGEST).collect();
    let mut close: Vec<(f64, String)> = Vec::new();
    for topic in book.topics() {
        let texts = topic.patterns.iter().map(|pattern| pattern.text.as_str()).chain([topic.id.as_str()]);
        let best = texts.map(|text| suggest::similarity(&query, &normalise(text))).fold(0.0, f64::max);
        // States and flags are too short for pairs; one different character is allowed.
        let short = matches!(topic.family, Family::Haproxy | Family::Envoy)
            && one_off(&query, &topic.id.to_lowercase());
        let score = if short { best.max(0.5) } else { best };
        if score >= 0.35 {
            close.push((score, topic.id.clone()));
        }
    }
    close.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut ids: Vec<String> = close.into_iter().map(|(_, id)| id).collect();
    ids.dedup();
    ids.truncate(MOST);
    ids
}

fn one_off(a: &str, b: &str) -> bool {
    a.chars().count() == b.chars().count() && a.chars().zip(b.chars()).filter(|(a, b)| a != b).count() <= 1
}
