//! The variables of `{{ names }}`: one slot for each name of a file, with one value per user.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

/// The index of a variable in [`Values`].
pub(crate) type VariableSlot = usize;

/// The values of one user by slot; `None` for variables without a value.
pub(crate) type Values = Box<[Option<Arc<Value>>]>;

/// The variables of a scenario, with the sources of their initial values.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    /// The names by slot.
    names: Vec<String>,
    sources: Vec<VariableSource>,
}

/// A source of initial values.
#[derive(Debug)]
pub(crate) enum VariableSource {
    /// The same value for all users.
    Constant(VariableSlot, Arc<Value>),
    /// A random element for each user.
    Pick(VariableSlot, Vec<Arc<Value>>),
    /// A row of a payload file for each user.
    Rows {
        /// The slots with their columns.
        fields: Vec<(VariableSlot, usize)>,
        /// The rows; at least one.
        rows: Vec<csv::StringRecord>,
        /// Whether user `n` gets row `n`, starting over at the end; otherwise rows are chosen at random.
        in_sequence: bool,
        /// Whether cells that are numbers become numbers.
        cast: bool,
    },
    /// A random UUID for each user.
    Uuid(VariableSlot),
    /// The number of the user.
    User(VariableSlot),
}

impl Variables {
    /// Returns the initial values of a user.
    pub(crate) fn start(&self, user: u64, rng: &mut fastrand::Rng) -> Values {
        let mut values: Values = vec![None; self.names.len()].into_boxed_slice();
        for source in &self.sources {
            match source {
                VariableSource::Constant(slot, value) => values[*slot] = Some(Arc::clone(value)),
                VariableSource::Pick(slot, choices) => values[*slot] = rng.choice(choices).map(Arc::clone),
                VariableSource::Rows { fields, rows, in_sequence, cast } => {
                    let index = if *in_sequence {
                        (user % rows.len() as u64) as usize
                    } else {
                        rng.usize(..rows.len())
                    };
                    for (slot, column) in fields {
                        let cell = rows[index].get(*column).unwrap_or_default();
                        values[*slot] = Some(Arc::new(cell_value(cell, *cast)));
                    }
                }
                VariableSource::Uuid(slot) => values[*slot] = Some(Arc::new(Value::String(uuid(rng)))),
                VariableSource::User(slot) => values[*slot] = Some(Arc::new(Value::from(user))),
            }
        }
        values
    }

    /// Returns the name of a variable.
    pub(crate) fn name(&self, slot: VariableSlot) -> &str {
        self.names.get(slot).map_or("?", String::as_str)
    }
}

/// The names in a file, collected while it is read, so that a name without a value is reported with its line.
#[derive(Debug, Default)]
pub(crate) struct Names {
    slots: HashMap<String, VariableSlot>,
    names: Vec<String>,
    set: Vec<bool>,
    sources: Vec<VariableSource>,
    /// The line and column of the first use of each slot.
    used: BTreeMap<VariableSlot, (u32, u32)>,
    /// The environment variables for `$env`.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Names {
    pub(crate) fn new(environment: BTreeMap<String, String>) -> Self {
        Self { environment, ..Self::default() }
    }

    /// Returns the slot of a name that a template reads at this place.
    pub(crate) fn read(&mut self, name: &str, line: u32, column: u32) -> VariableSlot {
        let slot = self.slot(name);
        self.used.entry(slot).or_insert((line, column));
        match name {
            "$uuid" => self.start_once(slot, VariableSource::Uuid(slot)),
            "$user" => self.start_once(slot, VariableSource::User(slot)),
            _ => {}
        }
        slot
    }

    /// Returns the slot of a name that a step sets.
    pub(crate) fn set(&mut self, name: &str) -> VariableSlot {
        let slot = self.slot(name);
        self.set[slot] = true;
        slot
    }

    /// Adds a source of initial values. A later source overrides earlier ones.
    pub(crate) fn start(&mut self, source: VariableSource) {
        self.sources.push(source);
    }

    /// Returns the names that have a value, for suggestions.
    pub(crate) fn known(&self) -> impl Iterator<Item = &str> {
        self.names.iter().zip(&self.set).filter(|(_, set)| **set).map(|(name, _)| name.as_str())
    }

    /// Returns the first use of a name without a value: name, line and column.
    pub(crate) fn unset(&self) -> Option<(&str, u32, u32)> {
        let unset = self.used.iter().filter(|(slot, _)| !self.set[**slot]);
        let (slot, (line, column)) = unset.min_by_key(|(_, place)| **place)?;
        Some((&self.names[*slot], *line, *column))
    }

    pub(crate) fn finish(self) -> Variables {
        Variables { names: self.names, sources: self.sources }
    }

    fn slot(&mut self, name: &str) -> VariableSlot {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = self.names.len();
        self.slots.insert(name.to_owned(), slot);
        self.names.push(name.to_owned());
        self.set.push(false);
        slot
    }

    fn start_once(&mut self, slot: VariableSlot, source: VariableSource) {
        if !self.set[slot] {
            self.set[slot] = true;
            self.sources.push(source);
        }
    }
}

/// Returns the value of a cell. A number must be written as JSON writes it, so `007` stays text.
pub(crate) fn cell_value(cell: &str, cast: bool) -> Value {
    if cast
        && let Ok(number) = serde_json::from_str::<serde_json::Number>(cell)
        && number.to_string() == cell
    {
        return Value::Number(number);
    }
    Value::String(cell.to_owned())
}

/// Returns a random UUID, version 4 (RFC 9562 §5.4).
fn uuid(rng: &mut fastrand::Rng) -> String {
    let number = (rng.u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = String::with_capacity(36);
    for (index, byte) in number.to_be_bytes().iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_numbers_only_when_they_look_like_themselves() {
        assert_eq!(cell_value("7", true), Value::from(7));
        assert_eq!(cell_value("-1.5", true), Value::from(-1.5));
        for text in ["007", "1.50", "+1", "1e400", "", " 7", "NaN"] {
            assert_eq!(cell_value(text, true), Value::from(text));
        }
        assert_eq!(cell_value("7", false), Value::from("7"));
    }

    #[test]
    fn uuids_are_version_4() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..100 {
            let uuid = uuid(&mut rng);
            assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'), "{uuid}");
            assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{uuid}");
        }
    }
}
