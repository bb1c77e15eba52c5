//! Patterns for error lines.

use serde::Deserialize;

/// A pattern: literal text with gaps. `…` is any text, `{any}` a word, `{status}` three digits, `{code}` four digits.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    /// The pattern as written.
    pub(super) text: String,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Gap,
    Word,
    Status,
    Code,
}

/// The numbers that were found in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) status: Option<u16>,
    pub(super) code: Option<u16>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Pattern {
        let mut pieces = Vec::new();
        let whole = normalise(&text);
        let mut rest = whole.as_str();
        while let Some((at, sign)) = SIGNS.iter().filter_map(|sign| Some((rest.find(sign)?, *sign))).min() {
            let (before, after) =
                (rest.get(..at).unwrap_or_default(), rest.get(at + sign.len()..).unwrap_or_default());
            let gap = Piece::of(sign);
            // Spaces around a gap belong to the gap.
            let (before, after) = match gap {
                Piece::Gap => (before.trim_end(), after.trim_start()),
                _ => (before, after),
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(gap);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Pattern { pieces, text }
    }
}

/// The notations of gaps.
const SIGNS: [&str; 4] = ["…", "{any}", "{status}", "{code}"];

impl Piece {
    fn of(sign: &str) -> Piece {
        match sign {
            "{any}" => Piece::Word,
            "{status}" => Piece::Status,
            "{code}" => Piece::Code,
            _ => Piece::Gap,
        }
    }
}

impl Pattern {
    /// Finds the pattern in a normalised text. Returns the number of literal bytes and the numbers in the gaps.
    pub(super) fn find(&self, text: &str) -> Option<(usize, Numbers)> {
        let Some(Piece::Text(first)) = self.pieces.first() else {
            // A pattern that starts with a number is tried at each number.
            let starts = text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at);
            return starts
                .filter(|at| boundary(text, *at))
                .find_map(|at| follow(&self.pieces, text.get(at..)?));
        };
        text.match_indices(first.as_str())
            .filter(|(at, _)| boundary(text, *at) || !first.starts_with(char::is_alphanumeric))
            .find_map(|(at, _)| follow(&self.pieces, text.get(at..)?))
    }
}

/// Returns whether a word starts at this position.
fn boundary(text: &str, at: usize) -> bool {
    !text.get(..at).unwrap_or_default().ends_with(|c: char| c.is_alphanumeric())
}

fn follow(pieces: &[Piece], text: &str) -> Option<(usize, Numbers)> {
    let (mut rest, mut literal, mut numbers) = (text, 0, Numbers::default());
    let mut gap = false;
    for piece in pieces {
        match piece {
            Piece::Text(wanted) => {
                let at = if gap {
                    rest.find(wanted.as_str())?
                } else {
                    rest.starts_with(wanted.as_str()).then_some(0)?
                };
                rest = rest.get(at + wanted.len()..)?;
                literal += wanted.len();
            }
            Piece::Gap => {}
            Piece::Word => rest = rest.get(rest.find(' ').unwrap_or(rest.len())..)?,
            Piece::Status => (numbers.status, rest) = number(rest, 3)?,
            Piece::Code => (numbers.code, rest) = number(rest, 4)?,
        }
        gap = *piece == Piece::Gap;
    }
    Some((literal, numbers))
}

/// Reads a number with exactly this many digits and returns it with the rest.
fn number(text: &str, digits: usize) -> Option<(Option<u16>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end == digits).then_some(())?;
    Some((Some(text.get(..end)?.parse().ok()?), text.get(end..)?))
}

/// Returns the numbers that the text names as a status or a code.
pub(super) fn numbers(text: &str) -> Numbers {
    let mut numbers = Numbers::default();
    let mut before = "";
    for word in
        text.split(|c: char| c.is_whitespace() || "=:,;()[]\"'".contains(c)).filter(|word| !word.is_empty())
    {
        let called = before.starts_with("http")
            || matches!(before, "code" | "status" | "close" | "closed" | "statuscode");
        if called && let Ok(value) = word.parse::<u16>() {
            match value {
                100..=599 => numbers.status = numbers.status.or(Some(value)),
                1000..=4999 => numbers.code = numbers.code.or(Some(value)),
                _ => {}
            }
        }
        before = word;
    }
    numbers
}

/// Normalises a text: lower case, single spaces, straight quotes.
pub(super) fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase).map(|c| match c {
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{201c}' | '\u{201d}' => '"',
            c => c,
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, text: &str) -> Option<(usize, Numbers)> {
        Pattern::from(pattern.to_owned()).find(&normalise(text))
    }

    #[test]
    fn literals_gaps_and_numbers() {
        let status = Numbers { status: Some(502), code: None };
        assert_eq!(find("response code: {status}", "x Response  Code: 502."), Some((15, status)));
        assert_eq!(find("response code: {status}", "response code: 5022"), None);
        let code = Numbers { status: None, code: Some(1006) };
        assert_eq!(
            find("close {code} (abnormal", "close 1006 (abnormal closure)").map(|hit| hit.1),
            Some(code)
        );
        assert_eq!(
            find("timed out … while proxying", "timed out (110) while proxying").map(|hit| hit.0),
            Some(23)
        );
        assert_eq!(find("{status}, message=", "a 401, message='x'").map(|hit| hit.1.status), Some(Some(401)));
        assert_eq!(find("readystate {any} (", "readystate 0 (connecting)").map(|hit| hit.0), Some(13));
    }

    #[test]
    fn a_match_begins_at_a_word() {
        assert_eq!(find("emfile", "themfile"), None);
        assert!(find("emfile", "error: EMFILE").is_some());
    }

    #[test]
    fn numbers_count_where_they_are_named() {
        assert_eq!(
            numbers("closed with code 1011, http/1.1 503"),
            Numbers { status: Some(503), code: Some(1011) }
        );
        assert_eq!(numbers("port 1006, 502 users"), Numbers::default());
    }
}
