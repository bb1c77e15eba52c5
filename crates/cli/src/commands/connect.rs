//! `undrop connect`

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use undrop_client::{
    Backoff, Client, ClientBuilder, ClientConfig, CloseCode, ClosedBy, ConnectStage, DialOptions, Event,
    Message, PlainHeartbeat, Receipt, SessionMode, deflate,
};
use undrop_text::duration;
use undrop_transport::{Proxies, ProxyChoice, tls};

use crate::commands::headers;
use crate::exit::{Code, Failure};

/// Talk to a WebSocket server: lines in, messages out.
///
/// Each line of standard input becomes a text message, each message a line of standard output; everything about the
/// connection goes to standard error. A lost link is shown with its ending, opened again, and resumed where the server is
/// an undrop gateway. At the end of the input it waits until all is acked and nothing more comes, then closes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Connect {
    /// ws:// or wss:// URL
    url: String,
    /// Ask for a resumable session
    #[arg(long, value_enum, default_value_t = Session::Prefer)]
    session: Session,
    /// Offer a sub-protocol; may be given several times, the first is preferred
    #[arg(long, short, value_name = "NAME")]
    subprotocol: Vec<String>,
    /// Add a request header; may be given several times
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Send lines as binary messages
    #[arg(long)]
    binary: bool,
    /// Offer permessage-deflate
    #[arg(long)]
    compress: bool,
    /// Delay between attempts
    #[arg(long, value_enum, default_value_t = Policy::FullJitter)]
    backoff: Policy,
    /// End at the first failed attempt or lost link instead of opening another
    #[arg(long)]
    once: bool,
    /// In plain mode, send PING each 30 s and expect PONG within 10 s, as texts; otherwise WebSocket Pings
    #[arg(long, value_name = "PING=PONG")]
    heartbeat_text: Option<String>,
    /// How long nothing must come after the end of the input
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    linger: String,
    /// Trust these certificate authorities (PEM) besides the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<std::path::PathBuf>,
    /// Do not check the server's certificate
    #[arg(long)]
    insecure: bool,
    /// Go through this proxy (http://, https://, socks5://, socks5h://); otherwise HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
    /// NO_PROXY of the environment decide
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Give up on a connection attempt after this long
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: String,
}

const EXAMPLES: &str = "\
Examples:
  undrop connect ws://127.0.0.1:8080/echo
  echo hello | undrop connect wss://example.com/ws --once
  tail -f events.log | undrop connect ws://127.0.0.1:8080/broadcast --session require";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Session {
    /// A session where the server knows it
    Prefer,
    /// A session or nothing
    Require,
    /// Plain WebSocket
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// At once, then anything below min(30 s, 1 s · 2^k), without end
    FullJitter,
    /// 1 s, doubled, at most 30 s, give or take 25 %, 10 tries
    Classic,
}

