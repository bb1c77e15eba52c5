//! Finds connections without a closing handshake.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "close-unanswered",
    doc: "
# A Close is not answered

RFC 6455 §5.5.1 requires each side to answer a Close with a Close. Here the connection just ended, or nothing was received.
Browsers then report 1006 and `wasClean: false` for an orderly close, in the second case only after a timeout, and logs show
drops that did not happen.
",
    cases: &[55],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    // If connections end anyway, the end is not a reaction to the Close.
    if case.ended_at_once.is_some() || case.violation.is_some() {
        return Vec::new();
    }
    let Some(close) = case.target.close.as_ref().filter(|close| close.end.close().is_none()) else {
        return Vec::new();
    };
    let what = match &close.end {
        Ending::BlackHole => format!("is not answered within {}", seconds(close.took_s)),
        end => format!("is answered by {end}"),
    };
    vec![
        Finding::new(
            CHECK.id,
            Severity::Warning,
            Confidence::High,
            format!("A Close {what} instead of a Close: browsers report 1006 for an orderly close."),
        )
        .at("the server, or a proxy that drops the connection at the first FIN")
        .evidence(format!("Close 1000 was sent; after {}: {}", seconds(close.took_s), close.end))
        .refuted_by("a Close from the backend itself (--direct URL; then a proxy is the cause)")
        .fix(Fix::words(
            "Let the server answer a Close with a Close of the same code before it ends the connection.",
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::CloseTest;

    #[test]
    fn an_end_without_a_close() {
        let ended = |end: Ending| with(|target| target.close = Some(CloseTest { end, took_s: 0.1 }));
        assert!(fires(&CHECK, &ended(Ending::Reset)).cause.contains("answered by RST"));
        assert!(fires(&CHECK, &ended(Ending::BlackHole)).cause.contains("not answered"));
        silent(&CHECK, &healthy());
    }
}
