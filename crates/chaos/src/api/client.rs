//! A minimal client of the API: one request per connection.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use undrop_frame::handshake::parse_response;

use crate::upstream::{Upstream, UpstreamError};

/// The time limit for a response.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum size of a response in bytes.
const MAX_RESPONSE: u64 = 16 << 20;

/// A client of the API of a running proxy.
#[derive(Debug, Clone)]
pub struct ApiClient {
    server: Upstream,
}

/// The reason why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL is not valid.
    #[error(transparent)]
    Url(#[from] UpstreamError),
    /// The server cannot be reached.
    #[error("no API at {server}; start a proxy with `undrop chaos --api`")]
    Unreachable {
        /// The address of the server.
        server: String,
        /// The error of the connection.
        source: io::Error,
    },
    /// The server is another program.
    #[error("{server} is not the API of `undrop chaos`")]
    OtherServer {
        /// The address of the server.
        server: String,
    },
    /// The server rejected the request.
    #[error("{reason}")]
    Rejected {
        /// The HTTP status of the response.
        status: u16,
        /// The error message of the server.
        reason: String,
    },
}

impl ApiClient {
    /// Creates a client of the API at `http://host:port`, or `host:port`.
    ///
    /// # Errors
    /// The URL is not valid.
    pub fn new(url: &str) -> Result<ApiClient, ClientError> {
        Ok(ApiClient { server: url.parse()? })
    }

    /// Sends a request and returns the body of the response; `Value::Null` if it has none.
    ///
    /// # Errors
    /// The server cannot be reached, is another program, or rejects the request.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let server = self.server.to_string();
        let exchange = timeout(TIMEOUT, self.exchange(method, path, body));
        let response = exchange.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let response =
            response.map_err(|source| ClientError::Unreachable { server: server.clone(), source })?;
        let other_server = || ClientError::OtherServer { server: server.clone() };
        let (head, len) = parse_response(&response, 64 * 1024).ok().flatten().ok_or_else(other_server)?;
        let text = response.get(len..).unwrap_or_default();
        let value: Value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(text).map_err(|_| other_server())?
        };
        if (200..300).contains(&head.status) {
            return Ok(value);
        }
        match value.get("error").and_then(Value::as_str) {
            Some(reason) => Err(ClientError::Rejected { status: head.status, reason: reason.to_owned() }),
            None => Err(other_server()),
        }
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Vec<u8>> {
        let mut stream = self.server.connect().await?;
        let body = body.map(Value::to_string).unwrap_or_default();
        // With HTTP/1.0, the response is not chunked and ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut response = Vec::new();
        stream.take(MAX_RESPONSE).read_to_end(&mut response).await?;
        Ok(response)
    }
}
