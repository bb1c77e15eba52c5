//! Reading of scenario files into a [`Scenario`].

use std::path::Path;

use crate::error::ScenarioError;
use crate::files::{FileError, Files};
use crate::keys::Parts;
use crate::model::{Inputs, Scenario, Targets};
use crate::program::Action;
use undrop_text::suggest;

use crate::yaml::node::{Node, Place, YamlValue};
use crate::yaml::reader::{Reader, Result};
use crate::{artillery, native};

/// The maximum size of a scenario file in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Reads a scenario file and the payload files that it refers to (relative to it), all through `files`.
///
/// # Errors
/// Returns the first error, with file, line and a suggestion. The limits are 1 MiB of YAML, 10,000 steps and 8 nested loops, and for
/// payload files 64 MiB and 1,000,000 rows.
pub fn load(path: &Path, inputs: &Inputs, files: &dyn Files) -> std::result::Result<Scenario, ScenarioError> {
    let bytes =
        files.read(path, MAX_FILE).map_err(|error| of_file(path, error.describe(MAX_FILE, "scenario")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        of_file(path, format!("line {line} is not UTF-8"))
    })?;
    parse(&text, path, inputs, files)
}

/// Reads a scenario from its text. `path` is its name in messages, and payload files are relative to its directory.
///
/// # Errors
/// As [`load`].
pub fn parse(
    text: &str,
    path: &Path,
    inputs: &Inputs,
    files: &dyn Files,
) -> std::result::Result<Scenario, ScenarioError> {
    let mut reader = Reader::new(path, files, inputs.environment.clone());
    if text.len() as u64 > MAX_FILE {
        return Err(reader.error(Place::default(), FileError::TooLarge.describe(MAX_FILE, "scenario")));
    }
    let node = Node::parse(text).map_err(|error| {
        let line = text.lines().nth(error.place.line.saturating_sub(1) as usize).unwrap_or_default();
        match line.contains("{{") || line.contains("}}") {
            true => reader.error_with_help(error.place, error.message, "put texts with `{{ }}` in quotes"),
            false => reader.error(error.place, error.message),
        }
    })?;
    let Some(entries) = node.map() else {
        let message = match node.kind {
            YamlValue::Null => "the file is empty".to_owned(),
            _ => format!("a scenario is a map of keys, not {}", node.describe()),
        };
        return Err(reader.error(node.place, message));
    };
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    let scenario = if has("config") || has("scenarios") || has("flow") {
        artillery::read(&mut reader, entries, inputs)?
    } else {
        native::read(&mut reader, entries, inputs)?
    };
    finish(reader, scenario)
}

fn finish(reader: Reader<'_>, parts: Parts) -> Result<Scenario> {
    if let Some((name, line, column)) = reader.names.unset() {
        let known: Vec<&str> = reader.names.known().collect();
        let message = format!("the variable `{name}` never gets a value");
        let help = match suggest::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it to `variables`, or capture it from a message".to_owned(),
        };
        return Err(reader.error_with_help(Place { line, column }, message, help));
    }
    let mut targets = Targets::default();
    for operation in parts.flows.iter().flat_map(|flow| &flow.program.operations) {
        if let Action::Connect(dial) = &operation.action {
            match dial.target.fixed() {
                Some(url) if targets.fixed.iter().all(|known| known != url) => {
                    targets.fixed.push(url.to_owned())
                }
                Some(_) => {}
                None => targets.computed = true,
            }
        }
    }
    let Parts { dialect, connection, phases, flows, ensure } = parts;
    let Reader { file, notices, names, .. } = reader;
    let variables = names.finish();
    Ok(Scenario { file, dialect, targets, connection, phases, flows, ensure, notices, variables })
}

fn of_file(path: &Path, message: String) -> ScenarioError {
    ScenarioError { file: path.display().to_string(), line: 0, column: 0, message, help: None }
}
