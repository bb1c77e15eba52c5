//! Doc comments say more than the name does.

use crate::Problem;
use crate::source::{CommentForm, SourceLine};

/// The fewest words of a doc comment.
const FEWEST: usize = 4;

/// Finds doc comments that are too short to say anything.
pub(crate) fn check(file: &str, lines: &[SourceLine]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (index, line) in lines.iter().enumerate() {
        match &line.comment {
            Some((CommentForm::Doc, text)) if !line.test => {
                let (_, whole) = block.get_or_insert((index + 1, String::new()));
                whole.push_str(text);
                whole.push(' ');
            }
            _ => problems.extend(block.take().and_then(|block| short(file, block))),
        }
    }
    problems.extend(block.and_then(|block| short(file, block)));
    problems
}

fn short(file: &str, (line, text): (usize, String)) -> Option<Problem> {
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
    (words < FEWEST).then(|| {
        let message =
            format!("a doc comment of {words} words: \"{}\"; say what the name does not", text.trim());
        Problem::at(file, line, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;

    fn found(text: &str) -> Vec<Option<usize>> {
        check("a.rs", &source::lines(text)).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn three_words_are_too_few() {
        assert_eq!(found("/// The link.\nfn link() {}\n"), [Some(1)]);
        assert_eq!(found("fn a() {}\n/// Over for good.\nfn b() {}\n"), [Some(2)]);
    }

    #[test]
    fn a_sentence_is_enough_also_over_two_lines() {
        assert_eq!(found("/// Closes the link, and\n/// waits.\nfn close() {}\n"), []);
    }

    #[test]
    fn tests_and_plain_comments_are_free() {
        assert_eq!(found("// why\nfn a() {}\n#[cfg(test)]\nmod tests {\n    /// A.\n    fn b() {}\n}\n"), []);
    }
}
