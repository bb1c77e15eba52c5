//! `undrop doctor --watch`: incidents as lines, as metrics, and to a webhook.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::Duration;

use anyhow::anyhow;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::Instant;
use undrop_diagnosis::Observations;
use undrop_doctor::{NoListener, Options, WatchEvent, WatchEventKind, post, stop, watch_endpoint};
use undrop_frame::handshake::response_plain;
use undrop_transport::{ListenOptions, Listener, Stream, read_request};
use url::Url;

use super::{Doctor, usage};
use crate::exit::Failure;

/// Drops that wait for the webhook, at most; the oldest make room.
const WAITING: usize = 256;

/// Keeps watch until Ctrl-C, or until there were enough drops.
pub(super) async fn watch(command: &Doctor) -> Result<Observations, Failure> {
    let (url, options) = command.options()?;
    if let Some(hook) = command.webhook.as_ref().filter(|hook| !matches!(hook.scheme(), "http" | "https")) {
        return Err(usage(anyhow!("--webhook: `{hook}`: the scheme is neither http nor https")));
    }
    let log = command.drop_log.as_ref().map(|file| {
        let opened = OpenOptions::new().create(true).append(true).open(file);
        opened.map_err(|error| usage(anyhow!("--drop-log: {}: {error}", file.display())))
    });
    let sink = WatchSink {
        log: log.transpose()?.map(RefCell::new),
        counters: RefCell::default(),
        waiting: RefCell::default(),
        event: Notify::new(),
        hooked: command.webhook.is_some(),
    };
    let (stopper, stop) = stop();
    let told = |incident: &WatchEvent| sink.on_event(incident);
    let watching = watch_endpoint(&url, &options, command.fail_after, &stop, &NoListener, &told);
    let listener = match command.metrics {
        Some(address) => Some(
            Listener::bind(address, ListenOptions::default())
                .map_err(|error| usage(anyhow!("--metrics: {address}: {error}")))?,
        ),
        None => None,
    };
    if let Some(address) = listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
        eprintln!("metrics at http://{address}/metrics");
    }
    let mut watching = std::pin::pin!(watching);
    let mut serving = std::pin::pin!(serve(listener, &sink));
    let mut calling = std::pin::pin!(call(command.webhook.as_ref(), &options, &sink));
    loop {
        tokio::select! {
            seen = &mut watching => {
                // What was not sent yet has one more chance.
                let rest = sink.waiting.borrow().len();
                if rest > 0 {
                    let _ = tokio::time::timeout(Duration::from_secs(5), async {
                        while !sink.waiting.borrow().is_empty() {
                            tokio::select! {
                                () = &mut calling => {}
                                () = tokio::time::sleep(Duration::from_millis(20)) => {}
                            }
                        }
                    }).await;
                }
                return Ok(seen);
            }
            () = &mut serving => {}
            () = &mut calling => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                stopper.stop();
            }
        }
    }
}

/// Where all incidents come to.
struct WatchSink {
    log: Option<RefCell<File>>,
    counters: RefCell<Counters>,
    waiting: RefCell<VecDeque<String>>,
    event: Notify,
    hooked: bool,
}

#[derive(Default)]
struct Counters {
    up: BTreeMap<String, bool>,
    opened: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
    dropped: BTreeMap<(String, String), u64>,
    oldest_s: BTreeMap<String, f64>,
}

