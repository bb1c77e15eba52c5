//! One worker: a thread with all its connections, and the loop that drives them through the phases of a run.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};

use undrop_scenario::Scenario;

use crate::connection;
use crate::connection::handshake::{Opener, SetupError};
use crate::engine::shared::{BEAT, Shared, Slot};
use crate::engine::ticker::Ticker;
use crate::engine::{usage, virtual_users};
use crate::metrics::tally::{Phase, Snapshot, Tally};
use crate::plan::{Mode, Plan, Trigger};

/// What a worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// All workers have opened what they could: the time of the run begins.
    Go,
    /// End early.
    Stop,
}

/// What a worker tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Update {
    /// Every connection was tried.
    Opened,
    /// How it looks.
    Snapshot(Snapshot),
    /// All is over.
    Done(Box<Tally>),
    /// Nothing could be done.
    Failed(String),
}

/// Time between two looks at everything.
const LOOK: Duration = Duration::from_millis(100);
/// Looks per snapshot.
const LOOKS: u32 = 5;
/// A storm begins this long after all is open.
const CALM: Duration = Duration::from_secs(1);
/// Refusals in a row after which a ramp goes no further.
const REFUSALS: u64 = 10;
/// Longest good-bye of all connections together.
const FAREWELL: Duration = Duration::from_secs(60);

/// Does a worker's part of a run. Must run within a [`tokio::task::LocalSet`].
pub(crate) async fn work(
    plan: Plan,
    commands: mpsc::Receiver<Command>,
    updates: &mpsc::Sender<Update>,
) -> Result<Tally, SetupError> {
    let scenario = match &plan.mode {
        Mode::Scenario(source) => Some(Arc::new(virtual_users::load(source)?)),
        _ => None,
    };
    let opener = Arc::new(Opener::new(&plan.target).await?);
    let shared = Rc::new(Shared::new(plan));
    shared.tally.borrow_mut().prepare();
    shared.recent.borrow_mut().prepare();
    let memory = usage::memory();
    let ticker =
        Ticker::new(shared.clock).map_err(|error| SetupError::Local(format!("no timer: {error}")))?;
    let mut worker = Worker {
        shared: shared.clone(),
        opener,
        scenario,
        commands,
        updates,
        ticker,
        looks: 0,
        next_look: Instant::now() + LOOK,
        stopped: false,
    };
    worker.open().await;
    worker.report(Update::Opened).await;
    worker.wait_for_go().await;
    let (cpu, sent) = (usage::cpu(), shared.tally.borrow().sent);
    worker.run().await;
    {
        let mut tally = shared.tally.borrow_mut();
        tally.cpu = usage::cpu().saturating_sub(cpu);
        tally.cpu_messages = tally.sent - sent;
        tally.memory = usage::memory().saturating_sub(memory);
    }
    worker.settle().await;
    worker.close().await;
    let tally = shared.tally.take();
    Ok(tally)
}

pub(crate) struct Worker<'a> {
    shared: Rc<Shared>,
    opener: Arc<Opener>,
    scenario: Option<Arc<Scenario>>,
    commands: mpsc::Receiver<Command>,
    updates: &'a mpsc::Sender<Update>,
    ticker: Ticker,
    looks: u32,
    next_look: Instant,
    stopped: bool,
}

