//! Finds servers that close if a Pong is late.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, seconds, server_heartbeat};
use crate::observations::Traffic;

pub(super) const CHECK: Check = Check {
    id: "pongs-enforced",
    doc: "
# The server ends connections whose Pong is late

The server sends Pings and closes the connection if a Pong does not arrive in time (Python websockets: 20 s + 20 s, code 1011
“keepalive ping timeout”). This is good practice, but it affects clients that are blocked for that long, or whose connection
is busy with one long message. Browsers answer Pings on their own; a blocked event loop or a suspended phone does not.

This is a note about a limit to consider; the connection that answered lived.
",
    cases: &[41],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(withheld) = case.ended(&Traffic::NoPongs).filter(|connection| connection.ended_visibly()) else {
        return Vec::new();
    };
    let Some(&asked) = withheld.server_pings_s.iter().rfind(|at| **at < withheld.age_s) else {
        return Vec::new();
    };
    // The connection without traffic answers Pings; if it ended at the same age, missing Pongs are not the cause.
    let same = case
        .ended(&Traffic::Silent)
        .is_some_and(|connection| (connection.age_s - withheld.age_s).abs() < withheld.age_s * 0.1 + 1.0);
    if same {
        return Vec::new();
    }
    let first = withheld.server_pings_s.first().copied().unwrap_or(asked);
    let tolerance = withheld.age_s - first;
    let end = withheld.end.as_ref().map(described).unwrap_or_default();
    let every = server_heartbeat(case).map_or_else(String::new, |every| format!(" every {}", seconds(every)));
    vec![
        Finding::new(
            CHECK.id,
            Severity::Note,
            Confidence::High,
            format!("The server sends Pings{every} and ends connections whose Pong is {} late.", seconds(tolerance)),
        )
        .at("the server")
        .evidence(format!("with Pongs withheld: {end} at {}", seconds(withheld.age_s)))
        .evidence("with Pongs: the connection lived longer")
        .refuted_by("a connection that leaves Pings unanswered for longer and stays open")
        .fix(Fix::words(
            "Do not block the event loops of clients and server for that long; if clients are phones, raise the Pong \
             timeout.",
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{connections, dropped, fires, healthy, silent};
    use crate::observations::WatchedConnection;
    use undrop_frame::{CloseCode, Ending};

    #[test]
    fn withheld_pongs_end_a_connection() {
        let mut seen = healthy();
        let cut = |connection: WatchedConnection| match connection.traffic {
            Traffic::NoPongs => {
                let end =
                    Ending::Close { code: CloseCode::new(1011), reason: "keepalive ping timeout".to_owned() };
                WatchedConnection { server_pings_s: vec![20.0], ..dropped(connection, 40.0, end) }
            }
            Traffic::Silent => WatchedConnection { server_pings_s: vec![20.0, 40.0, 60.0], ..connection },
            _ => connection,
        };
        seen.endpoints = vec![connections(cut)];
        assert!(
            fires(&CHECK, &seen)
                .cause
                .contains("Pings every 20.0 s and ends connections whose Pong is 20.0 s late")
        );
        silent(&CHECK, &healthy());
    }
}