impl WatchSink {
    fn on_event(&self, incident: &WatchEvent) {
        let line = serde_json::to_string(incident).unwrap_or_default();
        match &self.log {
            Some(file) => {
                if let Err(error) = writeln!(file.borrow_mut(), "{line}") {
                    tracing::error!(%error, "the drop log cannot be written");
                }
            }
            None => say!("{line}"),
        }
        let mut counters = self.counters.borrow_mut();
        let name = incident.connection.clone();
        counters.up.insert(name.clone(), incident.what == WatchEventKind::Opened);
        match incident.what {
            WatchEventKind::Opened => *counters.opened.entry(name).or_default() += 1,
            WatchEventKind::Failed => *counters.failed.entry(name).or_default() += 1,
            WatchEventKind::Dropped => {
                let ending = incident.ending.clone().unwrap_or_default();
                *counters.dropped.entry((name.clone(), kind(&ending))).or_default() += 1;
                let oldest = counters.oldest_s.entry(name).or_default();
                *oldest = oldest.max(incident.age_s);
            }
        }
        if self.hooked && incident.what == WatchEventKind::Dropped {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.len() == WAITING {
                waiting.pop_front();
            }
            waiting.push_back(line);
            self.event.notify_one();
        }
    }

    fn metrics(&self) -> String {
        let counters = self.counters.borrow();
        let mut out = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, String)>| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(out, "{name}{{{labels}}} {value}");
            }
        };
        let by_name = |map: &BTreeMap<String, u64>| {
            map.iter().map(|(name, count)| (format!("sentinel=\"{name}\""), count.to_string())).collect()
        };
        let up =
            counters.up.iter().map(|(name, up)| (format!("sentinel=\"{name}\""), u8::from(*up).to_string()));
        family("undrop_doctor_sentinel_up", "gauge", "Whether the sentinel is open.", up.collect());
        family("undrop_doctor_opened_total", "counter", "Connections opened.", by_name(&counters.opened));
        family(
            "undrop_doctor_failed_total",
            "counter",
            "Connections that could not be opened.",
            by_name(&counters.failed),
        );
        let dropped = counters.dropped.iter().map(|((name, ending), count)| {
            (format!("sentinel=\"{name}\",ending=\"{ending}\""), count.to_string())
        });
        family(
            "undrop_doctor_dropped_total",
            "counter",
            "Connections that ended, by ending.",
            dropped.collect(),
        );
        let oldest =
            counters.oldest_s.iter().map(|(name, age)| (format!("sentinel=\"{name}\""), age.to_string()));
        family(
            "undrop_doctor_oldest_dropped_seconds",
            "gauge",
            "Age of the oldest connection that ended.",
            oldest.collect(),
        );
        out
    }
}

/// An ending as a label: what it tells in brackets, which a server may choose, is left out.
fn kind(ending: &str) -> String {
    ending.split(" (").next().unwrap_or_default().replace(['"', '\\', '\n'], "")
}

/// Answers scrapes, one at a time.
async fn serve(listener: Option<Listener>, sink: &WatchSink) {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let mut stream = Stream::from(stream);
        let deadline = Instant::now() + Duration::from_secs(2);
        let Ok((head, _)) = read_request(&mut stream, 8 * 1024, deadline).await else { continue };
        let answer = if head.target == "/metrics" {
            let kind = [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")];
            response_plain(200, &kind, &sink.metrics())
        } else {
            response_plain(404, &[], "see /metrics\n")
        };
        let answered = async {
            stream.write_all(&answer).await?;
            stream.shutdown().await
        };
        // A scraper that left comes again.
        let _ = tokio::time::timeout_at(deadline, answered).await;
    }
}

/// Brings drops to the webhook, in their order; one that cannot be brought is tried again, then left out.
async fn call(hook: Option<&Url>, options: &Options, sink: &WatchSink) {
    let Some(hook) = hook else { return std::future::pending().await };
    loop {
        let first = sink.waiting.borrow().front().cloned();
        let Some(text) = first else {
            sink.event.notified().await;
            continue;
        };
        for attempt in 0..3 {
            match post(hook, &text, options).await {
                Ok(200..=299) => break,
                Ok(status) => tracing::error!(status, attempt, "the webhook refuses a drop"),
                Err(error) => tracing::error!(error, attempt, "the webhook does not take a drop"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        sink.waiting.borrow_mut().pop_front();
    }
}
