//! The checks hold for the repository as it is.
#![allow(clippy::unwrap_used)]

use xtask::{Problem, generate, layering, repository, tidy};

fn none(problems: Vec<Problem>) {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

#[test]
fn every_import_goes_down() {
    none(layering::check(&repository::root()).unwrap());
}

#[test]
fn the_repository_is_tidy() {
    none(tidy::check(&repository::root()).unwrap());
}

#[test]
fn generated_files_are_fresh() {
    none(generate::check(&repository::root()).unwrap());
}

#[test]
fn a_generated_file_that_was_edited_is_stale_until_it_is_written_again() {
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("spec")).unwrap();
    let source = "spec/close-codes.json";
    std::fs::copy(repository::root().join(source), copy.path().join(source)).unwrap();
    assert_eq!(generate::check(copy.path()).unwrap().len(), 2);
    assert_eq!(generate::write(copy.path()).unwrap().len(), 2);
    none(generate::check(copy.path()).unwrap());
    std::fs::write(copy.path().join("docs/reference/close-codes.md"), "edited").unwrap();
    assert_eq!(generate::write(copy.path()).unwrap(), ["docs/reference/close-codes.md"]);
}
