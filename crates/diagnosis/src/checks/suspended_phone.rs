//! Finds servers that drop suspended clients.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, seconds};
use crate::observations::Traffic;

pub(super) const CHECK: Check = Check {
    id: "suspended-phone",
    doc: "
# A suspended phone loses its connection

A locked phone neither reads nor answers; when it wakes, the page assumes that its WebSocket is open. A watched connection did
the same for 30 s and 120 s. If it was gone afterwards, although a quiet connection that answers Pings lived, the server gave
it up in between. The server is right to do so, and the client has to notice when it wakes.
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
    // Another finding already explains connections that end that early.
    let early = case.drops.idle.iter().any(|connection| connection.quiet_s() <= for_s)
        || !case.drops.capped.is_empty();
    if early || case.drops.aligned.is_some() || !case.drops.silent.is_empty() {
        return Vec::new();
    }
    let end = connection.end.as_ref().map(described).unwrap_or_default();
    vec![
        Finding::new(
            CHECK.id,
            Severity::Note,
            Confidence::High,
            format!("A client that is suspended for {} loses its connection; its WebSocket still reports OPEN when it resumes.", seconds(for_s)),
        )
        .at("the server")
        .evidence(format!("after {} without reads: {end}", seconds(for_s)))
        .refuted_by("a connection that answers after such a suspension")
        .fix(Fix::words(
            "In the page, send a probe on visibilitychange, pageshow and online, and reconnect if no reply arrives within 5 s; \
             resume the session instead of starting a new one.",
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
        assert!(fires(&CHECK, &seen).cause.contains("suspended for 30.0 s"));
    }
}
