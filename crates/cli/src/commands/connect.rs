//! The command `undrop connect`.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use undrop_client::{
    Backoff, Client, ClientBuilder, ClientConfig, CloseCode, ClosedBy, ConnectStage, DialOptions, Event,
    Message, PlainHeartbeat, Receipt, SessionMode, deflate,
};
use undrop_text::duration;
use undrop_transport::{Proxies, ProxyChoice, WsUrl, tls};

use crate::commands::choice::choice;
use crate::commands::headers;
use crate::exit::{Code, Failure};

/// Send lines to a WebSocket server and print its messages.
///
/// Each line of standard input is sent as a text message, and each received message is printed as a line. Events of the
/// connection go to standard error. A lost connection is reported with its cause and opened again; if the server is an
/// undrop gateway, the session is resumed. At the end of the input, the command waits until every message that was sent is
/// acknowledged (without a session: written) and no message has arrived for the time of --linger, then closes the connection.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Connect {
    /// URL of the server: ws:// or wss://
    url: String,
    /// Whether to ask for a resumable session
    #[arg(long, value_name = "MODE", value_parser = choice(SESSION_MODES, SessionMode::by_name), default_value = "prefer")]
    session: SessionMode,
    /// Offer a subprotocol; can be repeated, the first one is preferred
    #[arg(long, short, value_name = "NAME")]
    subprotocol: Vec<String>,
    /// Add a header to the request; can be repeated
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Send each line as a binary message
    #[arg(long)]
    binary: bool,
    /// Offer compression of messages (permessage-deflate)
    #[arg(long)]
    compress: bool,
    /// Policy for the delay between attempts
    #[arg(long, value_name = "POLICY", value_parser = choice(POLICIES, Backoff::by_name), default_value = "full-jitter")]
    backoff: Backoff,
    /// Exit after the first failed attempt or lost connection instead of reconnecting
    #[arg(long)]
    once: bool,
    /// In plain mode, send the text PING every 30 s and expect the text PONG within 10 s [default: WebSocket Pings]
    #[arg(long, value_name = "PING=PONG")]
    heartbeat_text: Option<String>,
    /// After the end of the input, close the connection once no message has arrived for this long
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    linger: String,
    /// File with certificate authorities (PEM) to trust in addition to those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<std::path::PathBuf>,
    /// Accept any certificate of the server: encrypted, but the server is not authenticated
    #[arg(long)]
    insecure: bool,
    /// Forward proxy to use (http://, https://, socks5:// or socks5h://) [default: from the environment variables
    /// HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY]
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Time limit for each connection attempt
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: String,
}

const EXAMPLES: &str = "\
Examples:
  undrop connect ws://127.0.0.1:8080/echo
  echo hello | undrop connect wss://example.com/ws --once
  tail -f events.log | undrop connect ws://127.0.0.1:8080/broadcast --session require";

const SESSION_MODES: &[(&str, &str)] = &[
    ("prefer", "A session if the server supports it, otherwise a plain WebSocket"),
    ("require", "A session; exit if the server does not support it"),
    ("off", "A plain WebSocket without a session"),
];

const POLICIES: &[(&str, &str)] = &[
    ("full-jitter", "Retry at once, then after a random delay below min(30 s, 1 s × 2^k), without limit"),
    ("classic", "1 s, doubled after each attempt up to 30 s, ± 25 %, 10 attempts"),
];

