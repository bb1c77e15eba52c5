//! Finds handshakes that are redirected.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;
use crate::observations::RequestVariant;

pub(super) const CHECK: Check = Check {
    id: "redirected",
    doc: "
# The handshake is redirected

Browsers do not follow redirects of a WebSocket handshake; they report “Unexpected response code: 301”. The usual causes are a
missing slash at the end of the path, http instead of https, and a host name without `www`. The target of the redirect is
tried as well.
",
    cases: &[34],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let Some(asked) = case.target.handshake() else { return Vec::new() };
    let Some(status @ (301 | 302 | 303 | 307 | 308)) = asked.status() else { return Vec::new() };
    let location = asked.header("Location").unwrap_or("none");
    let there = case.target.attempts.iter().find_map(|attempt| match &attempt.variant {
        RequestVariant::Redirected(url) => Some((url.clone(), attempt.outcome.opened())),
        _ => None,
    });
    let cause = match &there {
        Some((url, true)) => {
            format!("The WebSocket is at {url}, and browsers do not follow the redirect ({status}) to it.")
        }
        _ => format!("The response to the handshake is a redirect ({status}), which browsers do not follow."),
    };
    let fix = match &there {
        Some((url, true)) => {
            format!("Use {url} in the client, or serve the WebSocket at the requested URL.")
        }
        _ => "Exclude the path of the WebSocket from the redirect (login, slash, www, https).".to_owned(),
    };
    vec![
        Finding::new(CHECK.id, Severity::Error, Confidence::High, cause)
            .at("the server that redirects")
            .evidence(format!("status {status}, Location: {location}"))
            .evidence(match there {
                Some((url, true)) => format!("the handshake works at {url}"),
                Some((url, false)) => format!("the handshake fails at {url} as well"),
                None => "the target of the redirect cannot be tried".to_owned(),
            })
            .refuted_by("a client that follows redirects and connects")
            .fix(Fix::words(fix)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{attempt, fires, healthy, http, refused, silent, switched};

    #[test]
    fn where_it_leads_is_tried() {
        let mut seen = refused(http(301, &[("Location", "/chat/")], ""));
        assert!(fires(&CHECK, &seen).cause.contains("(301)"));
        let there = RequestVariant::Redirected("ws://example.com/chat/".to_owned());
        seen.endpoints[0].attempts.push(attempt(there, switched(&[])));
        assert!(fires(&CHECK, &seen).fixes[0].text.contains("ws://example.com/chat/"));
        silent(&CHECK, &healthy());
    }
}
