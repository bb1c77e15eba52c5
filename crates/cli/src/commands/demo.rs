//! The command `undrop demo`.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};
use undrop_chaos::{Chaos, Faults};
use undrop_client::{Client, ClientConfig, CloseCode, Event, Message, PlainHeartbeat, SessionMode};
use undrop_fault::{CloseManner, CutAfter, Fault, Trigger};
use undrop_gateway::config::file::ConfigFile;
use undrop_gateway::{Config, Gateway};
use undrop_store::MemoryStore;
use undrop_transport::sync::lock;

use crate::exit::{Code, Failure};

/// Compare a plain client and an undrop session on a bad network.
///
/// Starts a gateway with its echo backend, and two clients that send numbered messages through a proxy that drops every
/// connection about once a second: with RST, with FIN, in the middle of a frame, or by going silent. One client only
/// reconnects; the other has an undrop session. Nothing leaves this machine.
#[derive(Debug, Args)]
#[command(
    after_help = "The exit code is 1 if a message sent by the undrop client was lost, duplicated or reordered."
)]
pub(crate) struct Demo {
    /// Duration of the demo in seconds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Run until Ctrl-C is pressed
    #[arg(long, conflicts_with = "seconds")]
    forever: bool,
    /// Messages per second of each client
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Seed for all randomness, to repeat a run with the same dropped connections [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print the result as one JSON object, and nothing else on standard output
    #[arg(long)]
    json: bool,
}

/// The counters of one client.
#[derive(Debug, Clone, Default, Serialize)]
struct DemoTally {
    sent: u64,
    received: u64,
    lost: u64,
    doubled: u64,
    reordered: u64,
    #[serde(skip)]
    links_lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumes: Option<u64>,
    #[serde(skip)]
    highest: u64,
    /// A bitmap of the numbers that were received.
    #[serde(skip)]
    seen: Vec<u64>,
}

impl DemoTally {
    fn receive(&mut self, number: u64) {
        let (word, bit) = ((number / 64) as usize, 1_u64 << (number % 64));
        if number >= self.sent {
            // This number was never sent, so it counts as a duplicate.
            self.doubled += 1;
            return;
        }
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            self.doubled += 1;
            return;
        }
        self.seen[word] |= bit;
        self.received += 1;
        if number + 1 < self.highest {
            self.reordered += 1;
        }
        self.highest = self.highest.max(number + 1);
    }

    fn missing(&self) -> u64 {
        self.sent - self.received
    }

    fn is_perfect(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.reordered == 0 && self.received == self.sent
    }
}

#[derive(Serialize)]
struct DemoResult {
    plain: DemoTally,
    undrop: DemoTally,
}

type SharedTally = Arc<Mutex<DemoTally>>;

pub(crate) fn run(command: Demo) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(play(command))
}

async fn play(command: Demo) -> Result<ExitCode, Failure> {
    let seed = command.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let gateway = gateway()?;
    let Some(address) = gateway.addresses().first().copied() else {
        return Err(Failure::new(Code::Usage, anyhow!("the gateway has no listening address")));
    };
    let tallies: [SharedTally; 2] = [SharedTally::default(), SharedTally::default()];
    tally(&tallies[1]).resumes = Some(0);
    let mut proxies = Vec::new();
    let mut clients = Vec::new();
    for (mode, shared) in [SessionMode::Off, SessionMode::Require].into_iter().zip(&tallies) {
        // Both clients get the same faults in the same order.
        let chaos = Chaos::start(address).seed(seed).choose(drop_faults).await;
        let chaos = chaos.map_err(|error| Failure::new(Code::Usage, error))?;
        clients.push((start(mode, chaos.address())?, shared.clone()));
        proxies.push(chaos);
    }
    if !command.json {
        introduce(&command, seed);
    }
    let end = (!command.forever).then(|| Instant::now() + Duration::from_secs(command.seconds));
    let stop = async {
        match end {
            None => std::future::pending().await,
            Some(end) => sleep_until(end).await,
        }
    };
    let (finish, finished) = tokio::sync::watch::channel(false);
    let mut running = tokio::task::JoinSet::new();
    for (client, shared) in clients {
        running.spawn(exchange(client, shared, command.rate, finished.clone()));
    }
    tokio::select! {
        () = stop => {}
        _ = tokio::signal::ctrl_c() => {}
        () = show(&tallies, command.json) => {}
    }
    // Both clients stop sending and get time to receive the replies that are still on the way.
    finish.send_replace(true);
    while let Some(done) = running.join_next().await {
        done.map_err(|error| Failure::new(Code::Usage, error))?;
    }
    let [plain, undrop] = tallies.map(|shared| {
        let mut tally = tally(&shared).clone();
        tally.lost = tally.missing();
        tally
    });
    drop(proxies);
    drop(gateway);
    let good = undrop.is_perfect();
    let report = DemoResult { plain, undrop };
    if command.json {
        let text = serde_json::to_string(&report).map_err(|error| Failure::new(Code::Usage, error))?;
        say!("{text}");
    } else {
        conclude(&report, good);
    }
    Ok(if good { ExitCode::SUCCESS } else { Code::Findings.into() })
}

