//! What a client must keep to go on after its process is gone.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use undrop_frame::Message;

use super::outbox::Content;
use super::{ClientConfig, ClientMachine, Session, State};
use crate::delivery::Delivery;
use crate::identity::{SessionId, SessionKey};
use crate::mutate::Rules;

/// Enough to resume a session from another process, or another page of the same tab. Holds the session's secret. What was
/// received and not taken is not in it: the gateway sends it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    sid: SessionId,
    key: SessionKey,
    n: u64,
    rx: u64,
    hb: u64,
    win: u64,
    first: u64,
    numbered: usize,
    units: Vec<Unit>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Unit {
    Text(String),
    Binary(Vec<u8>),
    Close(u16, String),
}

impl<R: Rules> ClientMachine<R> {
    /// The state to keep; `None` while there is no session.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let session = self.session.as_ref().filter(|_| self.state != State::Closed)?;
        let units: Vec<Unit> = self
            .outbox
            .unacked_units()
            .map(|content| match content {
                Content::Data(Message::Text(text)) => Unit::Text(text.clone()),
                Content::Data(Message::Binary(bytes)) => Unit::Binary(bytes.clone()),
                Content::Close(close) => Unit::Close(close.code.get(), close.reason.clone()),
            })
            .collect();
        Some(Snapshot {
            sid: session.sid.clone(),
            key: session.key.clone(),
            n: self.last_n,
            rx: self.delivery.statement::<R>(),
            hb: u64::try_from(session.heartbeat.as_millis()).unwrap_or(u64::MAX),
            win: session.window,
            first: self.outbox.acked() + 1,
            numbered: usize::try_from(self.outbox.unacked()).unwrap_or(units.len()),
            units,
        })
    }

    /// Goes on where a snapshot stood. Receipts of the former process are unknown to this one; `cid` is for the case that
    /// the session is gone.
    pub fn restore(now: Instant, config: ClientConfig, cid: String, seed: u64, snapshot: Snapshot) -> Self {
        let mut client = Self::new(now, config, cid, seed);
        let window = usize::try_from(snapshot.win).unwrap_or(usize::MAX);
        client.delivery = Delivery::resumed(window, client.config.ack_delay, snapshot.rx);
        client.session = Some(Session {
            sid: snapshot.sid,
            key: snapshot.key,
            heartbeat: std::time::Duration::from_millis(snapshot.hb),
            window: snapshot.win,
            protocol: None,
        });
        client.last_n = snapshot.n;
        client.state = State::Resuming;
        for unit in snapshot.units {
            match unit {
                Unit::Text(text) => client.outbox.keep(Content::Data(Message::Text(text))),
                Unit::Binary(bytes) => client.outbox.keep(Content::Data(Message::Binary(bytes))),
                Unit::Close(code, reason) => {
                    let close = crate::packet::Close::new(code.into(), &reason);
                    client.closing = Some(close.clone());
                    client.outbox.push_close(close);
                }
            }
        }
        client.outbox.restore(snapshot.first.max(1), snapshot.numbered);
        client
    }
}
