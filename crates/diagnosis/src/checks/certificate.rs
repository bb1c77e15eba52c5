//! Finds TLS handshakes and certificates that clients refuse.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::{HttpOutcome, TlsFailure, TlsFailureKind, TlsResult};

pub(super) const CHECK: Check = Check {
    id: "certificate",
    doc: "
# The certificate or the TLS handshake is refused

A browser reports such a failure at once as 1006 (some libraries: 1015), without a reason. The usual causes: the certificate
has expired, is for another name or is self-signed, or the server does not send the intermediate certificate. Browsers often
know the intermediate certificate from another site and connect, while command-line clients and phones fail.

This check also finds servers that support neither TLS 1.2 nor 1.3, ports that do not speak TLS, and servers that require a
client certificate.
",
    cases: &[43],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(tls) = &case.target.tls else { return Vec::new() };
    let fault = if tls.speaks() {
        tls.distrust.as_ref()
    } else {
        tls.trials.first().and_then(|trial| trial.failed.as_ref())
    };
    match fault {
        Some(fault) => vec![finding(case, tls, fault)],
        None => wants_ours(case).into_iter().collect(),
    }
}

/// With TLS 1.3, the server reports a missing client certificate only after the handshake.
fn wants_ours(case: &Case<'_>) -> Option<Finding> {
    if !case.target.requires_client_certificate() {
        return None;
    }
    let Some(HttpOutcome::Failed(end)) = case.target.handshake() else { return None };
    Some(
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            format!("{} requires a client certificate, and none was sent.", case.target.host),
        )
        .at("TLS")
        .evidence(format!("the handshake for the WebSocket ends with {end}"))
        .refuted_by("a client without a certificate that gets a response")
        .fix(Fix::words(
            "Require client certificates only on the hosts or paths that need them: browsers do not prompt for one when a page opens a \
             WebSocket, and this program cannot send one.",
        )),
    )
}

fn finding(case: &Case<'_>, tls: &TlsResult, fault: &TlsFailure) -> Finding {
    let host = &case.target.host;
    let (cause, fix) = match fault.kind {
        TlsFailureKind::Expired => (
            format!("The certificate of {host} has expired."),
            "Renew the certificate, reload the server, and automate the renewal (certbot, acme).",
        ),
        TlsFailureKind::NotYetValid => (
            format!("The certificate of {host} is not valid yet."),
            "Correct the clock of this machine or of the machine that issued the certificate.",
        ),
        TlsFailureKind::WrongName => (
            format!("The certificate is not for {host}."),
            "Issue a certificate for this name, or connect by a name in the certificate; with SNI, check which server is selected.",
        ),
        TlsFailureKind::UnknownIssuer | TlsFailureKind::Certificate if is_self_signed(tls) => (
            "The certificate is self-signed.".to_owned(),
            "Use a certificate of an authority that clients trust; for tests, pass the certificate with --ca FILE.",
        ),
        TlsFailureKind::UnknownIssuer if lacks_intermediate(tls) => (
            "The certificate's issuer is not trusted: an intermediate certificate is missing, or the authority is private."
                .to_owned(),
            "Configure the full chain in the server (fullchain.pem instead of cert.pem); for a private authority, use --ca FILE.",
        ),
        TlsFailureKind::UnknownIssuer | TlsFailureKind::Certificate => (
            format!("The certificate is not accepted: {}.", fault.text),
            "Use a certificate of an authority that clients trust, with the full chain.",
        ),
        TlsFailureKind::NotTls => (
            format!("Port {} of {host} does not speak TLS.", case.target.port),
            "Use ws:// for this port, or the port that speaks TLS.",
        ),
        TlsFailureKind::Alert | TlsFailureKind::Protocol => (
            format!("The TLS handshake with {host} fails: {}.", fault.text),
            "Enable TLS 1.2 and 1.3 in the server, with a certificate for the name that clients send in SNI.",
        ),
        TlsFailureKind::Ended | TlsFailureKind::Timeout => (
            format!("The TLS handshake with {host} does not complete: {}.", fault.text),
            "Check for a proxy that expects the PROXY protocol, a port without TLS, or a firewall that inspects TLS.",
        ),
        TlsFailureKind::Local => {
            (format!("TLS cannot be used here: {}.", fault.text), "Install the root certificates (ca-certificates).")
        }
    };
    let mut finding = Finding::new(CHECK.id, Severity::Error, Confidence::High, cause)
        .at("TLS")
        .evidence(fault.text.clone())
        .refuted_by("the same handshake from another network that succeeds (an inspecting proxy presents its own certificate)")
        .fix(Fix::words(fix));
    if let Some(leaf) = tls.chain.first() {
        finding = finding
            .evidence(format!(
                "certificate for {}, issued by {}",
                names(&leaf.names, &leaf.subject),
                leaf.issuer
            ))
            .evidence(format!("number of certificates in the chain: {}", tls.chain.len()));
    }
    finding
}

