//! The word list: what comments, string literals and Markdown do not say, and what they say instead.
//!
//! Code in backticks is left out, since it names things as they are. A place that needs a word of the list carries the marker
//! `tidy: allow(word)` in a comment on the same line or the line before.

use regex_lite::Regex;

use crate::Problem;
use crate::prose;
use crate::source::{CommentForm, SourceLine};

/// A word or phrase of the list.
struct UnwantedWord {
    /// The name of the rule, as `tidy: allow(…)` and the report use it.
    name: &'static str,
    /// The regular expression that finds it; case does not matter.
    pattern: &'static str,
    /// Phrases that contain it and are fine, as a regular expression that matches the whole of them.
    unless: &'static str,
    /// The replacement, for the message.
    instead: &'static str,
}

const fn word(
    name: &'static str,
    pattern: &'static str,
    unless: &'static str,
    instead: &'static str,
) -> UnwantedWord {
    UnwantedWord { name, pattern, unless, instead }
}

/// The list. Matches of `unless` are removed from a text before `pattern` is searched for.
#[rustfmt::skip]
const WORDS: &[UnwantedWord] = &[
    //   name            found by                                    but not in                               instead
    // Patterns that read as translated.
    word("nobody",       r"\b(nobody|somebody)\b",                   "",                                      "the passive, or the noun that is meant"),
    word("any more",     r"\bany ?more\b",                           "",                                      "no longer"),
    word("behind",       r"\bbehind (it|them|the|what|this|that)\b", BEHIND,                                  "after"),
    word("stand",        r"\bstands?\b",                             r"\bstands? (for|in for|up|out|by)\b",   "is, are"),
    word("begun",        r"\b(begun|began)\b",                       "",                                      "started"),
    word("is none",      r"\b(is|are|was|were) (?-i:none)\b",        r"\bthere (is|are|was|were) none\b",     "is not a …, is invalid"),
    word("is no",        r"\b(is|are|was|were) no\b",                IS_NO,                                   "is not a …"),
    word("or else",      r"\bor else\b",                             "",                                      "or, otherwise; other candidates"),
    word("of its own",   r"\bof (its|their) own\b",                  "",                                      "its own …, a separate …"),
    // Code that acts like a person.
    word("told",         r"\b(tells|told)\b",                        r"\b(tells|told)( [\w`]+){0,3} apart\b",                                     "reports, indicates, notifies; reported"),
    word("hear",         r"\b(hears?|heard)\b",                      "",                                      "receives, is notified"),
    word("news",         r"\bnews\b",                                "",                                      "event, report"),
    word("wish",         r"\bwish(es|ed)?\b",                        "",                                      "request, preference"),
    word("accuse",       r"\b(accus|acquit|condemn)\w*",             "",                                      "reports, rules out, closes"),
    word("obey",         r"\b(obeys?|obeyed)\b",                     "",                                      "follows"),
    word("owe",          r"\b(owes?|owed)\b",                        "",                                      "still has to send, is due"),
    word("judge",        r"\bjudg(e|es|ed|ing)\b",                   "",                                      "validate (options), check, evaluate"),
    word("mend",         r"\bmend(s|ed|ing)?\b",                     "",                                      "fix"),
    // Terms that the field has another word for.
    word("sub-protocol", r"\bsub-protocols?\b",                      "",                                      "subprotocol"),
    word("cap of age",   r"\b(caps? of (an )?age|age caps?|lifetime caps?)\b", "",                            "maximum connection age"),
    word("idle cut",     r"\bidle cuts?\b",                          "",                                      "idle timeout"),
    word("founded",      r"\bfound(ed|ing|s)\b",                     "",                                      "created"),
    word("tomb",         r"\btombs?\b",                              "",                                      "tombstone"),
    word("parked",       r"\bpark(s|ed)?\b",                         "",                                      "detached"),
    word("RFC without §", r"\bRFC \d{4},? \d",                       "",                                      "RFC 6455 §5.4"),
];

/// In plain English, a thing is behind a place in the network.
const BEHIND: &str = r"\b(servers?|backends?|listens|listening|machines?|hops?) behind (it|them|that)\b|\bbehind the (same |other |real |first |second |last )?(gateway|prox|relay|balancer|load balancer|nat\b|firewall|nginx|haproxy|envoy|caddy|alb\b|cdn)";

const IS_NO: &str = r"\b(there|where) (is|are|was|were) no\b|\b(is|are|was|were) no (longer|more|less|fewer|larger|smaller|longer|shorter|greater|later|earlier|slower|faster|worse|better|different)\b";

