//! Prints events without holding up the proxy: a reader that is slow or gone costs lines, not connections.

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use undrop_chaos::Event;

use super::lines;

/// Lines that may wait for the reader of standard output.
const WAITING: usize = 4096;
/// How long the end waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The thread that prints, and the log file.
pub(super) struct Printer {
    json: bool,
    lines: SyncSender<String>,
    /// Closed when the last line is printed.
    done: Mutex<Receiver<()>>,
    unseen: AtomicU64,
    log: Option<Mutex<File>>,
}

impl Printer {
    pub(super) fn start(json: bool, log: Option<File>) -> Printer {
        let (lines, waiting) = sync_channel::<String>(WAITING);
        let (end, done) = sync_channel::<()>(0);
        std::thread::spawn(move || {
            let _end = end;
            while let Ok(line) = waiting.recv() {
                if line.is_empty() {
                    return;
                }
                say!("{line}");
            }
        });
        Printer { json, lines, done: Mutex::new(done), unseen: AtomicU64::new(0), log: log.map(Mutex::new) }
    }

    /// Shows an event, and writes it to the log.
    pub(super) fn show(&self, event: &Event) {
        let json = serde_json::to_string(event).unwrap_or_default();
        if let Some(log) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = writeln!(log, "{json}") {
                tracing::error!(%error, "an event is missing in the log file");
            }
        }
        self.line(&lines::line(event), &json);
    }

    /// Shows one line or the other.
    pub(super) fn line(&self, text: &str, json: &str) {
        let line = if self.json { json } else { text };
        if self.lines.try_send(line.to_owned()).is_err() {
            self.unseen.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all is printed, unless nobody reads.
    pub(super) fn finish(&self) {
        let unseen = self.unseen.load(Ordering::Relaxed);
        if unseen > 0 {
            tracing::error!("{unseen} lines were not printed, because nobody read them; use --log-file");
        }
        // An empty line is the end. When there is no room for it nobody reads.
        if self.lines.try_send(String::new()).is_ok() {
            let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(RecvTimeoutError::Timeout) = done.recv_timeout(PATIENCE) {
                tracing::debug!("nobody reads standard output");
            }
        }
    }
}
