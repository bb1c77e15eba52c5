//! The server ends connections that do not answer its Pings.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described, s, server_heartbeat};
use crate::observations::Arm;

pub(super) const CHECK: Check = Check {
    id: "pongs-enforced",
    doc: "
# The server ends connections whose Pong is late

The server sends Pings and closes when no Pong came in time (Python websockets: 20 s + 20 s, code 1011 “keepalive ping
timeout”). That is good. It turns against a client whose program is blocked for that long, or whose connection is busy with
one long message: a browser answers by itself, a blocked event loop or a suspended phone does not.

This is a note about the limit to keep in mind; the connection that answered lived.
",
    cases: &[41],
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Finding> {
    let Some(withheld) = case.died(&Arm::Withheld).filter(|life| life.ended_visibly()) else {
        return Vec::new();
    };
    let Some(&asked) = withheld.server_pings_s.iter().rfind(|at| **at < withheld.age_s) else {
        return Vec::new();
    };
    // The silent one answers Pings; where it ended at the same age, Pongs were not the reason.
    let same = case
        .died(&Arm::Silent)
        .is_some_and(|life| (life.age_s - withheld.age_s).abs() < withheld.age_s * 0.1 + 1.0);
    if same {
        return Vec::new();
    }
    let first = withheld.server_pings_s.first().copied().unwrap_or(asked);
    let tolerance = withheld.age_s - first;
    let end = withheld.end.as_ref().map(|end| described(end)).unwrap_or_default();
    let every = server_heartbeat(case).map_or_else(String::new, |every| format!(" each {}", s(every)));
    vec![
        Finding::new(
            CHECK.id,
            Severity::Note,
            Confidence::High,
            format!("The server sends Pings{every} and ends a connection whose Pong is {} late.", s(tolerance)),
        )
        .at("the server")
        .evidence(format!("with Pongs withheld: {end} at {}", s(withheld.age_s)))
        .evidence("with Pongs sent: it lived longer")
        .refuted_by("a connection that leaves Pings unanswered for longer and lives")
        .fix(Fix::words(
            "Keep event loops of clients and server from blocking for that long; where clients are phones, raise the time for \
             the answer.",
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{dropped, fires, healthy, lives, silent};
    use crate::observations::Life;
    use undrop_frame::{CloseCode, Ending};

    #[test]
    fn withheld_pongs_end_a_connection() {
        let mut seen = healthy();
        let cut = |life: Life| match life.arm {
            Arm::Withheld => {
                let end =
                    Ending::Close { code: CloseCode::new(1011), reason: "keepalive ping timeout".to_owned() };
                Life { server_pings_s: vec![20.0], ..dropped(life, 40.0, end) }
            }
            Arm::Silent => Life { server_pings_s: vec![20.0, 40.0, 60.0], ..life },
            _ => life,
        };
        seen.endpoints = vec![lives(cut)];
        assert!(
            fires(&CHECK, &seen)
                .cause
                .contains("Pings each 20.0 s and ends a connection whose Pong is 20.0 s late")
        );
        silent(&CHECK, &healthy());
    }
}
