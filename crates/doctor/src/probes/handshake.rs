//! The opening handshake: as asked for, then varied one thing at a time.

use undrop_frame::handshake::Headers;
use undrop_transport::tls::Versions;
use url::Url;

use super::extended_connect::extended_connect;
use super::tls::secured;
use crate::Options;
use crate::caller::{Ask, Caller, target};
use crate::stop::Stop;
use undrop_diagnosis::observations::{Answer, Endpoint, Flaw, Outcome, Variant};

/// An origin that no server has on its list.
const FOREIGN: &str = "https://origin.invalid";

/// The handshake as asked for; where it leads elsewhere, also there.
pub(crate) async fn handshake(caller: &Caller<'_>) -> Vec<Answer> {
    let first = once(caller, Variant::Asked, &caller.asked()).await;
    let moved = redirect(&caller.url, &first.outcome);
    let mut answers = vec![first];
    if let Some(url) = moved {
        let options = reduced(&caller.url, &url, caller.options);
        let there = Caller { url: url.clone(), options: &options, clock: caller.clock };
        answers.push(once(&there, Variant::Redirected(url.to_string()), &caller.asked()).await);
    }
    answers
}

/// Everything else that is worth asking. What only explains a failure is asked when there was one.
pub(crate) async fn variants(caller: &Caller<'_>, seen: &mut Endpoint, stop: &Stop) {
    // A certificate that was refused: no request would get further, and none may be sent there, credentials and all.
    let distrusted = seen.tls.as_ref().is_some_and(|tls| tls.distrust.is_some());
    if distrusted && matches!(seen.asked(), Some(Outcome::Failed(_))) {
        return;
    }
    let opens = seen.opens();
    let asked = caller.asked();
    let mut wanted: Vec<(Variant, Ask)> = Vec::new();
    if opens || has_wrong_accept(seen) {
        wanted.push((Variant::SecondKey, asked.clone()));
    }
    if opens {
        wanted.push((Variant::Deflate, Ask { deflate: true, ..asked.clone() }));
        wanted.push((Variant::Origin(FOREIGN.to_owned()), origin(&asked, FOREIGN)));
    }
    if refuses(seen) {
        for same in own_origins(&caller.url) {
            wanted.push((Variant::Origin(same.clone()), origin(&asked, &same)));
        }
        if asked.protocols.is_empty() {
            let offers = ["graphql-transport-ws", "mqtt", "ocpp1.6", "v12.stomp", "chat"];
            let offers: Vec<String> = offers.iter().map(|&name| name.to_owned()).collect();
            wanted.push((Variant::Protocols(offers.clone()), Ask { protocols: offers, ..asked.clone() }));
        }
    }
    if !asked.protocols.is_empty() {
        wanted.push((Variant::NoProtocol, Ask { protocols: Vec::new(), ..asked.clone() }));
    }
    for (variant, ask) in wanted {
        if stop.is_set() {
            return;
        }
        seen.answers.push(once(caller, variant, &ask).await);
    }
    if seen.secure && !stop.is_set() {
        seen.answers.push(without_alpn(caller).await);
        seen.answers.push(extended_connect(caller).await);
    }
    if stop.is_set() {
        return;
    }
    let path = target(&caller.url);
    seen.answers.push(caller.send(Variant::PlainGet, &caller.plain_get(&path)).await);
    let nonsense = b"UNDROP-DOCTOR\r\n\r\n";
    let proxy = seen.proxy.as_ref().and_then(|proxy| Url::parse(proxy).ok());
    if let Some(proxy) = proxy.filter(|proxy| proxy.scheme() == "http") {
        seen.answers.push(caller.send_to(&proxy, Variant::ProxyItself, nonsense).await);
    }
    seen.answers.push(caller.send(Variant::Malformed, nonsense).await);
    if let Some(polling) = engine_io(&caller.url) {
        for _ in 0..2 {
            let answer = caller.send(Variant::EngineIo, &caller.plain_get(&polling)).await;
            seen.answers.push(answer);
        }
    }
}

async fn once(caller: &Caller<'_>, variant: Variant, ask: &Ask) -> Answer {
    let at_s = caller.clock.now_s();
    match caller.connect(None).await {
        Ok(stream) => caller.ask(stream, variant, ask).await.0,
        Err(error) => {
            let outcome = Outcome::Failed(error.ending());
            Answer { variant, at_s, took_s: caller.clock.now_s() - at_s, outcome }
        }
    }
}

async fn without_alpn(caller: &Caller<'_>) -> Answer {
    let at_s = caller.clock.now_s();
    match secured(caller, Versions::All, &[]).await {
        Ok(seen) => caller.ask(seen.stream, Variant::NoAlpn, &caller.asked()).await.0,
        Err(error) => {
            let outcome = Outcome::Failed(error.ending());
            Answer { variant: Variant::NoAlpn, at_s, took_s: caller.clock.now_s() - at_s, outcome }
        }
    }
}

/// Where a redirect leads, as a WebSocket URL.
fn redirect(from: &Url, outcome: &Outcome) -> Option<Url> {
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

/// The options for where a redirect leads: fields of the user's, such as credentials, are for the host that was named and do
/// not go to another, nor from TLS to plain text.
fn reduced(from: &Url, to: &Url, options: &Options) -> Options {
    let mut options = options.clone();
    if from.host() != to.host() || from.scheme() == "wss" && to.scheme() == "ws" {
        options.headers = Headers::new();
    }
    options
}

/// The server heard the request and said no.
fn refuses(seen: &Endpoint) -> bool {
    matches!(seen.asked().and_then(Outcome::status), Some(400..=403 | 404 | 426 | 500))
}

/// Somebody switched protocols without having seen the key.
fn has_wrong_accept(seen: &Endpoint) -> bool {
    match seen.asked() {
        Some(Outcome::Answered { flaws, .. }) => flaws.iter().any(|flaw| matches!(flaw, Flaw::Accept(_))),
        _ => false,
    }
}

fn origin(asked: &Ask, origin: &str) -> Ask {
    Ask { origin: Some(origin.to_owned()), ..asked.clone() }
}

/// The origins of a page on the same host: with its own scheme, and with the other one.
fn own_origins(url: &Url) -> Vec<String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let schemes = if url.scheme() == "wss" { ["https", "http"] } else { ["http", "https"] };
    schemes.iter().map(|scheme| format!("{scheme}://{host}{port}")).collect()
}

/// The target of Engine.IO's first long-polling request, when the URL is one of Socket.IO.
fn engine_io(url: &Url) -> Option<String> {
    let version = url.query_pairs().find(|(name, _)| name == "EIO").map(|(_, value)| value.into_owned())?;
    Some(format!("{}?EIO={version}&transport=polling", url.path()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answered(status: u16, location: &str) -> Outcome {
        let headers = vec![("Location".to_owned(), location.to_owned())];
        Outcome::Answered { status, headers, body: String::new(), flaws: Vec::new() }
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