/// Files that the list does not apply to.
const EXEMPT: &[&str] = &[
    // The list itself.
    "crates/xtask/src/tidy/words.rs",
    // Generated; the sources are checked.
    "docs/reference/",
    // Licences are quoted, lock files and test data are not written by hand.
    "LICENSE",
    "Cargo.lock",
    "fuzz/corpus/",
];

/// Places that need a word of the list: file (or folder), name of the word, reason.
const ALLOWED: &[(&str, &str, &str)] = &[];

/// A match of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WordMatch {
    pub(crate) line: usize,
    /// The name of the word.
    pub(crate) word: &'static str,
    /// The text that was matched.
    pub(crate) found: String,
    pub(crate) instead: &'static str,
}

impl WordMatch {
    pub(crate) fn problem(&self, file: &str) -> Problem {
        Problem::at(file, self.line, format!("\"{}\": write {}", self.found, self.instead))
    }
}

/// The word list, as compiled regular expressions.
pub(crate) struct WordList {
    words: Vec<(&'static UnwantedWord, Regex, Option<Regex>)>,
    opening: Regex,
    code: Regex,
}

impl WordList {
    /// Compiles the list.
    ///
    /// # Errors
    /// A pattern of the list is not a regular expression.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let compile = |pattern: &str| Regex::new(&format!("(?i){pattern}"));
        let words = WORDS.iter().map(|word| {
            let unless = (!word.unless.is_empty()).then(|| compile(word.unless)).transpose()?;
            Ok((word, compile(word.pattern)?, unless))
        });
        Ok(Self {
            words: words.collect::<Result<_, regex_lite::Error>>()?,
            opening: Regex::new(r"^(What|How) ")?,
            code: Regex::new("`[^`]*`")?,
        })
    }

    /// The names of the words, in the order of the list.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|word| word.name).chain([OPENING])
    }

    /// Searches one file; `lines` is its text as Rust, if it is Rust.
    pub(crate) fn search(&self, file: &str, text: &str, lines: Option<&[SourceLine]>) -> Vec<WordMatch> {
        if EXEMPT.iter().any(|place| file.starts_with(place))
            || text.lines().next().is_some_and(|first| first.contains("do not edit"))
        {
            return Vec::new();
        }
        let mut found = Vec::new();
        match lines {
            Some(lines) => {
                self.search_comments(lines, &mut found);
                self.search_strings(lines, &mut found);
            }
            None if [".md", ".txt", ".html"].iter().any(|end| file.ends_with(end)) => {
                self.search_prose(text, &mut found)
            }
            None => self.search_prose(&prose::of_script(file, text).join("\n"), &mut found),
        }
        let raw: Vec<&str> = text.lines().collect();
        found.retain(|one| {
            let marker = format!("tidy: allow({})", one.word);
            let marked = raw[one.line.saturating_sub(2)..one.line].iter().any(|line| line.contains(&marker));
            let listed = ALLOWED.iter().any(|(place, word, _)| file.starts_with(place) && *word == one.word);
            !marked && !listed
        });
        found.sort_by_key(|one| one.line);
        found
    }

    fn search_comments(&self, lines: &[SourceLine], found: &mut Vec<WordMatch>) {
        let mut block = Paragraph::default();
        for (index, line) in lines.iter().enumerate() {
            let Some((form, text)) = &line.comment else {
                self.search_paragraph(&mut block, found);
                continue;
            };
            let alone = line.code.trim().is_empty();
            if block.form != Some(*form) || !alone || text.is_empty() {
                let starts = !(block.form == Some(*form) && text.is_empty());
                let form_before = block.form;
                self.search_paragraph(&mut block, found);
                // A paragraph that continues a comment is not its opening.
                if !starts {
                    block.form = form_before;
                }
            }
            if block.form.is_none() && *form == CommentForm::Doc && self.opening.is_match(text) {
                let word = text.split(' ').next().unwrap_or_default().to_owned();
                let instead =
                    "a verb (\"Returns the …\") or a noun phrase (\"The …\") as the start of a doc comment";
                found.push(WordMatch { line: index + 1, word: OPENING, found: word, instead });
            }
            block.form = Some(*form);
            block.push(index + 1, text);
        }
        self.search_paragraph(&mut block, found);
    }

    fn search_strings(&self, lines: &[SourceLine], found: &mut Vec<WordMatch>) {
        let mut block = Paragraph::default();
        for (index, line) in lines.iter().enumerate() {
            if line.strings.is_empty() || line.test {
                self.search_paragraph(&mut block, found);
                continue;
            }
            for string in &line.strings {
                block.push(index + 1, string);
            }
        }
        self.search_paragraph(&mut block, found);
    }

    fn search_prose(&self, text: &str, found: &mut Vec<WordMatch>) {
        let mut block = Paragraph::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim().trim_start_matches(['#', '>', '/']).trim();
            if line.is_empty() || line.starts_with(['|', '-', '*']) {
                self.search_paragraph(&mut block, found);
            }
            block.push(index + 1, line);
        }
        self.search_paragraph(&mut block, found);
    }

    /// Searches the lines that were collected as one text, since a phrase may be broken over two of them, and clears them.
    fn search_paragraph(&self, block: &mut Paragraph, found: &mut Vec<WordMatch>) {
        let Paragraph { text, starts, .. } = std::mem::take(block);
        if text.is_empty() {
            return;
        }
        // Blanks of the same length keep the offsets.
        let blank = |text: &str, pattern: &Regex| {
            pattern
                .replace_all(text, |hit: &regex_lite::Captures<'_>| "\u{1}".repeat(hit[0].len()))
                .into_owned()
        };
        let text = blank(&text, &self.code);
        for (word, pattern, unless) in &self.words {
            let text = unless.as_ref().map_or_else(|| text.clone(), |unless| blank(&text, unless));
            for hit in pattern.find_iter(&text) {
                let line =
                    starts.iter().rev().find(|(at, _)| *at <= hit.start()).map_or(0, |(_, line)| *line);
                found.push(WordMatch {
                    line,
                    word: word.name,
                    found: hit.as_str().to_owned(),
                    instead: word.instead,
                });
            }
        }
    }
}

