//! Names of files and packages.

use crate::Problem;

/// A file is named after the thing in it; these name nothing.
const NAMES_OF_NOTHING: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "tools", "stuff", "prelude"];

/// Checks the path of one file.
pub(super) fn check(file: &str) -> Vec<Problem> {
    let name = file.rsplit('/').next().unwrap_or(file);
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let mut problems = Vec::new();
    if !["rs", "ts", "js", "mjs", "py"].contains(&extension) {
        return problems;
    }
    if NAMES_OF_NOTHING.contains(&stem) || file.split('/').any(|part| NAMES_OF_NOTHING.contains(&part)) {
        problems.push(Problem::new(file, "is named after nothing; name the thing in it"));
    }
    if extension == "rs" && !stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        problems.push(Problem::new(file, "a Rust file is named in snake_case"));
    }
    if file.contains("/src/") && name == "mod.rs" {
        problems.push(Problem::new(file, "write the module as NAME.rs beside the directory NAME/"));
    }
    problems
}

/// Checks that a package is in the directory of its name, without the prefix.
pub(super) fn check_package(package: &str, directory: &str) -> Vec<Problem> {
    let wanted = match package {
        "undrop" => "cli",
        other => other.strip_prefix("undrop-").unwrap_or(other),
    };
    if directory == format!("crates/{wanted}") {
        return Vec::new();
    }
    vec![Problem::new(directory, format!("package {package} belongs in crates/{wanted}"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_their_contents() {
        for fine in ["crates/frame/src/mask.rs", "crates/frame/src/lib.rs", "scripts/setup", "docs/common.md"]
        {
            assert_eq!(check(fine), [], "{fine}");
        }
        for bad in
            ["crates/frame/src/utils.rs", "crates/x/src/common/mask.rs", "crates/x/src/a/mod.rs", "a/Mask.rs"]
        {
            assert_eq!(check(bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_package_is_in_the_directory_of_its_name() {
        assert_eq!(check_package("undrop-frame", "crates/frame"), []);
        assert_eq!(check_package("undrop", "crates/cli"), []);
        assert_eq!(check_package("undrop-frame", "crates/frames").len(), 1);
    }
}
