//! Prints events without delaying the proxy: if standard output is read slowly or not at all, lines are dropped.

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use undrop_chaos::Event;

use super::lines;

/// The number of lines that may wait for standard output.
const MAX_WAITING: usize = 4096;
/// The time limit for printing the waiting lines at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The thread that prints, and the log file.
pub(super) struct Printer {
    json: bool,
    lines: SyncSender<String>,
    /// A channel that is closed when the last line has been printed.
    done: Mutex<Receiver<()>>,
    dropped: AtomicU64,
    log: Option<Mutex<File>>,
}

impl Printer {
    pub(super) fn start(json: bool, log: Option<File>) -> Printer {
        let (lines, waiting) = sync_channel::<String>(MAX_WAITING);
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
        Printer { json, lines, done: Mutex::new(done), dropped: AtomicU64::new(0), log: log.map(Mutex::new) }
    }

    /// Prints an event, and writes it to the log.
    pub(super) fn show(&self, event: &Event) {
        let json = serde_json::to_string(event).unwrap_or_default();
        if let Some(log) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = writeln!(log, "{json}") {
                tracing::error!(%error, "cannot write an event to the log file");
            }
        }
        self.line(&lines::line(event), &json);
    }

    /// Prints one of two lines, depending on the output format.
    pub(super) fn line(&self, text: &str, json: &str) {
        let line = if self.json { json } else { text };
        if self.lines.try_send(line.to_owned()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all lines are printed, but at most for two seconds.
    pub(super) fn finish(&self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            tracing::error!(
                "{dropped} lines were not printed because standard output was not read; use --log-file"
            );
        }
        // An empty line marks the end. If it does not fit, standard output is not being read.
        if self.lines.try_send(String::new()).is_ok() {
            let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(RecvTimeoutError::Timeout) = done.recv_timeout(FLUSH_TIMEOUT) {
                tracing::debug!("standard output is not being read");
            }
        }
    }
}
