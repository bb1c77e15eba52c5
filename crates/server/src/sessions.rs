//! The accept side: finds or creates the session for a request, and passes the connection to its task.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use undrop_frame::CloseCode;
use undrop_session::{
    BackendIdentity, Gateway, GoAway, Hello, Loss, LossReason, Offer, Packet, Resumed, SessionId, SessionKey,
    Slots, parse_offer,
};
use undrop_store::{SessionStore, StoreError};
use undrop_transport::Stream;

use crate::closing::{close_frame, retire};
use crate::command::{Command, NewLink};
use crate::driver::Driver;
use crate::mailbox::Mailbox;
use crate::node::Node;
use crate::options::SessionOptions;
use crate::registry::{Claim, FirstContact, SessionEntry};
use crate::tombstone::Tombstone;

/// The close reason at the end of a drain.
const STOPS: &str = "gateway stops";

/// All sessions of this node. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    node: Arc<Node>,
}

/// A connection whose request was checked and whose response is not sent yet.
#[derive(Debug)]
pub struct Pending {
    /// The connection of the client.
    pub stream: Stream,
    /// Bytes that arrived after the request.
    pub leftover: Vec<u8>,
    /// The address of the peer.
    pub peer: SocketAddr,
    /// The parsed subprotocol offer.
    pub offer: Offer,
    /// `Sec-WebSocket-Key` of the request.
    pub key: String,
    /// The principal that opens the session; a resume must come from the same one. The gateway uses route and origin.
    pub principal: Box<str>,
}

/// A backend connection for a new session.
#[derive(Debug)]
pub struct Backend {
    /// The connection, after its handshake.
    pub stream: Stream,
    /// Bytes that arrived after its response.
    pub leftover: Vec<u8>,
    /// The subprotocol that the backend chose.
    pub protocol: Option<String>,
}

/// The result of [`Sessions::admit`].
#[derive(Debug)]
pub enum Admission {
    /// A session accepted the connection, or it was stale and has been ended.
    Accepted,
    /// There is no such session: call [`Sessions::create`] with a backend connection.
    New(Box<Newcomer>),
}

/// A connection that needs a new session. While it exists, repetitions of its first contact wait.
#[derive(Debug)]
pub struct Newcomer {
    /// The connection of the client.
    pub pending: Pending,
    /// The loss of the session that the client asked for.
    loss: Option<Loss>,
    claim: Option<Claim>,
}

/// The reason why a session could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// The session store refused the session.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node id or the hello is invalid.
    #[error("{0}")]
    Invalid(String),
}

impl Sessions {
    /// Creates an empty registry. `node` names this process in session ids: letters, digits, `-` and `_`.
    pub fn new(options: SessionOptions, store: Arc<dyn SessionStore>, node: &str) -> Sessions {
        Sessions { node: Arc::new(Node::new(options, store, node)) }
    }

    /// Parses the subprotocol tokens of a request.
    pub fn offer(tokens: &[String]) -> Offer {
        parse_offer(tokens)
    }

    /// Returns whether the hello proves that its session is on this node.
    pub fn knows(&self, offer: &Offer) -> bool {
        let Some(Ok(Hello::Resume { sid, n, rx, mac })) = &offer.hello else { return false };
        self.node.registry.get(sid).is_some_and(|entry| entry.key.verify(sid, *n, *rx, mac))
    }

    /// Passes the connection to the session that its hello names. Waits while an earlier attempt of the same first contact
    /// connects to its backend.
    pub async fn admit(&self, mut pending: Pending) -> Admission {
        loop {
            let Some(Ok(hello)) = &pending.offer.hello else { return newcomer(pending, None, None) };
            let target = match hello.clone() {
                Hello::First { cid, n } => self.contact(&cid, &pending, n, None).await,
                Hello::Resume { sid, n, rx, mac } => self.resumed(sid, n, rx, &mac, &pending).await,
            };
            let (entry, attempt, rx) = match target {
                Destination::Session(entry, attempt, rx) => (entry, attempt, rx),
                Destination::New(loss, claim) => return newcomer(pending, loss, claim),
                Destination::Closed(tombstone, attempt, rx) => {
                    confirm_close(pending, &tombstone, attempt, rx);
                    return Admission::Accepted;
                }
            };
            match self.offer_link(&entry, pending, attempt, rx).await {
                LinkOutcome::Accepted => return Admission::Accepted,
                LinkOutcome::Refused(back, loss) => return newcomer(back, Some(loss), None),
                // The session ended in between: look it up again.
                LinkOutcome::Gone(back) => pending = back,
            }
        }
    }

