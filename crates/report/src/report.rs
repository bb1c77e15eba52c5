//! The report of `undrop doctor` and `undrop explain --log`.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::chart::Chart;
use crate::finding::Finding;
use crate::severity::Severity;

/// Everything that is known about one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this structure. It increases when a field is removed or changes its meaning.
    pub version: u32,
    /// The subject: a URL or a file.
    pub subject: String,
    /// The conclusion in one sentence.
    pub verdict: String,
    /// The findings, the most severe and most certain first.
    pub findings: Vec<Finding>,
    /// Observations and conclusions as tables.
    pub tables: Vec<Table>,
    /// The charts, from top to bottom.
    pub charts: Vec<Chart>,
    /// The limits of the report, one sentence each.
    pub notes: Vec<String>,
}

/// A table. Every row has as many cells as there are columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The heading of the table.
    pub title: String,
    /// The names of the columns; all empty for a table without a head.
    pub columns: Vec<String>,
    /// The rows, from top to bottom.
    pub rows: Vec<Vec<String>>,
}

impl Report {
    /// The version of the structure that this crate writes.
    pub const VERSION: u32 = 1;

    /// Creates a report without findings.
    pub fn new(subject: impl Into<String>, verdict: impl Into<String>) -> Report {
        Report {
            version: Report::VERSION,
            subject: subject.into(),
            verdict: verdict.into(),
            findings: Vec::new(),
            tables: Vec::new(),
            charts: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a finding in its place: by severity, then by confidence, then in the order of the calls.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
        self.findings.sort_by_key(|finding| (Reverse(finding.severity), Reverse(finding.confidence)));
    }

    /// Returns the severity of the most severe finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

impl Table {
    /// Creates a table without rows.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Table {
        Table {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Missing cells are empty, surplus ones are dropped.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use undrop_infra::Confidence;

    use super::*;

    #[test]
    fn the_worst_and_surest_finding_comes_first() {
        let mut report = Report::new("x", "y");
        for (id, severity, confidence) in [
            ("a", Severity::Note, Confidence::High),
            ("b", Severity::Error, Confidence::Medium),
            ("c", Severity::Error, Confidence::High),
            ("d", Severity::Error, Confidence::High),
            ("e", Severity::Warning, Confidence::High),
        ] {
            report.add(Finding::new(id, severity, confidence, ""));
        }
        let order: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(order, ["c", "d", "b", "e", "a"]);
        assert_eq!(report.worst(), Some(Severity::Error));
    }

    #[test]
    fn rows_have_as_many_cells_as_there_are_columns() {
        let mut table = Table::new("t", &["a", "b"]);
        table.row(["1"]);
        table.row(["1", "2", "3"]);
        assert_eq!(table.rows, [["1", ""], ["1", "2"]]);
    }
}
