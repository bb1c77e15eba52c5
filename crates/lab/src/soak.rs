//! `cargo xtask soak`: many sessions through cut links, a real nginx that times out and reloads, a real gateway and an
//! unmodified echo backend, for minutes; then every message is accounted for.

#![allow(clippy::print_stdout, reason = "its account is its product")]

mod parts;
mod session;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};
use undrop_chaos::{Chaos, Faults};
use undrop_fault::{CloseManner, CutAfter, Fault, Latency, Trigger};

use parts::SoakParts;
use session::{SessionCounts, SoakPlan};

/// Options of `cargo xtask soak`.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// Number of concurrent sessions
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    sessions: u32,
    /// Time during which messages are sent, in seconds
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Messages per second and session
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Seconds between two reloads of nginx
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    reload: u64,
    /// Mean seconds between two cuts of a link
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3600))]
    cut: u64,
    /// Seed of cuts and messages
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The maximum time for everything to arrive after the last message was sent.
const SETTLE: Duration = Duration::from_secs(60);

/// Runs the soak and prints its account. True when nothing was lost, doubled or reordered.
///
/// # Errors
/// A part is missing (with the command that brings it) or does not start.
pub(crate) fn run(root: &std::path::Path, soak: &Soak) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(play(root, soak))
}

async fn play(root: &std::path::Path, soak: &Soak) -> anyhow::Result<bool> {
    let parts = SoakParts::start(root).await?;
    let mean = soak.cut;
    let chaos =
        Chaos::start(parts.nginx_address()).seed(soak.seed).choose(move |rng| faults(rng, mean)).await?;
    println!(
        "{} sessions, {} messages/s each, {} s: clients -> cuts ({} s mean) -> nginx (2 s read timeout, reload each {} s) \
         -> undrop gateway -> Node ws echo",
        soak.sessions, soak.rate, soak.seconds, soak.cut, soak.reload
    );
    let end = Instant::now() + Duration::from_secs(soak.seconds);
    let plan = Arc::new(SoakPlan {
        url: format!("ws://{}/", chaos.address()),
        rate: soak.rate,
        end,
        settle: end + SETTLE,
        seed: soak.seed,
    });
    let mut sessions = JoinSet::new();
    for stream in 0..soak.sessions {
        sessions.spawn(session::run(stream, plan.clone()));
    }
    let mut total = SessionCounts::default();
    let mut reloads = interval(Duration::from_secs(soak.reload));
    let mut reports = interval(Duration::from_secs(10));
    reloads.tick().await;
    reports.tick().await;
    let mut reloaded = 0;
    let mut over = false;
    loop {
        tokio::select! {
            done = sessions.join_next() => match done {
                Some(outcome) => total.add(outcome.context("a session's task failed")?),
                None => break,
            },
            _ = reloads.tick(), if !over => {
                parts.reload_nginx()?;
                reloaded += 1;
            }
            _ = reports.tick() => println!(
                "  {} links opened, {} cut, {reloaded} reloads, {} sessions still open",
                chaos.opened(), chaos.cut(), sessions.len()
            ),
            () = sleep_until(end), if !over => over = true,
        }
    }
    let (opened, cut) = (chaos.opened(), chaos.cut());
    let backend = parts.finish().await?;
    report(&mut total, &backend, opened, cut, reloaded)
}

/// The counters of the backend.
#[derive(Debug, serde::Deserialize)]
struct BackendCounts {
    connections: u64,
    received: u64,
    doubled: u64,
    reordered: u64,
    corrupt: u64,
}

fn report(
    total: &mut SessionCounts,
    backend: &BackendCounts,
    opened: u64,
    cut: u64,
    reloaded: u32,
) -> anyhow::Result<bool> {
    if total.sent == 0 {
        bail!("nothing was sent: no session was opened");
    }
    let echoed = backend.received + backend.doubled;
    let lost_up = total.sent.saturating_sub(backend.received);
    let lost_down = backend.received.saturating_sub(total.received);
    println!();
    println!(
        "{:20}{:>10}{:>10}{:>7}{:>9}{:>11}{:>9}",
        "", "sent", "received", "lost", "doubled", "reordered", "corrupt"
    );
    println!(
        "{:20}{:>10}{:>10}{:>7}{:>9}{:>11}{:>9}",
        "client -> backend",
        total.sent,
        backend.received,
        lost_up,
        backend.doubled,
        backend.reordered,
        backend.corrupt
    );
    println!(
        "{:20}{:>10}{:>10}{:>7}{:>9}{:>11}{:>9}",
        "backend -> client", echoed, total.received, lost_down, total.doubled, total.reordered, total.corrupt
    );
    println!();
    println!(
        "links: {opened} opened, {cut} cut by faults, {reloaded} nginx reloads, {} backend connections",
        backend.connections
    );
    total.resumes.sort_unstable();
    let at = |share: f64| {
        let index = (total.resumes.len().saturating_sub(1)) as f64 * share;
        total.resumes.get(index.round() as usize).copied().unwrap_or_default()
    };
    println!(
        "resumes: {}, time without a link p50 {:.3} s, p99 {:.3} s; gaps reported: {}; sessions that gave up: {}",
        total.resumes.len(),
        at(0.5).as_secs_f64(),
        at(0.99).as_secs_f64(),
        total.gaps,
        total.failed
    );
    let up = lost_up + backend.doubled + backend.reordered + backend.corrupt;
    let down = lost_down + total.doubled + total.reordered + total.corrupt;
    Ok(up + down + total.failed + total.gaps == 0)
}

/// The faults of one link: it ends after a random time, by RST, FIN, silence, or in the middle of a frame.
fn faults(rng: &mut fastrand::Rng, mean: u64) -> Faults {
    let milliseconds = rng.u64(mean * 200..=mean * 1800);
    let age = Trigger::Age(Duration::from_millis(milliseconds));
    let (when, how) = match rng.u8(0..4) {
        0 => (age, CloseManner::Rst),
        1 => (age, CloseManner::Fin),
        2 => (age, CloseManner::Silent),
        // About as many bytes as the mean lifetime carries, so usually somewhere inside a frame.
        _ => (Trigger::Bytes(rng.u64(400..400 + mean * 2500)), CloseManner::Rst),
    };
    let latency = Latency {
        base: Duration::from_millis(rng.u64(0..10)),
        jitter: Duration::from_millis(rng.u64(0..5)),
        ..Latency::default()
    };
    let calm = Fault { latency: Some(latency), ..Fault::default() };
    let cut = Fault { cut: Some(CutAfter { when, how }), ..calm.clone() };
    if rng.bool() { Faults { forth: cut, back: calm } } else { Faults { forth: calm, back: cut } }
}
