//! A Rust source file, split into code, comments and string literals, line by line.
//!
//! This is a lexer, not a parser: enough for the rules of `tidy` and for `metrics`, without compiling a Rust grammar.

/// One line of a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceLine {
    /// The code, without comments and with the contents of string literals removed.
    pub code: String,
    /// The text of a comment, and its form.
    pub comment: Option<(CommentForm, String)>,
    /// The contents of the string literals, or of the part of one that is on this line.
    pub strings: Vec<String>,
    /// Whether the line belongs to code that only tests compile.
    pub test: bool,
}

/// The form in which a comment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentForm {
    /// Documentation of the item that follows, or of the module (`///`, `//!`).
    Doc,
    /// A comment that is not documentation.
    Plain,
}

/// Splits the text of a Rust file into lines; marks the items under `#[cfg(test)]`.
pub fn lines(text: &str) -> Vec<SourceLine> {
    let mut lines = split(text);
    mark_tests(&mut lines);
    lines
}

/// The place of the lexer between two characters.
enum LexerState {
    Code,
    /// In a block comment, with its depth of nesting.
    Block(usize),
    /// In a string literal; `None` is one with escapes, a number is the count of `#` around a raw one.
    Text(Option<usize>),
}

fn split(text: &str) -> Vec<SourceLine> {
    let mut lines = Vec::new();
    let mut place = LexerState::Code;
    for raw in text.lines() {
        let mut line = SourceLine::default();
        let mut string = String::new();
        let mut rest = raw;
        while !rest.is_empty() {
            match place {
                LexerState::Code => rest = code(rest, &mut line, &mut place),
                LexerState::Block(depth) => {
                    let (eaten, deeper) = block(rest, depth);
                    let (_, comment) = line.comment.get_or_insert((CommentForm::Plain, String::new()));
                    comment.push_str(&rest[..eaten]);
                    rest = &rest[eaten..];
                    place = if deeper == 0 { LexerState::Code } else { LexerState::Block(deeper) };
                }
                LexerState::Text(hashes) => {
                    let (eaten, ended) = string_part(rest, hashes, &mut string);
                    rest = &rest[eaten..];
                    if ended {
                        line.strings.push(std::mem::take(&mut string));
                        line.code.push('"');
                        place = LexerState::Code;
                    }
                }
            }
        }
        if matches!(place, LexerState::Text(_)) {
            line.strings.push(string);
        }
        lines.push(line);
    }
    lines
}

/// Takes one step in code; returns what follows it.
fn code<'a>(rest: &'a str, line: &mut SourceLine, place: &mut LexerState) -> &'a str {
    if let Some(comment) = rest.strip_prefix("//") {
        let doc = (comment.starts_with('/') && !comment.starts_with("//")) || comment.starts_with('!');
        let (form, text) =
            if doc { (CommentForm::Doc, &comment[1..]) } else { (CommentForm::Plain, comment) };
        line.comment = Some((form, text.trim().to_owned()));
        return "";
    }
    if let Some(inside) = rest.strip_prefix("/*") {
        *place = LexerState::Block(1);
        return inside;
    }
    if let Some((prefix, hashes)) = string_start(rest, &line.code) {
        line.code.push('"');
        *place = LexerState::Text(hashes);
        return &rest[prefix..];
    }
    if rest.starts_with('\'')
        && let Some(length) = char_literal(rest)
    {
        line.code.push_str("' '");
        return &rest[length..];
    }
    let next = rest.chars().next().map_or(0, char::len_utf8);
    line.code.push_str(&rest[..next]);
    &rest[next..]
}

/// Whether a string literal starts here: the length of its opening, and the count of `#` of a raw one.
fn string_start(rest: &str, before: &str) -> Option<(usize, Option<usize>)> {
    if rest.starts_with('"') {
        return Some((1, None));
    }
    let in_word = before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
    if in_word {
        return None;
    }
    let prefix = ["br", "cr", "r", "b", "c"].into_iter().find(|prefix| rest.starts_with(prefix))?;
    let after = &rest[prefix.len()..];
    if !prefix.contains('r') {
        return after.starts_with('"').then_some((prefix.len() + 1, None));
    }
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    after[hashes..].starts_with('"').then_some((prefix.len() + hashes + 1, Some(hashes)))
}

