//! Finds servers that offer HTTP/2 without WebSockets over it.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, Http2, offers_http11};
use crate::observations::{HttpOutcome, RequestVariant};

pub(super) const CHECK: Check = Check {
    id: "http2-without-websocket",
    doc: "
# HTTP/2 without WebSockets

Over HTTP/2, a WebSocket is opened with extended CONNECT (RFC 8441), which the server has to enable in its SETTINGS. A client
that accepts any protocol in ALPN gets `h2` from a server without it and fails (400, 464, or a reset stream), while a client
that offers only `http/1.1` connects. Browsers open a separate connection with `http/1.1`; other clients and meshes often do
not.

Most WebSocket clients cannot connect to a server that speaks `h2` only.
",
    cases: &[22, 33],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(tls) = &case.target.tls else { return Vec::new() };
    let h11 = offers_http11(tls);
    let extended = case.target.attempt(&RequestVariant::ExtendedConnect).map(|attempt| &attempt.outcome);
    let what = match extended {
        Some(HttpOutcome::Http2 { offered: false, .. }) => {
            "the server does not offer extended CONNECT".to_owned()
        }
        Some(HttpOutcome::Http2 { status: Some(status), .. }) => {
            format!("the response to extended CONNECT is {status}")
        }
        Some(HttpOutcome::Failed(end)) => format!("extended CONNECT ends with {end}"),
        _ => "extended CONNECT gets no response".to_owned(),
    };
    let (severity, cause) = match case.http2 {
        Some(Http2::Only) => {
            (Severity::Error, "The server speaks HTTP/2 only, and does not support WebSockets over it.")
        }
        Some(Http2::WithoutWebSocket) => (
            Severity::Note,
            "WebSockets work over HTTP/1.1 only; a client that accepts HTTP/2 in ALPN fails.",
        ),
        None => return Vec::new(),
    };
    vec![
        Finding::new(CHECK.id, severity, Confidence::High, cause)
            .at("the server or proxy that terminates TLS")
            .evidence("ALPN selects h2 if it is offered")
            .evidence(what)
            .evidence(if h11 { "the handshake with http/1.1 offered in ALPN works" } else { "the handshake with http/1.1 offered in ALPN fails" })
            .refuted_by("an extended CONNECT that gets 200")
            .fix(Fix::words(
                "Enable http/1.1 in ALPN for the host of the WebSocket (in clients: offer http/1.1 only), or enable extended CONNECT \
                 (Envoy: allow_connect and upgrade_configs; HAProxy supports it from 2.4 on; nginx does not support it).",
            )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, silent, with};
    use crate::observations::{Observations, TlsAttempt, TlsFailure, TlsFailureKind, TlsResult};
    use undrop_frame::TlsFault;

    fn served(h11: bool, extended: Option<u16>) -> Observations {
        let trial = |protocol: &str, works: bool| TlsAttempt {
            only: None,
            offered: vec![protocol.to_owned()],
            version: None,
            cipher: None,
            alpn: works.then(|| protocol.to_owned()),
            failed: (!works).then(|| TlsFailure { kind: TlsFailureKind::Alert, text: "no ALPN".to_owned() }),
            took_s: 0.1,
        };
        with(|target| {
            target.tls = Some(TlsResult {
                trials: vec![trial("http/1.1", h11), trial("h2", true)],
                ..TlsResult::default()
            });
            if !h11 {
                target.attempts.clear();
                target.stop_at_handshake();
            }
            let offered = extended.is_some();
            let outcome = HttpOutcome::Http2 { offered, status: extended, headers: Vec::new() };
            target.attempts.push(attempt(RequestVariant::ExtendedConnect, outcome));
        })
    }

    #[test]
    fn h2_alone_is_an_error_and_beside_http11_a_note() {
        assert_eq!(fires(&CHECK, &served(false, None)).severity, Severity::Error);
        assert_eq!(fires(&CHECK, &served(true, Some(400))).severity, Severity::Note);
        silent(&CHECK, &served(true, Some(200)));
        silent(&CHECK, &healthy());
    }

    #[test]
    fn a_refused_certificate_says_nothing_about_http() {
        let mut seen = served(true, None);
        let target = &mut seen.endpoints[0];
        let end = TlsFault::Expired.into();
        target.attempts = vec![attempt(RequestVariant::AsRequested, HttpOutcome::Failed(end))];
        let fault =
            TlsFailure { kind: TlsFailureKind::Expired, text: "the certificate has expired".to_owned() };
        target.tls.iter_mut().for_each(|tls| tls.distrust = Some(fault.clone()));
        silent(&CHECK, &seen);
    }
}
