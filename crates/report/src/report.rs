//! A report: verdict first, evidence next, fix last.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::{Chart, Finding, Severity};

/// Everything there is to say about one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this structure; a field that changes its meaning or goes away raises it.
    pub version: u32,
    /// What was looked at: a URL, a file.
    pub subject: String,
    /// The outcome in one sentence.
    pub verdict: String,
    /// The worst and surest first.
    pub findings: Vec<Finding>,
    /// What was seen, and what follows, as tables.
    pub tables: Vec<Table>,
    /// Pictures.
    pub charts: Vec<Chart>,
    /// What limits all this, one sentence each.
    pub notes: Vec<String>,
}

/// A table; every row has as many cells as there are columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Names of the columns; all empty for a table without a head.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Report {
    /// The version of the structure that this crate writes.
    pub const VERSION: u32 = 1;

    /// A report without findings.
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

    /// Adds a finding in its place: the worst first, among equals the surest, then in the order they came.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
        self.findings.sort_by_key(|finding| (Reverse(finding.severity), Reverse(finding.confidence)));
    }

    /// The severity of the worst finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

impl Table {
    /// A table without rows.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Table {
        Table {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty, surplus ones are left out.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }

    /// The columns have names.
    pub(crate) fn has_head(&self) -> bool {
        self.columns.iter().any(|column| !column.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Confidence;

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
