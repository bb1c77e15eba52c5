//! Opening handshakes: with the options of the run, then with one variation at a time.

use undrop_frame::handshake::Headers;
use undrop_transport::tls::Versions;
use url::Url;

use super::extended_connect::extended_connect;
use super::tls::secured;
use crate::Options;
use crate::http::target;
use crate::prober::{HandshakeRequest, Prober};
use tokio_util::sync::CancellationToken;
use undrop_diagnosis::observations::{Endpoint, HttpAttempt, HttpOutcome, RequestVariant, UpgradeFlaw};

/// An origin that no server allows.
const FOREIGN: &str = "https://origin.invalid";

/// Performs the requested handshake, and repeats it at the target of a redirect.
pub(crate) async fn handshake(prober: &Prober<'_>) -> Vec<HttpAttempt> {
    let first = once(prober, RequestVariant::AsRequested, &prober.handshake_request()).await;
    let moved = redirect(&prober.url, &first.outcome);
    let mut attempts = vec![first];
    if let Some(url) = moved {
        let options = reduced(&prober.url, &url, prober.options);
        let there = Prober { url: url.clone(), options: &options, clock: prober.clock };
        attempts.push(
            once(&there, RequestVariant::Redirected(url.to_string()), &prober.handshake_request()).await,
        );
    }
    attempts
}

/// Sends the other requests. Those that only explain a failure are sent only after a failure.
pub(crate) async fn variants(prober: &Prober<'_>, seen: &mut Endpoint, stop: &CancellationToken) {
    // A certificate that was refused: no request would get further, and none may be sent there, credentials and all.
    let distrusted = seen.tls.as_ref().is_some_and(|tls| tls.distrust.is_some());
    if distrusted && matches!(seen.handshake(), Some(HttpOutcome::Failed(_))) {
        return;
    }
    let opens = seen.opens();
    let asked = prober.handshake_request();
    let mut wanted: Vec<(RequestVariant, HandshakeRequest)> = Vec::new();
    if opens || has_wrong_accept(seen) {
        wanted.push((RequestVariant::SecondKey, asked.clone()));
    }
    if opens {
        wanted.push((RequestVariant::Deflate, HandshakeRequest { deflate: true, ..asked.clone() }));
        wanted.push((RequestVariant::Origin(FOREIGN.to_owned()), origin(&asked, FOREIGN)));
    }
    if refuses(seen) {
        for same in own_origins(&prober.url) {
            wanted.push((RequestVariant::Origin(same.clone()), origin(&asked, &same)));
        }
        if asked.protocols.is_empty() {
            let offers = ["graphql-transport-ws", "mqtt", "ocpp1.6", "v12.stomp", "chat"];
            let offers: Vec<String> = offers.iter().map(|&name| name.to_owned()).collect();
            wanted.push((
                RequestVariant::Protocols(offers.clone()),
                HandshakeRequest { protocols: offers, ..asked.clone() },
            ));
        }
    }
    if !asked.protocols.is_empty() {
        wanted
            .push((RequestVariant::NoProtocol, HandshakeRequest { protocols: Vec::new(), ..asked.clone() }));
    }
    for (variant, ask) in wanted {
        if stop.is_cancelled() {
            return;
        }
        seen.attempts.push(once(prober, variant, &ask).await);
    }
    if seen.secure && !stop.is_cancelled() {
        seen.attempts.push(without_alpn(prober).await);
        seen.attempts.push(extended_connect(prober).await);
    }
    if stop.is_cancelled() {
        return;
    }
    let path = target(&prober.url);
    seen.attempts.push(prober.send(RequestVariant::PlainGet, &prober.plain_get(&path)).await);
    let nonsense = b"UNDROP-DOCTOR\r\n\r\n";
    let proxy = seen.proxy.as_ref().and_then(|proxy| Url::parse(proxy).ok());
    if let Some(proxy) = proxy.filter(|proxy| proxy.scheme() == "http") {
        seen.attempts.push(prober.send_to(&proxy, RequestVariant::ProxyItself, nonsense).await);
    }
    seen.attempts.push(prober.send(RequestVariant::Malformed, nonsense).await);
    if let Some(polling) = engine_io(&prober.url) {
        for _ in 0..2 {
            let answer = prober.send(RequestVariant::EngineIo, &prober.plain_get(&polling)).await;
            seen.attempts.push(answer);
        }
    }
}

async fn once(prober: &Prober<'_>, variant: RequestVariant, ask: &HandshakeRequest) -> HttpAttempt {
    let at_s = prober.clock.now_s();
    match prober.connect(None).await {
        Ok(stream) => prober.ask(stream, variant, ask).await.0,
        Err(error) => {
            let outcome = HttpOutcome::Failed(error.ending());
            HttpAttempt { variant, at_s, took_s: prober.clock.now_s() - at_s, outcome }
        }
    }
}

