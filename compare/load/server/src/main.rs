//! `load-server [fin|rst SECONDS]`: an echo server in one thread that counts what reaches it, for comparing load testers.
//!
//! It prints `{"listening":"127.0.0.1:PORT"}`, then one line of counts for each line on standard input, and ends with it:
//!
//! ```text
//! {"seconds":12.345678,"open":1000,"opened":1000,"messages":98765}
//! ```
//!
//! With `fin` or `rst` every connection ends that long after its handshake: by a FIN without a Close frame, or by a reset.

mod server;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{TryRecvError, sync_channel};
use std::time::Duration;

use mio::Waker;
use server::{Cut, Server, WAKER};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(cut) = cut(&arguments) else {
        eprintln!("usage: load-server [fin|rst SECONDS]");
        return ExitCode::from(2);
    };
    match serve(cut) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` when the arguments make no sense.
fn cut(arguments: &[String]) -> Option<Option<(Cut, Duration)>> {
    let (how, seconds) = match arguments {
        [] => return Some(None),
        [how, seconds] => (how, seconds),
        _ => return None,
    };
    let how = match how.as_str() {
        "fin" => Cut::Fin,
        "rst" => Cut::Rst,
        _ => return None,
    };
    Some(Some((how, Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?)))
}

fn serve(cut: Option<(Cut, Duration)>) -> io::Result<()> {
    let mut server = Server::new(cut)?;
    // Kept here too: a waker that is dropped takes its last event with it.
    let waker = Arc::new(Waker::new(server.registry(), WAKER)?);
    let wake = waker.clone();
    let (ask, asked) = sync_channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.is_err() || ask.send(()).is_err() || wake.wake().is_err() {
                break;
            }
        }
        drop(ask);
        // Nothing is left to tell if this fails.
        let _ = wake.wake();
    });
    let mut out = io::stdout();
    writeln!(out, "{{\"listening\":\"{}\"}}", server.address()?)?;
    out.flush()?;
    loop {
        server.turn()?;
        loop {
            match asked.try_recv() {
                Ok(()) => {
                    writeln!(out, "{}", server.counts())?;
                    out.flush()?;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
        }
    }
}
