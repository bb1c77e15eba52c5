//! Links between the pages of this repository lead somewhere.

use std::path::Path;

use crate::Problem;

/// Checks the relative links of one Markdown file.
pub(super) fn check(root: &Path, file: &str, text: &str) -> Vec<Problem> {
    let directory = root.join(file);
    let directory = directory.parent().unwrap_or(root);
    let mut problems = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !elsewhere && !directory.join(path).exists() {
                problems.push(Problem::at(file, index + 1, format!("links to {path}, which does not exist")));
            }
        }
    }
    problems
}

/// The targets of the inline links `[text](target)` of a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_dead_relative_link_is_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("docs")).unwrap();
        std::fs::write(root.path().join("README.md"), "").unwrap();
        let text =
            "[a](../README.md#x) [b](https://example.org) [c](#here)\n[d](gone.md)\n```\n[e](gone.md)\n```\n";
        let found = check(root.path(), "docs/page.md", text);
        assert_eq!(found, [Problem::at("docs/page.md", 2, "links to gone.md, which does not exist")]);
    }
}
