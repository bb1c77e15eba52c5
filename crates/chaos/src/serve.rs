//! The task of a proxy: accepts, refuses, and brings the faults of its timeline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use undrop_fault::Fault;

use crate::Faults;
use crate::connection::{self, now};
use crate::plan::mix;
use crate::proxy::Choose;
use crate::shared::{Shared, lock};
use crate::spec::Kind;
use crate::timeline::{Entry, Timeline};

/// Bytes that a link holds: socket buffers and the path together.
const BUFFER: usize = 256 * 1024;
/// How long to wait before accepting or listening is tried again.
const AGAIN: Duration = Duration::from_millis(50);

pub(crate) async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    timeline: Timeline,
    mut choose: Option<Choose>,
) {
    let mut rng = Rng::with_seed(shared.seed);
    let mut connections = JoinSet::new();
    let mut changes = shared.changes();
    let mut program = Program::new(shared.start, timeline);
    let mut listener = Some(listener);
    let mut retry: Option<Instant> = None;
    loop {
        program.advance(now(), &shared);
        let (closed, change) = (shared.is_closed(), lock(&shared.plan).next_change(now()));
        if closed && listener.take().is_some() {
            shared.tell_listening(false);
        }
        if !closed && listener.is_none() && retry.is_none_or(|at| at <= now()) {
            retry = None;
            match TcpListener::bind(shared.address).await {
                Ok(open) => {
                    listener = Some(open);
                    shared.tell_listening(true);
                }
                Err(error) => {
                    tracing::warn!(address = %shared.address, %error, "cannot listen again for now");
                    retry = Some(now() + AGAIN);
                }
            }
        }
        let wake = [change, program.next(), retry].into_iter().flatten().min();
        let wake = wake.map(tokio::time::Instant::from_std);
        let accepted = tokio::select! {
            accepted = accept(listener.as_ref()) => accepted,
            Some(_) = connections.join_next() => continue,
            // The sender lives as long as `shared`.
            _ = changes.changed() => continue,
            () = sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => continue,
        };
        match accepted {
            Ok((client, peer)) => {
                let (faults, pair_seed) = match &mut choose {
                    Some(choose) => (choose(&mut rng), rng.u64(..)),
                    None => {
                        let fault = || Fault { buffer: BUFFER, ..Fault::default() };
                        let index = shared.counters.opened.load(std::sync::atomic::Ordering::Relaxed) + 1;
                        (Faults { forth: fault(), back: fault() }, mix(shared.seed, index, u64::MAX))
                    }
                };
                let connection = shared.open(&client, peer);
                let admission = lock(&shared.plan).admission(shared.seed, connection.index, now());
                for fault in shared.assigned(&connection) {
                    match fault.spec.fault {
                        Kind::AcceptDelay { .. } => {
                            shared.admitted(&connection, &fault, &fault.spec.to_string())
                        }
                        Kind::Refuse { .. } if admission.refused => {
                            shared.admitted(&connection, &fault, "RST at once")
                        }
                        _ => {}
                    }
                }
                if admission.refused {
                    connection::reset(&client);
                    drop(client);
                    shared.close(&connection, "fault");
                    continue;
                }
                let shared = shared.clone();
                connections.spawn(async move {
                    let by =
                        connection::run(&shared, &connection, client, faults, pair_seed, admission.delay)
                            .await;
                    shared.close(&connection, by);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept for now");
                tokio::time::sleep(AGAIN).await;
            }
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

/// What is still to come of a timeline.
struct Program {
    start: Instant,
    /// Latest first.
    coming: Vec<Entry>,
    /// Names of faults that go away, and when.
    going: Vec<(Instant, String)>,
}

impl Program {
    fn new(start: Instant, timeline: Timeline) -> Program {
        let mut coming = timeline.entries;
        coming.reverse();
        Program { start, coming, going: Vec::new() }
    }

    fn next(&self) -> Option<Instant> {
        let coming = self.coming.last().map(|entry| self.start + entry.from);
        self.going.iter().map(|(at, _)| *at).chain(coming).min()
    }

    fn advance(&mut self, now: Instant, shared: &Shared) {
        self.going.retain(|(at, name)| {
            let stays = *at > now;
            if !stays {
                shared.remove(name);
            }
            stays
        });
        while let Some(entry) = self.coming.pop_if(|entry| self.start + entry.from <= now) {
            let name = entry.id.as_deref();
            // A name that is taken is no reason to leave the fault out.
            let added = shared
                .add(name, vec![entry.spec.clone()], entry.open_only)
                .or_else(|| shared.add(None, vec![entry.spec.clone()], entry.open_only));
            if let (Some(name), Some(until)) = (added, entry.until) {
                self.going.push((self.start + until, name));
            }
        }
    }
}
