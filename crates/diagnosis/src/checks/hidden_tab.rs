//! The server gives up on tabs in the background.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, measure_s, seconds};
use crate::observations::Traffic;

pub(super) const CHECK: Check = Check {
    id: "hidden-tab",
    doc: "
# Tabs in the background are dropped

Chrome lets a page in the background run its timers once a minute. A heartbeat of the application that is written for each
20 s then comes each 60 s, and a server or proxy that tolerates less ends the connection. The lane that beats once a minute
ended, while one that beats more often lived.
",
    cases: &[46],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(tab) = case.ended(&Traffic::HiddenTab).filter(|connection| connection.ended_visibly()) else {
        return Vec::new();
    };
    let busy =
        [Traffic::Data, Traffic::OneWay, Traffic::Staggered].into_iter().any(|traffic| case.lived(&traffic));
    if !busy || case.drops.aligned.is_some() || !case.drops.capped.is_empty() {
        return Vec::new();
    }
    let end = tab.end.as_ref().map(|end| described(end)).unwrap_or_default();
    let tolerance = measure_s(case.drops.idle_s()).map_or(tab.quiet_s(), |idle| idle.value);
    vec![
        Finding::new(
            CHECK.id,
            Severity::Warning,
            Confidence::High,
            format!("A tab in the background is dropped: silence is tolerated for {}, its timers run each 60 s.", seconds(tolerance)),
        )
        .at("the server, or the hop with the idle timer")
        .evidence(format!("one message a minute: {end} at {}", seconds(tab.age_s)))
        .evidence("frequent messages: alive")
        .refuted_by("a tab in the background that stays connected for minutes")
        .fix(Fix::words("Let the server send the heartbeat (a Ping is answered without the page), or tolerate 60 s and more.")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{alive, dropped, fires, healthy, silent};
    use undrop_frame::{CloseCode, Ending};

    #[test]
    fn a_minute_is_too_long_for_the_server() {
        let mut seen = healthy();
        let tab = alive(Traffic::HiddenTab, 1.0, 130.0);
        seen.endpoints[0].connections.push(tab.clone());
        silent(&CHECK, &seen);
        seen.endpoints[0].connections.push(dropped(
            tab,
            40.0,
            Ending::Close { code: CloseCode::new(4000), reason: "idle".to_owned() },
        ));
        assert!(fires(&CHECK, &seen).cause.contains("dropped: silence is tolerated for 40.0 s"));
    }
}
