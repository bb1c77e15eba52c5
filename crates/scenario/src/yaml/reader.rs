//! Typed access to the values of a YAML tree, with errors for people.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use undrop_text::{duration, suggest};

use crate::error::{Notice, ScenarioError};
use crate::files::Files;
use crate::template::{Shape, Template};
use crate::variables::Names;
use crate::yaml::node::{MapEntry, Node, Place, YamlValue};

pub(crate) type Result<T> = std::result::Result<T, ScenarioError>;

/// The state while a file is read.
pub(crate) struct Reader<'f> {
    pub(crate) file: String,
    /// The directory of the file, to which paths in it are relative.
    pub(crate) folder: PathBuf,
    /// The source of payload files.
    pub(crate) files: &'f dyn Files,
    pub(crate) names: Names,
    pub(crate) notices: Vec<Notice>,
    /// The subjects of notices that are given once per file.
    noticed: BTreeSet<NoticeSubject>,
    /// The number of steps read so far, in all flows.
    pub(crate) steps: usize,
}

/// The subject of a notice that is given once per file, however often it applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NoticeSubject {
    /// A step that is a word instead of a key.
    BareStep,
    /// The step `expect` in an Artillery file.
    ArtilleryExpect,
    /// An `http` or `https` URL.
    HttpUrl(String),
}

/// The entries of a map, all of which must be taken.
pub(crate) struct Fields<'n> {
    /// The name of the map for messages, such as `a phase`.
    what: &'static str,
    entries: &'n [MapEntry],
    taken: Vec<bool>,
    known: Vec<&'static str>,
}

impl<'f> Reader<'f> {
    pub(crate) fn new(path: &Path, files: &'f dyn Files, environment: BTreeMap<String, String>) -> Self {
        Self {
            file: path.display().to_string(),
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            files,
            names: Names::new(environment),
            notices: Vec::new(),
            noticed: BTreeSet::new(),
            steps: 0,
        }
    }
}

