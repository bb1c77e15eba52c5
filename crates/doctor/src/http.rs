//! A lenient HTTP/1.1 client: it reports what came back instead of refusing what is wrong.

mod exchange;

use tokio::time::Instant;
use undrop_diagnosis::observations::HttpOutcome;
use undrop_transport::{
    DialError, DialOptions, Keepalive, ProxyChoice, Stream, TcpOptions, dial, host_header,
};
use url::Url;

use crate::Options;

pub(crate) use exchange::{OpenedWebSocket, SentHandshake, exchange};

/// Dials and sends requests, each on a separate connection.
#[derive(Clone, Copy)]
pub(crate) struct HttpClient<'a> {
    options: &'a Options,
}

impl<'a> HttpClient<'a> {
    pub(crate) fn new(options: &'a Options) -> HttpClient<'a> {
        HttpClient { options }
    }

    /// Opens TCP and TLS to the host of the URL, through the forward proxy if there is one.
    pub(crate) async fn connect(&self, url: &Url, keepalive: Option<Keepalive>) -> Result<Stream, DialError> {
        dial(url, &self.dial_options(keepalive)).await
    }

    /// Returns the options of the run with this keepalive, and without a user timeout that would let the kernel give up early.
    pub(crate) fn dial_options(&self, keepalive: Option<Keepalive>) -> DialOptions {
        DialOptions {
            tcp: TcpOptions { nodelay: true, keepalive, user_timeout: None },
            ..self.options.dial.clone()
        }
    }

    /// Sends the bytes of a request on a new connection and returns what came back.
    pub(crate) async fn send(&self, url: &Url, request: &[u8]) -> HttpOutcome {
        self.send_with(url, request, &self.dial_options(None)).await
    }

    /// Does the same as [`send`](Self::send), but bypasses the forward proxy.
    pub(crate) async fn send_directly(&self, url: &Url, request: &[u8]) -> HttpOutcome {
        let options = DialOptions { proxy: ProxyChoice::Direct, ..self.dial_options(None) };
        self.send_with(url, request, &options).await
    }

    async fn send_with(&self, url: &Url, request: &[u8], options: &DialOptions) -> HttpOutcome {
        match dial(url, options).await {
            Ok(stream) => exchange(stream, request, &SentHandshake::none(), self.deadline()).await.0,
            Err(error) => HttpOutcome::Failed(error.ending()),
        }
    }

    /// Returns the moment until which a request that is sent now may take.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.options.timeout
    }
}

/// Sends a JSON text by POST to an `http` or `https` URL and returns the status of the response.
///
/// # Errors
/// No HTTP response arrived; the text says why.
pub async fn post(url: &Url, text: &str, options: &Options) -> Result<u16, String> {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        target(url),
        host_header(url),
        text.len()
    );
    let outcome = HttpClient::new(options).send(url, &[head.as_bytes(), text.as_bytes()].concat()).await;
    match (outcome.status(), outcome) {
        (Some(status), _) => Ok(status),
        (None, HttpOutcome::Failed(ending)) => Err(format!("no response from {url}: {ending}")),
        (None, HttpOutcome::NotHttp { fault, .. }) => Err(format!("no HTTP response from {url}: {fault}")),
        (None, _) => Err(format!("no HTTP response from {url}")),
    }
}

/// Returns path and query of a URL.
pub(crate) fn target(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}
