//! Explains termination states of HAProxy and response flags of Envoy.

use super::explanation::{Explanation, Family};
use super::topic::{Book, Topic};

/// Explains one response flag, or several with commas. Returns nothing unless all are known.
pub(super) fn envoy(book: &Book, word: &str) -> Vec<Explanation> {
    let flags: Option<Vec<_>> = word.split(',').map(|flag| book.topic(Family::Envoy, flag.trim())).collect();
    flags.unwrap_or_default().into_iter().map(Topic::explanation).collect()
}

/// Explains a state of two or four characters. With `any`, every possible pair is accepted, otherwise only those in the data.
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
        "Normal end: both sides closed the connection, and all data was transferred.".to_owned()
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
            fix: vec!["Section 8.5 of the HAProxy manual lists the rarer pairs.".to_owned()],
            example: None,
            see: Vec::new(),
        },
    };
    found.id = word.to_owned();
    found.title = format!("{word}: termination state of HAProxy");
    found.meaning = meaning;
    found.parts = signs.iter().zip(&said).map(|(sign, said)| (sign.to_string(), (*said).clone())).collect();
    Some(found)
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
