//! Finds servers that drop background tabs.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, measure_s, seconds};
use crate::observations::Traffic;

pub(super) const CHECK: Check = Check {
    id: "hidden-tab",
    doc: "
# Background tabs are dropped

Chrome runs the timers of a page that has been hidden for five minutes only once a minute. A heartbeat of the application that is scheduled every 20 s
is then sent every 60 s, and a server or proxy with a shorter timeout ends the connection. The connection with one message a
minute ended, while one with more frequent messages lived.
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
    let end = tab.end.as_ref().map(described).unwrap_or_default();
    let tolerance = measure_s(case.drops.idle_s()).map_or(tab.quiet_s(), |idle| idle.value);
    vec![
        Finding::new(
            CHECK.id,
            Severity::Warning,
            Confidence::High,
            format!("A background tab is dropped: the idle timeout is {}, and the timers of the tab run every 60 s.", seconds(tolerance)),
        )
        .at("the server, or the hop with the idle timeout")
        .evidence(format!("one message a minute: {end} at {}", seconds(tab.age_s)))
        .evidence("frequent messages: alive")
        .refuted_by("a background tab that stays connected for several minutes")
        .fix(Fix::words("Send the heartbeat from the server (browsers answer Pings without the page), or use a timeout well above 60 s.")),
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
        assert!(fires(&CHECK, &seen).cause.contains("the idle timeout is 40.0 s"));
    }
}
