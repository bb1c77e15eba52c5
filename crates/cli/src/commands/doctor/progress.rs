//! The progress of a run: a view that is redrawn on a terminal, and a line every few seconds elsewhere.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use ratatui::crossterm::terminal::size;
use undrop_diagnosis::observations::Traffic;
use undrop_doctor::{RunEvent, RunListener};
use undrop_text::printable;

/// The interval of progress lines if standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Characters of a stage's outcome that are shown, at most.
const OUTCOME: usize = 100;

/// Returns the number of columns of the terminal, or 80 if there is none.
pub(super) fn width() -> usize {
    size().map_or(80, |(columns, _)| usize::from(columns).max(40))
}

/// Shows the progress of a run on standard error.
pub(super) struct ProgressView {
    terminal: bool,
    colour: bool,
    progress: RefCell<Progress>,
}

#[derive(Default)]
struct Progress {
    stage: Option<(String, &'static str)>,
    connections: Vec<ShownConnection>,
    watching: Option<Watching>,
    /// The number of lines that the view occupies on the terminal.
    drawn: usize,
    last_line: Option<Instant>,
}

struct Watching {
    since: Instant,
    until_s: f64,
}

struct ShownConnection {
    number: usize,
    traffic: Traffic,
    opened: Instant,
    state: ShownState,
}

enum ShownState {
    Open,
    Answered,
    Released,
    Ended { age_s: f64, ending: String },
    Failed { ending: String },
}

impl ProgressView {
    pub(super) fn new() -> ProgressView {
        let terminal =
            std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        ProgressView { terminal, colour, progress: RefCell::new(Progress::default()) }
    }

    /// Redraws the view, or writes a line if the last one is old enough.
    pub(super) fn draw(&self) {
        let mut progress = self.progress.borrow_mut();
        if self.terminal {
            let view = self.view(&progress);
            replace(&mut progress, &view);
        } else if progress.watching.is_some()
            && progress.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY)
        {
            progress.last_line = Some(Instant::now());
            eprintln!("{}", summary(&progress));
        }
    }

    /// Removes the view, so that the report can take its place.
    pub(super) fn close(&self) {
        if self.terminal {
            replace(&mut self.progress.borrow_mut(), "");
        }
    }

    /// Writes a line above the view.
    fn line(&self, text: &str) {
        let mut progress = self.progress.borrow_mut();
        if self.terminal {
            replace(&mut progress, "");
        }
        eprintln!("{text}");
    }

    fn view(&self, progress: &Progress) -> String {
        let mut out = String::new();
        if let Some((endpoint, stage)) = &progress.stage {
            let _ = writeln!(out, "{} {stage} ({endpoint})", self.paint("…", "36"));
        }
        let Some(watching) = &progress.watching else { return out };
        let now = watching.since.elapsed().as_secs_f64();
        let until = watching.until_s.max(0.1);
        let heading = format!(
            "watching, {:.0} of {until:.0} s (Ctrl-C stops and reports what is known)",
            now.min(until)
        );
        let _ = writeln!(out, "{}", self.paint(&heading, "1"));
        let mut connections: Vec<&ShownConnection> = progress.connections.iter().collect();
        connections.sort_by_key(|shown| shown.number);
        let room = width().saturating_sub(58).clamp(10, 60);
        let rows = size().map_or(24, |(_, rows)| usize::from(rows)).saturating_sub(8).max(4);
        let is_group = |shown: &&ShownConnection| {
            matches!(shown.traffic, Traffic::IdleProbe { .. } | Traffic::Staggered)
        };
        for shown in connections.iter().copied().filter(|shown| !is_group(shown)).take(rows) {
            let _ = writeln!(out, "{}", self.row(shown, until, room));
        }
        let probes: Vec<String> = connections.iter().filter_map(|shown| self.idle_probe(shown)).collect();
        if !probes.is_empty() {
            let _ = writeln!(out, "  {:<20} {}", "probed after idle s", probes.join(" "));
        }
        let staggered: Vec<&&ShownConnection> =
            connections.iter().filter(|shown| shown.traffic == Traffic::Staggered).collect();
        if !staggered.is_empty() {
            let ended =
                staggered.iter().filter(|shown| matches!(shown.state, ShownState::Ended { .. })).count();
            let alive = staggered.len() - ended;
            let _ = writeln!(out, "  {:<20} {alive} alive, {ended} ended", "staggered");
        }
        out
    }

    fn row(&self, shown: &ShownConnection, until: f64, room: usize) -> String {
        let (age, sign, colour, ending) = match &shown.state {
            ShownState::Ended { age_s, ending } => (*age_s, '✗', "31", ending.clone()),
            ShownState::Failed { ending } => (0.0, '!', "33", ending.clone()),
            ShownState::Open | ShownState::Answered | ShownState::Released => {
                (shown.opened.elapsed().as_secs_f64(), '▶', "32", String::new())
            }
        };
        let length = ((age / until).clamp(0.0, 1.0) * (room - 1) as f64) as usize;
        let bar = format!("{}{sign}", "━".repeat(length));
        let padding = " ".repeat(room - length);
        let ending: String = ending.chars().take(26).collect();
        let name = shown.traffic.name();
        format!("  {name:<20} {}{padding}{age:>6.1} s {ending}", self.paint(&bar, colour))
            .trim_end()
            .to_owned()
    }

