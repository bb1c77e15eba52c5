//! Finds the message size at which connections end.

use undrop_report::{Confidence, Finding, Fix, Measure, Severity};

use super::Check;
use crate::analysis::{Case, close_code, described};
use crate::observations::{MessageOutcome, SizeTest, WatchedConnection};
use undrop_frame::{CloseCode, Ending};

pub(super) const CHECK: Check = Check {
    id: "message-too-big",
    doc: "
# Large messages end the connection

Servers, libraries and proxies limit the size of messages or frames: 64 KiB (Tornado, some gateways), 128 KiB (API Gateway),
1 MiB (Python websockets, most Java servers), 16 MiB. Above the limit the connection ends, properly with 1009; some libraries
just drop TCP, which a browser reports as 1006 without a reason.

Only the application knows whether it needs large messages. The finding is therefore a warning only if nothing larger than
1 MiB arrives, or if the limit is enforced without a Close frame.
",
    cases: &[40, 55],
    evaluate,
};

/// The size below which an application is likely to reach the limit.
const LARGE: u64 = 1 << 20;

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let sizes = &case.target.sizes;
    let ended = |one: &&SizeTest| matches!(one.result, MessageOutcome::Ended { .. });
    let Some(bad) = sizes.iter().filter(ended).min_by_key(|one| one.size) else { return Vec::new() };
    let good =
        sizes.iter().filter(|one| one.result.arrived() && one.size < bad.size).map(|one| one.size).max();
    let MessageOutcome::Ended { end, .. } = &bad.result else { return Vec::new() };
    let good = good.unwrap_or(0);
    let polite = close_code(end) == Some(1009);
    if !polite
        && case.target.connections.iter().filter(|connection| is_short(connection)).count() * 2
            > case.target.connections.len()
    {
        // Connections that end within seconds anyway also end during a large message, so the size proves nothing.
        return Vec::new();
    }
    let severity = if bad.size <= LARGE || !polite { Severity::Warning } else { Severity::Note };
    let how = match end {
        Ending::Close { code: CloseCode::MESSAGE_TOO_BIG, .. } => {
            "with Close 1009, as RFC 6455 recommends".to_owned()
        }
        Ending::Close { code, .. } => format!("with Close {} instead of 1009", code.get()),
        other => format!("with {other} instead of a Close frame; browsers report 1006"),
    };
    let finding = Finding::new(
        CHECK.id,
        severity,
        Confidence::High,
        format!("A message of more than {good} bytes ends the connection {how}."),
    )
    .at("the server, or a gateway that parses frames")
    .value(Measure::between(good as f64, bad.size as f64, "bytes", 1))
    .evidence(format!("{good} bytes arrive"))
    .evidence(format!("{} bytes: {}", bad.size, described(end)))
    .refuted_by("a larger message that arrives")
    .fix(Fix::words(
        "Raise the limit of the server (ws: maxPayload; Python websockets: max_size; Tomcat: maxTextMessageBufferSize) and of \
         the gateway in front of it, or split large content into several messages.",
    ));
    vec![if polite {
        finding
    } else {
        finding.fix(Fix::words(
            "Let the server send Close 1009 before it ends the connection, so that clients know the reason.",
        ))
    }]
}

/// The age below which a large message might still have been in flight, in seconds.
const SHORT_S: f64 = 10.0;

fn is_short(connection: &WatchedConnection) -> bool {
    connection.opened() && connection.end.is_some() && connection.age_s < SHORT_S
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::Observations;

    fn limited(end: Ending) -> Observations {
        let one =
            |size: u64, result: MessageOutcome| SizeTest { size, result, retransmits: None, segment: None };
        with(|target| {
            target.sizes = vec![
                one(65_536, MessageOutcome::Returned { rtt_s: 0.1 }),
                one(65_537, MessageOutcome::Ended { end, after_s: 0.1 }),
            ];
        })
    }

    #[test]
    fn with_1009_or_without_a_word() {
        let found =
            fires(&CHECK, &limited(Ending::Close { code: CloseCode::new(1009), reason: String::new() }));
        assert!(
            found.cause.contains("more than 65536 bytes ends the connection with Close 1009"),
            "{}",
            found.cause
        );
        assert_eq!(fires(&CHECK, &limited(Ending::Reset)).fixes.len(), 2);
        silent(&CHECK, &healthy());
    }
}
