//! Rules for single lines, and for the size of a file.

use crate::Problem;

/// Most lines of code in one file; 300 is the rule of thumb.
const LIMIT: usize = 600;

/// The rules themselves name what they forbid; completions are generated and have no place for a note that says so.
const EXEMPT: [&str; 2] = ["crates/xtask/src/tidy/", "docs/reference/completions/"];

/// Unfinished work, in code or comment.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "FIXME", "XXX", "TODO", "HACK"];

/// Places of one machine, and hosts that packages come from: both are settings of whoever builds this, not of the project.
const PLACES: &[&str] = &[
    "/root/",
    "/work/",
    "/home/",
    "/Users/",
    "registry.npmjs.org",
    "pypi.org",
    "files.pythonhosted.org",
    "index.crates.io",
    "static.crates.io",
    "deb.debian.org",
];

/// Where `unsafe` may be used in shipped code, each with a comment on why it is sound.
const UNSAFE: &[&str] = &[
    "crates/frame/src/mask.rs",
    "crates/frame/src/mask/",
    "crates/transport/src/tcp/info.rs",
    "crates/transport/src/tcp/source.rs",
];

/// Checks the text of one file.
pub(super) fn check(file: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(kind) = FileKind::of(file) else { return problems };
    if EXEMPT.iter().any(|place| file.starts_with(place))
        || text.lines().next().is_some_and(|first| first.contains("do not edit"))
    {
        return problems;
    }
    let code = text.lines().filter(|line| kind.is_code(line)).count();
    if kind != FileKind::Prose && code > LIMIT {
        problems.push(Problem::new(
            file,
            format!("has {code} lines of code, {LIMIT} at most; split what changes apart"),
        ));
    }
    for (index, line) in text.lines().enumerate() {
        for message in check_line(file, kind, line) {
            problems.push(Problem::at(file, index + 1, message));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        problems.push(Problem::new(file, "does not end with a line break"));
    }
    problems
}

fn check_line(file: &str, kind: FileKind, line: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if kind != FileKind::Prose
        && let Some(word) = UNFINISHED.iter().find(|word| has_word(line, word))
    {
        messages.push(format!("is unfinished: {word}"));
    }
    if let Some(place) = PLACES.iter().find(|place| line.contains(**place)) {
        messages.push(format!("names a place of one machine or registry: {place}"));
    }
    if line.ends_with([' ', '\t']) {
        messages.push("ends with a space".to_owned());
    }
    if kind == FileKind::Rust {
        let code = line.split("//").next().unwrap_or(line);
        if code.contains("#[ignore]") {
            messages.push("an ignored test says why: #[ignore = \"reason\"]".to_owned());
        }
        let allowed = !file.contains("/src/") || UNSAFE.iter().any(|place| file.starts_with(place));
        let unsafe_code = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
        if !allowed && unsafe_code.iter().any(|form| code.contains(form)) {
            messages.push(format!("unsafe code is permitted in {} only", UNSAFE.join(", ")));
        }
        if file.contains("/src/") && !file.starts_with("crates/testkit/") && code.contains("undrop_testkit") {
            messages.push(
                "the testkit is for files under tests/ (a unit test would see its crate twice)".to_owned(),
            );
        }
    }
    messages
}

/// Whether `word` is in the line by itself, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(inside)
            && !line[at + word.len()..].chars().next().is_some_and(inside)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Rust,
    Slashes,
    Hashes,
    Prose,
}

impl FileKind {
    fn of(file: &str) -> Option<Self> {
        if file.ends_with("Cargo.lock")
            || file.ends_with("package-lock.json")
            || file.starts_with("fuzz/corpus/")
        {
            return None;
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("rs") => Some(Self::Rust),
            Some("ts" | "js" | "mjs" | "css") => Some(Self::Slashes),
            Some("py" | "sh" | "toml" | "yml" | "yaml" | "cfg" | "conf") => Some(Self::Hashes),
            Some("md" | "html" | "json" | "txt") => Some(Self::Prose),
            None => Some(Self::Hashes),
            Some(_) => None,
        }
    }

    fn is_code(self, line: &str) -> bool {
        let line = line.trim_start();
        let comment = match self {
            Self::Rust | Self::Slashes => "//",
            Self::Hashes | Self::Prose => "#",
        };
        !line.is_empty() && !line.starts_with(comment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, text: &str) -> Vec<String> {
        check(file, text).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_good_file_has_no_problems() {
        let text = "//! Masks.\n\n#[ignore = \"takes an hour\"]\nfn todos() { unsafe_op(); }\n";
        assert_eq!(found("crates/x/src/a.rs", text), [""; 0]);
    }

    #[test]
    fn each_forbidden_line_is_named_with_its_number() {
        let rust = "crates/x/src/a.rs";
        for (line, word) in [
            ("todo!()", "todo!"),
            ("unimplemented!()", "unimplemented!"),
            ("// FIXME later", "FIXME"),
            ("#[ignore]", "says why"),
            ("let a = \"/root/a\";", "/root/"),
            ("let a = unsafe { b() };", "unsafe"),
            ("use undrop_testkit::Pair;", "testkit"),
            ("let a = 1; ", "space"),
        ] {
            let problems = found(rust, &format!("fn main() {{\n{line}\n}}\n"));
            assert_eq!(problems.len(), 1, "{line}: {problems:?}");
            assert!(
                problems[0].starts_with("crates/x/src/a.rs:2: ") && problems[0].contains(word),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn the_rules_depend_on_the_place() {
        assert_eq!(found("crates/frame/src/mask.rs", "unsafe { b() }\n"), [""; 0]);
        assert_eq!(found("crates/x/tests/a.rs", "use undrop_testkit::Pair;\n"), [""; 0]);
        assert_eq!(found("docs/a.md", "A TODO list in prose.\n"), [""; 0]);
        assert_eq!(found("docs/a.md", "see /root/a\n").len(), 1);
    }

    #[test]
    fn code_is_counted_without_comments_and_blank_lines() {
        let fine = "// why\n\nlet a = 1;\n".repeat(LIMIT);
        assert_eq!(found("crates/x/src/a.rs", &fine), [""; 0]);
        let long = "let a = 1;\n".repeat(LIMIT + 1);
        assert_eq!(found("crates/x/src/a.rs", &long).len(), 1);
        let generated = format!("// generated; do not edit\n{long}");
        assert_eq!(found("crates/x/src/a.rs", &generated), [""; 0]);
    }

    #[test]
    fn a_missing_last_line_break_is_named() {
        assert_eq!(found("scripts/test", "echo"), ["scripts/test: does not end with a line break"]);
    }
}
