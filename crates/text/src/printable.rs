//! Text from elsewhere, made safe to print.
//!
//! A server, a configuration file or a log may contain characters that move the cursor, change colours, reorder other characters
//! or are invisible. Every function of this module replaces them visibly, as `\u{202e}`, so a reader sees what was really there.
//! The functions for HTML and Markdown also escape what has a meaning there. No other code of the project escapes text for
//! people.

use std::borrow::Cow;
use std::fmt::Write;

/// The number of characters of foreign text that an error message quotes.
const EXCERPT: usize = 60;

/// Returns whether a character must not reach a terminal, a log or a page: control characters (C0, DEL and C1), characters that
/// change the direction of text, zero-width and other invisible characters, and line and paragraph separators.
///
/// Line feeds and tabs are control characters too; [`lines`] and [`escape_html`] keep these two.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'                      // soft hyphen
            | '\u{34f}'                   // combining grapheme joiner
            | '\u{61c}'                   // Arabic letter mark
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{17b4}' | '\u{17b5}'     // invisible Khmer vowels
            | '\u{180b}'..='\u{180f}'     // Mongolian variation selectors and vowel separator
            | '\u{200b}'..='\u{200f}'     // zero-width space and joiners, direction marks
            | '\u{2028}'..='\u{202e}'     // line and paragraph separator, embeddings and overrides
            | '\u{2060}'..='\u{206f}'     // word joiner, invisible operators, isolates
            | '\u{fe00}'..='\u{fe0d}'     // variation selectors, except those of emoji
            | '\u{feff}'                  // zero-width no-break space
            | '\u{fff9}'..='\u{fffb}'     // interlinear annotations
            | '\u{e0000}'..='\u{e0fff}'   // tags and further variation selectors
        )
}

/// Returns the text as one line: runs of line breaks and tabs become a space, and unsafe characters are replaced.
///
/// ```
/// use undrop_text::printable;
///
/// assert_eq!(printable::line("a\r\nb \u{1b}[31mred"), "a b \\u{1b}[31mred");
/// ```
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut in_break = false;
    for c in text.chars() {
        let is_break = matches!(c, '\n' | '\r' | '\t');
        if !is_break {
            push(&mut out, c);
        } else if !in_break {
            out.push(' ');
        }
        in_break = is_break;
    }
    Cow::Owned(out)
}

/// Returns the text with line feeds and tabs kept, `\r\n` as a line feed, and unsafe characters replaced.
pub fn lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_unsafe(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            c => push(&mut out, c),
        }
    }
    Cow::Owned(out)
}

/// Returns the text as one line of at most `max` characters; the last one is `…` if something was cut off.
pub fn truncated(text: &str, max: usize) -> String {
    let mut out = String::new();
    // Where the ellipsis goes if the text turns out to be too long.
    let mut cut = 0;
    for (length, c) in line(text).chars().enumerate() {
        if length == max {
            out.truncate(cut);
            out.push('…');
            break;
        }
        cut = out.len();
        out.push(c);
    }
    if max == 0 { String::new() } else { out }
}

/// Returns the start of the text as one line, short enough to be quoted in an error message.
pub fn excerpt(text: &str) -> String {
    truncated(text, EXCERPT)
}

/// Returns the first `max` bytes as one line: printable ASCII as it is, every other byte as an escape such as `\x15` or `\r`.
pub fn bytes(bytes: &[u8], max: usize) -> String {
    bytes[..bytes.len().min(max)].escape_ascii().to_string()
}

