//! A client of the API, as small as the API needs it: one request per connection.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use undrop_frame::handshake::parse_response;

use crate::{Upstream, UpstreamError};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer, bytes.
const ANSWER: u64 = 16 << 20;

/// A client of the API of another process.
#[derive(Debug, Clone)]
pub struct Client {
    server: Upstream,
}

/// A request that was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL names no server.
    #[error("{0}")]
    Url(#[from] UpstreamError),
    /// The server cannot be reached.
    #[error("no API at {server}: {source}; start `undrop chaos --api`")]
    Unreachable {
        /// Which.
        server: String,
        /// Why not.
        source: io::Error,
    },
    /// It answers something else.
    #[error("{server} does not answer as `undrop chaos` does")]
    Foreign {
        /// Which.
        server: String,
    },
    /// It refused.
    #[error("{reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Why.
        reason: String,
    },
}

impl Client {
    /// A client of the API at `http://host:port`, or `host:port`.
    ///
    /// # Errors
    /// The URL names no server.
    pub fn new(url: &str) -> Result<Client, ClientError> {
        Ok(Client { server: url.parse()? })
    }

    /// Does a request and returns its answer; `Value::Null` when it has no body.
    ///
    /// # Errors
    /// The server cannot be reached, is another one, or refuses.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let server = self.server.to_string();
        let exchange = timeout(PATIENCE, self.exchange(method, path, body));
        let answer = exchange.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let answer = answer.map_err(|source| ClientError::Unreachable { server: server.clone(), source })?;
        let foreign = || ClientError::Foreign { server: server.clone() };
        let (head, len) = parse_response(&answer, 64 * 1024).ok().flatten().ok_or_else(foreign)?;
        let text = answer.get(len..).unwrap_or_default();
        let value: Value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(text).map_err(|_| foreign())?
        };
        if (200..300).contains(&head.status) {
            return Ok(value);
        }
        match value.get("error").and_then(Value::as_str) {
            Some(reason) => Err(ClientError::Refused { status: head.status, reason: reason.to_owned() }),
            None => Err(foreign()),
        }
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Vec<u8>> {
        let mut stream = self.server.connect().await?;
        let body = body.map(Value::to_string).unwrap_or_default();
        // HTTP/1.0: the answer is whole, not in chunks, and ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER).read_to_end(&mut answer).await?;
        Ok(answer)
    }
}
