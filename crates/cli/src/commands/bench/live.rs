//! The progress of a run: a live view on a terminal, otherwise one line every five seconds.

mod draw;
mod model;
mod screen;

use std::io::{self, IsTerminal, Write};

use tokio::sync::mpsc;
use undrop_bench::{Plan, Snapshot};

use model::Live;
use screen::Screen;
pub(crate) use screen::restore;

/// The time between two lines in seconds.
const LINE_INTERVAL_S: f64 = 5.0;

/// The display of the progress of a run. Dropping it restores the terminal.
pub(crate) struct Progress(ProgressKind);

enum ProgressKind {
    Silent,
    Lines { live: Box<Live>, next_s: f64 },
    Screen(Screen),
}

impl Progress {
    /// Creates a live view if standard error is a terminal, otherwise lines; nothing is shown if `quiet`.
    pub(crate) fn new(plan: &Plan, quiet: bool, no_tui: bool) -> Progress {
        if quiet {
            return Progress(ProgressKind::Silent);
        }
        let live = Live::new(plan);
        if !no_tui && screen::is_possible() {
            // A terminal that cannot be set up can still show lines.
            if let Ok(screen) = Screen::open(live.clone()) {
                return Progress(ProgressKind::Screen(screen));
            }
        }
        Progress(ProgressKind::Lines { live: Box::new(live), next_s: LINE_INTERVAL_S })
    }

    /// Creates a display that shows nothing.
    pub(crate) fn silent() -> Progress {
        Progress(ProgressKind::Silent)
    }

    /// Sets the channel on which the live view requests the end of the run.
    pub(crate) fn stop_with(&mut self, stop: mpsc::Sender<()>) {
        if let ProgressKind::Screen(screen) = &self.0 {
            screen.stop_with(stop);
        }
    }

    /// Shows a snapshot. Never blocks.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        match &mut self.0 {
            ProgressKind::Silent => {}
            ProgressKind::Screen(screen) => screen.show(snapshot),
            ProgressKind::Lines { live, next_s } => {
                live.update(snapshot);
                if snapshot.at_s >= *next_s {
                    *next_s = (snapshot.at_s / LINE_INTERVAL_S).floor() * LINE_INTERVAL_S + LINE_INTERVAL_S;
                    // The run continues even if standard error is closed.
                    let _ = writeln!(io::stderr(), "{}", live.line());
                }
            }
        }
    }
}

/// Returns whether standard error is a terminal that supports more than lines.
fn supports_screen() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests;
