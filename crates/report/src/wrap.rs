//! Lines of a given width.

/// Longest word that is kept whole.
const WHOLE: usize = 80;

/// Breaks text at spaces so that no line has more than `width` characters. Words longer than a line stay whole up to [`WHOLE`]
/// characters, so that URLs and paths can be copied, and are broken beyond that; line breaks in the text are kept.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut length = 0;
        for word in paragraph.split_whitespace() {
            let size = columns(word);
            if size > width.max(WHOLE) {
                // Bytes that a server sent, mostly.
                for (i, c) in word.chars().enumerate() {
                    if length + usize::from(i == 0 && length > 0) >= width {
                        lines.push(std::mem::take(&mut line));
                        length = 0;
                    }
                    if i == 0 && length > 0 {
                        line.push(' ');
                        length += 1;
                    }
                    line.push(c);
                    length += 1;
                }
                continue;
            }
            if length > 0 && length + 1 + size > width {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += size;
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// How many columns a terminal needs for the text; every character counts as one.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Text from elsewhere, fit for a terminal: control characters, which could move the cursor or change colours, are shown
/// as `\u{…}`.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
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
        assert!(lines.iter().all(|line| columns(line) <= 30), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), format!("a{word}b"));
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\n");
    }
}