impl Reader<'_> {
    pub(crate) fn error(&self, place: Place, message: impl Into<String>) -> ScenarioError {
        ScenarioError {
            file: self.file.clone(),
            line: place.line,
            column: place.column,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn error_with_help(
        &self,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ScenarioError {
        ScenarioError { help: Some(help.into()), ..self.error(place, message) }
    }

    pub(crate) fn notice(&mut self, place: Place, message: impl Into<String>) {
        let notice = Notice { file: self.file.clone(), line: place.line, message: message.into() };
        self.notices.push(notice);
    }

    /// Adds a notice unless there is one about the subject.
    pub(crate) fn notice_once(&mut self, subject: NoticeSubject, place: Place, message: impl Into<String>) {
        if self.noticed.insert(subject) {
            self.notice(place, message);
        }
    }

    pub(crate) fn fields<'n>(&self, node: &'n Node, what: &'static str) -> Result<Fields<'n>> {
        match node.map() {
            Some(entries) => Ok(Fields::new(entries, what)),
            None => Err(self.error(node.place, format!("{what} is a map of keys, not {}", node.describe()))),
        }
    }

    pub(crate) fn list<'n>(&self, entry: &'n MapEntry) -> Result<&'n [Node]> {
        let node = &entry.value;
        node.list().ok_or_else(|| {
            self.error(node.place, format!("`{}` is a list, not {}", entry.key, node.describe()))
        })
    }

    pub(crate) fn text(&self, entry: &MapEntry) -> Result<String> {
        let node = &entry.value;
        node.scalar().ok_or_else(|| {
            self.error(node.place, format!("`{}` is a text, not {}", entry.key, node.describe()))
        })
    }

    pub(crate) fn flag(&self, entry: &MapEntry) -> Result<bool> {
        match &entry.value.kind {
            YamlValue::Bool(value) => Ok(*value),
            YamlValue::Text(text) if text == "true" || text == "false" => Ok(text == "true"),
            _ => {
                let message = format!("`{}` is true or false, not {}", entry.key, entry.value.describe());
                Err(self.error(entry.value.place, message))
            }
        }
    }

    /// Reads a number. Texts are accepted too, since they may contain environment variables.
    pub(crate) fn number(&mut self, entry: &MapEntry) -> Result<f64> {
        let number = match &entry.value.kind {
            YamlValue::Number(number) => number.as_f64(),
            YamlValue::Text(_) => self.fixed(entry)?.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (0.0..=1e12).contains(&number) => Ok(number),
            Some(number) => Err(self.error(entry.value.place, format!("`{}` cannot be {number}", entry.key))),
            None => {
                let message = format!("`{}` is a number, not {}", entry.key, entry.value.describe());
                Err(self.error(entry.value.place, message))
            }
        }
    }

    pub(crate) fn count(&mut self, entry: &MapEntry) -> Result<u64> {
        let number = self.number(entry)?;
        if number.fract() != 0.0 {
            let message = format!("`{}` is a whole number, not {number}", entry.key);
            return Err(self.error(entry.value.place, message));
        }
        Ok(number as u64)
    }

    /// Reads a duration such as `100ms` or `1.5s`, or a number of seconds.
    pub(crate) fn duration(&mut self, entry: &MapEntry) -> Result<Duration> {
        let read = match &entry.value.kind {
            YamlValue::Number(number) => duration::from_seconds(number.as_f64().unwrap_or(-1.0)),
            YamlValue::Text(_) => duration::parse(&self.fixed(entry)?),
            _ => {
                let what = entry.value.describe();
                return Err(self.error(
                    entry.value.place,
                    format!("`{}`: {what} is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m", entry.key),
                ));
            }
        };
        read.map_err(|why| self.error(entry.value.place, format!("`{}`: {why}", entry.key)))
    }

    /// Reads a text that may contain environment variables, but no variables of users.
    pub(crate) fn fixed(&mut self, entry: &MapEntry) -> Result<String> {
        let text = self.text(entry)?;
        if !text.contains("{{") {
            return Ok(text);
        }
        // A separate set of names, since variables are not allowed here.
        let mut names = Names::new(self.names.environment.clone());
        let template = Template::parse(&text, &mut names, 0, 0);
        let template = template.map_err(|why| self.error(entry.value.place, why))?;
        template.fixed().map(str::to_owned).ok_or_else(|| {
            let message = format!(
                "`{}` is the same for all users, so only `{{{{ $env.NAME }}}}` can be used in it",
                entry.key
            );
            self.error(entry.value.place, message)
        })
    }

    pub(crate) fn template(&mut self, text: &str, place: Place) -> Result<Template> {
        let template = Template::parse(text, &mut self.names, place.line, place.column);
        template.map_err(|why| self.error(place, why))
    }

    pub(crate) fn template_of(&mut self, entry: &MapEntry) -> Result<Template> {
        let text = self.text(entry)?;
        self.template(&text, entry.value.place)
    }

    /// Reads a value in which every text may be a template.
    pub(crate) fn shape(&mut self, node: &Node) -> Result<Shape> {
        Ok(match &node.kind {
            YamlValue::Text(text) => {
                let template = self.template(text, node.place)?;
                match template.fixed() {
                    Some(text) => Shape::Constant(text.into()),
                    None => Shape::Text(template),
                }
            }
            YamlValue::List(items) => {
                Shape::List(items.iter().map(|item| self.shape(item)).collect::<Result<_>>()?)
            }
            YamlValue::Map(entries) => {
                let mut fields = Vec::with_capacity(entries.len());
                for entry in entries {
                    let key = self.template(&entry.key, entry.place)?;
                    fields.push((key, self.shape(&entry.value)?));
                }
                Shape::Map(fields)
            }
            _ => Shape::Constant(node.value()),
        })
    }

    pub(crate) fn finish(&self, fields: &Fields<'_>) -> Result<()> {
        match fields.left().next() {
            None => Ok(()),
            Some(entry) => Err(self.unknown_key(entry, fields.what, &fields.known)),
        }
    }

    pub(crate) fn unknown_key(&self, entry: &MapEntry, what: &str, known: &[&str]) -> ScenarioError {
        let message = format!("unknown key `{}` in {what}", entry.key);
        self.error_with_help(entry.place, message, suggestion(&entry.key, known))
    }
}

impl<'n> Fields<'n> {
    pub(crate) fn new(entries: &'n [MapEntry], what: &'static str) -> Self {
        Self { what, entries, taken: vec![false; entries.len()], known: Vec::new() }
    }

    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n MapEntry> {
        self.known.push(key);
        self.take_quietly(key)
    }

    /// Takes a key that suggestions do not mention.
    pub(crate) fn take_quietly(&mut self, key: &str) -> Option<&'n MapEntry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        self.taken[index] = true;
        Some(&self.entries[index])
    }

    /// Returns the entries that were not taken.
    pub(crate) fn left(&self) -> impl Iterator<Item = &'n MapEntry> + use<'n, '_> {
        self.entries.iter().zip(&self.taken).filter(|(_, taken)| !**taken).map(|(entry, _)| entry)
    }

    /// Returns the keys that were requested.
    pub(crate) fn known(&self) -> &[&'static str] {
        &self.known
    }
}

/// Returns `did you mean …?` if a known word is similar, otherwise the list of known words.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    match suggest::nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!("known here: {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "))
        }
    }
}
