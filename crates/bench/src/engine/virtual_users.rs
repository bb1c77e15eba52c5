//! Virtual users: the scenario's machines over real connections.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};
use undrop_frame::handshake::Headers;
use undrop_scenario::{Arrival, Connect, Inputs, Run, Scenario, Step};
use undrop_transport::{Ending, Received, WebSocket};

use crate::connection::handshake::{Ask, Opener, SetupError, parse};
use crate::engine::shared::Shared;
use crate::engine::worker::Worker;
use crate::metrics::tally::{EndingRecord, Phase};
use crate::plan::ScenarioSource;
use crate::scenario_files::load_scenario;

/// Different reasons of failure that are told apart.
const REASONS: usize = 64;

/// Reads a scenario file for a worker.
pub(crate) fn load(source: &ScenarioSource) -> Result<Scenario, SetupError> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let inputs = Inputs { target: source.target.clone(), variables: source.variables.clone(), environment };
    load_scenario(Path::new(&source.path), &inputs).map_err(|error| SetupError::Scenario(error.to_string()))
}

/// Lets users arrive as the scenario says, and waits until all have left. At `end` those that are still there are stopped.
pub(crate) async fn run(worker: &mut Worker<'_>, end: u64) {
    let Some(scenario) = worker.scenario().cloned() else { return };
    let shared = worker.shared().clone();
    let opener = worker.opener().clone();
    let part = match &shared.plan.mode {
        crate::plan::Mode::Scenario(source) => u64::from(source.part),
        _ => 0,
    };
    let workers = u64::from(shared.plan.workers.max(1));
    shared.tally.borrow_mut().asked = 0;
    let began = shared.clock.now_us();
    for arrival in scenario.arrivals(shared.plan.seed).filter(|arrival| arrival.user % workers == part) {
        let at = began + u64::try_from(arrival.at.as_micros()).unwrap_or(u64::MAX);
        while shared.clock.now_us() < at.min(end) && !worker.is_stopped() {
            worker.turn(Some(shared.clock.instant(at.min(end)))).await;
        }
        if worker.is_stopped() || shared.clock.now_us() >= end {
            break;
        }
        arrive(&shared, &opener, &scenario, arrival, workers);
    }
    while shared.busy.get() > 0 && !worker.is_stopped() && shared.clock.now_us() < end {
        worker.turn(Some(shared.clock.instant(end))).await;
    }
}

fn arrive(
    shared: &Rc<Shared>,
    opener: &Arc<Opener>,
    scenario: &Arc<Scenario>,
    arrival: Arrival,
    workers: u64,
) {
    let most = scenario.phases.get(arrival.phase).and_then(|phase| phase.max_users);
    let most =
        most.map_or(u64::from(shared.plan.connections), |most| u64::from(most.get()).div_ceil(workers));
    {
        let mut tally = shared.tally.borrow_mut();
        tally.users.arrived += 1;
        if shared.busy.get() >= most {
            tally.users.skipped += 1;
            return;
        }
    }
    shared.count(&shared.busy, 1);
    let user = User {
        shared: shared.clone(),
        opener: opener.clone(),
        wire: None,
        opened_us: 0,
        number: u32::try_from(arrival.user).unwrap_or(u32::MAX),
    };
    let (shared, scenario) = (shared.clone(), scenario.clone());
    spawn_local(async move {
        user.live(&scenario, arrival).await;
        shared.count(&shared.busy, -1);
    });
}

struct User {
    shared: Rc<Shared>,
    opener: Arc<Opener>,
    wire: Option<Box<WebSocket>>,
    opened_us: u64,
    number: u32,
}

impl User {
    async fn live(mut self, scenario: &Arc<Scenario>, arrival: Arrival) {
        let mut rng = scenario.rng(self.shared.plan.seed, arrival.user);
        let mut run = Run::new(scenario, arrival.flow, arrival.user, &mut rng);
        let mut failed = None;
        loop {
            if self.shared.phase.get() == Phase::Closing {
                failed = Some("the run was over".to_owned());
                break;
            }
            let step = run.next(now(), &mut rng);
            // An answer that came while the user was thinking is matched here.
            self.answers(&mut run);
            match step {
                Step::Connect(connect) => self.connect(&mut run, &connect).await,
                Step::Send(message) => self.send(&mut run, &message).await,
                Step::Think(until) | Step::Expect(until) => self.listen(&mut run, until).await,
                // Connections are opened and closed within one step here, so there is nothing to wait for but messages.
                Step::Waiting => self.listen(&mut run, now() + Duration::from_secs(1)).await,
                Step::Log(line) => {
                    tracing::info!(target: "undrop_bench::scenario", user = arrival.user, "{line}")
                }
                Step::Close(code, reason) => {
                    if let Some(mut wire) = self.wire.take() {
                        let ending = wire.close(code, &reason).await;
                        self.left();
                        run.closed(now(), &ending);
                    } else {
                        run.closed(now(), &Ending::Fin);
                    }
                }
                Step::Done => break,
                Step::Failed(failure) => {
                    let place = scenario.place(failure.line);
                    failed = Some(format!("{}: {place}: {}", failure.kind.as_str(), failure.message));
                    break;
                }
            }
        }
        if let Some(mut wire) = self.wire.take() {
            wire.close(undrop_frame::CloseCode::NORMAL, "").await;
            self.left();
        }
        let users = &mut self.shared.tally.borrow_mut().users;
        match failed {
            None => users.completed += 1,
            Some(reason) => {
                let reason: String = reason.chars().take(300).collect();
                let known = users.failed.contains_key(&reason) || users.failed.len() < REASONS;
                *users.failed.entry(if known { reason } else { "others".to_owned() }).or_default() += 1;
            }
        }
    }