/// The name of the rule about the first word of a doc comment.
const OPENING: &str = "What …/How …";

/// Lines of text that belong together.
#[derive(Default)]
struct Paragraph {
    form: Option<CommentForm>,
    text: String,
    /// Where in `text` each line starts, and its number.
    starts: Vec<(usize, usize)>,
}

impl Paragraph {
    fn push(&mut self, line: usize, text: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.starts.push((self.text.len(), line));
        self.text.push_str(text.trim());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::source;

    fn rust(text: &str) -> Vec<(usize, &'static str)> {
        let lines = source::lines(text);
        let list = WordList::new().unwrap();
        list.search("crates/x/src/a.rs", text, Some(&lines)).iter().map(|one| (one.line, one.word)).collect()
    }

    fn markdown(text: &str) -> Vec<(usize, &'static str)> {
        let list = WordList::new().unwrap();
        list.search("docs/a.md", text, None).iter().map(|one| (one.line, one.word)).collect()
    }

    #[test]
    fn a_planted_nobody_tells_is_found_in_comments_strings_and_markdown() {
        assert_eq!(rust("// nobody tells\n"), [(1, "nobody"), (1, "told")]);
        assert_eq!(rust("fn a() {}\nlet a = \"nobody tells\";\n"), [(2, "nobody"), (2, "told")]);
        assert_eq!(markdown("# A\n\nnobody tells\n"), [(3, "nobody"), (3, "told")]);
    }

    #[test]
    fn a_phrase_that_is_broken_over_two_lines_is_found() {
        assert_eq!(rust("/// A link that is not\n/// open any\n/// more.\n"), [(2, "any more")]);
        assert_eq!(markdown("It comes behind\nthe handshake.\n"), [(1, "behind")]);
    }

    #[test]
    fn plain_uses_of_a_word_are_fine() {
        assert_eq!(
            rust("// A backend behind the gateway; the copy stands for the kernel's; there is no lock.\n"),
            []
        );
        assert_eq!(markdown("See RFC 6455 §5.4, and `nobody` in code.\n"), []);
        assert_eq!(rust("let nobody = told(1);\n"), []);
    }

    #[test]
    fn citations_carry_a_section_sign() {
        assert_eq!(rust("// RFC 6455 5.4 says so.\n"), [(1, "RFC without §")]);
    }

    #[test]
    fn a_doc_comment_does_not_open_with_what_or_how() {
        assert_eq!(rust("/// What a link brought.\nfn a() {}\n"), [(1, OPENING)]);
        assert_eq!(rust("/// The bytes.\n///\n/// How many there are is unknown.\nfn a() {}\n"), []);
        assert_eq!(rust("// What a mess.\nfn a() {}\n"), []);
    }

    #[test]
    fn strings_of_tests_are_left_out_and_a_marker_allows_a_place() {
        assert_eq!(rust("#[cfg(test)]\nmod tests {\n    const A: &str = \"nobody\";\n}\n"), []);
        assert_eq!(rust("// tidy: allow(nobody): the user of that name\nlet a = \"nobody\";\n"), []);
    }
}