/// Starts a gateway with its embedded backend on a free port, with a short heartbeat to detect silence quickly.
fn gateway() -> Result<Gateway, Failure> {
    let mut raw =
        ConfigFile { listen: Some(vec!["127.0.0.1:0".into()]), workers: Some(1), ..ConfigFile::default() };
    raw.session.heartbeat = Some(Duration::from_millis(500));
    let config = Config::try_from(raw).map_err(|error| Failure::new(Code::Usage, error))?;
    Gateway::start(config, Arc::new(MemoryStore::new()), "demo")
        .map_err(|error| Failure::new(Code::Usage, error))
}

/// Returns the faults of one connection: it ends after about a second, in one of four ways.
fn drop_faults(rng: &mut fastrand::Rng) -> Faults {
    let age = Trigger::Age(Duration::from_millis(rng.u64(700..1300)));
    let (when, how) = match rng.u8(0..4) {
        0 => (age, CloseManner::Rst),
        1 => (age, CloseManner::Fin),
        2 => (age, CloseManner::Silent),
        _ => (Trigger::Bytes(rng.u64(1200..2600)), CloseManner::Rst),
    };
    let fault = Fault { cut: Some(CutAfter { when, how }), ..Fault::default() };
    if rng.bool() {
        Faults { forth: fault, back: Fault::default() }
    } else {
        Faults { forth: Fault::default(), back: fault }
    }
}

fn start(mode: SessionMode, proxy: SocketAddr) -> Result<Client, Failure> {
    let quick = Duration::from_millis(500);
    let config = ClientConfig {
        session: mode,
        grace: quick,
        probe_timeout: quick,
        connect_timeout: Duration::from_secs(2),
        plain_heartbeat: Some(PlainHeartbeat { interval: quick, answer: quick, text: None }),
        ..ClientConfig::default()
    };
    Client::builder(&format!("ws://{proxy}/echo"))
        .and_then(|builder| builder.config(config).start())
        .map_err(|error| Failure::new(Code::Usage, error))
}