    /// Returns the session that a first contact created, or the right to create it.
    async fn contact(&self, id: &str, pending: &Pending, attempt: u64, loss: Option<Loss>) -> Destination {
        // The principal is part of the key: the same id from another principal is another contact.
        let contact = format!("{id} {}", pending.principal);
        loop {
            match self.node.registry.contact(&contact) {
                FirstContact::Session(entry) => return Destination::Session(entry, attempt, None),
                FirstContact::Free(claim) => return Destination::New(loss, Some(claim)),
                // An error means that the other attempt ended.
                FirstContact::Creating(mut done) => while done.changed().await.is_ok() {},
            }
        }
    }

    async fn resumed(&self, sid: SessionId, n: u64, rx: u64, mac: &str, pending: &Pending) -> Destination {
        let lost = |why| Destination::New(Some(Loss { why, acc: 0, lost: None }), None);
        let registry = &self.node.registry;
        if let Some(entry) = registry.get(&sid) {
            if !entry.key.verify(&sid, n, rx, mac) {
                tracing::warn!(%sid, peer = %pending.peer, "resume with a wrong proof");
                return lost(LossReason::Unknown);
            }
            if entry.principal != pending.principal {
                tracing::warn!(%sid, peer = %pending.peer, "resume from another origin or route");
                return lost(LossReason::Unknown);
            }
            return Destination::Session(entry, n, Some(rx));
        }
        match registry.tombstone(&sid) {
            Some(tombstone) if !tombstone.key.verify(&sid, n, rx, mac) => lost(LossReason::Unknown),
            Some(tombstone) if tombstone.why.is_none() => Destination::Closed(tombstone, n, rx),
            // A repeated request, for example after a lost response, gets the same new session.
            Some(tombstone) => self.contact(sid.as_str(), pending, n, Some(tombstone.loss(rx))).await,
            None if sid.node() != &*self.node.name => lost(LossReason::NodeLost),
            None => lost(LossReason::Unknown),
        }
    }

    async fn offer_link(
        &self,
        entry: &Arc<SessionEntry>,
        pending: Pending,
        attempt: u64,
        rx: Option<u64>,
    ) -> LinkOutcome {
        let (refused, answer) = oneshot::channel();
        let Pending { stream, leftover, peer, offer, key, principal } = pending;
        let link = NewLink {
            stream,
            leftover,
            response: response_101(&offer, &key, entry.protocol.as_deref()),
            attempt,
            rx,
            peer,
            refused: Some(refused),
        };
        let (link, tombstone) = match entry.mailbox.send(Command::Link(Box::new(link))) {
            Err(Command::Link(link)) => (link, None),
            Err(_) => return LinkOutcome::Accepted,
            Ok(()) => match answer.await {
                Ok(back) => back,
                // The session accepted the link and dropped the sender.
                Err(_) => return LinkOutcome::Accepted,
            },
        };
        let NewLink { stream, leftover, peer, .. } = *link;
        let pending = Pending { stream, leftover, peer, offer, key, principal };
        match tombstone {
            Some(tombstone) => LinkOutcome::Refused(pending, tombstone.loss(rx.unwrap_or(0))),
            None => LinkOutcome::Gone(pending),
        }
    }

