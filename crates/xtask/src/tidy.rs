//! Rules of this repository that no compiler checks.

mod bans;
mod lines;
mod links;
mod names;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::Problem;
use crate::{layering, repository};

/// Checks every file that is, or would be, in version control.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let files = repository::files(root)?;
    let mut problems = Vec::new();
    for file in &files {
        problems.extend(names::check(file));
        // Bytes that are not UTF-8 are data (certificates, fuzz inputs); the rules are about text.
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        problems.extend(lines::check(file, &text));
        if file.ends_with(".md") {
            problems.extend(links::check(root, file, &text));
        }
    }
    for package in repository::packages(root)? {
        let directory = package.manifest_path.parent().unwrap_or(root);
        let relative = directory.strip_prefix(root).unwrap_or(directory).display().to_string();
        problems.extend(names::check_package(&package.name, &relative));
        let manifest = fs::read_to_string(&package.manifest_path)
            .with_context(|| format!("cannot read {}", package.manifest_path.display()))?;
        if !manifest.contains("[lints]\nworkspace = true") {
            problems.push(Problem::new(&relative, "its Cargo.toml does not take the lints of the workspace"));
        }
        if layering::is_pure(&package.name) {
            let text = fs::read_to_string(directory.join("clippy.toml")).unwrap_or_default();
            problems.extend(bans::check(&relative, &text)?);
        }
    }
    Ok(problems)
}
