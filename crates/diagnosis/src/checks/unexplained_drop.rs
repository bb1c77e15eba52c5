//! Connections ended, and no pattern fits.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, measure_s, s};
use crate::observations::{Arm, Life};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "unexplained-drop",
    doc: "
# Connections ended in no pattern that is known

Connections ended, but neither after one silence, nor at one age, nor at one moment. A lossy network, a server that crashes
or limits, a proxy under pressure, or a pattern that takes longer than the run was to show. The ages are given; run again, and
longer.
",
    cases: &[],
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Finding> {
    if case.ended_at_once.is_some() {
        return Vec::new();
    }
    // The server's own reaction to what only these lanes do is no drop.
    let odd =
        |life: &&&Life| !matches!(life.arm, Arm::Withheld | Arm::Suspended { .. } | Arm::OneWay | Arm::Pong);
    let idle = measure_s(case.drops.idle_s()).map(|idle| idle.value);
    let like_idle = |life: &Life| {
        idle.is_some_and(|idle| {
            (life.age_s - idle).abs() <= (idle * 0.1).max(2.0) || life.arm == Arm::HiddenTab
        })
    };
    let broken = case.violation.is_some();
    let explained =
        |life: &Life| like_idle(life) || broken && matches!(life.end, Some(Ending::ProtocolError(_)));
    let lives: Vec<&&Life> = case.drops.other.iter().filter(odd).filter(|life| !explained(life)).collect();
    let Some(first) = lives.first() else { return Vec::new() };
    if case.drops.silent.is_empty() || lives.iter().any(|life| life.ended_visibly()) {
        let total = case.target.lives.iter().filter(|life| life.opened()).count();
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Confidence::Low,
            format!(
                "{} of {total} connections ended, the first at {}; no pattern that is known fits.",
                lives.len(),
                s(first.age_s)
            ),
        )
        .refuted_by("a longer run in which the ends fall into a pattern")
        .candidate(
            "a network that loses connections, a server that restarts or limits, a proxy under pressure",
        )
        .fix(Fix::words(
            "Run again with --horizon 15m, and with --direct URL to see whether the server itself does it.",
        ));
        for life in lives.iter().take(8) {
            let end = life.end.as_ref().map(|end| described(end)).unwrap_or_default();
            finding = finding.evidence(format!("{}: {end} at {}", life.arm.name(), s(life.age_s)));
        }
        return vec![finding];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{dropped, fires, healthy, lives, silent};

    #[test]
    fn one_end_without_a_pattern() {
        let mut seen = healthy();
        seen.endpoints =
            vec![lives(|life| if life.arm == Arm::Data { dropped(life, 33.0, Ending::Reset) } else { life })];
        assert!(fires(&CHECK, &seen).evidence[0].contains("RST"));
        silent(&CHECK, &healthy());
    }

    #[test]
    fn an_idle_timer_explains_its_ends() {
        let mut seen = healthy();
        seen.endpoints =
            vec![lives(|life| if life.arm.is_quiet() { dropped(life, 60.0, Ending::Fin) } else { life })];
        silent(&CHECK, &seen);
    }
}