/// The length of a character literal; `None` for a lifetime.
fn char_literal(rest: &str) -> Option<usize> {
    let inside = &rest[1..];
    if let Some(escaped) = inside.strip_prefix('\\') {
        let skipped = escaped.chars().next()?.len_utf8();
        return escaped[skipped..].find('\'').map(|end| 2 + skipped + end + 1);
    }
    let first = inside.chars().next()?.len_utf8();
    inside[first..].starts_with('\'').then_some(first + 2)
}

/// Consumes a part of a block comment; returns its length and the depth of nesting after it.
fn block(rest: &str, depth: usize) -> (usize, usize) {
    let (mut at, mut depth) = (0, depth);
    while at < rest.len() && depth > 0 {
        let tail = &rest[at..];
        if tail.starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
        } else if tail.starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    (at, depth)
}

/// Consumes a part of a string literal; returns its length, and whether the literal ended.
fn string_part(rest: &str, hashes: Option<usize>, into: &mut String) -> (usize, bool) {
    let mut characters = rest.char_indices();
    while let Some((at, c)) = characters.next() {
        match (c, hashes) {
            ('"', None) => return (at + 1, true),
            ('"', Some(count))
                if rest[at + 1..].bytes().take_while(|byte| *byte == b'#').count() >= count =>
            {
                return (at + 1 + count, true);
            }
            ('\\', None) => {
                into.push(' ');
                characters.next();
            }
            _ => into.push(c),
        }
    }
    (rest.len(), false)
}

/// Marks every item that follows `#[cfg(test)]`, up to its closing brace or semicolon.
fn mark_tests(lines: &mut [SourceLine]) {
    let mut depth = 0usize;
    let mut waiting = false;
    let mut until = None;
    for line in lines {
        let squeezed: String = line.code.split_whitespace().collect();
        if until.is_none() && squeezed.starts_with("#[cfg(test)]") {
            waiting = true;
        }
        line.test = waiting || until.is_some();
        for c in line.code.chars() {
            match c {
                '{' => {
                    if waiting {
                        (waiting, until) = (false, Some(depth));
                    }
                    depth += 1;
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    if until == Some(depth) {
                        until = None;
                    }
                }
                ';' if waiting => waiting = false,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_comments_and_strings_are_separated() {
        let text = "let a = \"x // y\"; // why\n/// Doc.\nlet c = '\"'; let r = r#\"a \"b\" c\"#; /* one\ntwo */ f::<'a>();\n";
        let lines = lines(text);
        assert_eq!(lines[0].code, "let a = \"\"; ");
        assert_eq!(lines[0].strings, ["x // y"]);
        assert_eq!(lines[0].comment, Some((CommentForm::Plain, "why".to_owned())));
        assert_eq!(lines[1].comment, Some((CommentForm::Doc, "Doc.".to_owned())));
        assert_eq!(lines[2].code, "let c = ' '; let r = \"\"; ");
        assert_eq!(lines[2].strings, ["a \"b\" c"]);
        assert_eq!(lines[3].code, " f::<'a>();");
        assert_eq!(lines[3].comment, Some((CommentForm::Plain, "two */".to_owned())));
    }

    #[test]
    fn a_string_over_several_lines_is_split_at_their_ends() {
        let lines = lines("let a = \"one \\\n    two\";\nlet b = 1;\n");
        assert_eq!(lines[0].strings, ["one  "]);
        assert_eq!(lines[1].strings, ["    two"]);
        assert_eq!(lines[2].code, "let b = 1;");
    }

    #[test]
    fn test_modules_and_test_imports_are_marked() {
        let text = "fn a() {}\n#[cfg(test)]\nuse b::C;\nfn d() {}\n#[cfg(test)]\nmod tests {\n    fn e() {\n    }\n}\nfn f() {}\n";
        let marked: Vec<bool> = lines(text).iter().map(|line| line.test).collect();
        assert_eq!(marked, [false, true, true, false, true, true, true, true, true, false]);
    }
}
