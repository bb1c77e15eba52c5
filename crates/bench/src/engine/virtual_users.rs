//! Virtual users: the state machines of a scenario over real connections.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};
use undrop_frame::handshake::Headers;
use undrop_frame::{Ending, LocalFault, Message};
use undrop_scenario::{Arrival, ConnectRequest, Inputs, Scenario, UserAction, UserRun};
use undrop_transport::{ConnectStage, Received, WebSocket};

use crate::connection::handshake::{Opener, SetupError, UpgradeRequest, parse};
use crate::engine::environment::Environment;
use crate::metrics::snapshot::RunPhase;
use crate::metrics::tally::EndingRecord;
use crate::plan::ScenarioSource;
use crate::scenario_files::load_scenario;

/// The maximum number of different failure reasons that are counted separately.
const MAX_REASONS: usize = 64;
/// The maximum time that a user waits without checking whether the run is over.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Reads the scenario file of a plan.
pub(crate) fn load(source: &ScenarioSource) -> Result<Scenario, SetupError> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let inputs = Inputs { target: source.target.clone(), variables: source.variables.clone(), environment };
    Ok(load_scenario(Path::new(&source.path), &inputs)?)
}

/// The virtual users of one worker.
pub(crate) struct VirtualUsers {
    env: Rc<Environment>,
    opener: Arc<Opener>,
    scenario: Arc<Scenario>,
}

impl VirtualUsers {
    pub(crate) fn new(env: Rc<Environment>, opener: Arc<Opener>, scenario: Arc<Scenario>) -> VirtualUsers {
        VirtualUsers { env, opener, scenario }
    }

    /// Starts a user, unless its phase allows no more of them. The limit is divided among the workers.
    pub(crate) fn arrive(&self, arrival: Arrival, workers: u64) {
        let env = &self.env;
        let limit = self.scenario.phases.get(arrival.phase).and_then(|phase| phase.max_users);
        let limit =
            limit.map_or(u64::from(env.plan.connections), |limit| u64::from(limit.get()).div_ceil(workers));
        {
            let mut tally = env.metrics.tally();
            tally.users.arrived += 1;
            if env.counters.active.get() >= limit {
                tally.users.skipped += 1;
                return;
            }
        }
        env.counters.change(&env.counters.active, 1);
        let user = VirtualUser {
            env: env.clone(),
            opener: self.opener.clone(),
            socket: None,
            opened_us: 0,
            number: u32::try_from(arrival.user).unwrap_or(u32::MAX),
        };
        let (env, scenario) = (env.clone(), self.scenario.clone());
        spawn_local(async move {
            user.run(&scenario, arrival).await;
            env.counters.change(&env.counters.active, -1);
        });
    }
}

struct VirtualUser {
    env: Rc<Environment>,
    opener: Arc<Opener>,
    socket: Option<Box<WebSocket>>,
    opened_us: u64,
    number: u32,
}

impl VirtualUser {
    async fn run(mut self, scenario: &Arc<Scenario>, arrival: Arrival) {
        let failure = self.run_flow(scenario, arrival).await;
        if let Some(mut socket) = self.socket.take() {
            socket.close(undrop_frame::CloseCode::NORMAL, "").await;
            self.record_close();
        }
        let users = &mut self.env.metrics.tally().users;
        match failure {
            None => users.completed += 1,
            Some(reason) => {
                let reason: String = reason.chars().take(300).collect();
                let has_room = users.failed.contains_key(&reason) || users.failed.len() < MAX_REASONS;
                *users.failed.entry(if has_room { reason } else { "others".to_owned() }).or_default() += 1;
            }
        }
    }

    /// Runs the flow of the user to its end. Returns why it failed, if it did.
    async fn run_flow(&mut self, scenario: &Arc<Scenario>, arrival: Arrival) -> Option<String> {
        let mut rng = scenario.rng(self.env.plan.seed, arrival.user);
        let mut run = UserRun::new(scenario, arrival.flow, arrival.user, &mut rng);
        loop {
            if self.env.phase.get() == RunPhase::Closing {
                return Some("the run was over".to_owned());
            }
            let action = run.next(now(), &mut rng);
            // A reply that arrived while the user was thinking is matched here.
            self.record_replies(&mut run);
            match action {
                UserAction::Connect(connect) => self.connect(&mut run, &connect).await,
                UserAction::Send(message) => self.send(&mut run, &message).await,
                UserAction::Think(until) | UserAction::Expect(until) => self.receive(&mut run, until).await,
                // Connections are opened and closed within one action here, so only messages can be awaited.
                UserAction::Waiting => self.receive(&mut run, now() + MAX_WAIT).await,
                UserAction::Log(line) => {
                    tracing::info!(target: "undrop_bench::scenario", user = arrival.user, "{line}")
                }
                UserAction::Close(code, reason) => {
                    let mut ending = Ending::Fin;
                    if let Some(mut socket) = self.socket.take() {
                        ending = socket.close(code, &reason).await;
                        self.record_close();
                    }
                    run.closed(now(), &ending);
                }
                UserAction::Done => return None,
                UserAction::Failed(failure) => {
                    let place = scenario.place(failure.line);
                    return Some(format!("{}: {place}: {}", failure.kind.as_str(), failure.message));
                }
            }
        }
    }

