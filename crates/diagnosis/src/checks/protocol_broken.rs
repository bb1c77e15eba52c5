//! What the server sends is no WebSocket.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, Moment, Violation, seconds};
use undrop_frame::{FrameError, ProtocolFault};

pub(super) const CHECK: Check = Check {
    id: "protocol-broken",
    doc: "
# What the server sends breaks the protocol

The handshake is right, and then come bytes that RFC 6455 does not allow: a reserved bit without an extension, a masked
frame, a control frame that is too long, text that is not UTF-8. Browsers end such a connection at once and report 1006. The
cause is a server that writes frames by itself, or something on the way that adds to the stream or changes it.
",
    cases: &[],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(Violation { fault: which, moment }) = &case.violation else { return Vec::new() };
    // A limit of this program's own; nothing that the protocol forbids, though hardly meant.
    let (severity, cause) = if is_limit(which) {
        (Severity::Warning, format!("The server sends more at once than is read here: {which}."))
    } else {
        (Severity::Error, format!("What the server sends breaks the WebSocket protocol: {which}."))
    };
    vec![
        Finding::new(CHECK.id, severity, Confidence::High, cause)
        .at("the server, or whatever changes the stream on the way")
        .evidence(match moment {
            Moment::BeforeSending => "it came before anything was sent".to_owned(),
            Moment::AfterMessage { after_s } => format!("it came {} after a message was sent", seconds(*after_s)),
            Moment::InsteadOfClose => "it came instead of an answer to Close 1000".to_owned(),
        })
        .refuted_by("the same bytes directly from the server (--direct URL) that are right: then something on the way changes them")
        .fix(Fix::words(
            "Let a maintained WebSocket library write the frames of the server; look for whatever else writes to the same connection.",
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
        assert!(found.cause.contains("more at once than is read here"), "{}", found.cause);
    }
}
