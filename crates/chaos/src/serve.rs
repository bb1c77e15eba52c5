//! The task of a proxy: it accepts and refuses connections, and adds and removes the faults of the timeline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use undrop_fault::Fault;

use crate::clock::now;
use crate::connection;
use crate::declaration::FaultAdmission;
use crate::faults::Faults;
use crate::proxy_state::{ConnectionRecord, ProxyState, lock};
use crate::seed;
use crate::timeline::{Timeline, TimelineEntry};

/// Chooses the faults of the links for each connection.
pub(crate) type ChooseFaults = Box<dyn FnMut(&mut Rng) -> Faults + Send>;

/// The number of bytes that a link holds: socket buffers and path together.
const BUFFER: usize = 256 * 1024;
/// The delay before accepting or listening is attempted again.
const RETRY_DELAY: Duration = Duration::from_millis(50);

pub(crate) async fn run(
    listener: TcpListener,
    state: Arc<ProxyState>,
    timeline: Timeline,
    mut choose: Option<ChooseFaults>,
) {
    let mut rng = Rng::with_seed(state.seed);
    let mut connections = JoinSet::new();
    let mut changes = state.changes();
    let mut runner = TimelineRunner::new(state.start, timeline);
    let mut listener = Some(listener);
    let mut retry: Option<Instant> = None;
    loop {
        runner.advance(now(), &state);
        let (closed, change) = (state.is_closed(), lock(&state.faults).next_change(now()));
        if closed && listener.take().is_some() {
            state.set_listening(false);
        }
        if !closed && listener.is_none() && retry.is_none_or(|at| at <= now()) {
            retry = None;
            match TcpListener::bind(state.address).await {
                Ok(open) => {
                    listener = Some(open);
                    state.set_listening(true);
                }
                Err(error) => {
                    tracing::warn!(address = %state.address, %error, "cannot listen again yet; will retry");
                    retry = Some(now() + RETRY_DELAY);
                }
            }
        }
        let wake = [change, runner.next(), retry].into_iter().flatten().min();
        let wake = wake.map(tokio::time::Instant::from_std);
        let accepted = tokio::select! {
            accepted = accept(listener.as_ref()) => accepted,
            Some(_) = connections.join_next() => continue,
            // The sender exists as long as `state`.
            _ = changes.changed() => continue,
            () = sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => continue,
        };
        match accepted {
            Ok((client, peer)) => {
                let (faults, pair_seed) = match &mut choose {
                    Some(choose) => (choose(&mut rng), rng.u64(..)),
                    None => {
                        let fault = || Fault { buffer: BUFFER, ..Fault::default() };
                        let index = state.counters.opened.load(std::sync::atomic::Ordering::Relaxed) + 1;
                        (Faults { forth: fault(), back: fault() }, seed::derive(state.seed, index, u64::MAX))
                    }
                };
                let connection = state.open(&client, peer);
                let admission = lock(&state.faults).admission(state.seed, connection.index, now());
                record_admission(&state, &connection, admission.reset);
                if admission.reset {
                    connection::reset(&client);
                    drop(client);
                    state.close(&connection, "fault");
                    continue;
                }
                let state = state.clone();
                connections.spawn(async move {
                    let by = connection::run(&state, &connection, client, faults, pair_seed, admission.delay)
                        .await;
                    state.close(&connection, by);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; will retry");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// Records the faults that affect a connection while it is being accepted.
fn record_admission(state: &ProxyState, connection: &ConnectionRecord, is_reset: bool) {
    for fault in state.assigned(connection) {
        let elapsed = connection.opened.saturating_duration_since(fault.since);
        match fault.spec.fault.behavior().admission(elapsed) {
            FaultAdmission::Delay(_) => state.record_admission(connection, &fault, &fault.spec.to_string()),
            FaultAdmission::Reset if is_reset => state.record_admission(connection, &fault, "RST at once"),
            FaultAdmission::Accept | FaultAdmission::Reset => {}
        }
    }
}

async fn accept(
    listener: Option<&TcpListener>,
) -> std::io::Result<(tokio::net::TcpStream, std::net::SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Adds and removes the faults of a timeline.
struct TimelineRunner {
    start: Instant,
    /// The entries that are not added yet, the latest first.
    pending: Vec<TimelineEntry>,
    /// The names of the faults that are to be removed, with the time of removal.
    expiring: Vec<(Instant, String)>,
}

impl TimelineRunner {
    fn new(start: Instant, timeline: Timeline) -> TimelineRunner {
        let mut pending = timeline.entries;
        pending.reverse();
        TimelineRunner { start, pending, expiring: Vec::new() }
    }

    fn next(&self) -> Option<Instant> {
        let pending = self.pending.last().map(|entry| self.start + entry.from);
        self.expiring.iter().map(|(at, _)| *at).chain(pending).min()
    }

    fn advance(&mut self, now: Instant, state: &ProxyState) {
        self.expiring.retain(|(at, name)| {
            let stays = *at > now;
            if !stays {
                state.remove(name);
            }
            stays
        });
        while let Some(entry) = self.pending.pop_if(|entry| self.start + entry.from <= now) {
            let name = entry.id.as_deref();
            // If the name is in use, the fault is added under a generated name.
            let added = state
                .add(name, vec![entry.spec.clone()], entry.open_only)
                .or_else(|| state.add(None, vec![entry.spec.clone()], entry.open_only));
            if let (Some(name), Some(until)) = (added, entry.until) {
                self.expiring.push((self.start + until, name));
            }
        }
    }
}
