//! The parameters of faults. One declaration per fault kind reads, writes, scales and lists them.
//!
//! A kind calls the methods of [`Parameters`] once per parameter. Depending on the pass, a method takes the value from a
//! table, puts it into one, divides it by the speed, or notes the parameter for the documentation.

mod form;

use serde_json::{Map, Value};
use undrop_fault::CloseManner;
use undrop_text::suggest;

use crate::close_frame::CloseFrame;
use crate::spec_error::FaultSpecError;

pub(crate) use form::*;

/// A parameter of a fault kind, for the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParameterInfo {
    /// The key of the parameter.
    pub key: &'static str,
    /// The form of the value, such as `duration`.
    pub value: String,
    /// Whether the parameter is needed, and its default.
    pub presence: Presence,
}

/// Whether a parameter is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// The parameter is required.
    Required,
    /// Exactly one of several parameters is required, and this is one of them.
    OneOf,
    /// The parameter has a default.
    Default(String),
}

/// One pass over the parameters of a fault.
#[derive(Debug)]
pub(crate) struct Parameters<'a> {
    kind: &'static str,
    pass: Pass<'a>,
}

#[derive(Debug)]
enum Pass<'a> {
    Read(&'a Map<String, Value>),
    Write(&'a mut Map<String, Value>),
    Scale(f64),
    List(&'a mut Vec<ParameterInfo>),
}

impl<'a> Parameters<'a> {
    /// Reads every parameter from a table.
    pub(crate) fn read(kind: &'static str, table: &'a Map<String, Value>) -> Parameters<'a> {
        Parameters { kind, pass: Pass::Read(table) }
    }

    /// Writes every parameter into a table, except those with their default value.
    pub(crate) fn write(kind: &'static str, table: &'a mut Map<String, Value>) -> Parameters<'a> {
        Parameters { kind, pass: Pass::Write(table) }
    }

    /// Divides every duration by `speed`.
    pub(crate) fn scale(kind: &'static str, speed: f64) -> Parameters<'a> {
        Parameters { kind, pass: Pass::Scale(speed) }
    }

    /// Lists every parameter for the documentation.
    pub(crate) fn list(kind: &'static str, list: &'a mut Vec<ParameterInfo>) -> Parameters<'a> {
        Parameters { kind, pass: Pass::List(list) }
    }

    /// Declares a parameter that must be given.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        form: &Form<T>,
        value: &mut T,
    ) -> Result<(), FaultSpecError> {
        match &mut self.pass {
            Pass::Read(table) => {
                let given = table.get(key).ok_or_else(|| missing(self.kind, key))?;
                *value = (form.read)(given).map_err(|reason| wrong(self.kind, key, &reason))?;
            }
            Pass::Write(table) => put(table, key, (form.write)(value)),
            Pass::Scale(speed) => (form.scale)(value, *speed),
            Pass::List(list) => note(list, key, form.name, Presence::Required),
        }
        Ok(())
    }

    /// Declares a parameter with a default, which is not written.
    pub(crate) fn with_default<T: PartialEq>(
        &mut self,
        key: &'static str,
        form: &Form<T>,
        value: &mut T,
        default: T,
    ) -> Result<(), FaultSpecError> {
        match &mut self.pass {
            Pass::Read(table) => {
                *value = match table.get(key) {
                    Some(given) => (form.read)(given).map_err(|reason| wrong(self.kind, key, &reason))?,
                    None => default,
                }
            }
            Pass::Write(table) if *value != default => put(table, key, (form.write)(value)),
            Pass::Write(_) => {}
            Pass::Scale(speed) => (form.scale)(value, *speed),
            Pass::List(list) => note(list, key, form.name, Presence::Default(shown(&(form.write)(&default)))),
        }
        Ok(())
    }

    /// Declares a parameter that may be absent. `absent` describes that case in the documentation.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        form: &Form<T>,
        value: &mut Option<T>,
        absent: &str,
    ) -> Result<(), FaultSpecError> {
        match &mut self.pass {
            Pass::Read(table) => {
                let given = table.get(key).map(form.read).transpose();
                *value = given.map_err(|reason| wrong(self.kind, key, &reason))?;
            }
            Pass::Write(table) => {
                if let Some(value) = value {
                    put(table, key, (form.write)(value));
                }
            }
            Pass::Scale(speed) => {
                if let Some(value) = value {
                    (form.scale)(value, *speed);
                }
            }
            Pass::List(list) => note(list, key, form.name, Presence::Default(absent.to_owned())),
        }
        Ok(())
    }

    /// Declares a parameter with a fixed set of values, the first of which is the default and is not written.
    pub(crate) fn choice<T: Clone + PartialEq>(
        &mut self,
        key: &'static str,
        value: &mut T,
        choices: &[(&'static str, T)],
    ) -> Result<(), FaultSpecError> {
        match &mut self.pass {
            Pass::Read(table) => {
                let chosen = match table.get(key) {
                    Some(given) => Some(choose(self.kind, key, given, choices)?),
                    None => choices.first(),
                };
                if let Some((_, chosen)) = chosen {
                    *value = chosen.clone();
                }
            }
            Pass::Write(table) => {
                let at = choices.iter().position(|(_, choice)| choice == value);
                if let Some((name, _)) = at.filter(|at| *at > 0).and_then(|at| choices.get(at)) {
                    put(table, key, (*name).into());
                }
            }
            Pass::Scale(_) => {}
            Pass::List(list) => {
                let default = choices.first().map(|(name, _)| format!("`{name}`")).unwrap_or_default();
                note(list, key, &names(choices), Presence::Default(default));
            }
        }
        Ok(())
    }

    /// Declares a parameter with a fixed set of values, which must be given.
    pub(crate) fn required_choice<T: Clone + PartialEq>(
        &mut self,
        key: &'static str,
        value: &mut T,
        choices: &[(&'static str, T)],
    ) -> Result<(), FaultSpecError> {
        match &mut self.pass {
            Pass::Read(table) => {
                let given = table.get(key).ok_or_else(|| missing(self.kind, key))?;
                *value = choose(self.kind, key, given, choices)?.1.clone();
            }
            Pass::Write(table) => {
                if let Some((name, _)) = choices.iter().find(|(_, choice)| choice == value) {
                    put(table, key, (*name).into());
                }
            }
            Pass::Scale(_) => {}
            Pass::List(list) => note(list, key, &names(choices), Presence::Required),
        }
        Ok(())
    }

    /// Declares parameters of which exactly one must be given. Each is a key, the form of its value, and the variant that
    /// the key selects; the caller then declares the parameter of the variant.
    pub(crate) fn one_of<T: Clone>(
        &mut self,
        value: &mut T,
        variants: &[(&'static str, &'static str, T)],
    ) -> Result<(), FaultSpecError> {
        match &mut self.pass {
            Pass::Read(table) => {
                let keys = || {
                    variants.iter().map(|(key, ..)| format!("`{key}`")).collect::<Vec<String>>().join(", ")
                };
                let mut given = variants.iter().filter(|(key, ..)| table.contains_key(*key));
                let Some((_, _, variant)) = given.next() else {
                    let message = format!("`{}` needs one of {}", self.kind, keys());
                    return Err(FaultSpecError::new(message));
                };
                if let Some((second, ..)) = given.next() {
                    return Err(wrong(self.kind, second, &format!("only one of {} may be given", keys())));
                }
                *value = variant.clone();
            }
            Pass::List(list) => {
                for (key, form, _) in variants {
                    note(list, key, form, Presence::OneOf);
                }
            }
            Pass::Write(_) | Pass::Scale(_) => {}
        }
        Ok(())
    }

    /// Declares `how`, `code` and `reason`: the manner in which the fault ends a connection. `how` and `code` are always
    /// written.
    pub(crate) fn close_manner(
        &mut self,
        value: &mut CloseManner<CloseFrame>,
        default: CloseManner<CloseFrame>,
        default_code: u16,
    ) -> Result<(), FaultSpecError> {
        let close = CloseManner::Close(CloseFrame { code: default_code, reason: String::new() });
        let choices = [
            ("rst", CloseManner::Rst),
            ("fin", CloseManner::Fin),
            ("silent", CloseManner::Silent),
            ("close", close),
        ];
        match &mut self.pass {
            Pass::Read(table) => {
                *value = match table.get("how") {
                    Some(given) => choose(self.kind, "how", given, &choices)?.1.clone(),
                    None => default,
                };
            }
            Pass::Write(table) => {
                let name = match value {
                    CloseManner::Rst => "rst",
                    CloseManner::Fin => "fin",
                    CloseManner::Silent => "silent",
                    CloseManner::Close(frame) => {
                        put(table, "code", frame.code.into());
                        "close"
                    }
                };
                put(table, "how", name.into());
            }
            Pass::Scale(_) => {}
            Pass::List(list) => {
                let default = choices.iter().find(|(_, choice)| *choice == default);
                let default = default.map(|(name, _)| format!("`{name}`")).unwrap_or_default();
                note(list, "how", &names(&choices), Presence::Default(default));
                note(list, "code", CODE.name, Presence::Default(default_code.to_string()));
                note(list, "reason", REASON.name, Presence::Default("empty".to_owned()));
            }
        }
        match value {
            CloseManner::Close(frame) => {
                if let Pass::Read(_) = self.pass {
                    self.with_default("code", &CODE, &mut frame.code, default_code)?;
                }
                self.with_default("reason", &REASON, &mut frame.reason, String::new())
            }
            CloseManner::Rst | CloseManner::Fin | CloseManner::Silent => {
                for key in ["code", "reason"] {
                    let absent = !matches!(&self.pass, Pass::Read(table) if table.contains_key(key));
                    self.ensure(absent, key, "requires `how = \"close\"`")?;
                }
                Ok(())
            }
        }
    }

    /// Rejects a value that was read if `condition` does not hold.
    pub(crate) fn ensure(
        &self,
        condition: bool,
        key: &'static str,
        message: &str,
    ) -> Result<(), FaultSpecError> {
        match &self.pass {
            Pass::Read(_) if !condition => Err(wrong(self.kind, key, message)),
            Pass::Read(_) | Pass::Write(_) | Pass::Scale(_) | Pass::List(_) => Ok(()),
        }
    }
}

fn choose<'c, T>(
    kind: &str,
    key: &str,
    given: &Value,
    choices: &'c [(&'static str, T)],
) -> Result<&'c (&'static str, T), FaultSpecError> {
    let text = (TEXT.read)(given).map_err(|reason| wrong(kind, key, &reason))?;
    choices.iter().find(|(name, _)| *name == text).ok_or_else(|| {
        let known: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let hint = suggest::hint(&text, known.iter().copied());
        wrong(kind, key, &format!("`{text}` is not one of {}{hint}", known.join(", ")))
    })
}

fn names<T>(choices: &[(&'static str, T)]) -> String {
    choices.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<String>>().join(", ")
}

fn put(table: &mut Map<String, Value>, key: &str, value: Value) {
    table.insert(key.to_owned(), value);
}

fn note(list: &mut Vec<ParameterInfo>, key: &'static str, form: &str, presence: Presence) {
    if list.iter().all(|other| other.key != key) {
        list.push(ParameterInfo { key, value: form.to_owned(), presence });
    }
}

/// A default value as the documentation shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Object(_) => "none".to_owned(),
        value => value.to_string(),
    }
}

fn missing(kind: &str, key: &str) -> FaultSpecError {
    FaultSpecError::new(format!("`{kind}` needs `{key}`"))
}

fn wrong(kind: &str, key: &str, reason: &str) -> FaultSpecError {
    FaultSpecError::at(key, format!("`{key}` of `{kind}`: {reason}"))
}
