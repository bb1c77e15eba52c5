//! What `{{ names }}` stand for: one slot for each name of a file, one value in it for each user.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

/// Place of a name's value in [`Values`].
pub(crate) type VariableSlot = usize;

/// The values of one user, by slot. `None` until something sets it.
pub(crate) type Values = Box<[Option<Arc<Value>>]>;

/// Where the first values of a user come from.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    /// By slot.
    names: Vec<String>,
    sources: Vec<VariableSource>,
}

/// Sets some slots when a user starts.
#[derive(Debug)]
pub(crate) enum VariableSource {
    /// The same for all.
    Constant(VariableSlot, Arc<Value>),
    /// One of these for each user, at random.
    Pick(VariableSlot, Vec<Arc<Value>>),
    /// A row of a file for each user.
    Rows {
        /// VariableSlot and column.
        fields: Vec<(VariableSlot, usize)>,
        /// At least one.
        rows: Vec<csv::StringRecord>,
        /// Row `n` for user `n`, around and around; else at random.
        in_sequence: bool,
        /// Cells that are numbers become numbers.
        cast: bool,
    },
    /// A random UUID.
    Uuid(VariableSlot),
    /// The number of the user.
    User(VariableSlot),
}

impl Variables {
    /// The values that a user starts with.
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

    /// The name of a slot.
    pub(crate) fn name(&self, slot: VariableSlot) -> &str {
        self.names.get(slot).map_or("?", String::as_str)
    }
}

/// Collects names while a file is read, so that a name that nothing sets is an error with a line.
#[derive(Debug, Default)]
pub(crate) struct Names {
    slots: HashMap<String, VariableSlot>,
    names: Vec<String>,
    set: Vec<bool>,
    sources: Vec<VariableSource>,
    /// First use of each slot: line and column.
    used: BTreeMap<VariableSlot, (u32, u32)>,
    /// What `$env` reads.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Names {
    pub(crate) fn new(environment: BTreeMap<String, String>) -> Self {
        Self { environment, ..Self::default() }
    }

    /// The slot of a name that a template reads at that place.
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

    /// The slot of a name that a step sets.
    pub(crate) fn set(&mut self, name: &str) -> VariableSlot {
        let slot = self.slot(name);
        self.set[slot] = true;
        slot
    }

    /// Adds what sets slots at the start; the later source wins.
    pub(crate) fn start(&mut self, source: VariableSource) {
        self.sources.push(source);
    }

    /// The names that something sets, for suggestions.
    pub(crate) fn known(&self) -> impl Iterator<Item = &str> {
        self.names.iter().zip(&self.set).filter(|(_, set)| **set).map(|(name, _)| name.as_str())
    }

    /// The first use of a name that nothing sets: name, line, column.
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

/// A cell as a value. A number only when it is written as numbers are: `007` stays text.
pub(crate) fn cell_value(cell: &str, cast: bool) -> Value {
    if cast
        && let Ok(number) = serde_json::from_str::<serde_json::Number>(cell)
        && number.to_string() == cell
    {
        return Value::Number(number);
    }
    Value::String(cell.to_owned())
}

/// RFC 9562 4, version 4.
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
