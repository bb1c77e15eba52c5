//! Text in the columns of a terminal.
//!
//! A column is the width of a Latin letter in a monospaced font. Chinese, Japanese and Korean characters and most emoji take two
//! columns, combining characters none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The longest word, in columns, that [`wrap`] keeps whole although it is wider than a line.
const WHOLE_WORD: usize = 80;

/// Returns the number of columns that a terminal needs for the text.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Breaks text at spaces into lines of at most `columns` columns.
///
/// Line breaks in the text are kept. A word that is wider than a line stays whole up to 80 columns, so a URL or a path can be
/// copied; a longer one is broken, since it mostly consists of bytes that a server sent.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    wrap_words(text, columns, columns.max(WHOLE_WORD))
}

/// Breaks text like [`wrap`], but breaks every word that is wider than a line: for a cell with another one to its right.
pub(crate) fn wrap_strictly(text: &str, columns: usize) -> Vec<String> {
    wrap_words(text, columns, columns)
}

/// Shortens text to at most `columns` columns; the last one is `…` if something was cut off.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    for cluster in clusters(text) {
        if width(&out) + width(cluster) + 1 > columns {
            break;
        }
        out.push_str(cluster);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Returns the text followed by as many spaces as fill `columns` columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Returns the text after as many spaces as fill `columns` columns.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

fn wrap_words(text: &str, columns: usize, longest: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let space = usize::from(!line.is_empty());
            if width(&line) + space + width(word) <= columns || (line.is_empty() && width(word) <= longest) {
                line.push_str(&" "[..space]);
                line.push_str(word);
            } else if width(word) <= longest {
                lines.push(std::mem::replace(&mut line, word.to_owned()));
            } else {
                break_word(&mut lines, &mut line, word, columns);
            }
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Fills the line, and as many further ones as are necessary, with the parts of a word.
fn break_word(lines: &mut Vec<String>, line: &mut String, word: &str, columns: usize) {
    if width(line) + 2 <= columns && !line.is_empty() {
        line.push(' ');
    }
    for cluster in clusters(word) {
        if !line.is_empty() && width(line) + width(cluster) > columns {
            lines.push(std::mem::take(line).trim_end().to_owned());
        }
        line.push_str(cluster);
    }
}

/// Splits text into characters, each with the characters of no width that belong to it, such as accents.
fn clusters(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let joined = rest[first.len_utf8()..].chars().take_while(|c| c.width() == Some(0));
        let end = first.len_utf8() + joined.map(char::len_utf8).sum::<usize>();
        let (cluster, after) = rest.split_at(end);
        rest = after;
        Some(cluster)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_at_spaces_and_keeps_long_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a verylongword b", 4), ["a", "verylongword", "b"]);
        assert_eq!(wrap("a\n\nb", 9), ["a", "", "b"]);
        assert_eq!(wrap("", 9), [""]);
        assert_eq!(wrap("ä ö ü", 3), ["ä ö", "ü"]);
    }

    #[test]
    fn words_without_end_are_broken() {
        let word = "x".repeat(200);
        let lines = wrap(&format!("a {word} b"), 30);
        assert!(lines.iter().all(|line| width(line) <= 30), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), format!("a{word}b"));
        assert_eq!(wrap_strictly("a verylongword b", 4), ["a ve", "rylo", "ngwo", "rd b"]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!((width("日本語"), width("🔌"), width("e\u{301}"), width("⚠\u{fe0f}")), (6, 2, 1, 2));
        assert_eq!(wrap("日本 語", 5), ["日本", "語"]);
        assert_eq!(wrap_strictly("日本語日本語", 5), ["日本", "語日", "本語"]);
        assert_eq!(wrap_strictly("e\u{301}e\u{301}", 1), ["e\u{301}", "e\u{301}"]);
        assert_eq!(
            (fit("日本語", 5), fit("日本語", 6), fit("abcd", 3)),
            ("日本…".into(), "日本語".into(), "ab…".into())
        );
        assert_eq!((pad("日", 4), pad_left("日", 4)), ("日  ".to_owned(), "  日".to_owned()));
    }
}
