//! From observations to a report.

mod charts;
mod exit;
mod tables;
mod verdict;

pub use exit::Conclusion;

use undrop_report::{Confidence, Report};

use crate::analysis::Case;
use crate::checks::CHECKS;
use crate::observations::Observations;

/// This program was kept from its work for so long that late answers prove nothing.
fn is_late(seen: &Observations) -> bool {
    seen.lag_s > (seen.plan.patience_s / 2.0).max(0.5)
}

/// Judges a run. Pure: the same observations always give the same report.
pub fn diagnose(seen: &Observations) -> Report {
    let mut report = Report::new(format!("undrop doctor {}", seen.plan.url), "");
    let Some(case) = Case::new(seen) else {
        report.verdict = "Nothing was looked at.".to_owned();
        return report;
    };
    for check in CHECKS {
        for mut finding in check.judge(&case) {
            if is_late(seen) && finding.confidence > Confidence::Low && !case.target.lives.is_empty() {
                finding.confidence = Confidence::Low;
                let lag = crate::analysis::s(seen.lag_s);
                finding.candidates.insert(0, format!("this machine, which was too busy to look for {lag}"));
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{healthy, hole, lives};

    #[test]
    fn a_machine_that_was_too_busy_makes_everything_doubtful() {
        let mut seen = healthy();
        seen.endpoints = vec![lives(|life| if life.arm.is_quiet() { hole(life, 100.0) } else { life })];
        let confidence = |seen: &Observations| diagnose(seen).findings[0].confidence;
        assert_eq!(confidence(&seen), Confidence::High);
        seen.lag_s = 4.0;
        assert_eq!(confidence(&seen), Confidence::Low);
        assert!(diagnose(&seen).findings[0].candidates[0].contains("too busy to look for 4.0 s"));
    }
}
