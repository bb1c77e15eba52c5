//! Builds and sends the requests of the probes to one endpoint.

use std::time::Duration;

use tokio::time::Instant;
use undrop_frame::deflate::Config;
use undrop_frame::handshake::{HandshakeError, Headers, request};
use undrop_transport::{DialError, Keepalive, Stream, host_header, random_key};
use url::Url;

use crate::Options;
use crate::clock::{Clock, between_s};
use crate::http::{HttpClient, OpenedWebSocket, SentHandshake, exchange, target};
use undrop_diagnosis::observations::{HttpAttempt, HttpOutcome, RequestVariant};
use undrop_frame::{Ending, LocalFault, ProtocolFault};

/// The parameters for requests to one endpoint.
#[derive(Clone)]
pub(crate) struct Prober<'a> {
    pub(crate) url: Url,
    pub(crate) options: &'a Options,
    pub(crate) clock: Clock,
}

/// The optional parts of a handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct HandshakeRequest {
    /// The Origin to send instead of the one of the page.
    pub(crate) origin: Option<String>,
    pub(crate) protocols: Vec<String>,
    pub(crate) deflate: bool,
}

impl Prober<'_> {
    /// Returns the handshake with the options of the run.
    pub(crate) fn handshake_request(&self) -> HandshakeRequest {
        HandshakeRequest { origin: None, protocols: self.options.protocols.clone(), deflate: false }
    }

    /// Returns the client for requests.
    pub(crate) fn http(&self) -> HttpClient<'_> {
        HttpClient::new(self.options)
    }

    /// Opens TCP and TLS to the endpoint.
    pub(crate) async fn connect(&self, keepalive: Option<Keepalive>) -> Result<Stream, DialError> {
        self.http().connect(&self.url, keepalive).await
    }

    /// Performs a handshake on an open stream.
    pub(crate) async fn ask(
        &self,
        stream: Stream,
        variant: RequestVariant,
        ask: &HandshakeRequest,
    ) -> (HttpAttempt, Option<OpenedWebSocket>) {
        let at_s = self.clock.now_s();
        let start = Instant::now();
        let Ok(key) = random_key() else {
            let end = LocalFault::Configuration("no random numbers".to_owned()).into();
            return (HttpAttempt { variant, at_s, took_s: 0.0, outcome: HttpOutcome::Failed(end) }, None);
        };
        let config = Config::default();
        let offer = ask.deflate.then(|| config.offer());
        let bytes = request(
            &host_header(&self.url),
            &target(&self.url),
            &key,
            &ask.protocols,
            offer.as_deref(),
            &self.fields(ask.origin.as_deref()),
        );
        let sent =
            SentHandshake { key: &key, protocols: &ask.protocols, deflate: ask.deflate.then_some(&config) };
        let (outcome, open) = exchange(stream, &bytes, &sent, self.http().deadline()).await;
        let answer = HttpAttempt { variant, at_s, took_s: between_s(start, Instant::now()), outcome };
        (answer, open)
    }

    /// Sends the bytes of a request to the endpoint.
    pub(crate) async fn send(&self, variant: RequestVariant, request: &[u8]) -> HttpAttempt {
        self.timed(variant, self.http().send(&self.url, request)).await
    }

    /// Sends the bytes of a request to another URL, without a forward proxy.
    pub(crate) async fn send_to(&self, url: &Url, variant: RequestVariant, request: &[u8]) -> HttpAttempt {
        self.timed(variant, self.http().send_directly(url, request)).await
    }

    async fn timed(&self, variant: RequestVariant, sent: impl Future<Output = HttpOutcome>) -> HttpAttempt {
        let at_s = self.clock.now_s();
        let start = Instant::now();
        let outcome = sent.await;
        HttpAttempt { variant, at_s, took_s: between_s(start, Instant::now()), outcome }
    }

    /// Returns the bytes of a plain GET with the header fields of the run.
    pub(crate) fn plain_get(&self, target: &str) -> Vec<u8> {
        let mut bytes = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: */*\r\n",
            host_header(&self.url)
        )
        .into_bytes();
        for (name, value) in self.options.headers.iter() {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// Opens a connection and a WebSocket on it.
    pub(crate) async fn open(
        &self,
        keepalive: Option<Keepalive>,
        ask: &HandshakeRequest,
    ) -> Result<OpenedWebSocket, Ending> {
        let stream = self.connect(keepalive).await.map_err(|error| error.ending())?;
        let (answer, open) = self.ask(stream, RequestVariant::AsRequested, ask).await;
        match (open, answer.outcome) {
            (Some(open), _) => Ok(open),
            (None, HttpOutcome::Failed(end)) => Err(end),
            (None, HttpOutcome::NotHttp { fault, start }) => Err(ProtocolFault::Head { fault, start }.into()),
            (None, outcome) => Err(match outcome.status() {
                Some(status) => HandshakeError::Refused(status).into(),
                None => HandshakeError::NotUpgrade.into(),
            }),
        }
    }

    /// Returns the time after which a reply counts as missing.
    pub(crate) fn patience(&self) -> Duration {
        self.options.patience
    }

    /// Returns the header fields of the user, and the Origin of the page if they contain none.
    fn fields(&self, origin: Option<&str>) -> Headers {
        let mut fields = self.options.headers.clone();
        let page = self.options.page.as_ref().map(|page| page.origin().ascii_serialization());
        match origin {
            Some(origin) => fields.insert("Origin", origin),
            None => {
                if let Some(page) = page.filter(|_| !fields.contains("Origin")) {
                    fields.insert("Origin", page);
                }
            }
        }
        fields
    }
}
