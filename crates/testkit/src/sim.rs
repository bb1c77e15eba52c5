//! The network simulator: the two session machines of the product, real frame bytes between them, the fault injector of
//! the product, and a clock that jumps to the next deadline.
//!
//! A [`Schedule`] is drawn from a seed: the messages of both applications and how slowly they consume them, the faults of
//! each link, and the times at which processes pause or sessions move to another owner. After the troubled part the
//! network heals. Then every message must have arrived once and in order, every receipt must be resolved, and both closes
//! must have arrived. [`run`] is deterministic: the same seed and rules give the same run, to the byte.

mod applications;
mod client_end;
mod connection;
mod gateway_end;
mod schedule;
mod verdict;

use std::time::{Duration, Instant};

use fastrand::Rng;
use undrop_session::mutate::BrokenRule;
use undrop_session::{Client, ClientEvent, SessionKey};

use applications::{Backend, Page};
use connection::Connection;
use gateway_end::Owner;
pub use schedule::{Schedule, ScheduleKind};
pub use verdict::{Failure, Report};

/// The number of steps after which a run counts as endless.
const MAX_STEPS: u64 = 400_000;
/// The virtual time within which everything must arrive after the network has healed.
const HEALED: Duration = Duration::from_secs(400);

/// Options of a run, in particular the faults that it makes on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Harness {
    /// An owner whose session moved to another one continues to read its link and to feed the backend.
    pub no_fence: bool,
    /// The rule that both machines break.
    pub broken: Option<BrokenRule>,
    /// Keep a log of the run in the failure.
    pub trace: bool,
}

/// Runs the schedule of `seed` with sound rules.
///
/// # Errors
/// A message was lost, doubled or reordered; the error has the seed.
pub fn run(seed: u64) -> Result<Report, Failure> {
    run_with(seed, Harness::default())
}

/// Runs the schedule of `seed` with options.
///
/// # Errors
/// See [`run`].
pub fn run_with(seed: u64, harness: Harness) -> Result<Report, Failure> {
    run_schedule(Schedule::draw(seed), harness)
}

/// Runs a schedule that was made or changed by hand.
///
/// # Errors
/// See [`run`].
pub fn run_schedule(schedule: Schedule, harness: Harness) -> Result<Report, Failure> {
    let seed = schedule.seed;
    let mut world = World::new(schedule, harness);
    let result = world.run();
    let World { report, trace, .. } = world;
    match result {
        Ok(()) => Ok(report),
        Err(what) => Err(Failure { seed, what, trace }),
    }
}

pub(crate) struct World {
    schedule: Schedule,
    harness: Harness,
    rng: Rng,
    start: Instant,
    now: Instant,
    healed: bool,
    client: Client,
    /// The time until which the client's process is paused.
    client_paused: Instant,
    gateway_paused: Instant,
    page: Page,
    backend: Backend,
    connections: Vec<Connection>,
    /// The newest owns the session; older ones are fenced, or should be.
    owners: Vec<Owner>,
    sessions: u64,
    report: Report,
    trace: Vec<String>,
}

macro_rules! trace {
    ($world:expr, $($arg:tt)*) => {
        if $world.harness.trace {
            let at = ($world.now - $world.start).as_secs_f64();
            $world.trace.push(format!("{at:9.4} {}", format_args!($($arg)*)));
        }
    };
}
pub(crate) use trace;

impl World {
    #[allow(clippy::disallowed_methods)]
    fn new(schedule: Schedule, harness: Harness) -> Self {
        // The only use of the clock: the start of virtual time.
        let start = Instant::now();
        let mut rng = Rng::with_seed(schedule.seed ^ 0x5eed);
        let mut client = Client::new(start, schedule.client.clone(), "0123456789abcdef".into(), rng.u64(..));
        if let Some(rule) = harness.broken {
            client.break_rule(rule);
        }
        Self {
            page: Page::new(start),
            backend: Backend::new(start),
            harness,
            rng,
            start,
            now: start,
            healed: false,
            client,
            client_paused: start,
            gateway_paused: start,
            connections: Vec::new(),
            owners: Vec::new(),
            sessions: 0,
            report: Report::default(),
            trace: Vec::new(),
            schedule,
        }
    }

