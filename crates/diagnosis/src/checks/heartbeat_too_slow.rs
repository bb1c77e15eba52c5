//! Finds heartbeats that are as slow as the idle timeout.

use undrop_infra::TimerKind;
use undrop_report::{Confidence, Finding, Fix, Measure, Severity};

use super::Check;
use crate::analysis::{Case, half_of, measure_s, seconds, server_heartbeat};

pub(super) const CHECK: Check = Check {
    id: "heartbeat-too-slow",
    doc: "
# The server's Pings are too infrequent for the idle timeout

The server sends Pings, but so rarely that an idle timeout on the path can expire before the next one. A Ping that is slightly
late (load, jitter, a lost packet) then ends the connection, so drops look random. A heartbeat should be sent at least twice
within the shortest idle timeout.

The timeout is either measured or the default of a recognised product.
",
    cases: &[3],
    evaluate,
};

/// The part of the timeout at or above which a heartbeat is too slow.
const PART: f64 = 0.8;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(every) = server_heartbeat(case) else { return Vec::new() };
    let measured =
        measure_s(case.drops.idle_s()).map(|idle| (idle.value, "measured here".to_owned(), Confidence::High));
    let known = case.products.iter().filter(|product| product.is_seen()).flat_map(|product| {
        product.entry.timers_of(TimerKind::Idle).filter(|timer| !timer.special).filter_map(|timer| {
            let value = timer.default.and_then(undrop_infra::Bound::at)?.as_secs_f64();
            Some((
                value,
                format!("the default of {} ({})", product.entry.name, timer.name),
                Confidence::Medium,
            ))
        })
    });
    let shortest = measured.into_iter().chain(known).min_by(|a, b| a.0.total_cmp(&b.0));
    let Some((timer_s, whose, confidence)) = shortest else { return Vec::new() };
    // A heartbeat far slower than the timeout cannot be meant for it; then the timeout itself is the finding.
    if every < PART * timer_s || every > 1.5 * timer_s {
        return Vec::new();
    }
    vec![
        Finding::new(
            CHECK.id,
            Severity::Warning,
            confidence,
            format!(
                "The server sends Pings every {}, and an idle timeout expires after {}.",
                seconds(every),
                seconds(timer_s)
            ),
        )
        .at("the server")
        .value(Measure { value: every, spread: 0.0, unit: "s".to_owned(), samples: 1 })
        .evidence(format!("idle timeout of {}: {whose}", seconds(timer_s)))
        .evidence(format!("a Ping every {} is {:.0} % of it", seconds(every), every / timer_s * 100.0))
        .refuted_by("an idle timeout that is configured to more than twice the heartbeat interval")
        .fix(Fix::words(format!(
            "Send Pings at least every {}, half of the timeout.",
            seconds(half_of(timer_s))
        ))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, silent, switched, with};
    use crate::observations::{Observations, RequestVariant, Traffic};

    fn pings(every_s: f64, server: &str) -> Observations {
        with(|target| {
            target.attempts = vec![attempt(RequestVariant::AsRequested, switched(&[("Server", server)]))];
            for connection in
                target.connections.iter_mut().filter(|connection| connection.traffic == Traffic::Silent)
            {
                connection.server_pings_s = (1..=2).map(|i| every_s * f64::from(i)).collect();
                connection.last_byte_s = every_s * 2.0;
            }
        })
    }

    #[test]
    fn a_heartbeat_at_the_timer_is_a_warning() {
        let found = fires(&CHECK, &pings(55.0, "nginx"));
        assert!(
            found.cause.contains("every 55.0 s, and an idle timeout expires after 60.0 s"),
            "{}",
            found.cause
        );
        assert!(found.fixes[0].text.contains("30.0 s"));
    }

    #[test]
    fn a_fast_heartbeat_or_none_is_fine() {
        silent(&CHECK, &pings(20.0, "nginx"));
        silent(&CHECK, &pings(55.0, "unheard of"));
        silent(&CHECK, &healthy());
    }
}
