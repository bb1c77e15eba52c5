//! Keys that the dialects have in common, and the parts that each dialect reads.

use std::sync::Arc;

use crate::builder::Defaults;
use crate::model::{ArrivalPhase, Condition, ConnectionOptions, Dialect, Flow, Inputs};
use crate::template::Template;
use crate::variables::{VariableSource, cell_value};
use crate::yaml::node::{MapEntry, Place, YamlValue};
use crate::yaml::reader::{Reader, Result};

/// The content of a file in any dialect. Names and targets are validated when everything has been read.
pub(crate) struct Parts {
    pub(crate) dialect: Dialect,
    pub(crate) connection: ConnectionOptions,
    pub(crate) phases: Vec<ArrivalPhase>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) ensure: Vec<Condition>,
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
    Err(reader
        .error(place, format!("`{name}` is not a name for a variable: use letters, digits, `_` and `-`")))
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
                    defaults.protocols.extend(list.split(',').map(|p| Template::literal(p.trim())));
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
pub(crate) fn texts(reader: &mut Reader, entry: &MapEntry) -> Result<Vec<Template>> {
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