pub(crate) fn run(command: Connect) -> Result<ExitCode, Failure> {
    let linger = duration::parse(&command.linger).map_err(|e| usage(anyhow!("--linger: {e}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(talk(command, linger))?;
    // The thread that reads standard input may be blocked in a read that never returns.
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
        session: command.session,
        backoff: command.backoff.clone(),
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
    let secure = command.url.parse::<WsUrl>().is_ok_and(|url| url.is_secure());
    let tls = if secure {
        Some(tls::ClientTls::new(&trust).map_err(|error| Failure::new(Code::Tls, error))?)
    } else {
        None
    };
    let proxy = match &command.proxy {
        Some(url) => ProxyChoice::Fixed(url.parse().map_err(|e| usage(anyhow!("--proxy: {e}")))?),
        None => ProxyChoice::Environment(
            Proxies::from_env(|name| std::env::var(name).ok())
                .map_err(|e| usage(anyhow!("the proxy variables of the environment: {e}")))?,
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
    let printer =
        EventPrinter { colour: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() };
    let mut failed = None;
    // After the end of the input: the time at which the connection is closed if no message arrives.
    let mut quiet: Option<Instant> = None;
    // Messages are acknowledged in order, so the receipt of the newest one is the last to wait for.
    let mut newest: Option<Receipt> = None;
    loop {
        let idle = quiet.filter(|_| newest.is_none());
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { continue };
                printer.show(&event);
                match event {
                    Event::Failed { stage, why, .. } => {
                        failed = Some(stage);
                        if command.once {
                            return Err(Failure::new(code_of(stage), anyhow!(why)));
                        }
                    }
                    Event::Lost { ending } if command.once => {
                        return Err(Failure::new(Code::Dropped, anyhow!("connection lost: {ending}")));
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
                    // Waiting here pauses the input; messages are still received, and the queue empties as they are acknowledged.
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

/// Waits until a message is acknowledged or known not to be.
async fn acked(receipt: &mut Option<Receipt>) {
    match receipt {
        // Messages without an acknowledgement are reported when the client closes.
        Some(receipt) => drop(receipt.await),
        None => std::future::pending().await,
    }
}

/// Queues a message, and prints received messages while the queue is full. Returns `None` if the session is closing.
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

/// Reads lines of standard input in a thread, because not every kind of standard input can be read asynchronously.
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
                    tracing::error!(%error, "cannot read standard input; only lines of UTF-8 text can be sent");
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
            Err(Failure::new(Code::Dropped, anyhow!("closed with {unacked} unacknowledged messages")))
        }
        ClosedBy::Peer => Err(Failure::new(
            Code::Dropped,
            anyhow!("the server closed the connection: {} {reason}", code.get()),
        )),
        ClosedBy::Refused | ClosedBy::Incompatible => {
            let exit = failed.map_or(Code::Handshake, code_of);
            Err(Failure::new(exit, anyhow!("refused: {reason}")))
        }
        ClosedBy::GaveUp => Err(Failure::new(failed.map_or(Code::Dropped, code_of), anyhow!("{reason}"))),
    }
}

/// Prints the events of the connection to standard error.
struct EventPrinter {
    colour: bool,
}

impl EventPrinter {
    fn show(&self, event: &Event) {
        let (colour, text) = match event {
            Event::Connecting { .. } => return,
            Event::Open { session, protocol } => {
                let kind = if *session { "session" } else { "plain (the server does not support sessions)" };
                let protocol = protocol.as_ref().map(|p| format!(", subprotocol {p}")).unwrap_or_default();
                (32, format!("open: {kind}{protocol}"))
            }
            Event::Lost { ending } => {
                let browser = ending.browser_view().get();
                (31, format!("connection lost: {ending} (a browser reports {browser})"))
            }
            Event::Failed { why, .. } => (31, format!("attempt failed: {why}")),
            Event::Retry { after, .. } => (33, format!("next attempt in {:.1} s", after.as_secs_f64())),
            Event::Resumed { seamless, resent, after, same_backend } => {
                let how = if *seamless {
                    "without interruption".into()
                } else {
                    format!("after {:.2} s", after.as_secs_f64())
                };
                let backend = if *same_backend { "" } else { ", with a new backend connection" };
                (32, format!("resumed {how}, {resent} messages resent{backend}"))
            }
            Event::Gap { reason, lost, resent } => {
                let lost =
                    lost.map(|(from, to)| format!("{} messages of the server are lost", to - from + 1));
                let lost = lost.unwrap_or_else(|| "messages of the server may be lost".into());
                (
                    31,
                    format!(
                        "gap ({reason:?}): {lost}, {resent} own messages are resent and may arrive twice"
                    ),
                )
            }
            Event::GoAway { why, after } => {
                (33, format!("the gateway asked to reconnect ({why}), in {:.1} s", after.as_secs_f64()))
            }
            Event::Closed { code, reason, unacked, .. } => {
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let unacked = if *unacked == 0 {
                    String::new()
                } else {
                    format!(", {unacked} messages not acknowledged")
                };
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
