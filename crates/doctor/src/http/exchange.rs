//! The exchange of one HTTP/1.1 request. Flaws of the response are recorded, not refused.

use std::future::poll_fn;

use tokio::io::AsyncWriteExt;
use tokio::time::{Duration, Instant, timeout_at};
use undrop_frame::HeadFault;
use undrop_frame::deflate::{Config, Params};
use undrop_frame::handshake::{HandshakeError, ResponseHead, accept_key, parse_response};
use undrop_transport::{Ending, Stream, ending_of, read_body};

use crate::socket::FrameSocket;
use undrop_diagnosis::observations::{HttpOutcome, UpgradeFlaw};

/// The maximum size of a response head in bytes.
const HEAD: usize = 16 << 10;

/// The number of bytes that are kept of a response that is not HTTP.
const START: usize = 120;

/// The number of bytes that are kept of a body.
const BODY: usize = 4 << 10;

/// The time limit for a body after its head.
const BODY_TIME: Duration = Duration::from_secs(2);

/// The parts of a handshake request that the response has to match.
pub(crate) struct SentHandshake<'a> {
    pub(crate) key: &'a str,
    pub(crate) protocols: &'a [String],
    pub(crate) deflate: Option<&'a Config>,
}

impl SentHandshake<'_> {
    /// A request that is not a handshake.
    pub(crate) fn none() -> SentHandshake<'static> {
        SentHandshake { key: "", protocols: &[], deflate: None }
    }
}

/// An open WebSocket and what was received after the handshake.
pub(crate) struct OpenedWebSocket {
    pub(crate) stream: Stream,
    pub(crate) leftover: Vec<u8>,
    pub(crate) deflate: Option<Params>,
}

impl OpenedWebSocket {
    pub(crate) fn into_socket(self) -> FrameSocket {
        FrameSocket::new(self.stream, self.leftover, self.deflate)
    }
}

/// Sends the request and reads the response, both until `deadline`. Returns the WebSocket if one was opened.
pub(crate) async fn exchange(
    mut stream: Stream,
    request: &[u8],
    sent: &SentHandshake<'_>,
    deadline: Instant,
) -> (HttpOutcome, Option<OpenedWebSocket>) {
    let mut bytes = Vec::new();
    let head = async {
        // A server that responds without reading may have closed already; its response still counts.
        let written = async {
            stream.write_all(request).await?;
            stream.flush().await
        };
        let written = written.await;
        read_head(&mut stream, &mut bytes).await.map_err(|error| match (error, written) {
            (HeadError::Closed, Err(error)) => HeadError::Io(ending_of(&error)),
            (error, _) => error,
        })
    };
    let head = timeout_at(deadline, head).await.unwrap_or(Err(HeadError::Io(Ending::BlackHole)));
    let head = match head {
        Ok(head) => head,
        Err(HeadError::Io(Ending::BlackHole)) if !bytes.is_empty() => {
            return (not_http(HeadFault::Incomplete, &bytes), None);
        }
        Err(HeadError::NotHttp(error)) => {
            return (not_http(HeadFault::NotHttp(error), &bytes), None);
        }
        Err(HeadError::Closed) if !bytes.is_empty() => {
            return (not_http(HeadFault::Truncated, &bytes), None);
        }
        Err(HeadError::Closed) => return (HttpOutcome::Failed(Ending::Fin), None),
        Err(HeadError::Io(ending)) => return (HttpOutcome::Failed(ending), None),
    };
    let headers = fields(&head);
    if head.status == 101 {
        let (flaws, deflate) = judge(&head, sent);
        let open = flaws.is_empty().then_some(OpenedWebSocket { stream, leftover: bytes, deflate });
        return (HttpOutcome::Response { status: 101, headers, body: String::new(), flaws }, open);
    }
    let by = deadline.min(Instant::now() + BODY_TIME);
    let body = read_body(&mut stream, &head, bytes, BODY, by).await;
    let body = String::from_utf8_lossy(&body).into_owned();
    (HttpOutcome::Response { status: head.status, headers, body, flaws: Vec::new() }, None)
}

enum HeadError {
    NotHttp(HandshakeError),
    Closed,
    Io(Ending),
}

/// Reads the head and leaves the bytes after it in `bytes`. Interim responses are skipped.
async fn read_head(stream: &mut Stream, bytes: &mut Vec<u8>) -> Result<ResponseHead, HeadError> {
    loop {
        if !bytes.is_empty()
            && let Some((head, len)) = parse_response(bytes, HEAD).map_err(HeadError::NotHttp)?
        {
            bytes.drain(..len);
            if head.status == 101 || head.status >= 200 {
                return Ok(head);
            }
            continue;
        }
        match read(stream, bytes, HEAD).await {
            Ok(0) => return Err(HeadError::Closed),
            Ok(_) => {}
            Err(ending) => return Err(HeadError::Io(ending)),
        }
    }
}

/// Reads once, up to a total of `limit` bytes.
async fn read(stream: &mut Stream, bytes: &mut Vec<u8>, limit: usize) -> Result<usize, Ending> {
    let room = limit.saturating_sub(bytes.len());
    if room == 0 {
        return Ok(0);
    }
    let read = poll_fn(|cx| {
        stream.poll_read_shared(cx, |chunk| {
            let taken = chunk.len();
            bytes.extend_from_slice(chunk);
            taken
        })
    });
    read.await.map_err(|error| ending_of(&error))
}

