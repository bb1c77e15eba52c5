//! One worker: a thread with all its connections, and the loop that leads them through the phases of a run.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};
use undrop_frame::LocalFault;
use undrop_scenario::Scenario;
use undrop_transport::ConnectStage;

use crate::connection;
use crate::connection::handshake::{Opener, SetupError};
use crate::connection::signals::Signals;
use crate::engine::connections::Connections;
use crate::engine::environment::Environment;
use crate::engine::message::{Command, Update, WorkerFailure};
use crate::engine::send_times::GRID_US;
use crate::engine::ticker::Ticker;
use crate::engine::virtual_users::VirtualUsers;
use crate::engine::{usage, virtual_users};
use crate::metrics::snapshot::RunPhase;
use crate::metrics::tally::Tally;
use crate::plan::{Mode, Plan, ScenarioSource, Trigger};

/// The time between two checks of all connections.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// The number of checks per snapshot.
const CHECKS_PER_SNAPSHOT: u32 = 5;
/// The delay between the moment when all connections are open and the cut of a storm.
const STORM_DELAY: Duration = Duration::from_secs(1);
/// The number of consecutive refusals that end the opening phase of mode `ramp`.
const MAX_REFUSALS: u64 = 10;
/// The maximum duration of the closing phase.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Does a worker's part of a run, and returns its last update. Must run within a [`tokio::task::LocalSet`].
pub(crate) async fn work(
    plan: Plan,
    commands: mpsc::Receiver<Command>,
    updates: &mpsc::Sender<Update>,
) -> Update {
    match run(plan, commands, updates).await {
        Ok(tally) => Update::Done(Box::new(tally)),
        Err(error) => Update::Failed(WorkerFailure::Setup(error.to_string())),
    }
}

async fn run(
    plan: Plan,
    commands: mpsc::Receiver<Command>,
    updates: &mpsc::Sender<Update>,
) -> Result<Tally, SetupError> {
    let scenario = match &plan.mode {
        Mode::Scenario(source) => Some((Arc::new(virtual_users::load(source)?), (**source).clone())),
        _ => None,
    };
    let opener = Arc::new(Opener::new(&plan.target).await?);
    let env = Rc::new(Environment::new(plan));
    env.metrics.prepare();
    let memory = usage::memory();
    let ticker = Ticker::new(env.clock).map_err(SetupError::Timer)?;
    let mut worker = Worker {
        env: env.clone(),
        connections: Connections::default(),
        opener,
        scenario,
        commands,
        updates,
        ticker,
        checks: 0,
        next_check: Instant::now() + CHECK_INTERVAL,
        is_stopped: false,
    };
    worker.open_all().await;
    worker.report(Update::Opened).await;
    worker.wait_for_go().await;
    let (cpu, sent) = (usage::cpu(), env.metrics.tally().sent);
    worker.run_load().await;
    {
        let mut tally = env.metrics.tally();
        tally.cpu = usage::cpu().saturating_sub(cpu);
        tally.cpu_messages = tally.sent - sent;
        tally.memory = usage::memory().saturating_sub(memory);
    }
    worker.settle().await;
    worker.close_all().await;
    Ok(env.metrics.take())
}

struct Worker<'a> {
    env: Rc<Environment>,
    connections: Connections,
    opener: Arc<Opener>,
    scenario: Option<(Arc<Scenario>, ScenarioSource)>,
    commands: mpsc::Receiver<Command>,
    updates: &'a mpsc::Sender<Update>,
    ticker: Ticker,
    /// The number of checks so far.
    checks: u32,
    next_check: Instant,
    is_stopped: bool,
}

