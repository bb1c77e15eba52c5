//! What people see while the doctor works: a picture that is drawn anew on a terminal, a line every few seconds elsewhere.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use ratatui::crossterm::terminal::size;
use undrop_doctor::{Listener, News};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Columns of the terminal; 80 when there is none.
pub(super) fn width() -> usize {
    size().map_or(80, |(columns, _)| usize::from(columns).max(40))
}

/// The face. Everything goes to standard error.
pub(super) struct Face {
    terminal: bool,
    colour: bool,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    stage: Option<(String, &'static str)>,
    lanes: Vec<Lane>,
    watching: Option<Watching>,
    /// Lines of the picture that stands on the terminal.
    drawn: usize,
    told: Option<Instant>,
}

struct Watching {
    since: Instant,
    until_s: f64,
}

struct Lane {
    number: usize,
    name: String,
    opened: Instant,
    state: LaneState,
}

enum LaneState {
    Open,
    Answered,
    Released,
    Ended { age_s: f64, how: String },
    Failed { how: String },
}

impl Face {
    pub(super) fn new() -> Face {
        let terminal =
            std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Face { terminal, colour, state: RefCell::new(State::default()) }
    }

    /// Draws what is known now, if it is time.
    pub(super) fn draw(&self) {
        let mut state = self.state.borrow_mut();
        if self.terminal {
            let picture = self.picture(&state);
            replace(&mut state, &picture);
        } else if state.watching.is_some() && state.told.is_none_or(|told| told.elapsed() >= LINE_EVERY) {
            state.told = Some(Instant::now());
            eprintln!("{}", summary(&state));
        }
    }

    /// Takes the picture away; the report comes in its place.
    pub(super) fn close(&self) {
        if self.terminal {
            replace(&mut self.state.borrow_mut(), "");
        }
    }

    /// One line that stays.
    fn line(&self, text: &str) {
        let mut state = self.state.borrow_mut();
        if self.terminal {
            replace(&mut state, "");
        }
        eprintln!("{text}");
    }

    fn picture(&self, state: &State) -> String {
        let mut out = String::new();
        if let Some((endpoint, stage)) = &state.stage {
            let _ = writeln!(out, "{} {stage} ({endpoint})", self.paint("…", "36"));
        }
        let Some(watching) = &state.watching else { return out };
        let now = watching.since.elapsed().as_secs_f64();
        let until = watching.until_s.max(0.1);
        let _ = writeln!(
            out,
            "{}",
            self.paint(
                &format!(
                    "watching, {:.0} of {until:.0} s (Ctrl-C ends it with what is known)",
                    now.min(until)
                ),
                "1"
            )
        );
        let is_group = |lane: &&Lane| lane.name.starts_with("quiet ") || lane.name.starts_with("fleet");
        let mut lanes: Vec<&Lane> = state.lanes.iter().collect();
        lanes.sort_by_key(|lane| lane.number);
        let room = width().saturating_sub(58).clamp(10, 60);
        let rows = size().map_or(24, |(_, rows)| usize::from(rows)).saturating_sub(8).max(4);
        for lane in lanes.iter().copied().filter(|lane| !is_group(lane)).take(rows) {
            let _ = writeln!(out, "{}", self.lane(lane, until, room));
        }
        let teeth: Vec<String> = lanes
            .iter()
            .filter(|lane| lane.name.starts_with("quiet "))
            .map(|lane| self.tooth(lane))
            .collect();
        if !teeth.is_empty() {
            let _ = writeln!(out, "  {:<20} {}", "comb", teeth.join(" "));
        }
        let fleet: Vec<&Lane> = state.lanes.iter().filter(|lane| lane.name.starts_with("fleet")).collect();
        if !fleet.is_empty() {
            let ended = fleet.iter().filter(|lane| matches!(lane.state, LaneState::Ended { .. })).count();
            let _ = writeln!(out, "  {:<20} {} alive, {ended} ended", "fleet", fleet.len() - ended);
        }
        out
    }

    fn lane(&self, lane: &Lane, until: f64, room: usize) -> String {
        let (age, sign, colour, what) = match &lane.state {
            LaneState::Ended { age_s, how } => (*age_s, '✗', "31", how.clone()),
            LaneState::Failed { how } => (0.0, '!', "33", how.clone()),
            LaneState::Open | LaneState::Answered | LaneState::Released => {
                (lane.opened.elapsed().as_secs_f64(), '▶', "32", String::new())
            }
        };
        let length = ((age / until).clamp(0.0, 1.0) * (room - 1) as f64) as usize;
        let bar = format!("{}{sign}", "━".repeat(length));
        let padding = " ".repeat(room - length);
        let what: String = what.chars().take(26).collect();
        format!("  {:<20} {}{padding}{age:>6.1} s {what}", lane.name, self.paint(&bar, colour))
            .trim_end()
            .to_owned()
    }

