//! Finds servers that violate the WebSocket protocol.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, Moment, Violation, seconds};
use undrop_frame::{FrameError, ProtocolFault};

pub(super) const CHECK: Check = Check {
    id: "protocol-broken",
    doc: "
# The server violates the WebSocket protocol

The handshake is correct, and then bytes arrive that RFC 6455 forbids: a reserved bit without an extension, a masked frame, a
control frame that is too long, or text that is not UTF-8. Browsers end such a connection at once and report 1006. The cause is
a server that writes frames itself, or an intermediary that adds data to the stream or alters it.
",
    cases: &[],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(Violation { fault: which, moment }) = &case.violation else { return Vec::new() };
    // A limit of this program's own; nothing that the protocol forbids, though hardly meant.
    let (severity, cause) = if is_limit(which) {
        (Severity::Warning, format!("The server sends a larger message than this program reads: {which}."))
    } else {
        (Severity::Error, format!("The data from the server violates the WebSocket protocol: {which}."))
    };
    vec![
        Finding::new(CHECK.id, severity, Confidence::High, cause)
        .at("the server, or an intermediary that alters the stream")
        .evidence(match moment {
            Moment::BeforeSending => "it was received before anything was sent".to_owned(),
            Moment::AfterMessage { after_s } => format!("it was received {} after a message was sent", seconds(*after_s)),
            Moment::InsteadOfClose => "it was received instead of a reply to Close 1000".to_owned(),
        })
        .refuted_by("correct data directly from the server (--direct URL; then an intermediary alters it)")
        .fix(Fix::words(
            "Use a maintained WebSocket library in the server, and look for other code that writes to the same connection.",
        )),
    ]
}

/// The fault is a limit of this program rather than a violation.
fn is_limit(fault: &ProtocolFault) -> bool {
    matches!(fault, ProtocolFault::Frame(FrameError::FrameTooBig { .. } | FrameError::MessageTooBig { .. }))
}

#[cfg(test)]
mod tests {
    use undrop_frame::Ending;

    use super::*;
    use crate::checks::sample::{connections, dropped, fires, healthy, silent, with};
    use crate::observations::{CloseTest, MessageOutcome};

    #[test]
    fn in_the_first_message_and_at_the_close() {
        let end = Ending::from(FrameError::ReservedBit);
        let seen = with(|target| {
            let echo = target.echo.as_mut();
            echo.into_iter()
                .for_each(|echo| echo.result = MessageOutcome::Ended { end: end.clone(), after_s: 0.0 });
        });
        let found = fires(&CHECK, &seen);
        assert!(found.cause.ends_with("a reserved bit is set in a frame header."), "{}", found.cause);
        assert!(found.evidence[0].contains("before anything was sent"));
        let seen = with(|target| target.close = Some(CloseTest { end, took_s: 0.1 }));
        assert!(fires(&CHECK, &seen).evidence[0].contains("Close 1000"));
        silent(&CHECK, &healthy());
    }

    #[test]
    fn the_watched_connections_that_end_so_need_no_other_cause() {
        let end = Ending::from(FrameError::ReservedBit);
        let mut seen = healthy();
        seen.endpoints = vec![connections(|connection| dropped(connection, 0.002, end.clone()))];
        seen.endpoints[0].close = Some(CloseTest { end, took_s: 0.1 });
        let report = crate::diagnose(&seen);
        let ids: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(ids, [CHECK.id]);
    }

    #[test]
    fn a_size_that_is_not_read_here_is_no_breach() {
        let error = undrop_frame::FrameError::FrameTooBig { limit: 20 << 20 };
        let end = Ending::from(error);
        let seen = with(|target| target.close = Some(CloseTest { end, took_s: 0.1 }));
        let found = fires(&CHECK, &seen);
        assert_eq!(found.severity, Severity::Warning);
        assert!(found.cause.contains("a larger message than this program reads"), "{}", found.cause);
    }
}
