//! What a phone finds when it wakes up.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, seconds};
use crate::observations::Traffic;

pub(super) const CHECK: Check = Check {
    id: "suspended-phone",
    doc: "
# A phone that slept finds its connection gone

A phone that locks stops reading and answering; the page believes that its WebSocket is open when it wakes. A lane did the
same for 30 and 120 s. Where the connection was gone afterwards although a quiet one that answers Pings lives, the server
gave it up in between: it is right to do so, and the client has to notice at once when it wakes.
",
    cases: &[47],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let slept = case.target.connections.iter().filter_map(|connection| match connection.traffic {
        Traffic::Suspended { for_s } => Some((for_s, connection)),
        _ => None,
    });
    let gone = slept.filter(|(_, connection)| connection.end.is_some()).min_by(|a, b| a.0.total_cmp(&b.0));
    let Some((for_s, connection)) = gone else { return Vec::new() };
    // Quiet connections that end as early say it all.
    let early = case.drops.idle.iter().any(|connection| connection.quiet_s() <= for_s)
        || !case.drops.capped.is_empty();
    if early || case.drops.aligned.is_some() || !case.drops.silent.is_empty() {
        return Vec::new();
    }
    let end = connection.end.as_ref().map(|end| described(end)).unwrap_or_default();
    vec![
        Finding::new(
            CHECK.id,
            Severity::Note,
            Confidence::High,
            format!("A client that sleeps for {} finds its connection gone; its WebSocket still says OPEN when it wakes.", seconds(for_s)),
        )
        .at("the server")
        .evidence(format!("after {} without reading: {end}", seconds(for_s)))
        .refuted_by("a connection that answers after such a sleep")
        .fix(Fix::words(
            "In the page, ask for a sign of life on visibilitychange, pageshow and online, and reconnect when none comes within \
             5 s; resume rather than start anew.",
        ))
        .preset("ios-suspend"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{alive, fires, healthy, silent};
    use crate::observations::WatchedConnection;
    use undrop_frame::Ending;

    #[test]
    fn the_server_gave_up_on_a_sleeper() {
        let mut seen = healthy();
        let sleeper = alive(Traffic::Suspended { for_s: 30.0 }, 1.0, 30.0);
        seen.endpoints[0].connections.push(sleeper.clone());
        silent(&CHECK, &seen);
        seen.endpoints[0].connections.push(WatchedConnection { end: Some(Ending::Fin), ..sleeper });
        assert!(fires(&CHECK, &seen).cause.contains("sleeps for 30.0 s"));
    }
}
