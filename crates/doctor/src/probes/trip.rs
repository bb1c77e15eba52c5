//! One message there and, perhaps, back.

use tokio::time::{Duration, Instant, timeout_at};

use crate::clock::between_s;
use crate::socket::{Frame, Wire};
use undrop_diagnosis::observations::Trip;
use undrop_frame::Ending;

/// How much of another message is kept, characters.
const START: usize = 80;

/// Sends a text message and waits for one. When none comes, a Ping asks whether the message was at least taken.
pub(crate) async fn trip(wire: &mut Wire, text: &str, patience: Duration) -> Trip {
    let sent = Instant::now();
    wire.text(text);
    let deadline = sent + patience;
    loop {
        match timeout_at(deadline, wire.recv()).await {
            Ok(Ok(frame)) => {
                if let Some(payload) = frame.message() {
                    let rtt_s = between_s(sent, Instant::now());
                    if payload == text.as_bytes() {
                        return Trip::Returned { rtt_s };
                    }
                    let start = String::from_utf8_lossy(payload).chars().take(START).collect();
                    return Trip::Other { rtt_s, start };
                }
            }
            Ok(Err(end)) => return Trip::Ended { end, after_s: between_s(sent, Instant::now()) },
            Err(_) => break,
        }
    }
    let waited_s = between_s(sent, Instant::now());
    match ping(wire, patience).await {
        Ok(Some(_)) => Trip::Taken { waited_s },
        Ok(None) => Trip::Silent { waited_s, acked: wire.acked() },
        Err(end) => Trip::Ended { end, after_s: between_s(sent, Instant::now()) },
    }
}

/// Sends a Ping; the round trip in seconds, `None` when no Pong came in time.
pub(crate) async fn ping(wire: &mut Wire, patience: Duration) -> Result<Option<f64>, Ending> {
    let payload = fastrand::u64(..).to_be_bytes();
    let sent = Instant::now();
    wire.ping(&payload);
    loop {
        match timeout_at(sent + patience, wire.recv()).await {
            Ok(Ok(Frame::Pong(answer))) if answer == payload => {
                return Ok(Some(between_s(sent, Instant::now())));
            }
            Ok(Ok(_)) => {}
            Ok(Err(end)) => return Err(end),
            Err(_) => return Ok(None),
        }
    }
}