fn names(names: &[String], subject: &str) -> String {
    if names.is_empty() { subject.to_owned() } else { names.join(", ") }
}

fn is_self_signed(tls: &TlsResult) -> bool {
    tls.chain.first().is_some_and(|leaf| leaf.subject == leaf.issuer)
}

/// Returns whether only the certificate of the server was sent, so that the client has to know its issuer.
fn lacks_intermediate(tls: &TlsResult) -> bool {
    tls.chain.len() == 1
}

#[cfg(test)]
mod tests {
    use undrop_frame::Ending;

    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, silent, with};
    use crate::observations::{Certificate, Observations, RequestVariant, TlsAttempt};

    fn tls(kind: TlsFailureKind, speaks: bool) -> Observations {
        let fault = TlsFailure { kind, text: "as rustls says".to_owned() };
        let leaf = Certificate {
            subject: "CN=example.com".to_owned(),
            issuer: "CN=R11".to_owned(),
            names: vec!["example.com".to_owned()],
            not_before_unix_s: 0,
            not_after_unix_s: 1,
            authority: false,
        };
        with(|target| {
            target.tls = Some(TlsResult {
                trials: vec![TlsAttempt {
                    only: None,
                    offered: vec!["http/1.1".to_owned()],
                    version: speaks.then(|| "1.3".to_owned()),
                    cipher: None,
                    alpn: None,
                    failed: (!speaks).then(|| fault.clone()),
                    took_s: 0.1,
                }],
                chain: if speaks { vec![leaf] } else { Vec::new() },
                distrust: speaks.then_some(fault),
            });
        })
    }

    #[test]
    fn each_fault_has_its_own_sentence() {
        for (kind, speaks, part) in [
            (TlsFailureKind::Expired, true, "has expired"),
            (TlsFailureKind::WrongName, true, "is not for example.com"),
            (TlsFailureKind::UnknownIssuer, true, "intermediate certificate is missing"),
            (TlsFailureKind::Alert, false, "The TLS handshake with example.com fails"),
            (TlsFailureKind::NotTls, false, "does not speak TLS"),
        ] {
            let cause = fires(&CHECK, &tls(kind, speaks)).cause;
            assert!(cause.contains(part), "{cause}");
        }
        silent(&CHECK, &healthy());
    }

    #[test]
    fn a_server_that_wants_a_certificate_of_the_client() {
        let mut seen = tls(TlsFailureKind::Expired, true);
        let target = &mut seen.endpoints[0];
        target.tls.iter_mut().for_each(|tls| tls.distrust = None);
        let end: Ending = undrop_frame::TlsFault::ClientCertificateRequired.into();
        target.attempts = vec![attempt(RequestVariant::AsRequested, HttpOutcome::Failed(end))];
        target.stop_at_handshake();
        assert!(fires(&CHECK, &seen).cause.contains("requires a client certificate"));
        let report = crate::diagnose(&seen);
        assert_eq!(crate::Conclusion::of(&seen, &report), crate::Conclusion::Tls);
    }

    /// A certificate as `openssl req -x509` creates it: an authority that is used by a server.
    #[test]
    fn a_self_signed_authority_is_self_signed_too() {
        let mut seen = tls(TlsFailureKind::Certificate, true);
        let leaf = seen.endpoints[0].tls.as_mut().and_then(|tls| tls.chain.first_mut());
        leaf.into_iter().for_each(|leaf| leaf.issuer = leaf.subject.clone());
        assert_eq!(fires(&CHECK, &seen).cause, "The certificate is self-signed.");
    }
}