/// Escapes text for HTML, in content and in quoted attributes. Line feeds and tabs are kept, unsafe characters are replaced.
///
/// ```
/// use undrop_text::printable::escape_html;
///
/// assert_eq!(escape_html("<b title='x'>\u{202e}"), "&lt;b title=&#39;x&#39;&gt;\\u{202e}");
/// ```
pub fn escape_html(text: &str) -> Cow<'_, str> {
    let is_special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'');
    if !text.contains(|c| is_special(c) || is_unsafe(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in lines(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Escapes text for Markdown as one line that renders as it is written: no emphasis, link, code, tag, entity, heading, list item
/// or table cell starts in it. White space at the ends is removed. The result is not suited for a code span; see
/// [`markdown_code`].
///
/// ```
/// use undrop_text::printable::escape_markdown;
///
/// assert_eq!(escape_markdown("a *b* | <c>\nread_timeout"), "a \\*b\\* \\| &lt;c> read_timeout");
/// assert_eq!(escape_markdown("# 1"), "\\# 1");
/// ```
pub fn escape_markdown(text: &str) -> String {
    let text = line(text);
    let text = text.trim();
    let mut out = String::with_capacity(text.len() + 16);
    let leading_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map_or(' ', |(_, next)| *next);
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            // Within a word an underscore has no meaning.
            '_' if before.is_alphanumeric() && after.is_alphanumeric() => out.push(c),
            '_' => out.push_str("\\_"),
            '#' | '+' | '-' | '=' | '>' if at == 0 => out.extend(['\\', c]),
            '.' | ')' if at == leading_digits && at > 0 && after == ' ' => out.extend(['\\', c]),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Returns a Markdown code span that shows the text as one line, with as many backticks around it as are necessary. In a table
/// cell, `|` still has to be replaced.
pub fn markdown_code(text: &str) -> String {
    let text = line(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A backtick at an end would merge with the fence, and an empty span does not exist.
    let pad = if longest > 0 || text.trim().is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn push(out: &mut String, c: char) {
    if is_unsafe(c) {
        // Writing to a string does not fail.
        let _ = write!(out, "{}", c.escape_unicode());
    } else {
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One unsafe character of each sort.
    const HOSTILE: [char; 14] = [
        '\0',
        '\u{7}',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{ad}',
        '\u{61c}',
        '\u{200b}',
        '\u{2028}',
        '\u{202e}',
        '\u{2067}',
        '\u{feff}',
        '\u{e0041}',
    ];

    #[test]
    fn unsafe_characters_are_shown_as_escapes() {
        for c in HOSTILE {
            let text = format!("a{c}b");
            let shown = format!("a\\u{{{:x}}}b", u32::from(c));
            assert_eq!(line(&text), shown);
            assert_eq!(lines(&text), shown);
            assert_eq!(escape_html(&text), shown);
            assert_eq!(escape_markdown(&text), shown.replace('\\', "\\\\"));
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in ["", "plain", "größer, 日本語, עברית, العربية", "⚠️ ✓ — …", "e\u{301}"]
        {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(lines(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(escape_html(text), Cow::Borrowed(same) if same == text), "{text}");
            assert_eq!(escape_markdown(text), text);
        }
    }

    #[test]
    fn line_breaks_become_spaces_or_stay() {
        assert_eq!(line("a\r\n\r\n\tb\nc"), "a b c");
        assert_eq!(lines("a\r\nb\n\tc\rd"), "a\nb\n\tc\\u{d}d");
        assert_eq!(escape_html("<\r\n\t>"), "&lt;\n\t&gt;");
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis() {
        assert_eq!(truncated("abcdef", 4), "abc…");
        assert_eq!(truncated("abcd", 4), "abcd");
        assert_eq!(truncated("äöü", 2), "ä…");
        assert_eq!(truncated("abc", 1), "…");
        assert_eq!(truncated("abc", 0), "");
        assert_eq!(excerpt(&"x".repeat(1000)).chars().count(), EXCERPT);
    }

    #[test]
    fn bytes_that_are_not_text_are_escaped() {
        assert_eq!(bytes(b"HTTP\r\n\x15\x03\xff", 100), "HTTP\\r\\n\\x15\\x03\\xff");
        assert_eq!(bytes(b"abcdef", 3), "abc");
    }

    #[test]
    fn nothing_in_escaped_html_is_markup() {
        assert_eq!(
            escape_html("<script>alert(\"1\")</script>'&"),
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;"
        );
    }

    #[test]
    fn nothing_in_escaped_markdown_has_a_meaning() {
        for (text, escaped) in [
            ("c\nd <b>", "c d &lt;b>"),
            ("1|2", "1\\|2"),
            ("[a](b)", "\\[a\\](b)"),
            ("proxy_read_timeout", "proxy_read_timeout"),
            ("_a_", "\\_a\\_"),
            ("- a - b", "\\- a - b"),
            ("12. a", "12\\. a"),
            ("> a", "\\> a"),
            ("1.5 s", "1.5 s"),
            ("&lt;", "&amp;lt;"),
        ] {
            assert_eq!(escape_markdown(text), escaped, "{text}");
        }
    }

    #[test]
    fn code_spans_survive_backticks() {
        assert_eq!(markdown_code("a"), "`a`");
        assert_eq!(markdown_code("a ``` b"), "```` a ``` b ````");
        assert_eq!(markdown_code("`a`\n"), "`` `a`  ``");
        assert_eq!(markdown_code(""), "`  `");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left(text in any::<String>()) {
            let keeps_lines = |c: char| is_unsafe(c) && c != '\n' && c != '\t';
            prop_assert!(!line(&text).contains(is_unsafe));
            prop_assert!(!lines(&text).contains(keeps_lines));
            prop_assert!(!escape_html(&text).contains(|c| keeps_lines(c) || matches!(c, '<' | '>' | '"' | '\'')));
            prop_assert!(!escape_markdown(&text).contains(|c| is_unsafe(c) || c == '<'));
            prop_assert!(!markdown_code(&text).contains(is_unsafe));
        }

        #[test]
        fn truncated_text_is_never_too_long(text in any::<String>(), max in 0usize..40) {
            let cut = truncated(&text, max);
            prop_assert!(cut.chars().count() <= max);
            prop_assert!(!cut.contains(is_unsafe));
            if line(&text).chars().count() <= max {
                prop_assert_eq!(cut, line(&text));
            }
        }
    }
}
