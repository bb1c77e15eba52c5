//! Sends one message and waits for a reply.

use tokio::time::{Duration, Instant, timeout_at};

use crate::clock::between_s;
use crate::socket::{FrameSocket, ReceivedFrame};
use undrop_diagnosis::observations::MessageOutcome;
use undrop_frame::Ending;

/// The number of characters that are kept of another message.
const START: usize = 80;

/// Sends a text message and waits for a message. If none is received, a Ping tests whether the message was accepted.
pub(crate) async fn exchange(socket: &mut FrameSocket, text: &str, patience: Duration) -> MessageOutcome {
    let sent = Instant::now();
    socket.text(text);
    let deadline = sent + patience;
    loop {
        match timeout_at(deadline, socket.recv()).await {
            Ok(Ok(frame)) => {
                if let Some(payload) = frame.message() {
                    let rtt_s = between_s(sent, Instant::now());
                    if payload == text.as_bytes() {
                        return MessageOutcome::Returned { rtt_s };
                    }
                    let start = String::from_utf8_lossy(payload).chars().take(START).collect();
                    return MessageOutcome::Other { rtt_s, start };
                }
            }
            Ok(Err(end)) => return MessageOutcome::Ended { end, after_s: between_s(sent, Instant::now()) },
            Err(_) => break,
        }
    }
    let waited_s = between_s(sent, Instant::now());
    match ping(socket, patience).await {
        Ok(Some(_)) => MessageOutcome::Accepted { waited_s },
        Ok(None) => MessageOutcome::Silent { waited_s, acked: socket.acked() },
        Err(end) => MessageOutcome::Ended { end, after_s: between_s(sent, Instant::now()) },
    }
}

/// Sends a Ping and returns the round-trip time in seconds, `None` if no Pong was received in time.
pub(crate) async fn ping(socket: &mut FrameSocket, patience: Duration) -> Result<Option<f64>, Ending> {
    let payload = fastrand::u64(..).to_be_bytes();
    let sent = Instant::now();
    socket.ping(&payload);
    loop {
        match timeout_at(sent + patience, socket.recv()).await {
            Ok(Ok(ReceivedFrame::Pong(answer))) if answer == payload => {
                return Ok(Some(between_s(sent, Instant::now())));
            }
            Ok(Ok(_)) => {}
            Ok(Err(end)) => return Err(end),
            Err(_) => return Ok(None),
        }
    }
}
