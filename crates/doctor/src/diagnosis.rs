//! From observations to a report.

mod charts;
mod exit;
mod tables;
mod verdict;

pub use exit::Conclusion;

use undrop_finding::Report;

use crate::analysis::Case;
use crate::checks::CHECKS;
use crate::observations::Observations;

/// Judges a run. Pure: the same observations always give the same report.
pub fn diagnose(seen: &Observations) -> Report {
    let mut report = Report::new(format!("undrop doctor {}", seen.plan.url), "");
    let Some(case) = Case::new(seen) else {
        report.verdict = "Nothing was looked at.".to_owned();
        return report;
    };
    for check in CHECKS {
        for finding in check.judge(&case) {
            report.add(finding);
        }
    }
    report.verdict = verdict::verdict(&case, &report.findings);
    report.tables.push(tables::stages(&case));
    report.tables.push(tables::products(&case));
    report.tables.push(tables::budget(&case));
    report.charts.extend(charts::lanes(&case));
    report.notes = tables::notes(&case);
    report
}