    fn tooth(&self, lane: &Lane) -> String {
        let quiet = lane.name.trim_start_matches("quiet ").split(' ').next().unwrap_or_default();
        match &lane.state {
            LaneState::Open => self.paint(quiet, "2"),
            LaneState::Answered | LaneState::Released => self.paint(&format!("{quiet}✓"), "32"),
            LaneState::Ended { .. } | LaneState::Failed { .. } => self.paint(&format!("{quiet}✗"), "31"),
        }
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Listener for Face {
    fn hear(&self, news: News<'_>) {
        match news {
            News::Stage { endpoint, stage } => {
                self.state.borrow_mut().stage = Some((endpoint.to_owned(), stage));
            }
            News::Done { stage, outcome, good } => {
                self.state.borrow_mut().stage = None;
                let sign = if good { self.paint("✓", "32") } else { self.paint("✗", "31") };
                self.line(format!("{sign} {stage:<12} {}", plain(outcome)).trim_end());
            }
            News::Watching { until_s, lanes } => {
                if !self.terminal {
                    self.line(&format!("watching {lanes} connections for {until_s:.0} s"));
                }
                let mut state = self.state.borrow_mut();
                state.watching = Some(Watching { since: Instant::now(), until_s });
                state.told = Some(Instant::now());
            }
            News::Opened { lane, name } => self.put(lane, name, LaneState::Open),
            News::Failed { lane, name, end } => {
                self.put(lane, name, LaneState::Failed { how: end.to_string() })
            }
            News::Asked { lane, answered: true } => self.set(lane, LaneState::Answered),
            News::Ended { lane, age_s, end } => {
                let how = end.to_string();
                if !self.terminal {
                    let state = self.state.borrow();
                    let name =
                        state.lanes.iter().find(|known| known.number == lane).map(|lane| lane.name.clone());
                    drop(state);
                    self.line(&format!("✗ {}: {how} at {age_s:.1} s", name.unwrap_or_default()));
                }
                self.set(lane, LaneState::Ended { age_s, how });
            }
            News::Released { lane } => self.release(lane),
            _ => {}
        }
    }
}

impl Face {
    fn put(&self, number: usize, name: &str, state: LaneState) {
        let lane = Lane { number, name: name.to_owned(), opened: Instant::now(), state };
        self.state.borrow_mut().lanes.push(lane);
    }

    fn set(&self, number: usize, new: LaneState) {
        if let Some(lane) = self.state.borrow_mut().lanes.iter_mut().find(|lane| lane.number == number) {
            lane.state = new;
        }
    }

    fn release(&self, number: usize) {
        let mut state = self.state.borrow_mut();
        let lane = state.lanes.iter_mut().find(|lane| lane.number == number);
        if let Some(lane) = lane.filter(|lane| matches!(lane.state, LaneState::Open)) {
            lane.state = LaneState::Released;
        }
    }
}

/// One line about all lanes.
fn summary(state: &State) -> String {
    let elapsed = state.watching.as_ref().map_or(0.0, |watching| watching.since.elapsed().as_secs_f64());
    let until = state.watching.as_ref().map_or(0.0, |watching| watching.until_s);
    let count =
        |wanted: fn(&LaneState) -> bool| state.lanes.iter().filter(|lane| wanted(&lane.state)).count();
    let open = count(|state| matches!(state, LaneState::Open));
    let ended = count(|state| matches!(state, LaneState::Ended { .. }));
    let done = count(|state| matches!(state, LaneState::Answered | LaneState::Released));
    format!("{elapsed:.0} of {until:.0} s: {open} connections open, {done} done and alive, {ended} ended")
}

/// Puts a picture where the last one stood.
fn replace(state: &mut State, picture: &str) {
    let mut out = String::new();
    if state.drawn > 0 {
        let _ = write!(out, "\x1b[{}A\r\x1b[J", state.drawn);
    }
    out.push_str(picture);
    state.drawn = picture.lines().count();
    // A terminal that went away is no reason to fail.
    let _ = std::io::stderr().write_all(out.as_bytes());
}

/// Text from a server, fit for a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(100).collect()
}
