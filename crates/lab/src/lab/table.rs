//! The outcomes, for people and for docs/lab.md.

use std::fmt::Write;
use std::time::Duration;

use undrop_report::{Style, terminal as show};

use super::ProductVersions;
use super::case::CaseResult;

pub(super) fn terminal(outcomes: &[CaseResult], verbose: bool) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        let sign = if outcome.right { "✓" } else { "✗" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{sign} {:<9} {:<44} {}", outcome.product, outcome.name, outcome.verdict);
        if !outcome.right {
            let _ = writeln!(out, "  truth: {}", outcome.truth);
            for finding in outcome.report.iter().flat_map(|report| &report.findings) {
                let hop = finding.hop.as_deref().unwrap_or("no product named");
                let _ =
                    writeln!(out, "  found: {} {} ({hop}): {}", finding.severity, finding.id, finding.cause);
            }
            if let Some(report) = outcome.report.as_ref().filter(|_| verbose) {
                out.push_str(&show(report, &Style::plain()));
            }
        }
    }
    out
}

pub(super) fn markdown(outcomes: &[CaseResult], took: Duration, versions: &ProductVersions) -> String {
    let right = outcomes.iter().filter(|outcome| outcome.right).count();
    let mut out =
        String::from("<!-- written by cargo xtask lab --write -->\n# The doctor before real proxies\n\n");
    let _ = writeln!(
        out,
        "Each row is a real product, started with one known fault (or none), and what `undrop doctor` said about it. *Right* means: \
         the cause, the product where it can be seen, and the figure within 3 % or within the spread that the verdict states (Squid and \
         lighttpd look at their timers once a second); for a healthy endpoint, neither an error nor a \
         warning. Made by `cargo xtask lab --write`; the products come from `scripts/setup lab`.\n"
    );
    let _ = writeln!(out, "**{right} of {} right**, all in {:.0} s.\n", outcomes.len(), took.as_secs_f64());
    for (name, version) in versions {
        let _ = writeln!(out, "- {name}: {version}");
    }
    out.push_str("\n| product | case | truth | verdict | right |\n|---|---|---|---|---|\n");
    for outcome in outcomes {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            outcome.product,
            cell(outcome.name),
            cell(&outcome.truth.to_string()),
            cell(&outcome.verdict),
            if outcome.right { "yes" } else { "**no**" }
        );
    }
    out
}