/// Sends numbers at the given rate and counts the replies until `finished` is set, then waits for missing replies.
async fn exchange(
    mut client: Client,
    shared: SharedTally,
    rate: u32,
    mut finished: tokio::sync::watch::Receiver<bool>,
) {
    let mut events = client.events();
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let sender = client.sender();
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let number = tally(&shared).sent;
                // When the queue is full, nothing is sent and nothing is counted.
                if sender.try_send(Message::Text(number.to_string())).is_ok() {
                    tally(&shared).sent += 1;
                }
            }
            message = client.recv() => match message {
                Some(message) => note(&shared, &message),
                None => return,
            },
            Some(event) = events.next() => match event {
                Event::Lost { .. } => tally(&shared).links_lost += 1,
                Event::Resumed { .. } => {
                    if let Some(resumes) = &mut tally(&shared).resumes {
                        *resumes += 1;
                    }
                }
                _ => {}
            },
            _ = finished.wait_for(|finished| *finished) => break,
        }
    }
    // A session is complete after the next resume. Without one, messages that were lost stay lost, so the wait ends after
    // two seconds without a reply.
    let session = tally(&shared).resumes.is_some();
    let patience = if session { Duration::from_secs(30) } else { Duration::from_secs(2) };
    let mut end = Instant::now() + patience;
    while tally(&shared).missing() > 0 {
        match timeout_at(end, client.recv()).await {
            Ok(Some(message)) => note(&shared, &message),
            Ok(None) | Err(_) => break,
        }
        if !session {
            end = Instant::now() + patience;
        }
    }
    sender.start_close(CloseCode::NORMAL, "");
}

fn note(shared: &SharedTally, message: &Message) {
    let number = std::str::from_utf8(message.as_bytes()).ok().and_then(|text| text.parse().ok());
    tally(shared).receive(number.unwrap_or(u64::MAX));
}

fn tally(shared: &SharedTally) -> std::sync::MutexGuard<'_, DemoTally> {
    lock(shared)
}

/// Shows the progress: on a terminal one line that is overwritten, otherwise one line every five seconds. Never returns.
async fn show(tallies: &[SharedTally; 2], quiet: bool) {
    let terminal = std::io::stdout().is_terminal();
    let mut ticks = interval(if terminal { Duration::from_millis(250) } else { Duration::from_secs(5) });
    let began = Instant::now();
    loop {
        ticks.tick().await;
        if quiet {
            continue;
        }
        let [plain, undrop] = [0, 1].map(|at| tally(&tallies[at]).clone());
        let line = format!(
            "{:5.1} s   plain: {} sent, {} back, {} missing, {} drops   undrop: {} sent, {} back, {} in flight, {} drops",
            began.elapsed().as_secs_f64(),
            plain.sent,
            plain.received,
            plain.missing(),
            plain.links_lost,
            undrop.sent,
            undrop.received,
            undrop.missing(),
            undrop.links_lost,
        );
        if terminal {
            print!("\r\x1b[2K{line}");
            // A progress line that cannot be written is not important.
            let _ = std::io::stdout().flush();
        } else {
            say!("{line}");
        }
    }
}

fn introduce(command: &Demo, seed: u64) {
    say!(
        "Two clients send {} numbered messages per second to an echo backend, through a gateway and a",
        command.rate
    );
    say!("proxy that drops each connection about once a second (seed {seed}).");
    say!();
}

fn conclude(report: &DemoResult, good: bool) {
    let terminal = std::io::stdout().is_terminal();
    if terminal {
        print!("\r\x1b[2K");
    }
    let colour = terminal && std::env::var_os("NO_COLOR").is_none();
    let paint = |code: u8, text: String| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text };
    say!();
    say!(
        "{:22}{:>9}{:>10}{:>8}{:>11}{:>11}{:>7}",
        "",
        "sent",
        "received",
        "lost",
        "duplicate",
        "reordered",
        "drops"
    );
    for (name, tally) in [("plain client", &report.plain), ("undrop client", &report.undrop)] {
        let code = if tally.is_perfect() { 32 } else { 31 };
        say!(
            "{name:22}{:>9}{:>10}{}{:>11}{:>11}{:>7}",
            tally.sent,
            tally.received,
            paint(code, format!("{:>8}", tally.lost)),
            tally.doubled,
            tally.reordered,
            tally.links_lost,
        );
    }
    say!();
    let resumes = report.undrop.resumes.unwrap_or_default();
    if good {
        say!(
            "{}",
            paint(
                32,
                format!(
                    "The undrop client lost no message in {} dropped connections ({resumes} resumes).",
                    report.undrop.links_lost
                )
            )
        );
    } else {
        say!(
            "{}",
            paint(31, "The undrop client did not get every message exactly once and in order.".into())
        );
    }
}
