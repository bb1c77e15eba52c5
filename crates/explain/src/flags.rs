//! HAProxy's termination state and Envoy's response flags.

use super::Explanation;
use super::topic::{Book, Family};

/// Response flags, one or several with commas. Nothing unless all are known.
pub(super) fn envoy(book: &Book, word: &str) -> Vec<Explanation> {
    let flags: Option<Vec<_>> = word.split(',').map(|flag| book.topic(Family::Envoy, flag.trim())).collect();
    flags.unwrap_or_default().into_iter().map(super::Topic::explanation).collect()
}

/// A state of two or four characters. With `any`, every pair that is possible counts; otherwise only those that are known
/// to happen.
pub(super) fn haproxy(book: &Book, word: &str, any: bool) -> Option<Explanation> {
    let signs: Vec<char> = word.chars().collect();
    if !matches!(signs.len(), 2 | 4) {
        return None;
    }
    let maps =
        [&book.characters.first, &book.characters.second, &book.characters.third, &book.characters.fourth];
    let said: Option<Vec<&String>> = signs.iter().zip(maps).map(|(sign, map)| map.get(sign)).collect();
    let said = said?;
    let pair: String = signs.iter().take(2).collect();
    let topic = book.topic(Family::Haproxy, &pair);
    if topic.is_none() && !any {
        return None;
    }
    let (first, second) = (said.first()?, said.get(1)?);
    let meaning = if pair == "--" {
        "Normal end: both sides closed, and nothing was left to transfer.".to_owned()
    } else {
        format!("{}, {second}.", capital(first))
    };
    let mut found = match topic {
        Some(topic) => topic.explanation(),
        None => Explanation {
            family: Family::Haproxy,
            id: String::new(),
            title: String::new(),
            meaning: String::new(),
            sender: None,
            retry: None,
            parts: Vec::new(),
            seen: Vec::new(),
            causes: Vec::new(),
            fix: vec!["HAProxy's manual has the rarer pairs in 8.5.".to_owned()],
            example: None,
            see: Vec::new(),
        },
    };
    found.id = word.to_owned();
    found.title = format!("{word}: HAProxy's termination state");
    found.meaning = meaning;
    found.parts = signs.iter().zip(&said).map(|(sign, said)| (sign.to_string(), (*said).clone())).collect();
    Some(found)
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
