//! The terminal: taken, drawn to from a thread of its own, and given back on every way out.

use std::io::{self, BufWriter, Stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use undrop_bench::Snapshot;

use super::draw::draw;
use super::is_a_screen;
use super::model::Live;

/// Snapshots that wait to be drawn; when there are more, the newest is left out.
const WAITING: usize = 16;
/// Shortest time between two pictures.
const BEAT: Duration = Duration::from_millis(100);
/// Exit code after a second Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// The terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Held while a picture is drawn, so that none is drawn over what follows when the terminal is given back.
static DRAWING: Mutex<()> = Mutex::new(());

/// Name of the thread that draws.
const THREAD: &str = "live view";

pub(super) struct Screen {
    snapshots: Option<SyncSender<Snapshot>>,
    stop: Arc<OnceLock<mpsc::Sender<()>>>,
    thread: Option<JoinHandle<()>>,
}

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// End early, with a report.
    End,
    /// End, and if that was asked for before, at once.
    Interrupt,
    /// Draw again.
    Redraw,
}

/// Standard error is a terminal, and we are not a job in its background, which would be stopped for taking it.
pub(super) fn is_possible() -> bool {
    let foreground =
        rustix::termios::tcgetpgrp(io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp());
    is_a_screen() && foreground
}

/// Gives the terminal back, if it is taken. May be called from anywhere, also from a panic.
pub(crate) fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // The thread that draws is not drawing now, or has panicked while it was.
        let _last = (thread::current().name() != Some(THREAD)).then(last_picture);
        // There is nobody left to tell when this fails.
        let _ = disable_raw_mode();
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
    }
}

impl Screen {
    /// Takes the terminal and starts drawing.
    pub(super) fn open(live: Live) -> io::Result<Screen> {
        restore_when_panicking();
        // Set first: should half of it fail, all of it is undone.
        TAKEN.store(true, Ordering::SeqCst);
        let (sender, receiver) = sync_channel(WAITING);
        let stop = Arc::new(OnceLock::new());
        let started = start(live, receiver, stop.clone());
        match started {
            Ok(thread) => Ok(Screen { snapshots: Some(sender), stop, thread: Some(thread) }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    pub(super) fn stop_with(&self, stop: mpsc::Sender<()>) {
        // Only the first one counts; there is one run per screen.
        let _ = self.stop.set(stop);
    }

    pub(super) fn show(&self, snapshot: &Snapshot) {
        if let Some(snapshots) = &self.snapshots {
            // The screen may be slow or gone; the load never waits for it.
            let _ = snapshots.try_send(snapshot.clone());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Without a sender the thread ends.
        self.snapshots = None;
        if let Some(thread) = self.thread.take() {
            // It panicked: the hook has restored the terminal and told why.
            let _ = thread.join();
        }
        restore();
    }
}

fn last_picture() -> MutexGuard<'static, ()> {
    DRAWING.lock().unwrap_or_else(PoisonError::into_inner)
}

type Out = Terminal<CrosstermBackend<BufWriter<Stderr>>>;

fn start(
    live: Live,
    snapshots: Receiver<Snapshot>,
    stop: Arc<OnceLock<mpsc::Sender<()>>>,
) -> io::Result<JoinHandle<()>> {
    enable_raw_mode()?;
    execute!(io::stderr(), EnterAlternateScreen)?;
    let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(io::stderr())))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _within = runtime.enter();
        [signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]
    };
    let mut view = View { terminal, live, snapshots, stop, runtime, signals, stopping: false };
    thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
        // A terminal that fails is given back; the run goes on without it.
        if view.run().is_err() {
            restore();
        }
    })
}

struct View {
    terminal: Out,
    live: Live,
    snapshots: Receiver<Snapshot>,
    stop: Arc<OnceLock<mpsc::Sender<()>>>,
    runtime: tokio::runtime::Runtime,
    signals: [Signal; 2],
    stopping: bool,
}

impl View {
    fn run(&mut self) -> io::Result<()> {
        let mut dirty = true;
        loop {
            if dirty {
                let (live, stopping) = (&self.live, self.stopping);
                let _drawing = last_picture();
                if !TAKEN.load(Ordering::SeqCst) {
                    // Somebody has given the terminal back: the program is about to end.
                    return Ok(());
                }
                self.terminal.draw(|frame| draw(frame, live, stopping))?;
                dirty = false;
            }
            // Keys are acted on when they come; pictures are BEAT apart.
            let beat = Instant::now() + BEAT;
            while let Some(left) = beat.checked_duration_since(Instant::now()) {
                if !event::poll(left)? {
                    break;
                }
                match wish(&event::read()?) {
                    Some(Wish::Redraw) => dirty = true,
                    Some(wish) => {
                        self.obey(wish);
                        dirty = true;
                    }
                    None => {}
                }
            }
            if self.was_signalled() {
                self.obey(Wish::End);
                dirty = true;
            }
            loop {
                match self.snapshots.try_recv() {
                    Ok(snapshot) => {
                        self.live.take(&snapshot);
                        dirty = true;
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
        }
    }

    fn obey(&mut self, wish: Wish) {
        if wish == Wish::Interrupt && self.stopping {
            restore();
            std::process::exit(INTERRUPTED);
        }
        self.stopping = true;
        if let Some(stop) = self.stop.get() {
            // Full: it has been said already. Closed: the run is over.
            let _ = stop.try_send(());
        }
    }

    /// Asked to end from outside: the report is still made, and the terminal given back.
    fn was_signalled(&mut self) -> bool {
        let [terminate, hangup] = &mut self.signals;
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = terminate.recv() => true,
                _ = hangup.recv() => true,
                () = tokio::time::sleep(Duration::from_millis(1)) => false,
            }
        })
    }
}

/// What an event means.
pub(super) fn wish(event: &Event) -> Option<Wish> {
    match event {
        Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) => match code {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Interrupt),
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => Some(Wish::End),
            _ => None,
        },
        Event::Resize(..) => Some(Wish::Redraw),
        _ => None,
    }
}

fn restore_when_panicking() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
}