impl Worker<'_> {
    /// Opens all connections, as fast as the plan and the limit of concurrent handshakes allow.
    async fn open_all(&mut self) {
        let env = self.env.clone();
        let plan = &env.plan;
        if matches!(plan.mode, Mode::Churn { .. } | Mode::Scenario(_)) {
            return;
        }
        let started = Instant::now();
        let mut refusals = Refusals::default();
        let mut index = 0;
        while index < plan.connections && !self.is_stopped {
            let at = started + opening_time(plan, index);
            // Counted from when they are spawned, since a task that has not run yet will start a handshake too.
            let is_full = || {
                u64::from(index).saturating_sub(env.counters.attempted.get()) >= u64::from(plan.concurrency)
            };
            while !self.is_stopped && (Instant::now() < at || is_full()) {
                self.wait(Some(at).filter(|_| !is_full())).await;
            }
            if matches!(plan.mode, Mode::Ramp { .. }) && refusals.update(&mut env.metrics.tally()) {
                break;
            }
            if !self.is_stopped {
                self.spawn(index);
                index += 1;
            }
        }
        let spawned = u64::from(index);
        while !self.is_stopped && env.counters.attempted.get() < spawned {
            self.wait(None).await;
        }
        let mut tally = env.metrics.tally();
        tally.opening = started.elapsed();
        if let Mode::Ramp { .. } = plan.mode {
            tally.asked = spawned;
            if tally.plateau.is_none() && tally.failed_count() > 0 {
                tally.plateau = Some(tally.opened);
            }
        }
    }

    fn spawn(&self, index: u32) {
        let signals = Rc::new(Signals::default());
        let (env, opener) = (self.env.clone(), self.opener.clone());
        env.counters.change(&env.counters.active, 1);
        if matches!(env.plan.mode, Mode::Churn { .. }) {
            self.connections.add_short_lived(signals.clone(), env.counters.active.get());
        } else {
            self.connections.add(signals.clone());
        }
        spawn_local(async move {
            connection::run(env.clone(), opener, signals, index).await;
            env.counters.change(&env.counters.active, -1);
        });
    }

    /// Waits until all workers have attempted to open their connections; meanwhile the own connections already send.
    async fn wait_for_go(&mut self) {
        while self.env.phase.get() == RunPhase::Opening && !self.is_stopped {
            self.wait(None).await;
        }
        self.set_phase(RunPhase::Running);
    }

    async fn run_load(&mut self) {
        let env = self.env.clone();
        let started = env.clock.now_us();
        let first = if env.plan.is_open_workload() { started / GRID_US * GRID_US } else { started };
        let end = first + micros(env.plan.duration);
        env.schedule.end_at(end);
        match &env.plan.mode {
            Mode::Churn { rate, .. } => self.churn(*rate, end).await,
            Mode::Scenario(_) => self.run_scenario(end).await,
            Mode::Storm { trigger: Trigger::Cut, .. } => {
                self.run_until(end, Some(started + micros(STORM_DELAY))).await;
            }
            _ => self.run_until(end, None).await,
        }
        let now = env.clock.now_us();
        env.schedule.end_at(end.min(now));
        self.advance_schedule();
        let first = env.schedule.first_us().unwrap_or(started).min(started);
        env.metrics.tally().sending = Duration::from_micros(now.min(end).saturating_sub(first));
    }

    /// Waits until `end`, or until nothing more can happen. Cuts all links at `cut_at`.
    async fn run_until(&mut self, end: u64, mut cut_at: Option<u64>) {
        let env = self.env.clone();
        loop {
            let now = env.clock.now_us();
            if cut_at.is_some_and(|at| at <= now) {
                cut_at = None;
                env.storm.started_us.set(Some(now));
                self.connections.cut_all();
            }
            if now >= end || self.is_stopped || (cut_at.is_none() && self.is_finished()) {
                return;
            }
            let wake = cut_at.unwrap_or(end).min(end);
            self.wait(Some(env.clock.instant(wake))).await;
        }
    }

    /// Returns whether nothing more can happen: all connections have ended, or the storm is over.
    fn is_finished(&self) -> bool {
        let env = &self.env;
        if env.counters.active.get() == 0 {
            return true;
        }
        let Mode::Storm { trigger, .. } = env.plan.mode else { return false };
        let lost = env.storm.lost.get();
        let has_started = match trigger {
            Trigger::Cut => lost > 0,
            Trigger::Wait => lost > 0 && lost >= env.metrics.tally().opened,
        };
        has_started && env.storm.is_settled()
    }

    /// Opens new connections at a rate until `end`.
    async fn churn(&mut self, rate: f64, end: u64) {
        let env = self.env.clone();
        let started = env.clock.now_us();
        let gap = 1e6 / rate.max(1e-6);
        let mut count = 0_u32;
        env.metrics.tally().asked = 0;
        loop {
            let due = started + (gap * f64::from(count)) as u64;
            let now = env.clock.now_us();
            if now >= end || self.is_stopped {
                return;
            }
            if due > now {
                self.wait(Some(env.clock.instant(due.min(end)))).await;
                continue;
            }
            env.metrics.tally().asked += 1;
            // Beyond the maximum number of open connections the rate is not kept, which the report shows.
            if env.counters.active.get() < u64::from(env.plan.connections) {
                self.spawn(count);
            } else {
                env.metrics.tally().failed(
                    ConnectStage::Connect,
                    &LocalFault::ConnectionLimit.into(),
                    "the maximum number of connections (-c) was open already",
                    now as f64 / 1e6,
                );
            }
            count += 1;
        }
    }

    /// Starts virtual users at the times of the scenario, and waits until all have left. Users that are still active at `end` are
    /// stopped.
    async fn run_scenario(&mut self, end: u64) {
        let Some((scenario, source)) = self.scenario.clone() else { return };
        let env = self.env.clone();
        let users = VirtualUsers::new(env.clone(), self.opener.clone(), scenario.clone());
        let workers = u64::from(env.plan.workers.max(1));
        env.metrics.tally().asked = 0;
        let started = env.clock.now_us();
        let is_own = |user: u64| user % workers == u64::from(source.part);
        for arrival in scenario.arrivals(env.plan.seed).filter(|arrival| is_own(arrival.user)) {
            let at = started + micros(arrival.at);
            while env.clock.now_us() < at.min(end) && !self.is_stopped {
                self.wait(Some(env.clock.instant(at.min(end)))).await;
            }
            if self.is_stopped || env.clock.now_us() >= end {
                break;
            }
            users.arrive(arrival, workers);
        }
        while env.counters.active.get() > 0 && !self.is_stopped && env.clock.now_us() < end {
            self.wait(Some(env.clock.instant(end))).await;
        }
    }

    /// Waits for replies to the messages that were sent.
    async fn settle(&mut self) {
        let env = self.env.clone();
        self.set_phase(RunPhase::Settling);
        if matches!(env.plan.mode, Mode::Churn { .. } | Mode::Scenario(_)) {
            return;
        }
        let started = env.clock.now_us();
        let timeout = micros(env.plan.settle);
        let is_broadcast = matches!(env.plan.mode, Mode::Broadcast { .. });
        loop {
            let (sent, received) = {
                let tally = env.metrics.tally();
                (tally.sent, tally.received)
            };
            let is_complete = if is_broadcast {
                received >= sent * env.counters.alive.get()
            } else {
                !self.connections.any_awaits_reply() && (received > 0 || sent == 0)
            };
            // A broadcast may take long to be distributed, so its timeout starts with the last receipt.
            let since = if is_broadcast { started.max(env.last_received_us.get()) } else { started };
            let limit = since.saturating_add(timeout).min(started.saturating_add(timeout.saturating_mul(10)));
            if is_complete || self.is_stopped || env.clock.now_us() >= limit {
                break;
            }
            self.wait(Some(env.clock.instant(limit))).await;
        }
    }

    async fn close_all(&mut self) {
        let env = self.env.clone();
        self.set_phase(RunPhase::Closing);
        let limit = Instant::now() + CLOSE_TIMEOUT;
        while env.counters.active.get() > 0 && Instant::now() < limit {
            self.wait(Some(limit)).await;
        }
        env.metrics.tally().interrupted = self.is_stopped;
    }

    fn set_phase(&self, phase: RunPhase) {
        self.env.phase.set(phase);
        self.connections.wake_all();
    }

    /// Waits for an event, at most until `until`. Meanwhile advances the schedule, and checks all connections at intervals.
    async fn wait(&mut self, until: Option<Instant>) {
        let env = self.env.clone();
        if Instant::now() >= self.next_check {
            self.check();
            self.next_check = Instant::now() + CHECK_INTERVAL;
        }
        let due = env.schedule.next_due_us();
        let wake = until.map_or(self.next_check, |until| until.min(self.next_check));
        tokio::select! {
            biased;
            command = self.commands.recv() => self.on_command(command),
            () = self.ticker.until(due.unwrap_or_default()), if due.is_some() => {
                self.advance_schedule();
                // A schedule that is always late must not starve the connections.
                tokio::task::yield_now().await;
            }
            () = env.counters.changed() => {}
            () = sleep_until(wake) => {}
        }
    }

    fn advance_schedule(&self) {
        let now = self.env.clock.now_us();
        let intended = self.env.schedule.advance(now);
        if intended > 0 {
            let mut tally = self.env.metrics.tally();
            tally.intended += intended;
            tally.timeline.at(now as f64 / 1e6).intended += intended;
        }
    }

    fn on_command(&mut self, command: Option<Command>) {
        match command {
            // A run that was stopped while connections were opened does not start.
            Some(Command::Go) if self.is_stopped => {}
            Some(Command::Go) => self.env.phase.set(RunPhase::Running),
            // The channel is closed when the coordinator is gone.
            Some(Command::Stop) | None => self.is_stopped = true,
        }
    }

    fn check(&mut self) {
        let env = &self.env;
        let now = env.clock.now_us();
        self.connections.check_liveness(now, micros(env.plan.dead_after));
        if let Some(interval) = env.plan.ping {
            self.connections.request_pings(now, interval);
        }
        if matches!(env.plan.mode, Mode::Flood { .. }) {
            // Nothing wakes a session when its send queue drains, so wake all of them here.
            self.connections.wake_all();
        }
        self.checks += 1;
        if self.checks.is_multiple_of(CHECKS_PER_SNAPSHOT) {
            let mut snapshot = env.metrics.snapshot(env.clock.now_s(), env.phase.get());
            snapshot.alive = env.counters.alive.get();
            snapshot.opening = env.counters.opening.get();
            // A snapshot is dropped when the coordinator is behind.
            let _ = self.updates.try_send(Update::Snapshot(snapshot));
        }
    }

    async fn report(&self, update: Update) {
        // If the coordinator is gone, the closed command channel stops the run.
        let _ = self.updates.send(update).await;
    }
}

/// Decides when mode `ramp` stops opening connections.
#[derive(Default)]
struct Refusals {
    /// The numbers of failed and of opened connections at the last success.
    failed_before: u64,
    opened: u64,
}

impl Refusals {
    /// Updates the plateau of the tally. Returns whether the target has refused enough consecutive connections.
    fn update(&mut self, tally: &mut Tally) -> bool {
        let failed = tally.failed_count();
        if failed > 0 && tally.plateau.is_none() {
            tally.plateau = Some(tally.opened);
        }
        if tally.opened > self.opened {
            (self.failed_before, self.opened) = (failed, tally.opened);
        }
        failed - self.failed_before >= MAX_REFUSALS
    }
}

/// Returns the time between the start of the opening phase and the handshake of a connection.
fn opening_time(plan: &Plan, index: u32) -> Duration {
    match plan.mode {
        Mode::Ramp { rate } if rate > 0.0 => Duration::from_secs_f64(f64::from(index) / rate),
        _ => plan.ramp_up.mul_f64(f64::from(index) / f64::from(plan.connections.max(2) - 1)),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
