//! The HTTP API: proxies and faults at run time. Two dialects on one port: ours under `/api`, and that of toxiproxy
//! at the root, so that its client libraries work.

mod client;
mod control;
mod native;
mod toxic;
mod toxiproxy;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use client::{Client, ClientError};
pub use control::Control;

/// Largest body of a request, bytes.
const BODY: usize = 1 << 20;

/// The API, being served. Dropping it ends it; the proxies go on.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Api {
    /// Serves the API for the proxies of `control`. Whoever can reach the address can redirect traffic: keep it on
    /// loopback. Requests of web pages (with an `Origin`) are refused.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(address: SocketAddr, control: Arc<Control>) -> io::Result<Api> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .merge(native::routes())
            .merge(toxiproxy::routes())
            .fallback(|| async { Refusal::new(404, "no such path; see docs/chaos.md") })
            .layer(axum::extract::DefaultBodyLimit::max(BODY))
            .layer(middleware::from_fn(no_pages))
            .with_state(control);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the API has ended");
            }
        });
        Ok(Api { address, task })
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A page in a browser on this machine must not reach the API: browsers name their page in `Origin`.
async fn no_pages(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return Refusal::new(403, "requests of web pages are refused").into_response();
    }
    next.run(request).await
}

/// A request that was not done, as both dialects tell it.
#[derive(Debug)]
struct Refusal {
    status: u16,
    error: String,
}

impl Refusal {
    fn new(status: u16, error: impl Into<String>) -> Refusal {
        Refusal { status, error: error.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        answer(status.as_u16(), &json!({ "error": self.error, "status": status.as_u16() }))
    }
}

impl From<crate::Error> for Refusal {
    fn from(error: crate::Error) -> Refusal {
        let status = if matches!(error, crate::Error::NameTaken(_)) { 409 } else { 400 };
        Refusal::new(status, error.to_string())
    }
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// The body as JSON, whatever its content type: not every client names one.
fn json_body(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new(400, format!("the body is not JSON: {error}")))
}
