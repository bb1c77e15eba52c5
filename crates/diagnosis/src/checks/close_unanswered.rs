//! The closing handshake is not done.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, seconds};
use undrop_frame::Ending;

pub(super) const CHECK: Check = Check {
    id: "close-unanswered",
    doc: "
# A Close is not answered

RFC 6455 5.5.1 asks each side to answer a Close with a Close. Here the connection just ended, or nothing came: browsers then
fire `close` with 1006 and `wasClean: false` after an orderly close, or only after a timeout, and logs fill with drops that
are none.
",
    cases: &[55],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    // Where connections end by themselves, the end is no answer to the Close.
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
            format!("A Close {what} instead of a Close: browsers report 1006 for an orderly end."),
        )
        .at("the server, or a proxy that ends connections at the first FIN")
        .evidence(format!("we sent Close 1000; after {}: {}", seconds(close.took_s), close.end))
        .refuted_by("a Close that comes back directly from the backend: then a proxy is at fault")
        .fix(Fix::words("Let the server answer a Close with the same code before it ends the connection.")),
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
