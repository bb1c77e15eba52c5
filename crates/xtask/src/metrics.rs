//! `cargo xtask metrics`: figures of the code base, to compare two states of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::source::SourceLine;
use crate::tidy::homonyms::{self, TypeNames};
use crate::tidy::words::WordList;
use crate::{imports, tree};

/// Measures the repository at `root`; the result is a page of Markdown.
///
/// # Errors
/// `git` cannot list the files.
pub fn page(root: &Path) -> anyhow::Result<String> {
    let files = tree::read(root)?;
    let mut out = String::from("| figure | value |\n|---|---|\n");
    let crates = tree::crates(&files);
    let (mut sizes, mut functions) = (Vec::new(), Vec::new());
    for (krate, sources) in &crates {
        for (file, lines) in sources.iter().filter(|(file, _)| !imports::is_test(file)) {
            sizes.push((
                lines.iter().filter(|line| !line.test && !line.code.trim().is_empty()).count(),
                format!("{krate}/src/{file}"),
            ));
            let found = function_lengths(lines).into_iter();
            functions.extend(found.map(|(name, length)| (length, format!("{krate}/src/{file}: {name}"))));
        }
    }
    sizes.sort();
    functions.sort();
    let at = |sorted: &[(usize, String)], percent: usize| {
        sorted.get((sorted.len().saturating_sub(1)) * percent / 100).map_or(0, |(size, _)| *size)
    };
    let total: usize = sizes.iter().map(|(size, _)| size).sum();
    writeln!(out, "| files, lines of code | {}, {total} |", sizes.len())?;
    writeln!(
        out,
        "| lines of code per file: median / p90 / max | {} / {} / {} |",
        at(&sizes, 50),
        at(&sizes, 90),
        at(&sizes, 100)
    )?;
    writeln!(
        out,
        "| functions: median / p90 / p99 / max lines | {} / {} / {} / {} |",
        at(&functions, 50),
        at(&functions, 90),
        at(&functions, 99),
        at(&functions, 100)
    )?;
    writeln!(out, "| files over 300 / over 600 lines | {} / {} |", over(&sizes, 300), over(&sizes, 600))?;
    writeln!(
        out,
        "| functions over 80 / over 100 lines | {} / {} |",
        over(&functions, 80),
        over(&functions, 100)
    )?;
    let cycles: Vec<(&str, imports::Cycle)> = tree::graphs(&files)
        .into_iter()
        .flat_map(|(krate, graph)| graph.cycles().into_iter().map(move |cycle| (krate, cycle)))
        .collect();
    let in_cycles: usize = cycles.iter().map(|(_, cycle)| cycle.files.len()).sum();
    writeln!(out, "| import cycles, files in them | {}, {in_cycles} |", cycles.len())?;
    write_names(&mut out, &crates)?;
    let list = WordList::new()?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut short, mut comments) = (0, 0);
    for file in &files {
        for found in list.search(&file.path, &file.text, file.lines.as_deref()) {
            *counts.entry(found.word).or_default() += 1;
        }
        if let Some(lines) = &file.lines {
            short += crate::tidy::docs::check(&file.path, lines).len();
            comments += lines.iter().filter(|line| line.comment.is_some()).count();
        }
    }
    writeln!(out, "| lines of comments | {comments} |")?;
    writeln!(out, "| doc comments of three words or fewer | {short} |")?;
    writeln!(out, "| matches of the word list | {} |", counts.values().sum::<usize>())?;
    for name in list.names() {
        writeln!(out, "| … {name} | {} |", counts.get(name).copied().unwrap_or_default())?;
    }
    writeln!(out, "\nLongest files: {}", largest(&sizes))?;
    writeln!(out, "\nLongest functions: {}", largest(&functions))?;
    for (krate, cycle) in &cycles {
        writeln!(out, "\nCycle in {krate}: {}", cycle.files.join(", "))?;
    }
    Ok(out)
}

fn write_names(out: &mut String, crates: &BTreeMap<&str, Vec<(String, &[SourceLine])>>) -> std::fmt::Result {
    let mut all = Vec::new();
    let mut inside = 0;
    for (krate, sources) in crates {
        let sources = sources.iter().filter(|(file, _)| !imports::is_test(file));
        let of_crate: Vec<_> = sources
            .flat_map(|(file, lines)| homonyms::definitions(&format!("{krate}/src/{file}"), lines))
            .collect();
        inside += TypeNames::new(&of_crate).repeated(2).len();
        all.extend(of_crate);
    }
    let names = TypeNames::new(&all);
    let (twice, thrice) = (names.repeated(2), names.repeated(3).len());
    let percent = twice.len() as f64 * 100.0 / names.all().max(1) as f64;
    writeln!(
        out,
        "| type names, of them defined more than once / three times or more | {}, {} ({percent:.0} %) / {thrice} |",
        names.all(),
        twice.len()
    )?;
    writeln!(out, "| type names defined more than once within a crate | {inside} |")
}

fn over(sorted: &[(usize, String)], limit: usize) -> usize {
    sorted.iter().filter(|(size, _)| *size > limit).count()
}

fn largest(sorted: &[(usize, String)]) -> String {
    sorted.iter().rev().take(10).map(|(size, name)| format!("{name} {size}")).collect::<Vec<_>>().join(" · ")
}

/// The functions outside of tests, each with its number of lines from `fn` to the closing brace.
fn function_lengths(lines: &[SourceLine]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    // Functions that are open: name, first line, and the depth of braces around the body once that has started.
    let mut open: Vec<(String, usize, Option<usize>)> = Vec::new();
    let mut depth = 0usize;
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.test) {
        let name = line
            .code
            .split_once("fn ")
            .filter(|(before, _)| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            .map(|(_, rest)| {
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
            });
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            open.push((name, index, None));
        }
        for c in line.code.chars() {
            match c {
                '{' => {
                    if let Some((_, _, body @ None)) = open.last_mut() {
                        *body = Some(depth);
                    }
                    depth += 1;
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    if let Some((name, first, _)) = open.pop_if(|(_, _, body)| *body == Some(depth)) {
                        found.push((name, index - first + 1));
                    }
                }
                // A declaration without a body.
                ';' => drop(open.pop_if(|(_, _, body)| body.is_none())),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;

    #[test]
    fn functions_are_measured_from_their_name_to_the_closing_brace() {
        let text = "trait A {\n    fn a();\n    fn b() {\n        if c {\n        }\n    }\n}\nfn d(\n    e: u8,\n) {\n}\n";
        assert_eq!(function_lengths(&source::lines(text)), [("b".to_owned(), 4), ("d".to_owned(), 4)]);
    }
}