pub(crate) fn run(command: Connect) -> Result<ExitCode, Failure> {
    let linger = duration::parse(&command.linger).map_err(|e| usage(anyhow!("--linger: {e}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(talk(command, linger))?;
    // The thread that reads standard input may sit in a read that nothing ends.
    runtime.shutdown_background();
    Ok(code)
}

fn usage(error: anyhow::Error) -> Failure {
    Failure::new(Code::Usage, error)
}

fn builder(command: &Connect) -> Result<ClientBuilder, Failure> {
    let mut builder = Client::builder(&command.url).map_err(|error| usage(error.into()))?;
    headers::subprotocols(&command.subprotocol).map_err(usage)?;
    for name in &command.subprotocol {
        builder = builder.protocol(name);
    }
    for (name, value) in headers::headers(&command.header).map_err(usage)? {
        builder = builder.header(&name, &value);
    }
    let plain_heartbeat = match &command.heartbeat_text {
        None => PlainHeartbeat::default(),
        Some(pair) => {
            let (ping, pong) = pair
                .split_once('=')
                .ok_or_else(|| usage(anyhow!("--heartbeat-text: `{pair}` is not PING=PONG")))?;
            PlainHeartbeat { text: Some((ping.to_owned(), pong.to_owned())), ..PlainHeartbeat::default() }
        }
    };
    let timeout = duration::parse(&command.timeout).map_err(|e| usage(anyhow!("--timeout: {e}")))?;
    let config = ClientConfig {
        session: match command.session {
            Session::Prefer => SessionMode::Prefer,
            Session::Require => SessionMode::Require,
            Session::Off => SessionMode::Off,
        },
        backoff: match command.backoff {
            Policy::FullJitter => Backoff::full_jitter(),
            Policy::Classic => Backoff::classic(),
        },
        plain_heartbeat: Some(plain_heartbeat),
        connect_timeout: timeout,
        ..ClientConfig::default()
    };
    if command.compress {
        builder = builder.compress(deflate::Config::default());
    }
    Ok(builder.config(config).dial(dial(command, timeout)?))
}

fn dial(command: &Connect, timeout: Duration) -> Result<DialOptions, Failure> {
    let trust = match (&command.ca, command.insecure) {
        (_, true) => tls::Trust::Insecure,
        (Some(file), false) => {
            let pem = std::fs::read(file).map_err(|e| usage(anyhow!("--ca: {}: {e}", file.display())))?;
            tls::Trust::NativeAnd(pem)
        }
        (None, false) => tls::Trust::Native,
    };
    let secure = command.url.starts_with("wss") || command.url.starts_with("https");
    let tls = if secure {
        Some(tls::ClientTls::new(&trust).map_err(|error| Failure::new(Code::Tls, error))?)
    } else {
        None
    };
    let proxy = match &command.proxy {
        Some(url) => ProxyChoice::Fixed(url.parse().map_err(|e| usage(anyhow!("--proxy: {e}")))?),
        None => ProxyChoice::Environment(
            Proxies::from_env(|name| std::env::var(name).ok())
                .map_err(|e| usage(anyhow!("proxy variables of the environment: {e}")))?,
        ),
    };
    Ok(DialOptions {
        connect_timeout: timeout,
        handshake_timeout: timeout,
        tls,
        proxy,
        ..DialOptions::default()
    })
}

async fn talk(command: Connect, linger: Duration) -> Result<ExitCode, Failure> {
    let mut client = builder(&command)?.start().map_err(|error| usage(error.into()))?;
    let mut events = client.events();
    let sender = client.sender();
    let mut lines = Some(stdin_lines());
    let mut stdout = std::io::stdout();
    let face = Face { colour: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() };
    let mut failed = None;
    // After the end of the input: when nothing more is expected.
    let mut quiet: Option<Instant> = None;
    // Acks come in order, so the newest message's is the last to wait for.
    let mut newest: Option<Receipt> = None;
    loop {
        let idle = quiet.filter(|_| newest.is_none());
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { continue };
                face.show(&event);
                match event {
                    Event::Failed { stage, why, .. } => {
                        failed = Some(stage);
                        if command.once {
                            return Err(Failure::new(code_of(stage), anyhow!(why)));
                        }
                    }
                    Event::Lost { ending } if command.once => {
                        return Err(Failure::new(Code::Dropped, anyhow!("link lost: {ending}")));
                    }
                    Event::Closed { code, reason, by, unacked } => {
                        return outcome(code, &reason, by, unacked, failed);
                    }
                    _ => {}
                }
            }
            message = client.recv() => {
                let Some(message) = message else { continue };
                print_message(&mut stdout, &message)?;
                quiet = quiet.map(|_| Instant::now() + linger);
            }
            line = next_line(&mut lines) => match line {
                Some(line) => {
                    let message = if command.binary { Message::Binary(line.into_bytes()) } else { Message::Text(line) };
                    // Waiting here holds back the input, not the messages: the queue empties as acks come.
                    match send(&sender, message, &mut client, &mut stdout).await? {
                        Some(receipt) => newest = Some(receipt),
                        None => lines = None,
                    }
                }
                None => {
                    lines = None;
                    quiet = Some(Instant::now() + linger);
                }
            },
            () = acked(&mut newest), if newest.is_some() => {
                newest = None;
                quiet = quiet.map(|_| Instant::now() + linger);
            }
            () = sleep_until(idle.unwrap_or_else(Instant::now)), if idle.is_some() => {
                sender.start_close(CloseCode::NORMAL, "");
                quiet = None;
            }
            _ = tokio::signal::ctrl_c() => sender.start_close(CloseCode::NORMAL, ""),
        }
    }
}

/// Waits for the ack of a message, or for its certain lack.
async fn acked(receipt: &mut Option<Receipt>) {
    match receipt {
        // An un-acked end is told by the client's own ending.
        Some(receipt) => drop(receipt.await),
        None => std::future::pending().await,
    }
}

/// Queues a message; while there is no room, messages that come are still printed. None: the session is closing.
async fn send(
    sender: &undrop_client::Sender,
    message: Message,
    client: &mut Client,
    stdout: &mut std::io::Stdout,
) -> Result<Option<Receipt>, Failure> {
    let mut sending = std::pin::pin!(sender.send(message));
    loop {
        tokio::select! {
            sent = &mut sending => return Ok(sent.ok()),
            message = client.recv() => match message {
                Some(message) => print_message(stdout, &message)?,
                None => return Ok(None),
            },
        }
    }
}

fn print_message(stdout: &mut std::io::Stdout, message: &Message) -> Result<(), Failure> {
    let mut lock = stdout.lock();
    lock.write_all(message.as_bytes())?;
    lock.write_all(b"\n")?;
    lock.flush()?;
    Ok(())
}

/// Lines of standard input, read by a thread of their own since nothing else can wait for them everywhere.
fn stdin_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) => {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "standard input: only lines of UTF-8 text can be sent");
                    return;
                }
            }
        }
    });
    receiver
}

