//! Finds a forward proxy that does not open a tunnel.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::HttpOutcome;
use undrop_frame::{Ending, ProtocolFault};

pub(super) const CHECK: Check = Check {
    id: "forward-proxy-refuses",
    doc: "
# The forward proxy refuses the connection

The environment or `--proxy` selects a forward proxy, and the proxy refuses CONNECT: the port is not allowed (often only 443
is), the target is not allowed, credentials are missing (407), or the proxy cannot reach the target (502, 503).
",
    cases: &[44],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(proxy) = &case.target.proxy else { return Vec::new() };
    let Some(HttpOutcome::Failed(end)) = case.target.handshake() else { return Vec::new() };
    let (what, fix) = match end {
        Ending::ProtocolError(ProtocolFault::Proxy(fault)) => (
            fault.to_string(),
            "Allow CONNECT to this host and port in the proxy (often only port 443 is allowed: use wss), or put credentials into the URL of the proxy.",
        ),
        Ending::Refused => {
            ("no program listens there".to_owned(), "Correct the address of the proxy, or start the proxy.")
        }
        _ => return Vec::new(),
    };
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            format!("The forward proxy {proxy} refuses the connection: {what}."),
        )
        .at(format!("the forward proxy {proxy}"))
        .evidence(format!("the connection attempt ended with: {end}"))
        .refuted_by("a connection without the proxy (NO_PROXY) that fails as well")
        .fix(Fix::words(fix)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use undrop_frame::ProxyFault;

    use crate::checks::sample::{fires, healthy, refused, silent};

    #[test]
    fn a_refused_connect() {
        let mut seen = refused(HttpOutcome::Failed(ProxyFault::Status(403).into()));
        silent(&CHECK, &seen);
        seen.endpoints[0].proxy = Some("http://proxy.example:3128".to_owned());
        assert!(fires(&CHECK, &seen).cause.ends_with("CONNECT failed with status 403."));
        silent(&CHECK, &healthy());
    }
}