    async fn connect(&mut self, run: &mut UserRun, connect: &ConnectRequest) {
        let env = self.env.clone();
        {
            let mut tally = env.metrics.tally();
            tally.asked += 1;
            tally.attempts += 1;
            tally.timeline.at(env.clock.now_s()).attempts += 1;
        }
        let url = match parse(&connect.target) {
            Ok(url) => url,
            Err(error) => {
                let why = error.to_string();
                let ending = LocalFault::Url(why.clone()).into();
                env.metrics.tally().failed(ConnectStage::Connect, &ending, &why, env.clock.now_s());
                return run.refused(now(), &why);
            }
        };
        let mut headers = Headers::new();
        let all = env.plan.target.headers.iter().chain(&connect.headers);
        all.for_each(|(name, value)| headers.append(name, value.as_bytes()));
        let protocols =
            if connect.protocols.is_empty() { &env.plan.target.protocols } else { &connect.protocols };
        env.counters.change(&env.counters.opening, 1);
        let request = UpgradeRequest { url: &url, headers: &headers, protocols };
        let opened = self.opener.open(self.number, request).await;
        env.counters.change(&env.counters.opening, -1);
        match opened {
            Ok((socket, times)) => {
                self.opened_us = env.clock.now_us();
                self.socket = Some(Box::new(socket));
                {
                    let mut tally = env.metrics.tally();
                    tally.opened += 1;
                    tally.timeline.at(env.clock.now_s()).opened += 1;
                    tally.record_handshake(times.connect, times.tls, times.upgrade);
                }
                env.counters.change(&env.counters.alive, 1);
                run.connected(now());
            }
            Err(error) => {
                env.metrics.tally().failed(error.stage, &error.ending, &error.why, env.clock.now_s());
                run.refused(now(), &error.why);
            }
        }
    }

    async fn send(&mut self, run: &mut UserRun, message: &Message) {
        let Some(socket) = &mut self.socket else { return };
        // If sending fails, the next read returns the ending.
        if socket.send(message).await.is_ok() {
            run.sent(now());
            let mut tally = self.env.metrics.tally();
            tally.intended += 1;
            tally.sent += 1;
            tally.bytes_sent += message.len() as u64;
            let interval = tally.timeline.at(self.env.clock.now_s());
            interval.sent += 1;
            interval.intended += 1;
        }
    }

    /// Reads one message or the end of the connection, at most until `until`.
    async fn receive(&mut self, run: &mut UserRun, until: std::time::Instant) {
        let env = self.env.clone();
        // The end of the run interrupts even a long pause.
        let until = Instant::from_std(until).min(Instant::now() + MAX_WAIT);
        let Some(socket) = &mut self.socket else { return sleep_until(until).await };
        let received = tokio::select! {
            received = socket.recv() => received,
            () = sleep_until(until) => return,
        };
        match received {
            Ok(Received::Message(message)) => {
                {
                    let mut tally = env.metrics.tally();
                    tally.received += 1;
                    tally.bytes_received += message.len() as u64;
                    tally.timeline.at(env.clock.now_s()).received += 1;
                }
                run.received(now(), &message);
                self.record_replies(run);
            }
            Ok(Received::Ping(_) | Received::Pong(_)) => {}
            Err(ending) => {
                self.socket = None;
                let now_us = env.clock.now_us();
                env.metrics.tally().ended(EndingRecord {
                    ending: ending.clone(),
                    age_s: now_us.saturating_sub(self.opened_us) as f64 / 1e6,
                    at_s: now_us as f64 / 1e6,
                });
                env.counters.change(&env.counters.alive, -1);
                run.closed(now(), &ending);
            }
        }
    }

    /// Records the expectations that were met.
    fn record_replies(&self, run: &mut UserRun) {
        while let Some(reply) = run.take_reply() {
            if let Some(latency) = reply.latency {
                self.env.metrics.tally().uncorrected.record(latency);
                self.env.metrics.recent().record(latency);
            }
            if let Some(mismatch) = reply.mismatch {
                tracing::warn!(user = self.number, line = reply.line, "{mismatch}");
            }
        }
    }

    /// Records that the user closed its connection.
    fn record_close(&self) {
        {
            let mut tally = self.env.metrics.tally();
            tally.alive_at_end += 1;
            tally.timeline.at(self.env.clock.now_s()).closed += 1;
        }
        self.env.counters.change(&self.env.counters.alive, -1);
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
