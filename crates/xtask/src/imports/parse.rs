//! The names in a source file: what it defines, imports and mentions.

use std::collections::BTreeSet;

use crate::source::SourceLine;

/// A path such as `crate::session::Session`, as its parts.
pub(super) type ItemPath = Vec<String>;

/// One name that a `use` brings into a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) path: ItemPath,
    /// The name in this file: the last part, or what follows `as`.
    pub(super) name: String,
    /// Whether it is re-exported (`pub`, also with a restriction).
    pub(super) public: bool,
    /// Whether it is `path::*`.
    pub(super) glob: bool,
}

/// The names of one file; code for tests is left out.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) uses: Vec<Use>,
    /// Child modules that it declares.
    pub(super) children: Vec<String>,
    /// Items that it defines.
    pub(super) defines: BTreeSet<String>,
    /// Paths in its code, outside of `use`.
    pub(super) paths: Vec<ItemPath>,
    /// Names of types in its code, outside of `use`.
    pub(super) mentions: BTreeSet<String>,
}

const KEYWORDS: &[&str] =
    &["struct", "enum", "union", "trait", "type", "fn", "const", "static", "macro_rules"];

/// Reads the names of one file.
pub(super) fn module(lines: &[SourceLine]) -> Module {
    let code: String =
        lines.iter().filter(|line| !line.test).map(|line| format!("{}\n", line.code)).collect();
    let tokens = tokens(&code);
    let mut module = Module::default();
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at];
        let next = tokens.get(at + 1).copied().unwrap_or_default();
        match token {
            "use" => {
                let public = before(&tokens, at);
                let end =
                    at + tokens[at..].iter().position(|token| *token == ";").unwrap_or(tokens.len() - at);
                tree(&tokens[at + 1..end], &mut Vec::new(), public, &mut module.uses);
                at = end;
            }
            "mod" => {
                if tokens.get(at + 2) == Some(&";") {
                    module.children.push(next.to_owned());
                }
                module.defines.insert(next.to_owned());
                at += 1;
            }
            _ if KEYWORDS.contains(&token) => {
                let name = if next == "!" { tokens.get(at + 2).copied().unwrap_or_default() } else { next };
                module.defines.insert(name.to_owned());
                at += 1;
            }
            _ if is_name(token) => {
                let path = path(&tokens[at..]);
                module.mentions.insert(path[0].clone());
                at += path.len() * 2 - 2;
                let inside_path = at >= 1 && path.len() == 1 && tokens[at - 1] == "::";
                if path.len() > 1 && !inside_path {
                    module.paths.push(path);
                }
            }
            _ => {}
        }
        at += 1;
    }
    module
}

/// Whether the token before `use` makes it a re-export: `pub`, or the end of `pub(…)`.
fn before(tokens: &[&str], at: usize) -> bool {
    match at.checked_sub(1).map(|before| tokens[before]) {
        Some("pub") => true,
        Some(")") => {
            tokens[..at].iter().rev().take_while(|token| **token != ";").any(|token| *token == "pub")
        }
        _ => false,
    }
}

/// The names of a tree such as `a::{b, c as d, e::*}`.
fn tree(tokens: &[&str], prefix: &mut ItemPath, public: bool, into: &mut Vec<Use>) {
    let depth = prefix.len();
    for branch in branches(tokens) {
        let mut at = 0;
        while at < branch.len() {
            match branch[at] {
                "::" => {}
                "*" => into.push(Use { path: prefix.clone(), name: "*".to_owned(), public, glob: true }),
                "{" => {
                    tree(&branch[at + 1..branch.len() - 1], prefix, public, into);
                    prefix.truncate(depth);
                    break;
                }
                "as" => {
                    let name = branch.get(at + 1).copied().unwrap_or_default().to_owned();
                    into.push(Use { path: prefix.clone(), name, public, glob: false });
                    prefix.truncate(depth);
                    break;
                }
                // `a::{self}` is `a`.
                "self" if !prefix.is_empty() => {}
                name => prefix.push(name.to_owned()),
            }
            at += 1;
        }
        let whole = at >= branch.len() && branch.last().is_some_and(|last| *last != "*");
        if whole && let Some(name) = prefix.last().cloned() {
            into.push(Use { path: prefix.clone(), name, public, glob: false });
        }
        prefix.truncate(depth);
    }
}

/// The parts of a tree between the commas of its outermost level.
fn branches<'a, 'b>(tokens: &'b [&'a str]) -> Vec<&'b [&'a str]> {
    let mut depth = 0usize;
    tokens
        .split(|token| {
            match *token {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            *token == "," && depth == 0
        })
        .filter(|branch| !branch.is_empty())
        .collect()
}

/// The longest path at the start of the tokens.
fn path(tokens: &[&str]) -> ItemPath {
    let mut path = vec![tokens[0].to_owned()];
    let mut at = 1;
    while tokens.get(at) == Some(&"::") && tokens.get(at + 1).is_some_and(|name| is_name(name)) {
        path.push(tokens[at + 1].to_owned());
        at += 2;
    }
    path
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;

    fn used(text: &str) -> Vec<(String, String)> {
        let module = module(&source::lines(text));
        module.uses.iter().map(|used| (used.path.join("::"), used.name.clone())).collect()
    }

    #[test]
    fn trees_of_imports_are_read() {
        let of = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(path, name)| ((*path).to_owned(), (*name).to_owned())).collect()
        };
        assert_eq!(used("use a::B;\n"), of(&[("a::B", "B")]));
        assert_eq!(
            used("use a::{B, c::D as E,\n f::*};\n"),
            of(&[("a::B", "B"), ("a::c::D", "E"), ("a::f", "*")])
        );
        assert_eq!(used("use a::{self, B};\n"), of(&[("a", "a"), ("a::B", "B")]));
        assert_eq!(used("use super::a::{b::{C, D}, E};\n").len(), 3);
    }

    #[test]
    fn re_exports_are_marked() {
        let module = module(&source::lines("pub use a::B;\npub(crate) use c::D;\nuse e::F;\n"));
        assert_eq!(module.uses.iter().map(|used| used.public).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn paths_and_definitions_are_read() {
        let module = module(&source::lines("mod a;\npub struct B;\nfn c() -> a::D { crate::e::f() }\n"));
        assert_eq!(module.children, ["a"]);
        assert!(module.defines.contains("B") && module.defines.contains("c"));
        assert_eq!(
            module.paths,
            [vec!["a".to_owned(), "D".to_owned()], vec!["crate".into(), "e".into(), "f".into()]]
        );
    }
}
