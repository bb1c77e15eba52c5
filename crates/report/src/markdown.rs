//! For a wiki.

use std::fmt::Write;

use crate::{Finding, Report, Table};

/// The report as Markdown, without charts.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(out, "# {}\n\n**{}**\n", line(&report.subject), line(&report.verdict));
    for item in &report.findings {
        finding(&mut out, item);
    }
    for item in report.tables.iter().filter(|table| !table.rows.is_empty()) {
        table(&mut out, item);
    }
    if !report.notes.is_empty() {
        out.push('\n');
    }
    for note in &report.notes {
        let _ = writeln!(out, "- {}", line(note));
    }
    out
}

fn finding(out: &mut String, finding: &Finding) {
    let _ = write!(
        out,
        "\n## {}\n\n{} `{}`, confidence {}",
        line(&finding.cause),
        finding.severity,
        line(&finding.id),
        finding.confidence
    );
    if let Some(hop) = &finding.hop {
        let _ = write!(out, ", at {}", line(hop));
    }
    if let Some(value) = &finding.value {
        let _ = write!(out, ", {value}");
    }
    out.push_str(".\n");
    for (label, items) in [
        ("Evidence", &finding.evidence),
        ("Refuted by", &finding.refuted_by),
        ("Or else", &finding.candidates),
    ] {
        if !items.is_empty() {
            let _ = write!(out, "\n{label}:\n\n");
            for item in items {
                let _ = writeln!(out, "- {}", line(item));
            }
        }
    }
    for fix in &finding.fixes {
        if fix.language == "text" {
            let _ = write!(out, "\nFix: {} {}\n", line(&fix.text), line(&fix.reason));
        } else {
            let (text, fence) = (fix.text.trim_matches('\n'), fence(&fix.text));
            let _ = write!(out, "\nFix: {}\n\n{fence}{}\n{text}\n{fence}\n", line(&fix.reason), fix.language);
        }
        if let Some(command) = &fix.validator {
            let _ = write!(out, "\nCheck it with `{}`.\n", line(command));
        }
    }
}

fn table(out: &mut String, table: &Table) {
    let cells = |row: &[String]| {
        let cells: Vec<String> = row.iter().map(|cell| line(cell).replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let _ = write!(out, "\n## {}\n\n", line(&table.title));
    out.push_str(&cells(&table.columns));
    let _ = writeln!(out, "|{}", "---|".repeat(table.columns.len()));
    for row in &table.rows {
        out.push_str(&cells(row));
    }
}

/// One line, in which nothing begins a tag.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('<', "&lt;")
}

/// A fence longer than any run of backticks inside.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Confidence, Fix, Severity};

    #[test]
    fn tables_and_blocks_keep_their_shape() {
        let mut report = Report::new("ws://x", "v");
        let fix = Fix::block("sh", "a ``` b", "Because.");
        report.add(Finding::new("i", Severity::Error, Confidence::Low, "c\nd <b>").fix(fix).evidence("e"));
        let mut table = Table::new("T", &["a", "b"]);
        table.row(["1|2", "3"]);
        report.tables.push(table);
        let text = markdown(&report);
        for part in
            ["## c d &lt;b>\n", "````sh\na ``` b\n````", "| a | b |\n|---|---|\n| 1\\|2 | 3 |", "- e\n"]
        {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }
}