    /// Returns the idle time of a probed connection with a sign for its result, `None` for other traffic.
    fn idle_probe(&self, shown: &ShownConnection) -> Option<String> {
        let Traffic::IdleProbe { quiet_s } = shown.traffic else { return None };
        let idle = format!("{quiet_s:.0}");
        Some(match &shown.state {
            ShownState::Open => self.paint(&idle, "2"),
            ShownState::Answered | ShownState::Released => self.paint(&format!("{idle}✓"), "32"),
            ShownState::Ended { .. } | ShownState::Failed { .. } => self.paint(&format!("{idle}✗"), "31"),
        })
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl RunListener for ProgressView {
    fn on_event(&self, event: RunEvent<'_>) {
        match event {
            RunEvent::Stage { endpoint, stage } => {
                self.progress.borrow_mut().stage = Some((endpoint.to_owned(), stage));
            }
            RunEvent::Done { stage, outcome, good } => {
                self.progress.borrow_mut().stage = None;
                let sign = if good { self.paint("✓", "32") } else { self.paint("✗", "31") };
                let outcome = printable::truncated(outcome, OUTCOME);
                self.line(format!("{sign} {stage:<12} {outcome}").trim_end());
            }
            RunEvent::Watching { until_s, connections } => {
                if !self.terminal {
                    self.line(&format!("watching {connections} connections for {until_s:.0} s"));
                }
                let mut progress = self.progress.borrow_mut();
                progress.watching = Some(Watching { since: Instant::now(), until_s });
                progress.last_line = Some(Instant::now());
            }
            RunEvent::Opened { connection, traffic } => self.add(connection, traffic, ShownState::Open),
            RunEvent::Failed { connection, traffic, end } => {
                self.add(connection, traffic, ShownState::Failed { ending: end.to_string() });
            }
            RunEvent::Probed { connection, answered: true } => self.set(connection, ShownState::Answered),
            RunEvent::Ended { connection, age_s, end } => {
                let ending = end.to_string();
                if !self.terminal {
                    let name = self.traffic_name(connection);
                    self.line(&format!("✗ {name}: {ending} at {age_s:.1} s"));
                }
                self.set(connection, ShownState::Ended { age_s, ending });
            }
            RunEvent::Released { connection } => self.release(connection),
            _ => {}
        }
    }
}

impl ProgressView {
    fn add(&self, number: usize, traffic: &Traffic, state: ShownState) {
        let shown = ShownConnection { number, traffic: traffic.clone(), opened: Instant::now(), state };
        self.progress.borrow_mut().connections.push(shown);
    }

    fn set(&self, number: usize, new: ShownState) {
        let mut progress = self.progress.borrow_mut();
        if let Some(shown) = progress.connections.iter_mut().find(|shown| shown.number == number) {
            shown.state = new;
        }
    }

    fn release(&self, number: usize) {
        let mut progress = self.progress.borrow_mut();
        let shown = progress.connections.iter_mut().find(|shown| shown.number == number);
        if let Some(shown) = shown.filter(|shown| matches!(shown.state, ShownState::Open)) {
            shown.state = ShownState::Released;
        }
    }

    fn traffic_name(&self, number: usize) -> String {
        let progress = self.progress.borrow();
        let shown = progress.connections.iter().find(|shown| shown.number == number);
        shown.map(|shown| shown.traffic.name()).unwrap_or_default()
    }
}

/// Returns one line about all connections.
fn summary(progress: &Progress) -> String {
    let elapsed = progress.watching.as_ref().map_or(0.0, |watching| watching.since.elapsed().as_secs_f64());
    let until = progress.watching.as_ref().map_or(0.0, |watching| watching.until_s);
    let count = |wanted: fn(&ShownState) -> bool| {
        progress.connections.iter().filter(|shown| wanted(&shown.state)).count()
    };
    let open = count(|state| matches!(state, ShownState::Open));
    let ended = count(|state| matches!(state, ShownState::Ended { .. }));
    let done = count(|state| matches!(state, ShownState::Answered | ShownState::Released));
    format!("{elapsed:.0} of {until:.0} s: {open} connections open, {done} done and alive, {ended} ended")
}

/// Replaces the previous view on the terminal.
fn replace(progress: &mut Progress, view: &str) {
    let mut out = String::new();
    if progress.drawn > 0 {
        let _ = write!(out, "\x1b[{}A\r\x1b[J", progress.drawn);
    }
    out.push_str(view);
    progress.drawn = view.lines().count();
    // A closed terminal must not end the run.
    let _ = std::io::stderr().write_all(out.as_bytes());
}