/// Returns all flaws of a 101 response, and the negotiated compression.
fn judge(head: &ResponseHead, sent: &SentHandshake<'_>) -> (Vec<UpgradeFlaw>, Option<Params>) {
    let headers = &head.headers;
    let mut flaws = Vec::new();
    if head.version_minor != 1 {
        flaws.push(UpgradeFlaw::Version);
    }
    if !headers.get_str("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        flaws.push(UpgradeFlaw::Upgrade);
    }
    if !headers.has_token("Connection", "upgrade") {
        flaws.push(UpgradeFlaw::Connection);
    }
    match headers.get_str("Sec-WebSocket-Accept") {
        None => flaws.push(UpgradeFlaw::NoAccept),
        Some(accept) if accept != accept_key(sent.key) => flaws.push(UpgradeFlaw::Accept(accept.to_owned())),
        Some(_) => {}
    }
    if let Some(chosen) = headers.get_str("Sec-WebSocket-Protocol")
        && !sent.protocols.iter().any(|offered| offered == chosen)
    {
        flaws.push(UpgradeFlaw::Protocol(chosen.to_owned()));
    }
    let extensions = headers.joined("Sec-WebSocket-Extensions").filter(|list| !list.trim().is_empty());
    let deflate = match (sent.deflate, extensions) {
        (_, None) => None,
        (None, Some(list)) => {
            flaws.push(UpgradeFlaw::Extensions(list));
            None
        }
        (Some(config), Some(list)) => config.accept(Some(&list)).unwrap_or_else(|_| {
            flaws.push(UpgradeFlaw::Extensions(list));
            None
        }),
    };
    (flaws, deflate)
}

fn fields(head: &ResponseHead) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    head.headers.iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

fn not_http(fault: HeadFault, bytes: &[u8]) -> HttpOutcome {
    HttpOutcome::NotHttp { fault, start: bytes.iter().copied().take(START).collect() }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    async fn answered(answer: &str) -> (HttpOutcome, bool) {
        let (near, mut far) = duplex(1 << 16);
        let serve = async {
            let mut request = [0; 3];
            let _ = far.read_exact(&mut request).await;
            let _ = far.write_all(answer.as_bytes()).await;
            drop(far);
        };
        let sent = SentHandshake { key: KEY, protocols: &[], deflate: None };
        let deadline = Instant::now() + Duration::from_secs(5);
        let (result, ()) = tokio::join!(exchange(near.into(), b"GET", &sent, deadline), serve);
        (result.0, result.1.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn a_101_and_every_flaw_of_it() {
        let good = "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        let (outcome, open) = answered(good).await;
        assert!(outcome.opened() && open);
        let bad = "HTTP/1.0 101 S\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: p\r\n\
                   Sec-WebSocket-Extensions: e\r\n\r\n";
        let (outcome, open) = answered(bad).await;
        let HttpOutcome::Response { flaws, .. } = &outcome else { panic!("{outcome:?}") };
        let wanted = [
            UpgradeFlaw::Version,
            UpgradeFlaw::Upgrade,
            UpgradeFlaw::Connection,
            UpgradeFlaw::Accept("x".to_owned()),
            UpgradeFlaw::Protocol("p".to_owned()),
            UpgradeFlaw::Extensions("e".to_owned()),
        ];
        assert_eq!((flaws.as_slice(), open, outcome.opened()), (&wanted[..], false, false));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_nonsense_and_silence() {
        let (outcome, _) =
            answered("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnope").await;
        assert_eq!((outcome.status(), outcome.body()), (Some(403), "nope"));
        let chunked = "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbad \r\n7\r\ngateway\r\n0\r\n\r\n";
        let (outcome, _) = answered(chunked).await;
        assert_eq!((outcome.status(), outcome.body()), (Some(502), "bad gateway"));
        let (outcome, _) = answered("<html>no status line").await;
        assert!(
            matches!(&outcome, HttpOutcome::NotHttp { start, .. } if start.starts_with(b"<html>")),
            "{outcome:?}"
        );
        assert_eq!(answered("").await.0, HttpOutcome::Failed(Ending::Fin));

        let (near, _far) = duplex(64);
        let sent = SentHandshake { key: KEY, protocols: &[], deflate: None };
        let deadline = Instant::now() + Duration::from_secs(5);
        let (outcome, _) = exchange(near.into(), b"GET", &sent, deadline).await;
        assert_eq!(outcome, HttpOutcome::Failed(Ending::BlackHole));
        assert_eq!(Instant::now(), deadline);

        let (near, mut far) = duplex(64);
        assert!(far.write_all(b"HTTP/1.1 101 S\r\nX").await.is_ok());
        let deadline = Instant::now() + Duration::from_secs(5);
        let (outcome, _) = exchange(near.into(), b"GET", &sent, deadline).await;
        assert!(matches!(&outcome, HttpOutcome::NotHttp { fault: HeadFault::Incomplete, .. }), "{outcome:?}");
    }
}
