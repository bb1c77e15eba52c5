//! Files written from one declaration, so that nothing is written twice.

mod causes;
mod checks;
mod close_codes;
mod commands;
mod configuration;
mod intermediaries;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::Problem;

/// A generated file: its path from the root of the repository, and its whole text.
type GeneratedFile = (String, String);

/// Writes every generated file that differs; returns the paths it wrote.
pub fn write(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut written = Vec::new();
    for (path, text) in products(root)? {
        if is_fresh(root, &path, &text) {
            continue;
        }
        let file = root.join(&path);
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {path}"))?;
        written.push(path);
    }
    Ok(written)
}

/// Names every generated file that differs from what would be written.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let stale = products(root)?.into_iter().filter(|(path, text)| !is_fresh(root, path, text));
    Ok(stale.map(|(path, _)| Problem::new(path, "is stale; run `cargo xtask generate`")).collect())
}

fn products(root: &Path) -> anyhow::Result<Vec<GeneratedFile>> {
    let mut products = close_codes::products(root)?;
    // A repository without the program (as in tests) has no commands.
    if root.join("crates/cli").is_dir() {
        products.extend(commands::products(root)?);
        products.extend(configuration::products(root)?);
    }
    if root.join("crates/infra").is_dir() {
        products.push(intermediaries::product());
    }
    if root.join("crates/diagnosis").is_dir() {
        products.push(checks::product());
        products.push(causes::product());
    }
    Ok(products)
}

fn is_fresh(root: &Path, path: &str, text: &str) -> bool {
    fs::read_to_string(root.join(path)).is_ok_and(|found| found == text)
}
