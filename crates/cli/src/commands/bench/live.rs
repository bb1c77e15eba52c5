//! What a run looks like while it runs: a screen on a terminal, else a line each five seconds.

mod draw;
mod model;
mod screen;

use std::io::{self, IsTerminal, Write};

use tokio::sync::mpsc;
use undrop_bench::{Plan, Snapshot};

use model::Live;
use screen::Screen;
pub(crate) use screen::restore;

/// Seconds between two lines.
const PACE: f64 = 5.0;

/// The face of a run. Dropping it gives the terminal back.
pub(crate) struct Face(Kind);

enum Kind {
    Silent,
    Lines { live: Box<Live>, next_s: f64 },
    Screen(Screen),
}

impl Face {
    /// A screen where standard error is a terminal that we may take, else lines; nothing when `quiet`.
    pub(crate) fn new(plan: &Plan, quiet: bool, no_tui: bool) -> io::Result<Face> {
        if quiet {
            return Ok(Face(Kind::Silent));
        }
        let live = Live::new(plan);
        if !no_tui && screen::is_possible() {
            // A terminal that cannot be set up as we need it still takes lines.
            if let Ok(screen) = Screen::open(live.clone()) {
                return Ok(Face(Kind::Screen(screen)));
            }
        }
        Ok(Face(Kind::Lines { live: Box::new(live), next_s: PACE }))
    }

    /// Shows nothing.
    pub(crate) fn silent(_plan: &Plan) -> Face {
        Face(Kind::Silent)
    }

    /// Where to say that the user wants to end the run early.
    pub(crate) fn stop_with(&mut self, stop: mpsc::Sender<()>) {
        if let Kind::Screen(screen) = &self.0 {
            screen.stop_with(stop);
        }
    }

    /// Takes note of how the run looks now. Never waits.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        match &mut self.0 {
            Kind::Silent => {}
            Kind::Screen(screen) => screen.show(snapshot),
            Kind::Lines { live, next_s } => {
                live.take(snapshot);
                if snapshot.at_s >= *next_s {
                    *next_s = (snapshot.at_s / PACE).floor() * PACE + PACE;
                    // Nobody may be reading any more; the run goes on.
                    let _ = writeln!(io::stderr(), "{}", live.line());
                }
            }
        }
    }
}

/// Standard error is a terminal that understands more than lines.
fn is_a_screen() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests;
