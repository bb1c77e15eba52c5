//! Rules of this repository that no compiler checks: names, sizes, links and bans, words, doc comments, import cycles, type names.

mod bans;
mod cycles;
pub(crate) mod docs;
pub(crate) mod homonyms;
mod lines;
mod links;
mod names;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::tree::{self, TextFile};
use crate::{Problem, imports, layering, repository};
use homonyms::TypeNames;
use words::WordList;

/// Checks every file that is, or would be, in version control.
///
/// # Errors
/// The files cannot be listed or a manifest cannot be read.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let files = tree::read(root)?;
    let mut problems = Vec::new();
    for file in repository::files(root)? {
        problems.extend(names::check(&file));
    }
    for file in &files {
        problems.extend(lines::check(&file.path, &file.text));
        if file.path.ends_with(".md") {
            problems.extend(links::check(root, &file.path, &file.text));
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
        if !manifest.contains("\npublish = false\n") {
            let missing = ["description", "readme", "keywords", "categories"]
                .into_iter()
                .filter(|key| !manifest.contains(&format!("\n{key} = ")));
            problems.extend(missing.map(|key| {
                Problem::new(
                    &relative,
                    format!("its Cargo.toml has no `{key}`, which a published crate needs"),
                )
            }));
        }
        if layering::is_pure(&package.name) {
            let text = fs::read_to_string(directory.join("clippy.toml")).unwrap_or_default();
            problems.extend(bans::check(&relative, &text)?);
        }
    }
    problems.extend(prose_and_structure(&files)?.into_iter().flat_map(|(_, problems)| problems));
    Ok(problems)
}

/// A rule of the report: its name, and the problems it found.
type RuleFindings = (&'static str, Vec<Problem>);

/// Lists the places that break the rules on prose and structure, by rule and by crate.
///
/// # Errors
/// The files cannot be listed.
pub fn report(root: &Path) -> anyhow::Result<String> {
    let findings = prose_and_structure(&tree::read(root)?)?;
    let mut out = String::new();
    for (rule, problems) in &findings {
        writeln!(out, "{rule}: {}", problems.len())?;
    }
    let mut by_place: BTreeMap<&str, Vec<(&str, &Problem)>> = BTreeMap::new();
    for (rule, problems) in &findings {
        for problem in problems {
            by_place.entry(area(&problem.place)).or_default().push((rule, problem));
        }
    }
    for (place, mut problems) in by_place {
        problems.sort_by_key(|(_, problem)| (&problem.place, problem.line));
        writeln!(out, "\n== {place}: {}", problems.len())?;
        for (rule, problem) in problems {
            writeln!(out, "[{rule}] {problem}")?;
        }
    }
    Ok(out)
}

/// The crate, or the first folder, that a path belongs to.
fn area(path: &str) -> &str {
    let depth = if path.starts_with("crates/") { 2 } else { 1 };
    path.match_indices('/').nth(depth - 1).map_or(path, |(at, _)| &path[..at])
}

/// The rules on prose (words, short doc comments) and on structure (import cycles, type names).
fn prose_and_structure(files: &[TextFile]) -> anyhow::Result<Vec<RuleFindings>> {
    let list = WordList::new()?;
    let mut findings: Vec<RuleFindings> = list.names().map(|name| (name, Vec::new())).collect();
    let mut short = Vec::new();
    for file in files {
        for found in list.search(&file.path, &file.text, file.lines.as_deref()) {
            if let Some((_, problems)) = findings.iter_mut().find(|(name, _)| *name == found.word) {
                problems.push(found.problem(&file.path));
            }
        }
        if let Some(lines) = &file.lines {
            short.extend(docs::check(&file.path, lines));
        }
    }
    findings.push(("short doc comment", short));
    let graphs = tree::graphs(files);
    let found = graphs.iter().flat_map(|(krate, graph)| cycles::check(&format!("{krate}/src"), graph));
    findings.push(("import cycle", found.collect()));
    let (mut all, mut homonyms) = (Vec::new(), Vec::new());
    for (krate, sources) in tree::crates(files) {
        let sources = sources.iter().filter(|(file, _)| !imports::is_test(file));
        let of_crate: Vec<_> = sources
            .flat_map(|(file, lines)| homonyms::definitions(&format!("{krate}/src/{file}"), lines))
            .collect();
        homonyms.extend(TypeNames::new(&of_crate).check(krate));
        all.extend(of_crate);
    }
    homonyms.extend(TypeNames::new(&all).check("crates"));
    findings.push(("homonyms", homonyms));
    Ok(findings)
}
