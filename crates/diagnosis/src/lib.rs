//! Evaluates the observations of a run of the doctor.
//!
//! [`diagnose`] is a pure function of [`Observations`]: the same observations always give the same report, so a saved run can be
//! evaluated again on any machine. The probes are in the crate `doctor`.
//!
//! | for | start at |
//! |---|---|
//! | the observations | `observations/` |
//! | the facts that are derived from them | `analysis.rs` |
//! | the conclusions | `checks/`, one file each: id, documentation, a pure function, tests on literal observations |

#![forbid(unsafe_code)]

mod analysis;
mod causes;
mod charts;
mod checks;
mod conclusion;
pub mod observations;
mod tables;
mod verdict;

pub use causes::{KnownCause, causes};
pub use checks::{CHECKS, Check};
pub use conclusion::Conclusion;
pub use observations::{Observations, SavedRunError};

use undrop_report::{Confidence, Report};

use crate::analysis::Case;

/// Returns whether this program was delayed for so long that late replies prove nothing.
fn is_late(seen: &Observations) -> bool {
    seen.lag_s > (seen.plan.patience_s / 2.0).max(0.5)
}

/// A check of last resort, and the checks that explain a refused handshake better. They come first in [`CHECKS`].
const GENERAL: (&str, &[&str]) = (
    "handshake-refused",
    &[
        "upgrade-stripped",
        "not-http",
        "backend-unreachable",
        "origin-refused",
        "subprotocol-missing",
        "sticky-sessions",
    ],
);

/// Evaluates the observations of a run. The same observations always give the same report.
pub fn diagnose(seen: &Observations) -> Report {
    let mut report = Report::new(format!("undrop doctor {}", seen.plan.url), "");
    let Some(case) = Case::new(seen) else {
        report.verdict = "No endpoint was probed.".to_owned();
        return report;
    };
    for check in CHECKS {
        if check.id == GENERAL.0 && report.findings.iter().any(|found| GENERAL.1.contains(&found.id.as_str()))
        {
            continue;
        }
        for mut finding in check.evaluate(&case) {
            if is_late(seen) && finding.confidence > Confidence::Low && !case.target.connections.is_empty() {
                finding.confidence = Confidence::Low;
                let lag = crate::analysis::seconds(seen.lag_s);
                finding
                    .candidates
                    .insert(0, format!("this machine, which was too busy for {lag} to notice replies"));
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
    use crate::checks::sample::{connections, healthy, hole};

    #[test]
    fn a_machine_that_was_too_busy_makes_everything_doubtful() {
        let mut seen = healthy();
        seen.endpoints = vec![connections(|connection| {
            if connection.traffic.is_quiet() { hole(connection, 100.0) } else { connection }
        })];
        let confidence = |seen: &Observations| diagnose(seen).findings[0].confidence;
        assert_eq!(confidence(&seen), Confidence::High);
        seen.lag_s = 4.0;
        assert_eq!(confidence(&seen), Confidence::Low);
        assert!(diagnose(&seen).findings[0].candidates[0].contains("too busy for 4.0 s to notice replies"));
    }
}