impl Worker<'_> {
    /// Opens all connections, as the ramp and the limit of handshakes allow.
    async fn open(&mut self) {
        let shared = self.shared.clone();
        let plan = &shared.plan;
        let begun = Instant::now();
        if matches!(plan.mode, Mode::Churn { .. } | Mode::Scenario(_)) {
            return;
        }
        let mut index = 0;
        let mut refused = (0, 0);
        while index < plan.connections && !self.stopped {
            let at = begun + self.opening_time(index);
            // Counted from when they are spawned: a task that has not run yet is on its way too.
            let full = || u64::from(index).saturating_sub(shared.tried.get()) >= u64::from(plan.concurrency);
            while !self.stopped && (Instant::now() < at || full()) {
                self.turn(Some(at).filter(|_| !full())).await;
            }
            if let Mode::Ramp { .. } = plan.mode {
                let failed = shared.tally.borrow().failed_count();
                let opened = shared.tally.borrow().opened;
                if failed > 0 && shared.tally.borrow().plateau.is_none() {
                    shared.tally.borrow_mut().plateau = Some(opened);
                }
                if opened > refused.1 {
                    refused = (failed, opened);
                }
                if failed - refused.0 >= REFUSALS {
                    break;
                }
            }
            if !self.stopped {
                self.spawn(index);
                index += 1;
            }
        }
        let spawned = u64::from(index);
        while !self.stopped && shared.tried.get() < spawned {
            self.turn(None).await;
        }
        shared.tally.borrow_mut().opening = begun.elapsed();
        if let Mode::Ramp { .. } = plan.mode {
            let mut tally = shared.tally.borrow_mut();
            tally.asked = spawned;
            if tally.plateau.is_none() && tally.failed_count() > 0 {
                tally.plateau = Some(tally.opened);
            }
        }
    }

    fn opening_time(&self, index: u32) -> Duration {
        let plan = &self.shared.plan;
        match plan.mode {
            Mode::Ramp { rate } if rate > 0.0 => Duration::from_secs_f64(f64::from(index) / rate),
            _ => plan.ramp.mul_f64(f64::from(index) / f64::from(plan.connections.max(2) - 1)),
        }
    }

    fn spawn(&self, index: u32) {
        let slot = Rc::new(Slot::default());
        let (shared, opener) = (self.shared.clone(), self.opener.clone());
        shared.count(&shared.busy, 1);
        if matches!(shared.plan.mode, Mode::Churn { .. }) {
            shared.add(slot.clone());
        } else {
            // In order: the schedule knows a connection by its place.
            shared.slots.borrow_mut().push(slot.clone());
        }
        spawn_local(async move {
            connection::run(shared.clone(), opener, slot, index).await;
            shared.count(&shared.busy, -1);
        });
    }

    async fn wait_for_go(&mut self) {
        let shared = self.shared.clone();
        // A worker that finishes early keeps its own connections going until the others are there.
        while shared.phase.get() == Phase::Opening && !self.stopped {
            self.turn(None).await;
        }
        shared.phase.set(Phase::Running);
        shared.wake_all();
    }

    /// The load.
    async fn run(&mut self) {
        let shared = self.shared.clone();
        let began = shared.clock.now_us();
        let duration = micros(shared.plan.duration);
        let first = if shared.plan.is_open_workload() { began / BEAT * BEAT } else { began };
        let end = first + duration;
        shared.end_us.set(end);
        match &shared.plan.mode {
            Mode::Churn { rate, .. } => self.churn(*rate, end).await,
            Mode::Scenario(_) => virtual_users::run(self, end).await,
            mode => {
                let cut_at = match mode {
                    Mode::Storm { trigger: Trigger::Cut, .. } => Some(began + micros(CALM)),
                    _ => None,
                };
                self.watch(cut_at, end).await;
            }
        }
        let now = shared.clock.now_us();
        shared.end_us.set(end.min(now));
        shared.ask_due();
        let first = shared.first_us.get().unwrap_or(began).min(began);
        shared.tally.borrow_mut().sending = Duration::from_micros(now.min(end).saturating_sub(first));
    }

    /// Until the time is over, or nothing is left to happen.
    async fn watch(&mut self, mut cut_at: Option<u64>, end: u64) {
        let shared = self.shared.clone();
        loop {
            let now = shared.clock.now_us();
            if let Some(at) = cut_at.filter(|at| *at <= now) {
                cut_at = None;
                self.cut(at.max(now));
            }
            if now >= end || self.stopped || (cut_at.is_none() && self.nothing_left()) {
                return;
            }
            let wake = cut_at.unwrap_or(end).min(end);
            self.turn(Some(shared.clock.instant(wake))).await;
        }
    }

    fn nothing_left(&self) -> bool {
        let shared = &self.shared;
        if shared.busy.get() == 0 {
            return true;
        }
        let Mode::Storm { trigger, .. } = shared.plan.mode else { return false };
        let (lost, over) = (shared.storm.lost.get(), shared.storm.back.get() + shared.storm.gone.get());
        let enough = match trigger {
            Trigger::Cut => lost > 0,
            Trigger::Wait => lost > 0 && lost >= shared.tally.borrow().opened,
        };
        enough && over >= lost
    }

    fn cut(&self, now: u64) {
        self.shared.storm.began_us.set(Some(now));
        for slot in self.shared.slots.borrow().iter() {
            slot.cut.set(true);
            slot.wake();
        }
    }

    /// New connections at a rate, each for a while.
    async fn churn(&mut self, rate: f64, end: u64) {
        let shared = self.shared.clone();
        let began = shared.clock.now_us();
        let gap = 1e6 / rate.max(1e-6);
        let mut count = 0_u32;
        shared.tally.borrow_mut().asked = 0;
        loop {
            let due = began + (gap * f64::from(count)) as u64;
            let now = shared.clock.now_us();
            if now >= end || self.stopped {
                return;
            }
            if due <= now {
                // As many at once as allowed; beyond that the rate is not kept, which the report shows.
                shared.tally.borrow_mut().asked += 1;
                if shared.busy.get() < u64::from(shared.plan.connections) {
                    self.spawn(count);
                } else {
                    let why = "as many connections as allowed (-c) were open already";
                    shared.tally.borrow_mut().failed(
                        "connect",
                        "local error (too few connections allowed)",
                        why,
                        now as f64 / 1e6,
                    );
                }
                count += 1;
                continue;
            }
            self.turn(Some(shared.clock.instant(due.min(end)))).await;
        }
    }

    /// Waits for answers to what was sent.
    async fn settle(&mut self) {
        let shared = self.shared.clone();
        shared.phase.set(Phase::Settling);
        shared.wake_all();
        if matches!(shared.plan.mode, Mode::Churn { .. } | Mode::Scenario(_)) {
            return;
        }
        let begun = shared.clock.now_us();
        let patience = micros(shared.plan.settle);
        let broadcast = matches!(shared.plan.mode, Mode::Broadcast { .. });
        loop {
            let (sent, received) = (shared.tally.borrow().sent, shared.tally.borrow().received);
            let complete = if broadcast {
                received >= sent * shared.alive.get()
            } else {
                let owing = shared.slots.borrow().iter().any(|slot| slot.owes.get());
                !owing && (received > 0 || sent == 0)
            };
            // Copies of a broadcast come for as long as they come: what counts is the silence.
            let since = if broadcast { begun.max(shared.heard_us.get()) } else { begun };
            let limit = since.saturating_add(patience).min(begun.saturating_add(patience.saturating_mul(10)));
            if complete || self.stopped || shared.clock.now_us() >= limit {
                break;
            }
            self.turn(Some(shared.clock.instant(limit))).await;
        }
    }

    async fn close(&mut self) {
        let shared = self.shared.clone();
        shared.phase.set(Phase::Closing);
        shared.wake_all();
        let limit = Instant::now() + FAREWELL;
        while shared.busy.get() > 0 && Instant::now() < limit {
            self.turn(Some(limit)).await;
        }
        shared.tally.borrow_mut().interrupted = self.stopped;
    }

    /// Waits until something happened or this instant has come; meanwhile asks connections for what is due, and looks around
    /// now and then.
    pub(crate) async fn turn(&mut self, until: Option<Instant>) {
        let shared = self.shared.clone();
        if Instant::now() >= self.next_look {
            self.look();
            self.next_look = Instant::now() + LOOK;
        }
        let due = shared.next_due();
        let wake = until.map_or(self.next_look, |until| until.min(self.next_look));
        tokio::select! {
            biased;
            command = self.commands.recv() => self.obey(command),
            () = self.ticker.until(due.unwrap_or_default()), if due.is_some() => {
                shared.ask_due();
                // A schedule that is always late must not keep the connections from their work.
                tokio::task::yield_now().await;
            }
            () = shared.news.notified() => {}
            () = sleep_until(wake) => {}
        }
    }

    fn obey(&mut self, command: Option<Command>) {
        match command {
            // A run that was stopped while connections were opened does not begin.
            Some(Command::Go) if self.stopped => {}
            Some(Command::Go) => self.shared.phase.set(Phase::Running),
            // Nobody listens any more either.
            Some(Command::Stop) | None => self.stopped = true,
        }
    }

    fn look(&mut self) {
        self.shared.condemn();
        self.shared.ask_for_pings();
        if matches!(self.shared.plan.mode, Mode::Flood { .. }) {
            // A session whose queue was full is told by nobody that it is not any more.
            self.shared.wake_all();
        }
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS) {
            // A snapshot that nobody waits for is dropped.
            let _ = self.updates.try_send(Update::Snapshot(self.shared.snapshot()));
        }
    }

    async fn report(&self, update: Update) {
        // Fails when nobody listens, which the next command tells.
        let _ = self.updates.send(update).await;
    }

    pub(crate) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    pub(crate) fn opener(&self) -> &Arc<Opener> {
        &self.opener
    }

    pub(crate) fn scenario(&self) -> Option<&Arc<Scenario>> {
        self.scenario.as_ref()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
