//! Metrics of `undrop doctor --watch` for Prometheus, served over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use undrop_doctor::{WatchEvent, WatchEventKind};

/// The media type of the OpenMetrics text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    /// The traffic on the connection.
    sentinel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabels {
    sentinel: String,
    ending: String,
}

type FloatGauge = Gauge<f64, std::sync::atomic::AtomicU64>;

/// The counters of a watch. Clones share them.
#[derive(Clone)]
pub(super) struct Metrics {
    up: Family<ConnectionLabels, Gauge>,
    opened: Family<ConnectionLabels, Counter>,
    failed: Family<ConnectionLabels, Counter>,
    dropped: Family<DropLabels, Counter>,
    oldest_s: Family<ConnectionLabels, FloatGauge>,
    registry: Arc<Registry>,
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        let (up, opened, failed) = (Family::default(), Family::default(), Family::default());
        let (dropped, oldest_s) = (Family::default(), Family::default());
        // Counters get the suffix `_total` when they are written.
        let mut registry = Registry::with_prefix("undrop_doctor");
        registry.register("sentinel_up", "Whether the connection is open", Family::clone(&up));
        registry.register("opened", "Connections that were opened", Family::clone(&opened));
        registry.register("failed", "Connections that could not be opened", Family::clone(&failed));
        registry.register("dropped", "Connections that ended, by ending", Family::clone(&dropped));
        registry.register(
            "oldest_dropped_seconds",
            "Age of the oldest connection that ended",
            Family::clone(&oldest_s),
        );
        Metrics { up, opened, failed, dropped, oldest_s, registry: Arc::new(registry) }
    }

    /// Counts an event of a watched connection.
    pub(super) fn count(&self, event: &WatchEvent) {
        let labels = ConnectionLabels { sentinel: event.connection.clone() };
        self.up.get_or_create(&labels).set(i64::from(event.what == WatchEventKind::Opened));
        match event.what {
            WatchEventKind::Opened => drop(self.opened.get_or_create(&labels).inc()),
            WatchEventKind::Failed => drop(self.failed.get_or_create(&labels).inc()),
            WatchEventKind::Dropped => {
                let ending = kind(event.ending.as_deref().unwrap_or_default());
                let dropped = DropLabels { sentinel: labels.sentinel.clone(), ending };
                self.dropped.get_or_create(&dropped).inc();
                let oldest = self.oldest_s.get_or_create(&labels);
                oldest.set(oldest.get().max(event.age_s));
            }
        }
    }

    /// Returns all metrics in the OpenMetrics text format.
    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Serves `/metrics` until the future is dropped.
    pub(super) async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let page = get(move || {
            let text = self.text();
            async move { ([(CONTENT_TYPE, OPEN_METRICS)], text) }
        });
        let router = Router::new()
            .route("/metrics", page)
            .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "the metrics are at /metrics\n") });
        axum::serve(listener, router).await
    }
}

/// Returns the kind of an ending. The reason in brackets is left out: the server chooses it, so that it would add a label
/// value with every connection.
fn kind(ending: &str) -> String {
    ending.split(" (").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read as _, Write as _};

    use super::*;

    fn event(what: WatchEventKind, connection: &str) -> WatchEvent {
        WatchEvent {
            unix_s: 0.0,
            connection: connection.to_owned(),
            what,
            age_s: 60.5,
            quiet_s: 60.5,
            ending: (what == WatchEventKind::Dropped).then(|| "close 4000 (\"why\")".to_owned()),
            browser: None,
        }
    }

    #[test]
    fn events_are_counted_and_labels_are_escaped() {
        let metrics = Metrics::new();
        metrics.count(&event(WatchEventKind::Opened, "silent"));
        metrics.count(&event(WatchEventKind::Dropped, "silent"));
        metrics.count(&event(WatchEventKind::Failed, "a \"b\"\n"));
        let text = metrics.text();
        for line in [
            "undrop_doctor_sentinel_up{sentinel=\"silent\"} 0",
            "undrop_doctor_opened_total{sentinel=\"silent\"} 1",
            "undrop_doctor_failed_total{sentinel=\"a \\\"b\\\"\\n\"} 1",
            "undrop_doctor_dropped_total{sentinel=\"silent\",ending=\"close 4000\"} 1",
            "undrop_doctor_oldest_dropped_seconds{sentinel=\"silent\"} 60.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    /// The server that was written by hand before answered one scrape after another and closed each connection.
    #[tokio::test]
    async fn a_scraper_that_says_nothing_does_not_delay_the_next_and_connections_are_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(Metrics::new().serve(listener));
        let scrape = tokio::task::spawn_blocking(move || {
            let _mute = std::net::TcpStream::connect(address).unwrap();
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
            for _ in 0..2 {
                stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
                let mut answer = Vec::new();
                while !answer.ends_with(b"# EOF\n") {
                    let mut byte = [0; 512];
                    let n = stream.read(&mut byte).unwrap();
                    assert!(n > 0, "the connection was closed");
                    answer.extend_from_slice(&byte[..n]);
                }
                assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
            }
        });
        scrape.await.unwrap();
        server.abort();
    }
}
