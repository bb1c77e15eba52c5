//! Servers that prefer HTTP/2 and do not carry WebSockets over it.

use crate::observations::{Endpoint, HttpOutcome, RequestVariant, TlsAttempt, TlsResult};

/// The support for HTTP/2 of a server that does not carry WebSockets over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http2 {
    /// The server does not speak HTTP/1.1, so no WebSocket can be opened.
    Only,
    /// WebSockets work over HTTP/1.1 alone.
    WithoutWebSocket,
}

impl Http2 {
    /// Returns `None` if HTTP/2 is not spoken, if WebSockets work over it, or if it cannot be known.
    pub(super) fn of(target: &Endpoint) -> Option<Http2> {
        let tls = target.tls.as_ref()?;
        // A refused certificate ended the handshake before HTTP of any version.
        if tls.distrust.is_some() && matches!(target.handshake(), Some(HttpOutcome::Failed(_))) {
            return None;
        }
        let h2 = trial(tls, "h2").is_some_and(|trial| trial.alpn.as_deref() == Some("h2"));
        let extended = target.attempt(&RequestVariant::ExtendedConnect).map(|attempt| &attempt.outcome);
        if !h2 || extended.is_some_and(HttpOutcome::opened) {
            return None;
        }
        if !offers_http11(tls) || !target.opens() && is_http11_refused(target) {
            return Some(Http2::Only);
        }
        target.opens().then_some(Http2::WithoutWebSocket)
    }
}

/// Returns whether the TLS handshake works with `http/1.1` offered by ALPN.
pub(crate) fn offers_http11(tls: &TlsResult) -> bool {
    trial(tls, "http/1.1").is_some_and(|trial| trial.failed.is_none())
}

fn trial<'a>(tls: &'a TlsResult, protocol: &str) -> Option<&'a TlsAttempt> {
    tls.trials.iter().find(|trial| trial.only.is_none() && trial.offered == [protocol])
}

/// Returns whether a request of HTTP/1.1 was sent over TLS and not understood.
fn is_http11_refused(target: &Endpoint) -> bool {
    match target.handshake() {
        Some(HttpOutcome::NotHttp { .. } | HttpOutcome::Failed(_)) => true,
        Some(outcome) => matches!(outcome.status(), Some(464 | 505)),
        None => false,
    }
}