    async fn connect(&mut self, run: &mut Run, connect: &Connect) {
        let shared = self.shared.clone();
        {
            let mut tally = shared.tally.borrow_mut();
            tally.asked += 1;
            tally.attempts += 1;
            tally.timeline.at(shared.clock.now_s()).attempts += 1;
        }
        let url = match parse(&connect.target) {
            Ok(url) => url,
            Err(error) => {
                shared.tally.borrow_mut().failed(
                    "connect",
                    "local error (URL)",
                    &error.to_string(),
                    shared.clock.now_s(),
                );
                return run.refused(now(), &error.to_string());
            }
        };
        let mut headers = Headers::new();
        let all = shared.plan.target.headers.iter().chain(&connect.headers);
        all.for_each(|(name, value)| headers.append(name, value.as_bytes()));
        let protocols =
            if connect.protocols.is_empty() { &shared.plan.target.protocols } else { &connect.protocols };
        let ask = Ask { url: &url, headers: &headers, protocols };
        shared.count(&shared.opening, 1);
        let opened = self.opener.open(self.number, ask).await;
        shared.count(&shared.opening, -1);
        match opened {
            Ok((socket, phases)) => {
                self.opened_us = shared.clock.now_us();
                self.wire = Some(Box::new(socket));
                {
                    let mut tally = shared.tally.borrow_mut();
                    tally.opened += 1;
                    tally.timeline.at(shared.clock.now_s()).opened += 1;
                    tally.note_handshake(phases.connect, phases.tls, phases.upgrade);
                }
                shared.count(&shared.alive, 1);
                run.connected(now());
            }
            Err(error) => {
                let (stage, ending) = (error.stage, error.ending.to_string());
                shared.tally.borrow_mut().failed(stage.as_str(), &ending, &error.why, shared.clock.now_s());
                run.refused(now(), &error.why);
            }
        }
    }

    async fn send(&mut self, run: &mut Run, message: &undrop_frame::Message) {
        let Some(wire) = &mut self.wire else { return };
        if wire.send(message).await.is_ok() {
            run.sent(now());
            let mut tally = self.shared.tally.borrow_mut();
            tally.intended += 1;
            tally.sent += 1;
            tally.bytes_sent += message.len() as u64;
            let at = self.shared.clock.now_s();
            tally.timeline.at(at).sent += 1;
            tally.timeline.at(at).intended += 1;
        }
        // A connection that takes nothing any more says why when it is read next.
    }

    /// Reads until this time, or until something came.
    async fn listen(&mut self, run: &mut Run, until: std::time::Instant) {
        let until = Instant::from_std(until);
        let shared = self.shared.clone();
        // A run that is over ends the longest thinking.
        let patience = until.min(Instant::now() + Duration::from_secs(1));
        let Some(wire) = &mut self.wire else { return sleep_until(patience).await };
        let received = tokio::select! {
            received = wire.recv() => received,
            () = sleep_until(patience) => return,
        };
        match received {
            Ok(Received::Message(message)) => {
                {
                    let mut tally = shared.tally.borrow_mut();
                    tally.received += 1;
                    tally.bytes_received += message.len() as u64;
                    tally.timeline.at(shared.clock.now_s()).received += 1;
                }
                run.received(now(), &message);
                self.answers(run);
            }
            Ok(Received::Ping(_) | Received::Pong(_)) => {}
            Err(ending) => {
                self.wire = None;
                let now_us = shared.clock.now_us();
                shared.tally.borrow_mut().ended(EndingRecord {
                    ending: ending.to_string(),
                    browser: ending.browser_view().get(),
                    reason: ending.close().map(|(_, reason)| reason.to_owned()).unwrap_or_default(),
                    age_s: now_us.saturating_sub(self.opened_us) as f64 / 1e6,
                    at_s: now_us as f64 / 1e6,
                });
                shared.count(&shared.alive, -1);
                run.closed(now(), &ending);
            }
        }
    }

    /// Notes expectations that were met.
    fn answers(&self, run: &mut Run) {
        while let Some(answer) = run.take_answer() {
            if let Some(latency) = answer.latency {
                self.shared.tally.borrow_mut().uncorrected.record(latency);
                self.shared.recent.borrow_mut().record(latency);
            }
            if let Some(mismatch) = answer.mismatch {
                tracing::warn!(user = self.number, line = answer.line, "{mismatch}");
            }
        }
    }

    /// A connection was closed on purpose.
    fn left(&self) {
        let mut tally = self.shared.tally.borrow_mut();
        tally.alive_at_end += 1;
        tally.timeline.at(self.shared.clock.now_s()).closed += 1;
        drop(tally);
        self.shared.count(&self.shared.alive, -1);
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