    fn run(&mut self) -> Result<(), String> {
        let mut trouble = self.start + self.draw(self.schedule.trouble_every);
        loop {
            self.report.steps += 1;
            if self.report.steps > MAX_STEPS {
                return Err(format!("still running after {MAX_STEPS} steps"));
            }
            if !self.healed && self.now >= self.start + self.schedule.troubled {
                self.heal();
            }
            if !self.healed && self.now >= trouble {
                self.trouble()?;
                trouble = self.now + self.draw(self.schedule.trouble_every);
            }
            self.turn()?;
            if self.healed && self.is_complete() {
                self.report.virtual_time = self.now - self.start;
                return self.check_end_state();
            }
            if self.healed && self.now > self.start + self.schedule.troubled + HEALED {
                return Err(self.describe_missing());
            }
            let mut next = self.next_deadline();
            if !self.healed {
                next = next.min(trouble).min(self.start + self.schedule.troubled);
            }
            self.now = self.now.max(next);
        }
    }

    /// Performs everything that can happen at this instant.
    fn turn(&mut self) -> Result<(), String> {
        if self.now >= self.client_paused {
            self.client_turn()?;
        }
        if self.now >= self.gateway_paused {
            self.gateway_turn()?;
        }
        self.connections.retain(|connection| !connection.is_over());
        Ok(())
    }

    fn next_deadline(&self) -> Instant {
        let far = self.now + Duration::from_secs(3600);
        let mut next = far;
        let client = [self.client.poll_timeout(), Some(self.page.next)].into_iter().flatten().min();
        next = next.min(client.unwrap_or(far).max(self.client_paused));
        let mut gateway = self.backend.next;
        for owner in &self.owners {
            if let Some(at) = owner.gateway.poll_timeout() {
                gateway = gateway.min(at);
            }
        }
        next = next.min(gateway.max(self.gateway_paused));
        for connection in &self.connections {
            let Some(at) = connection.next_deadline(self.now, self.client_paused, self.gateway_paused) else {
                continue;
            };
            next = next.min(at);
        }
        // Remaining work, for example because of a full pipe, is retried a moment later.
        next.max(self.now + Duration::from_micros(50))
    }

    fn draw(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(0.1 + 1.8 * self.rng.f64())
    }

    /// Performs one random disturbance.
    fn trouble(&mut self) -> Result<(), String> {
        let dice = self.rng.f64();
        if dice < 0.40 {
            self.cut_something();
        } else if dice < 0.60 {
            trace!(self, "client: wake");
            let now = self.now;
            if now >= self.client_paused {
                self.client.wake(now);
            }
        } else if dice < 0.70 {
            let pause = self.draw(Duration::from_secs(4));
            trace!(self, "client pauses {pause:?}");
            self.client_paused = self.now + pause;
        } else if dice < 0.78 {
            let pause = self.draw(Duration::from_secs(4));
            trace!(self, "gateway pauses {pause:?}");
            self.gateway_paused = self.now + pause;
        } else if dice < 0.83 {
            // All processes sleep at once: a suspended machine.
            let jump = self.draw(Duration::from_secs(30));
            trace!(self, "clock jumps {jump:?}");
            self.now += jump;
        } else if dice < 0.96 {
            self.drain();
        } else {
            self.offline_or_back();
        }
        Ok(())
    }

    fn offline_or_back(&mut self) {
        if self.now >= self.client_paused {
            trace!(self, "client: offline");
            self.client.offline(self.now);
        }
    }

    /// Ends the troubled part: new links have no faults, and existing connections are reset.
    fn heal(&mut self) {
        trace!(self, "the network heals");
        self.healed = true;
        self.page.hurry(self.now);
        self.backend.hurry(self.now);
        self.client_paused = self.client_paused.min(self.now);
        self.gateway_paused = self.gateway_paused.min(self.now);
        for connection in &mut self.connections {
            connection.reset(self.now);
        }
        self.client.wake(self.now);
    }

    pub(crate) fn key(&self) -> SessionKey {
        SessionKey::new([self.sessions as u8; 32])
    }

    fn drain_client_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.on_client_event(event);
        }
    }

    fn on_client_event(&mut self, event: ClientEvent) {
        trace!(self, "client: {event:?}");
        client_end::on_event(self, event);
    }
}
