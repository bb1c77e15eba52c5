//! The bans of the pure crates. A crate's own `clippy.toml` replaces that of the workspace, so each must repeat them all.

use anyhow::Context;

use crate::Problem;

const METHODS: &[&str] = &[
    "std::time::Instant::now",
    "std::time::Instant::elapsed",
    "std::time::SystemTime::now",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::thread::Builder::spawn",
    "std::thread::scope",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
];

const TYPES: &[&str] = &[
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::Condvar",
    "std::fs::File",
];

/// Checks the text of the `clippy.toml` in a pure crate's directory.
pub(super) fn check(directory: &str, text: &str) -> anyhow::Result<Vec<Problem>> {
    let file = format!("{directory}/clippy.toml");
    let table: toml::Table = toml::from_str(text).with_context(|| file.clone())?;
    let mut problems = Vec::new();
    for (key, wanted) in [("disallowed-methods", METHODS), ("disallowed-types", TYPES)] {
        let listed: Vec<&str> =
            table.get(key).and_then(toml::Value::as_array).into_iter().flatten().filter_map(path).collect();
        for path in wanted.iter().filter(|path| !listed.contains(path)) {
            problems.push(Problem::new(&file, format!("{key} lacks {path}")));
        }
    }
    Ok(problems)
}

fn path(entry: &toml::Value) -> Option<&str> {
    entry.as_str().or_else(|| entry.get("path")?.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(methods: &[&str], types: &[&str]) -> String {
        let list =
            |paths: &[&str]| paths.iter().map(|path| format!("{{ path = {path:?} }},")).collect::<String>();
        format!("disallowed-methods = [{}]\ndisallowed-types = [{}]\n", list(methods), list(types))
    }

    #[test]
    fn all_bans_are_enough() {
        assert_eq!(check("crates/x", &file(METHODS, TYPES)).unwrap(), []);
    }

    #[test]
    fn a_missing_ban_is_named() {
        let found = check("crates/x", &file(&METHODS[1..], TYPES)).unwrap();
        assert_eq!(
            found,
            [Problem::new("crates/x/clippy.toml", "disallowed-methods lacks std::time::Instant::now")]
        );
    }

    #[test]
    fn a_missing_file_lacks_everything() {
        assert_eq!(check("crates/x", "").unwrap().len(), METHODS.len() + TYPES.len());
    }
}