    /// Creates a session for a connection and a backend, and spawns its task.
    ///
    /// # Errors
    /// There are no random bytes, the store is full, or the client offered no hello.
    pub async fn create(&self, newcomer: Newcomer, backend: Backend) -> Result<(), CreateError> {
        let Newcomer { pending, loss, claim } = newcomer;
        let Some(Ok(hello)) = &pending.offer.hello else {
            return Err(CreateError::Invalid("the client offered no hello".into()));
        };
        let attempt = hello.attempt();
        let mut random = [0; 48];
        getrandom::fill(&mut random).map_err(CreateError::Random)?;
        let (mut id, mut secret) = ([0; 16], [0; 32]);
        id.copy_from_slice(&random[..16]);
        secret.copy_from_slice(&random[16..]);
        let sid = SessionId::new(&self.node.name, id).map_err(|e| CreateError::Invalid(e.to_string()))?;
        let lease = self.node.store.claim(&sid, &self.node.name).await?;
        let key = SessionKey::new(secret);
        let entry = Arc::new(SessionEntry {
            sid: sid.clone(),
            key: key.clone(),
            principal: pending.principal.clone(),
            protocol: backend.protocol.clone().map(String::into_boxed_str),
            mailbox: Mailbox::new(),
            detached_bytes: AtomicUsize::new(0),
            detached_order: Default::default(),
            fence: lease.fence,
        });
        let now = Instant::now().into_std();
        let machine =
            Gateway::new(now, self.node.options.machine.clone(), sid, key, backend.protocol.clone());
        let response = response_101(&pending.offer, &pending.key, backend.protocol.as_deref());
        let link = NewLink {
            stream: pending.stream,
            leftover: pending.leftover,
            response,
            attempt,
            rx: None,
            peer: pending.peer,
            refused: None,
        };
        self.node.registry.insert(entry.clone());
        if let Some(end) = self.node.drained_by.get() {
            let until = end.saturating_duration_since(Instant::now()).as_millis() as u64;
            let order = match until {
                0 => Command::Close { code: CloseCode::GOING_AWAY, reason: STOPS.into() },
                _ => Command::Drain(GoAway { wait: 0, slot: until / 4, until, why: "drain".into() }),
            };
            // The task is not spawned yet, so it cannot have ended.
            let _ = entry.mailbox.send(order);
        }
        let contact = claim.map(|claim| claim.fulfil(&entry));
        self.node.live.fetch_add(1, Ordering::Relaxed);
        let mut driver = Driver::new(machine, backend.stream, entry, self.node.clone(), contact);
        if let Some(loss) = loss {
            driver.succeed(loss);
        }
        driver.preload_backend(&backend.leftover);
        driver.attach(Box::new(link), now);
        tokio::spawn(driver);
        Ok(())
    }

    /// Returns the number of sessions, attached and detached.
    pub fn live(&self) -> usize {
        self.node.live.load(Ordering::Relaxed)
    }

    /// Returns the memory of detached sessions, in bytes.
    pub fn detached_bytes(&self) -> usize {
        self.node.registry.detached_bytes()
    }

    /// Asks the client of every session to move, each in its own slot, and waits until no session is left or `deadline`
    /// has passed. The remaining sessions are closed. Returns their number.
    pub async fn drain(&self, rate: u32, deadline: Duration) -> usize {
        let end = *self.node.drained_by.get_or_init(|| Instant::now() + deadline);
        let sessions = self.node.registry.all();
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        let mut slots = Slots::new(count, rate, deadline);
        for entry in &sessions {
            // A session that just ended does not receive it.
            let _ = entry.mailbox.send(Command::Drain(slots.assign("drain")));
        }
        while self.live() > 0 {
            let emptied = self.node.emptied.notified();
            if self.live() == 0 || tokio::time::timeout_at(end, emptied).await.is_err() {
                break;
            }
        }
        let left = self.node.registry.all();
        for entry in &left {
            let close = Command::Close { code: CloseCode::GOING_AWAY, reason: STOPS.into() };
            let _ = entry.mailbox.send(close);
        }
        left.len()
    }
}

/// The destination of a connection.
enum Destination {
    Session(Arc<SessionEntry>, u64, Option<u64>),
    New(Option<Loss>, Option<Claim>),
    /// The client closed the session, and asks whether the close arrived.
    Closed(Tombstone, u64, u64),
}

/// The reaction of a session to an offered link.
enum LinkOutcome {
    Accepted,
    Refused(Pending, Loss),
    Gone(Pending),
}

fn newcomer(pending: Pending, loss: Option<Loss>, claim: Option<Claim>) -> Admission {
    Admission::New(Box::new(Newcomer { pending, loss, claim }))
}

/// Confirms to a client that everything up to its close was accepted, and closes the link.
fn confirm_close(pending: Pending, tombstone: &Tombstone, attempt: u64, rx: u64) {
    let resumed = Resumed {
        att: attempt,
        rx: tombstone.taken,
        start: tombstone.sent.max(rx) + 1,
        ttl: 0,
        backend: BackendIdentity::Same,
        away: false,
    };
    let mut last = response_101(&pending.offer, &pending.key, None);
    last.extend(Packet::Resumed(resumed).to_server_frame());
    last.extend(close_frame(Some(CloseCode::NORMAL), "closed"));
    tokio::spawn(retire(pending.stream, last));
}

fn response_101(offer: &Offer, key: &str, protocol: Option<&str>) -> Vec<u8> {
    let chosen = undrop_session::response_protocol(offer, protocol);
    undrop_frame::handshake::response_101(key, Some(&chosen), None, &[])
}
