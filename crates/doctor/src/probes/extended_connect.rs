//! Opens a WebSocket over HTTP/2 with extended CONNECT (RFC 8441).

use std::time::Duration;

use h2::client;
use h2::ext::Protocol;
use tokio::time::{Instant, sleep, timeout};
use undrop_transport::ending_of;
use undrop_transport::tls::Versions;

use super::tls::secured;
use crate::clock::between_s;
use crate::http::target;
use crate::prober::Prober;
use undrop_diagnosis::observations::{HttpAttempt, HttpOutcome, RequestVariant};
use undrop_frame::{Ending, LocalFault, ProtocolFault};

/// The time limit for the SETTINGS of the server.
const SETTINGS: Duration = Duration::from_secs(3);

/// Offers HTTP/2, checks whether the server enables extended CONNECT, and tries it.
pub(crate) async fn extended_connect(prober: &Prober<'_>) -> HttpAttempt {
    let at_s = prober.clock.now_s();
    let start = Instant::now();
    let outcome = timeout(prober.options.timeout, attempt(prober)).await;
    let outcome = outcome.unwrap_or(HttpOutcome::Failed(Ending::BlackHole));
    let took_s = between_s(start, Instant::now());
    HttpAttempt { variant: RequestVariant::ExtendedConnect, at_s, took_s, outcome }
}

async fn attempt(prober: &Prober<'_>) -> HttpOutcome {
    let seen = match secured(prober, Versions::All, &["h2"]).await {
        Ok(seen) => seen,
        Err(error) => return HttpOutcome::Failed(error.ending()),
    };
    let alpn = seen.stream.tls().and_then(|layer| layer.alpn());
    if alpn != Some(b"h2") {
        return HttpOutcome::OtherProtocol(alpn.map(|name| String::from_utf8_lossy(name).into_owned()));
    }
    let (mut sender, connection) = match client::handshake(seen.stream).await {
        Ok(pair) => pair,
        Err(error) => return broken(&error),
    };
    let exchange = async {
        // The library receives the SETTINGS while the connection is polled.
        let settings = async {
            while !sender.is_extended_connect_protocol_enabled() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // The limit is below the whole timeout, to distinguish SETTINGS without the option from silence.
        let offered = timeout(SETTINGS.min(prober.options.timeout / 2), settings).await.is_ok();
        if !offered {
            return HttpOutcome::Http2 { offered, status: None, headers: Vec::new() };
        }
        connect(prober, &mut sender).await
    };
    tokio::select! {
        outcome = exchange => outcome,
        ended = connection => match ended {
            Ok(()) => HttpOutcome::Failed(Ending::Fin),
            Err(error) => broken(&error),
        },
    }
}

async fn connect(prober: &Prober<'_>, sender: &mut client::SendRequest<bytes::Bytes>) -> HttpOutcome {
    let authority = undrop_transport::host_header(&prober.url);
    let request = http::Request::builder()
        .method(http::Method::CONNECT)
        .uri(format!("https://{authority}{}", target(&prober.url)))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13");
    let mut request = match request.body(()) {
        Ok(request) => request,
        Err(error) => return HttpOutcome::Failed(LocalFault::Url(error.to_string()).into()),
    };
    for (name, value) in prober.options.headers.iter() {
        let pair = (http::HeaderName::try_from(name), http::HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = pair {
            request.headers_mut().append(name, value);
        }
    }
    let response = match sender.send_request(request, false) {
        // The stream must stay open until the response arrives: dropping it cancels the request.
        Ok((response, _body)) => response.await,
        Err(error) => return broken(&error),
    };
    match response {
        Ok(response) => {
            let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers =
                response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            HttpOutcome::Http2 { offered: true, status: Some(response.status().as_u16()), headers }
        }
        Err(error) => broken(&error),
    }
}

fn broken(error: &h2::Error) -> HttpOutcome {
    HttpOutcome::Failed(match error.get_io() {
        Some(error) => ending_of(error),
        None => ProtocolFault::Http2(error.to_string()).into(),
    })
}
