//! A small message, then Pings beside messages: does the application answer, and who answers the Pings?

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use undrop_transport::tcp_info;

use super::trip::{ping, trip};
use crate::caller::Caller;
use crate::clock::seconds;
use crate::socket::Wire;
use undrop_diagnosis::observations::{Echo, Pings, Trip};
use undrop_frame::Ending;

/// How long a server may take to greet.
const GREETING: Duration = Duration::from_millis(200);

/// How often each round trip is measured.
const ROUNDS: usize = 5;

/// Talks on a connection of its own.
pub(crate) async fn conversation(caller: &Caller<'_>) -> (Echo, Option<Pings>) {
    let text = &caller.options.message;
    let not_opened = |end| Echo { sent: text.clone(), trip: Trip::NotOpened(end), greetings: 0 };
    let mut wire = match caller.open(None, &caller.asked()).await {
        Ok(open) => open.wire(),
        Err(end) => return (not_opened(end), None),
    };
    let greetings = match greetings(&mut wire).await {
        Ok(greetings) => greetings,
        Err(end) => {
            let trip = Trip::Ended { end, after_s: 0.0 };
            return (Echo { sent: text.clone(), trip, greetings: 0 }, None);
        }
    };
    let first = trip(&mut wire, text, caller.patience().min(Duration::from_secs(2))).await;
    let mut echo = Echo { sent: text.clone(), trip: first, greetings };
    if let Trip::Ended { .. } = echo.trip {
        // Messages are not welcome here; Pings may be.
        wire = match caller.open(None, &caller.asked()).await {
            Ok(open) => open.wire(),
            Err(_) => return (echo, None),
        };
    }
    let pings = pings(&mut wire, caller, &mut echo).await;
    (echo, pings)
}

async fn pings(wire: &mut Wire, caller: &Caller<'_>, echo: &mut Echo) -> Option<Pings> {
    let mut pings = Pings { pongs_s: Vec::new(), unanswered: 0, echoes_s: Vec::new(), tcp_rtt_s: None };
    let echoes = matches!(echo.trip, Trip::Returned { .. });
    for _ in 0..ROUNDS {
        match ping(wire, caller.patience()).await {
            Ok(Some(rtt)) => pings.pongs_s.push(rtt),
            Ok(None) => {
                pings.unanswered += 1;
                break;
            }
            Err(_) => break,
        }
        if echoes {
            match trip(wire, &echo.sent, caller.patience()).await {
                Trip::Returned { rtt_s } => pings.echoes_s.push(rtt_s),
                _ => break,
            }
        }
    }
    let info = wire.stream().tcp().and_then(|tcp| tcp_info(tcp).ok());
    pings.tcp_rtt_s = info.map(|info| seconds(info.rtt));
    Some(pings)
}

/// How many messages come before anything is sent.
async fn greetings(wire: &mut Wire) -> Result<u32, Ending> {
    let deadline = Instant::now() + GREETING;
    let mut count = 0;
    loop {
        match timeout_at(deadline, wire.recv()).await {
            Ok(Ok(frame)) => count += u32::from(frame.message().is_some()),
            Ok(Err(end)) => return Err(end),
            Err(_) => return Ok(count),
        }
    }
}
