//! The text of the repository, read once for all rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::imports::Graph;
use crate::repository;
use crate::source::{self, SourceLine};

/// A text file of the repository.
#[derive(Debug)]
pub struct TextFile {
    /// Its path from the root of the repository.
    pub path: String,
    /// The text as it is in the file.
    pub text: String,
    /// Its lines, split into code and comments, if it is Rust.
    pub lines: Option<Vec<SourceLine>>,
}

impl TextFile {
    /// The directory of the crate that the file belongs to, such as `crates/frame`.
    pub fn krate(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("crates/")?;
        Some(&self.path[.."crates/".len() + rest.find('/')?])
    }

    /// The path below `src/` of a Rust file of a crate; `None` for tests, examples and benches.
    pub fn below_src(&self) -> Option<&str> {
        let rest = self.path[self.krate()?.len()..].strip_prefix("/src/")?;
        rest.ends_with(".rs").then_some(rest)
    }
}

/// Reads every file that is, or would be, in version control. Bytes that are not UTF-8 are data (certificates, fuzz inputs) and
/// left out.
///
/// # Errors
/// `git` cannot list the files.
pub fn read(root: &Path) -> anyhow::Result<Vec<TextFile>> {
    let mut files = Vec::new();
    for path in repository::files(root)? {
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        let mut lines = path.ends_with(".rs").then(|| source::lines(&text));
        if is_test(&path) {
            lines.iter_mut().flatten().for_each(|line| line.test = true);
        }
        files.push(TextFile { path, text, lines });
    }
    Ok(files)
}

/// Whether a file holds tests or benchmarks only.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs")
}

/// The sources of each crate, by its directory: paths below `src/`, and lines.
pub fn crates(files: &[TextFile]) -> BTreeMap<&str, Vec<(String, &[SourceLine])>> {
    let mut crates: BTreeMap<&str, Vec<(String, &[SourceLine])>> = BTreeMap::new();
    for file in files {
        if let (Some(krate), Some(below), Some(lines)) = (file.krate(), file.below_src(), &file.lines) {
            crates.entry(krate).or_default().push((below.to_owned(), lines));
        }
    }
    crates
}

/// The import graph of each crate, by its directory.
pub fn graphs(files: &[TextFile]) -> BTreeMap<&str, Graph> {
    crates(files).into_iter().map(|(krate, sources)| (krate, Graph::new(&sources))).collect()
}
