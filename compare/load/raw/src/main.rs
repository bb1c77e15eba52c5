//! `raw-client URL CONNECTIONS SECONDS RATE`: a load tester as a developer would write it in an hour: one task per connection, an
//! interval, and counters. Rate 0 is flood: the next message goes out when the answer is there.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

#[derive(Default)]
struct Counts {
    opened: u64,
    sent: u64,
    received: u64,
    errors: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next();
    let mut numbers = arguments.map(|text| text.parse::<f64>().ok().filter(|number| *number >= 0.0));
    let mut number = || numbers.next().flatten();
    let (Some(url), Some(connections), Some(seconds), Some(rate)) = (url, number(), number(), number())
    else {
        eprintln!("usage: raw-client URL CONNECTIONS SECONDS RATE");
        return ExitCode::from(2);
    };
    let end = Instant::now() + Duration::from_secs_f64(seconds.min(86_400.0));
    let tasks: Vec<_> =
        (0..connections as u64).map(|_| tokio::spawn(connection(url.clone(), end, rate))).collect();
    let mut total = Counts::default();
    for task in tasks {
        match task.await {
            Ok(counts) => {
                total.opened += counts.opened;
                total.sent += counts.sent;
                total.received += counts.received;
                total.errors += counts.errors;
            }
            Err(_) => total.errors += 1,
        }
    }
    let Counts { opened, sent, received, errors } = total;
    println!("opened {opened}, sent {sent}, received {received}, errors {errors}");
    ExitCode::SUCCESS
}

async fn connection(url: String, end: Instant, rate: f64) -> Counts {
    let mut counts = Counts::default();
    if let Err(error) = talk(&url, end, rate, &mut counts).await {
        if counts.errors == 0 {
            eprintln!("{error}");
        }
        counts.errors += 1;
    }
    counts
}

async fn talk(url: &str, end: Instant, rate: f64, counts: &mut Counts) -> Result<(), Error> {
    let text = "x".repeat(64);
    let (mut socket, _) = connect_async(url).await?;
    counts.opened += 1;
    let end = sleep_until(end.into());
    tokio::pin!(end);
    if rate == 0.0 {
        loop {
            socket.send(Message::text(text.clone())).await?;
            counts.sent += 1;
            tokio::select! {
                message = socket.next() => match message {
                    Some(message) => { message?; counts.received += 1; }
                    None => return Ok(()),
                },
                () = &mut end => break,
            }
        }
    } else {
        let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    socket.send(Message::text(text.clone())).await?;
                    counts.sent += 1;
                }
                message = socket.next() => match message {
                    Some(message) => { message?; counts.received += 1; }
                    None => return Ok(()),
                },
                () = &mut end => break,
            }
        }
    }
    socket.close(None).await
}
