//! The terminal: set up for the live view, drawn to from a separate thread, and restored in every case.

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
use super::model::Live;
use super::supports_screen;

/// The maximum number of snapshots that wait to be drawn; more are dropped.
const MAX_PENDING: usize = 16;
/// The minimum time between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(100);
/// The exit code after a second Ctrl-C, by convention of shells.
const INTERRUPTED: i32 = 130;

/// Whether the terminal is set up for the live view.
static IS_ACTIVE: AtomicBool = AtomicBool::new(false);

/// Held while a frame is drawn, so that no frame is drawn after the terminal was restored.
static DRAWING: Mutex<()> = Mutex::new(());

/// The name of the thread that draws.
const THREAD: &str = "live view";

pub(super) struct Screen {
    snapshots: Option<SyncSender<Snapshot>>,
    stop: Arc<OnceLock<mpsc::Sender<()>>>,
    thread: Option<JoinHandle<()>>,
}

/// A request of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ViewCommand {
    /// Ends the run early, with a report.
    End,
    /// Ends the run early, or the process at once if the end was requested before.
    Interrupt,
    /// Draws the view again.
    Redraw,
}

/// Returns whether standard error is a terminal and this process is in its foreground; a background job would be stopped.
pub(super) fn is_possible() -> bool {
    let foreground =
        rustix::termios::tcgetpgrp(io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp());
    supports_screen() && foreground
}

/// Restores the terminal if the live view is active. May be called from anywhere, including a panic hook.
pub(crate) fn restore() {
    if IS_ACTIVE.swap(false, Ordering::SeqCst) {
        // Wait for the current frame, unless the drawing thread itself has panicked.
        let _last = (thread::current().name() != Some(THREAD)).then(drawing_lock);
        // A failure cannot be reported anywhere.
        let _ = disable_raw_mode();
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
    }
}

impl Screen {
    /// Sets the terminal up and starts drawing.
    pub(super) fn open(live: Live) -> io::Result<Screen> {
        restore_when_panicking();
        // Set first, so that a partial setup is undone as well.
        IS_ACTIVE.store(true, Ordering::SeqCst);
        let (sender, receiver) = sync_channel(MAX_PENDING);
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
        // There is one run per screen, so the first sender is kept.
        let _ = self.stop.set(stop);
    }

    pub(super) fn show(&self, snapshot: &Snapshot) {
        if let Some(snapshots) = &self.snapshots {
            // A full queue drops the snapshot, since the load must not wait for the screen.
            let _ = snapshots.try_send(snapshot.clone());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The thread ends when the sender is dropped.
        self.snapshots = None;
        if let Some(thread) = self.thread.take() {
            // After a panic, the hook has restored the terminal and printed the message.
            let _ = thread.join();
        }
        restore();
    }
}

fn drawing_lock() -> MutexGuard<'static, ()> {
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
        // If the terminal fails, it is restored, and the run continues without a live view.
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
                let _drawing = drawing_lock();
                if !IS_ACTIVE.load(Ordering::SeqCst) {
                    // The terminal was restored, because the program is about to exit.
                    return Ok(());
                }
                self.terminal.draw(|frame| draw(frame, live, stopping))?;
                dirty = false;
            }
            // Keys are handled at once; frames are FRAME_INTERVAL apart.
            let next_frame = Instant::now() + FRAME_INTERVAL;
            while let Some(left) = next_frame.checked_duration_since(Instant::now()) {
                if !event::poll(left)? {
                    break;
                }
                match command(&event::read()?) {
                    Some(ViewCommand::Redraw) => dirty = true,
                    Some(command) => {
                        self.execute(command);
                        dirty = true;
                    }
                    None => {}
                }
            }
            if self.was_signalled() {
                self.execute(ViewCommand::End);
                dirty = true;
            }
            loop {
                match self.snapshots.try_recv() {
                    Ok(snapshot) => {
                        self.live.update(&snapshot);
                        dirty = true;
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
        }
    }

    fn execute(&mut self, command: ViewCommand) {
        if command == ViewCommand::Interrupt && self.stopping {
            restore();
            std::process::exit(INTERRUPTED);
        }
        self.stopping = true;
        if let Some(stop) = self.stop.get() {
            // If the channel is full, the end was requested already; if it is closed, the run is over.
            let _ = stop.try_send(());
        }
    }

    /// Returns whether SIGTERM or SIGHUP was received. The run then ends with a report, and the terminal is restored.
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

/// Returns the command of a terminal event.
pub(super) fn command(event: &Event) -> Option<ViewCommand> {
    match event {
        Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) => match code {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(ViewCommand::Interrupt),
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => Some(ViewCommand::End),
            _ => None,
        },
        Event::Resize(..) => Some(ViewCommand::Redraw),
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
