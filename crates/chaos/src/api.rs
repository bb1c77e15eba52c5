//! The HTTP API, which changes proxies and faults at run time. It has two dialects on one port: the native one under
//! `/api`, and that of toxiproxy at the root, for which client libraries exist.

mod client;
mod control;
mod native;
mod response;
mod toxic;
mod toxiproxy;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use client::{ApiClient, ClientError};
pub use control::Control;

use response::ApiError;

/// The maximum size of a request body in bytes.
const MAX_BODY: usize = 1 << 20;

/// A running server of the API. Dropping it stops the server; the proxies continue.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Api {
    /// Serves the API for the proxies of `control`. Any program that can reach the address can redirect traffic, so use a
    /// loopback address. Requests of web pages (with an `Origin`) are rejected.
    ///
    /// # Errors
    /// The server cannot listen on the address.
    pub async fn start(address: SocketAddr, control: Arc<Control>) -> io::Result<Api> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .merge(native::routes())
            .merge(toxiproxy::routes())
            .fallback(|| async { ApiError::not_found("unknown path; see docs/chaos.md") })
            .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::from_fn(reject_web_pages))
            .with_state(control);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the API server has failed");
            }
        });
        Ok(Api { address, task })
    }

    /// Returns the address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Rejects the requests of web pages, which browsers mark with `Origin`: a page must not redirect traffic.
async fn reject_web_pages(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return ApiError::new(403, "requests of web pages are rejected").into_response();
    }
    next.run(request).await
}
