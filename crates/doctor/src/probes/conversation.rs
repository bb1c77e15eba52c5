//! Exchanges a small message, then Pings and messages alternately, to find out who answers them.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use undrop_transport::tcp_info;

use super::message::{exchange, ping};
use crate::clock::seconds;
use crate::prober::Prober;
use crate::socket::FrameSocket;
use undrop_diagnosis::observations::{EchoTest, MessageOutcome, PingTest};
use undrop_frame::Ending;

/// The time for which a greeting of the server is awaited.
const GREETING: Duration = Duration::from_millis(200);

/// The number of round trips that are measured.
const ROUNDS: usize = 5;

/// Exchanges messages and Pings on a new connection.
pub(crate) async fn conversation(prober: &Prober<'_>) -> (EchoTest, Option<PingTest>) {
    let text = &prober.options.message;
    let not_opened =
        |end| EchoTest { sent: text.clone(), result: MessageOutcome::NotOpened(end), greetings: 0 };
    let mut socket = match prober.open(None, &prober.handshake_request()).await {
        Ok(open) => open.into_socket(),
        Err(end) => return (not_opened(end), None),
    };
    let greetings = match greetings(&mut socket).await {
        Ok(greetings) => greetings,
        Err(end) => {
            let result = MessageOutcome::Ended { end, after_s: 0.0 };
            return (EchoTest { sent: text.clone(), result, greetings: 0 }, None);
        }
    };
    let first = exchange(&mut socket, text, prober.patience().min(Duration::from_secs(2))).await;
    let mut echo = EchoTest { sent: text.clone(), result: first, greetings };
    if let MessageOutcome::Ended { .. } = echo.result {
        // The server closes after a message; Pings may still be answered.
        socket = match prober.open(None, &prober.handshake_request()).await {
            Ok(open) => open.into_socket(),
            Err(_) => return (echo, None),
        };
    }
    let pings = pings(&mut socket, prober, &mut echo).await;
    (echo, pings)
}

async fn pings(socket: &mut FrameSocket, prober: &Prober<'_>, echo: &mut EchoTest) -> Option<PingTest> {
    let mut pings = PingTest { pongs_s: Vec::new(), unanswered: 0, echoes_s: Vec::new(), tcp_rtt_s: None };
    let echoes = matches!(echo.result, MessageOutcome::Returned { .. });
    for _ in 0..ROUNDS {
        match ping(socket, prober.patience()).await {
            Ok(Some(rtt)) => pings.pongs_s.push(rtt),
            Ok(None) => {
                pings.unanswered += 1;
                break;
            }
            Err(_) => break,
        }
        if echoes {
            match exchange(socket, &echo.sent, prober.patience()).await {
                MessageOutcome::Returned { rtt_s } => pings.echoes_s.push(rtt_s),
                _ => break,
            }
        }
    }
    let info = socket.stream().tcp().and_then(|tcp| tcp_info(tcp).ok());
    pings.tcp_rtt_s = info.map(|info| seconds(info.rtt));
    Some(pings)
}

/// Returns the number of messages that are received before anything is sent.
async fn greetings(socket: &mut FrameSocket) -> Result<u32, Ending> {
    let deadline = Instant::now() + GREETING;
    let mut count = 0;
    loop {
        match timeout_at(deadline, socket.recv()).await {
            Ok(Ok(frame)) => count += u32::from(frame.message().is_some()),
            Ok(Err(end)) => return Err(end),
            Err(_) => return Ok(count),
        }
    }
}
