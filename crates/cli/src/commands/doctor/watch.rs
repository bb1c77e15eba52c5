//! `undrop doctor --watch`: events as lines, as metrics, and to a webhook.

mod metrics;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::Duration;

use anyhow::anyhow;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use undrop_diagnosis::Observations;
use undrop_doctor::{
    CancellationToken, NoListener, Options, WatchEvent, WatchEventKind, post, watch_endpoint,
};
use url::Url;

use super::{Doctor, usage};
use crate::exit::Failure;
use metrics::Metrics;

/// The number of drops that wait for the webhook, at most; the oldest is discarded first.
const WAITING: usize = 256;

/// The time that the webhook has for the remaining drops after the end of the watch.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// Watches the endpoint until Ctrl-C, or until the given number of connections ended.
pub(super) async fn watch(command: &Doctor) -> Result<Observations, Failure> {
    let (url, options) = command.options()?;
    if let Some(hook) = command.webhook.as_ref().filter(|hook| !matches!(hook.scheme(), "http" | "https")) {
        return Err(usage(anyhow!("--webhook: `{hook}`: the scheme must be http or https")));
    }
    let log = command.drop_log.as_ref().map(|file| {
        let opened = OpenOptions::new().create(true).append(true).open(file);
        opened.map_err(|error| usage(anyhow!("--drop-log: {}: {error}", file.display())))
    });
    let sink = EventSink {
        log: log.transpose()?.map(RefCell::new),
        metrics: Metrics::new(),
        waiting: RefCell::default(),
        added: Notify::new(),
        has_webhook: command.webhook.is_some(),
    };
    let listener = match command.metrics {
        Some(address) => {
            let bound = TcpListener::bind(address).await;
            Some(bound.map_err(|error| usage(anyhow!("--metrics: {address}: {error}")))?)
        }
        None => None,
    };
    if let Some(address) = listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
        eprintln!("metrics at http://{address}/metrics");
    }
    let stop = CancellationToken::new();
    let on_event = |event: &WatchEvent| sink.add(event);
    let watching = watch_endpoint(&url, &options, command.fail_after, &stop, &NoListener, &on_event);
    let mut watching = std::pin::pin!(watching);
    let mut serving = std::pin::pin!(serve(listener, sink.metrics.clone()));
    let mut delivering = std::pin::pin!(deliver(command.webhook.as_ref(), &options, &sink));
    loop {
        tokio::select! {
            seen = &mut watching => {
                if !sink.waiting.borrow().is_empty() {
                    let _ = tokio::time::timeout(LAST_CHANCE, async {
                        while !sink.waiting.borrow().is_empty() {
                            tokio::select! {
                                () = &mut delivering => {}
                                () = tokio::time::sleep(Duration::from_millis(20)) => {}
                            }
                        }
                    }).await;
                }
                return Ok(seen);
            }
            () = &mut serving => {}
            () = &mut delivering => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                stop.cancel();
            }
        }
    }
}

/// Distributes events to the log, the metrics and the webhook.
struct EventSink {
    log: Option<RefCell<File>>,
    metrics: Metrics,
    waiting: RefCell<VecDeque<String>>,
    added: Notify,
    has_webhook: bool,
}

impl EventSink {
    fn add(&self, event: &WatchEvent) {
        let line = serde_json::to_string(event).unwrap_or_default();
        match &self.log {
            Some(file) => {
                if let Err(error) = writeln!(file.borrow_mut(), "{line}") {
                    tracing::error!(%error, "cannot write to the drop log");
                }
            }
            None => say!("{line}"),
        }
        self.metrics.count(event);
        if self.has_webhook && event.what == WatchEventKind::Dropped {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.len() == WAITING {
                waiting.pop_front();
            }
            waiting.push_back(line);
            self.added.notify_one();
        }
    }
}

/// Serves the metrics for as long as the watch lasts; never returns.
async fn serve(listener: Option<TcpListener>, metrics: Metrics) {
    if let Some(listener) = listener
        && let Err(error) = metrics.serve(listener).await
    {
        tracing::error!(%error, "the metrics are no longer served");
    }
    std::future::pending().await
}

/// Sends drops to the webhook in their order. A drop that is refused three times is discarded.
async fn deliver(hook: Option<&Url>, options: &Options, sink: &EventSink) {
    let Some(hook) = hook else { return std::future::pending().await };
    loop {
        let first = sink.waiting.borrow().front().cloned();
        let Some(text) = first else {
            sink.added.notified().await;
            continue;
        };
        for attempt in 1..=3 {
            match post(hook, &text, options).await {
                Ok(200..=299) => break,
                Ok(status) => tracing::error!(status, attempt, "the webhook refused a drop"),
                Err(error) => tracing::error!(error, attempt, "cannot send a drop to the webhook"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        sink.waiting.borrow_mut().pop_front();
    }
}
