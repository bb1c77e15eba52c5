//! CSV files with a row for each user.

use std::sync::Arc;

use serde_json::Value;

use crate::error::ScenarioError;
use crate::keys::check_name;
use crate::variables::{VariableSource, cell_value};
use crate::yaml::node::Place;
use crate::yaml::reader::{Reader, Result};

/// The maximum size of a payload file in bytes.
pub(crate) const MAX_PAYLOAD: u64 = 64 << 20;

/// The maximum number of rows of a payload file.
const MAX_ROWS: usize = 1_000_000;

/// A payload file as a scenario describes it.
pub(crate) struct PayloadFile {
    pub(crate) path: String,
    pub(crate) place: Place,
    /// The names of the columns in order; `None` if the first row contains them.
    pub(crate) fields: Option<Vec<(String, Place)>>,
    pub(crate) skip_header: bool,
    pub(crate) delimiter: u8,
    pub(crate) in_sequence: bool,
    /// Whether cells that are numbers become numbers.
    pub(crate) cast: bool,
    /// The name of a variable that contains all rows as a list; `None` for one row per user.
    pub(crate) all_as: Option<String>,
}

impl PayloadFile {
    pub(crate) fn read(self, reader: &mut Reader) -> Result<()> {
        let path = reader.folder.join(&self.path);
        let of_file = |line: u64, message: String| ScenarioError {
            file: path.display().to_string(),
            line: u32::try_from(line).unwrap_or(0),
            column: 0,
            message,
            help: None,
        };
        let bytes = reader.files.read(&path, MAX_PAYLOAD).map_err(|error| {
            let why = error.describe(MAX_PAYLOAD, "payload");
            reader.error(self.place, format!("the payload file `{}`: {why}", path.display()))
        })?;
        let mut csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .from_reader(bytes.as_slice());
        let mut rows = Vec::new();
        for row in csv.records() {
            let row = row.map_err(|error| {
                let line = error.position().map_or(0, csv::Position::line);
                let why = match error.kind() {
                    csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
                    _ => error.to_string(),
                };
                of_file(line, why)
            })?;
            if rows.len() > MAX_ROWS {
                return Err(of_file(0, format!("more than {MAX_ROWS} rows")));
            }
            rows.push(row);
        }
        let header =
            (self.fields.is_none() || self.skip_header).then(|| (!rows.is_empty()).then(|| rows.remove(0)));
        let fields = match (self.fields, header.flatten()) {
            (Some(fields), _) => fields,
            (None, Some(header)) => header.iter().map(|name| (name.trim().to_owned(), self.place)).collect(),
            (None, None) => Vec::new(),
        };
        if rows.is_empty() {
            return Err(of_file(0, "the file has no rows".to_owned()));
        }
        for (index, row) in rows.iter().enumerate() {
            if row.len() < fields.len() && self.all_as.is_none() {
                let line = row.position().map_or(index as u64 + 1, csv::Position::line);
                let message =
                    format!("{} cells, but {} are named: {}", row.len(), fields.len(), join(&fields));
                return Err(of_file(line, message));
            }
        }
        if let Some(name) = self.all_as {
            check_name(reader, &name, self.place)?;
            let slot = reader.names.set(&name);
            let all = rows.iter().map(|row| row_value(row, &fields, self.cast)).collect();
            reader.names.start(VariableSource::Constant(slot, Arc::new(Value::Array(all))));
            return Ok(());
        }
        let mut slots = Vec::with_capacity(fields.len());
        for (column, (name, place)) in fields.iter().enumerate() {
            check_name(reader, name, *place)?;
            slots.push((reader.names.set(name), column));
        }
        reader.names.start(VariableSource::Rows {
            fields: slots,
            rows,
            in_sequence: self.in_sequence,
            cast: self.cast,
        });
        Ok(())
    }
}

/// Returns an object, or a list if no fields are named.
fn row_value(row: &csv::StringRecord, fields: &[(String, Place)], cast: bool) -> Value {
    if fields.is_empty() {
        return Value::Array(row.iter().map(|cell| cell_value(cell, cast)).collect());
    }
    let cells = fields.iter().zip(row.iter());
    Value::Object(cells.map(|((name, _), cell)| (name.clone(), cell_value(cell, cast))).collect())
}

fn join(fields: &[(String, Place)]) -> String {
    fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}