async fn next_line(lines: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

fn code_of(stage: ConnectStage) -> Code {
    match stage {
        ConnectStage::Tls => Code::Tls,
        ConnectStage::Connect | ConnectStage::Handshake | ConnectStage::Session => Code::Handshake,
    }
}

fn outcome(
    code: CloseCode,
    reason: &str,
    by: ClosedBy,
    unacked: u64,
    failed: Option<ConnectStage>,
) -> Result<ExitCode, Failure> {
    match by {
        ClosedBy::Local if unacked == 0 => Ok(ExitCode::SUCCESS),
        ClosedBy::Peer
            if matches!(code, CloseCode::NORMAL | CloseCode::GOING_AWAY | CloseCode::NO_STATUS) =>
        {
            Ok(ExitCode::SUCCESS)
        }
        ClosedBy::Local => {
            Err(Failure::new(Code::Dropped, anyhow!("closed with {unacked} messages un-acked")))
        }
        ClosedBy::Peer => {
            Err(Failure::new(Code::Dropped, anyhow!("the server closed: {} {reason}", code.get())))
        }
        ClosedBy::Refused | ClosedBy::Incompatible => {
            let exit = failed.map_or(Code::Handshake, code_of);
            Err(Failure::new(exit, anyhow!("refused: {reason}")))
        }
        ClosedBy::GaveUp => Err(Failure::new(failed.map_or(Code::Dropped, code_of), anyhow!("{reason}"))),
    }
}

/// News of the connection, for people.
struct Face {
    colour: bool,
}

impl Face {
    fn show(&self, event: &Event) {
        let (colour, text) = match event {
            Event::Connecting { .. } => return,
            Event::Open { session, protocol } => {
                let kind = if *session { "session" } else { "plain (the server knows no sessions)" };
                let protocol = protocol.as_ref().map(|p| format!(", sub-protocol {p}")).unwrap_or_default();
                (32, format!("open: {kind}{protocol}"))
            }
            Event::Lost { ending } => {
                let browser = ending.browser_view().get();
                (31, format!("link lost: {ending} (a browser reports {browser})"))
            }
            Event::Failed { why, .. } => (31, format!("attempt failed: {why}")),
            Event::Retry { after, .. } => (33, format!("next attempt in {:.1} s", after.as_secs_f64())),
            Event::Resumed { seamless, resent, after, same_backend } => {
                let how = if *seamless {
                    "moved without a gap".into()
                } else {
                    format!("after {:.2} s", after.as_secs_f64())
                };
                let backend = if *same_backend { "" } else { ", with a new backend connection" };
                (32, format!("resumed {how}, {resent} messages sent again{backend}"))
            }
            Event::Gap { reason, lost, resent } => {
                let lost = lost.map(|(from, to)| format!("{} messages are gone", to - from + 1));
                let lost = lost.unwrap_or_else(|| "what the server sent meanwhile is unknown".into());
                (31, format!("gap ({reason:?}): {lost}, {resent} of ours are sent again"))
            }
            Event::GoAway { why, after } => {
                (33, format!("the gateway asks to move ({why}), in {:.1} s", after.as_secs_f64()))
            }
            Event::Closed { code, reason, unacked, .. } => {
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let unacked =
                    if *unacked == 0 { String::new() } else { format!(", {unacked} messages un-acked") };
                (36, format!("closed {} {}{reason}{unacked}", code.get(), code.name()))
            }
            _ => return,
        };
        if self.colour {
            note!("\x1b[{colour}m* {text}\x1b[0m");
        } else {
            note!("* {text}");
        }
    }
}