async fn without_alpn(prober: &Prober<'_>) -> HttpAttempt {
    let at_s = prober.clock.now_s();
    match secured(prober, Versions::All, &[]).await {
        Ok(seen) => prober.ask(seen.stream, RequestVariant::NoAlpn, &prober.handshake_request()).await.0,
        Err(error) => {
            let outcome = HttpOutcome::Failed(error.ending());
            HttpAttempt {
                variant: RequestVariant::NoAlpn,
                at_s,
                took_s: prober.clock.now_s() - at_s,
                outcome,
            }
        }
    }
}

/// Returns the target of a redirect as a WebSocket URL.
fn redirect(from: &Url, outcome: &HttpOutcome) -> Option<Url> {
    if !matches!(outcome.status(), Some(301 | 302 | 303 | 307 | 308)) {
        return None;
    }
    let mut to = from.join(outcome.header("Location")?).ok()?;
    let scheme = match to.scheme() {
        "https" | "wss" => "wss",
        "http" | "ws" => "ws",
        _ => return None,
    };
    to.set_scheme(scheme).ok()?;
    (to != *from).then_some(to)
}

/// Returns the options for the target of a redirect. Header fields of the user, such as credentials, are not sent to another
/// host, nor from TLS to plain text.
fn reduced(from: &Url, to: &Url, options: &Options) -> Options {
    let mut options = options.clone();
    if from.host() != to.host() || from.scheme() == "wss" && to.scheme() == "ws" {
        options.headers = Headers::new();
    }
    options
}

/// Returns whether the server refused the request.
fn refuses(seen: &Endpoint) -> bool {
    matches!(seen.handshake().and_then(HttpOutcome::status), Some(400..=403 | 404 | 426 | 500))
}

/// Returns whether a 101 response does not match the key.
fn has_wrong_accept(seen: &Endpoint) -> bool {
    match seen.handshake() {
        Some(HttpOutcome::Response { flaws, .. }) => {
            flaws.iter().any(|flaw| matches!(flaw, UpgradeFlaw::Accept(_)))
        }
        _ => false,
    }
}

fn origin(asked: &HandshakeRequest, origin: &str) -> HandshakeRequest {
    HandshakeRequest { origin: Some(origin.to_owned()), ..asked.clone() }
}

/// Returns the origins of a page on the same host, with the scheme of the URL and with the other one.
fn own_origins(url: &Url) -> Vec<String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let schemes = if url.scheme() == "wss" { ["https", "http"] } else { ["http", "https"] };
    schemes.iter().map(|scheme| format!("{scheme}://{host}{port}")).collect()
}

/// Returns the target of the first Engine.IO polling request if the URL belongs to Socket.IO.
fn engine_io(url: &Url) -> Option<String> {
    let version = url.query_pairs().find(|(name, _)| name == "EIO").map(|(_, value)| value.into_owned())?;
    Some(format!("{}?EIO={version}&transport=polling", url.path()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answered(status: u16, location: &str) -> HttpOutcome {
        let headers = vec![("Location".to_owned(), location.to_owned())];
        HttpOutcome::Response { status, headers, body: String::new(), flaws: Vec::new() }
    }

    #[test]
    fn redirects_lead_to_websocket_urls() {
        let from: Url = "ws://example.com/ws".parse().unwrap();
        for (location, to) in [
            ("https://example.com/ws", Some("wss://example.com/ws")),
            ("/ws/", Some("ws://example.com/ws/")),
            ("http://www.example.com/ws", Some("ws://www.example.com/ws")),
            ("ftp://example.com/", None),
            ("ws://example.com/ws", None),
        ] {
            let found = redirect(&from, &answered(301, location)).map(|url| url.to_string());
            assert_eq!(found.as_deref(), to, "{location}");
        }
        assert_eq!(redirect(&from, &answered(200, "/x")), None);
    }

    #[test]
    fn credentials_do_not_follow_a_redirect_to_another_host() {
        let mut options = Options::default();
        options.headers.append("Authorization", "Bearer secret");
        let kept = |from: &str, to: &str| {
            reduced(&from.parse().unwrap(), &to.parse().unwrap(), &options).headers.contains("Authorization")
        };
        assert!(kept("ws://example.com/ws", "wss://example.com/ws/"));
        assert!(!kept("wss://example.com/ws", "wss://login.example.net/ws"));
        assert!(!kept("wss://example.com/ws", "ws://example.com/ws"));
    }

    #[test]
    fn origins_of_the_same_host() {
        let url: Url = "wss://example.com:8443/ws".parse().unwrap();
        assert_eq!(own_origins(&url), ["https://example.com:8443", "http://example.com:8443"]);
    }

    #[test]
    fn engine_io_is_known_by_its_query() {
        let url: Url = "ws://x/socket.io/?EIO=4&transport=websocket".parse().unwrap();
        assert_eq!(engine_io(&url).as_deref(), Some("/socket.io/?EIO=4&transport=polling"));
        assert_eq!(engine_io(&"ws://x/ws".parse().unwrap()), None);
    }
}
