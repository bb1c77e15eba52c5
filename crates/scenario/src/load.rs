//! Reading of scenario files into a [`Scenario`].

use std::path::Path;
use std::sync::Arc;

use crate::builder::Defaults;
use crate::error::ScenarioError;
use crate::files::{FileError, Files};
use crate::model::{ArrivalPhase, Condition, ConnectionOptions, Dialect, Flow, Inputs, Scenario, Targets};
use crate::program::Action;
use crate::variables::{Names, VariableSource, cell_value};
use undrop_text::suggest;

use crate::yaml::node::{MapEntry, Node, Place, YamlValue};
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
    let mut reader = Reader {
        file: path.display().to_string(),
        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        files,
        names: Names::new(inputs.environment.clone()),
        notices: Vec::new(),
        steps: 0,
    };
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

/// The content of a file in any dialect. Names and targets are validated when everything has been read.
pub(crate) struct Parts {
    pub(crate) dialect: Dialect,
    pub(crate) connection: ConnectionOptions,
    pub(crate) phases: Vec<ArrivalPhase>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) ensure: Vec<Condition>,
}

fn finish(reader: Reader<'_>, parts: Parts) -> Result<Scenario> {
    if let Some((name, line, column)) = reader.names.unset() {
        let known: Vec<&str> = reader.names.known().collect();
        let message = format!("nothing gives `{name}` a value");
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

/// Reads the target of the file, or the one that replaces it, and defines the variable `target`.
pub(crate) fn target(reader: &mut Reader, entry: Option<&MapEntry>, inputs: &Inputs) -> Result<Defaults> {
    let target = match (&inputs.target, entry) {
        (Some(url), entry) => Some((url.clone(), entry.map(|e| e.value.place).unwrap_or_default())),
        (None, Some(entry)) => Some((reader.text(entry)?, entry.value.place)),
        (None, None) => None,
    };
    if let Some((url, _)) = &target
        && !url.contains("{{")
    {
        let slot = reader.names.set("target");
        reader.names.start(VariableSource::Constant(slot, Arc::new(url.as_str().into())));
    }
    Ok(Defaults { target, ..Defaults::default() })
}

/// Reads `variables`. Each user gets one element of a list.
pub(crate) fn variables(reader: &mut Reader, entry: Option<&MapEntry>, inputs: &Inputs) -> Result<()> {
    if let Some(entry) = entry {
        let Some(entries) = entry.value.map() else {
            let message = format!("`variables` is a map of names, not {}", entry.value.describe());
            return Err(reader.error(entry.value.place, message));
        };
        for variable in entries {
            check_name(reader, &variable.key, variable.place)?;
            let slot = reader.names.set(&variable.key);
            let source = match &variable.value.kind {
                YamlValue::List(items) if items.is_empty() => {
                    return Err(reader.error(variable.value.place, "there is nothing to choose from"));
                }
                YamlValue::List(items) => {
                    VariableSource::Pick(slot, items.iter().map(|item| Arc::new(item.value())).collect())
                }
                YamlValue::Text(_) => {
                    VariableSource::Constant(slot, Arc::new(reader.fixed(variable)?.into()))
                }
                _ => VariableSource::Constant(slot, Arc::new(variable.value.value())),
            };
            reader.names.start(source);
        }
    }
    for (name, value) in &inputs.variables {
        let slot = reader.names.set(name);
        reader.names.start(VariableSource::Constant(slot, Arc::new(cell_value(value, true))));
    }
    Ok(())
}

/// Checks that templates can refer to a name.
pub(crate) fn check_name(reader: &Reader, name: &str, place: Place) -> Result<()> {
    let first = name.chars().next();
    let good = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    if first.is_some() && name.chars().all(good) && name.len() <= 200 {
        return Ok(());
    }
    Err(reader.error(place, format!("`{name}` is no name for a variable: use letters, digits, `_` and `-`")))
}

/// Reads `headers`. The values may be templates.
pub(crate) fn headers(reader: &mut Reader, entry: &MapEntry, defaults: &mut Defaults) -> Result<()> {
    let Some(entries) = entry.value.map() else {
        let message = format!("`{}` is a map of names, not {}", entry.key, entry.value.describe());
        return Err(reader.error(entry.value.place, message));
    };
    for header in entries {
        // RFC 9110 §5.6.2.
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if header.key.is_empty() || !header.key.chars().all(token) {
            return Err(reader.error(header.place, format!("`{}` is not the name of a header", header.key)));
        }
        let value = reader.template_of(header)?;
        match header.key.to_ascii_lowercase().as_str() {
            "sec-websocket-protocol" => match value.fixed() {
                Some(list) => {
                    defaults
                        .protocols
                        .extend(list.split(',').map(|p| crate::template::Template::literal(p.trim())));
                }
                None => defaults.protocols.push(value),
            },
            "connection"
            | "upgrade"
            | "sec-websocket-key"
            | "sec-websocket-version"
            | "sec-websocket-extensions" => {
                let message = format!("`{}` belongs to the handshake and cannot be set", header.key);
                return Err(reader.error(header.place, message));
            }
            lower => {
                // A later value replaces an earlier one; names are case-insensitive.
                defaults.headers.retain(|(name, _)| name.to_ascii_lowercase() != lower);
                defaults.headers.push((header.key.clone(), value));
            }
        }
    }
    Ok(())
}

/// Reads one text, or a list of texts.
pub(crate) fn texts(reader: &mut Reader, entry: &MapEntry) -> Result<Vec<crate::template::Template>> {
    match &entry.value.kind {
        YamlValue::List(items) => {
            let mut texts = Vec::with_capacity(items.len());
            for item in items {
                let text = item.scalar();
                let text = text.ok_or_else(|| {
                    reader.error(
                        item.place,
                        format!("`{}` is a list of texts, with {} in it", entry.key, item.describe()),
                    )
                })?;
                texts.push(reader.template(&text, item.place)?);
            }
            Ok(texts)
        }
        _ => Ok(vec![reader.template_of(entry)?]),
    }
}

fn of_file(path: &Path, message: String) -> ScenarioError {
    ScenarioError { file: path.display().to_string(), line: 0, column: 0, message, help: None }
}
