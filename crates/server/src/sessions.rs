//! The accept side: decides what a request wants, finds or founds its session, and hands its connection over.

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

/// Why sessions are closed at the end of a drain.
const STOPS: &str = "gateway stops";

/// All sessions of this node. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    node: Arc<Node>,
}

/// A connection whose request was checked and whose answer is not sent yet.
#[derive(Debug)]
pub struct Pending {
    /// The connection.
    pub stream: Stream,
    /// Bytes that came behind the request.
    pub leftover: Vec<u8>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it offered.
    pub offer: Offer,
    /// `Sec-WebSocket-Key` of the request.
    pub key: String,
    /// Who opens it: a resume must come from the same. The gateway takes route and origin.
    pub principal: Box<str>,
}

/// A backend connection that a new session is built on.
#[derive(Debug)]
pub struct Backend {
    /// The connection, its handshake done.
    pub stream: Stream,
    /// Bytes that came behind its answer.
    pub leftover: Vec<u8>,
    /// The sub-protocol it chose.
    pub protocol: Option<String>,
}

/// What became of a connection that was offered to an existing session.
#[derive(Debug)]
pub enum Admission {
    /// The session has it (or it was answered and ended, when it was stale).
    Taken,
    /// There is no such session: it needs a backend and [`Sessions::create`].
    New(Box<Newcomer>),
}

/// A connection that needs a session of its own. While it exists, repetitions of its first contact wait.
#[derive(Debug)]
pub struct Newcomer {
    /// The connection.
    pub pending: Pending,
    /// What it is told of the session that it asked for.
    loss: Option<Loss>,
    claim: Option<Claim>,
}

/// Why a session could not be founded.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node id or the hello is not usable.
    #[error("{0}")]
    Invalid(String),
}

impl Sessions {
    /// An empty registry. `node` names this process in session ids: letters, digits, `-` and `_`.
    pub fn new(options: SessionOptions, store: Arc<dyn SessionStore>, node: &str) -> Sessions {
        Sessions { node: Arc::new(Node::new(options, store, node)) }
    }

    /// What the sub-protocol tokens of a request ask for.
    pub fn offer(tokens: &[String]) -> Offer {
        parse_offer(tokens)
    }

    /// Whether the hello proves that its session lives here.
    pub fn knows(&self, offer: &Offer) -> bool {
        let Some(Ok(Hello::Resume { sid, n, rx, mac })) = &offer.hello else { return false };
        self.node.registry.get(sid).is_some_and(|entry| entry.key.verify(sid, *n, *rx, mac))
    }

    /// Gives the connection to the session that its hello names. Waits while an earlier attempt of the same first
    /// contact reaches its backend.
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
                    return Admission::Taken;
                }
            };
            match self.offer_link(&entry, pending, attempt, rx).await {
                LinkOutcome::Taken => return Admission::Taken,
                LinkOutcome::Refused(back, loss) => return newcomer(back, Some(loss), None),
                // It ended in between; what is there now?
                LinkOutcome::Gone(back) => pending = back,
            }
        }
    }

    /// The session that a first contact founded, or the right to found it.
    async fn contact(&self, id: &str, pending: &Pending, attempt: u64, loss: Option<Loss>) -> Destination {
        // Who opens it belongs to the name: somebody else's contact is another one.
        let contact = format!("{id} {}", pending.principal);
        loop {
            match self.node.registry.contact(&contact) {
                FirstContact::Session(entry) => return Destination::Session(entry, attempt, None),
                FirstContact::Free(claim) => return Destination::New(loss, Some(claim)),
                // An error is the end of the other's attempt.
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
            // Asked again, perhaps because the answer was lost, it is the same new session.
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
            Err(_) => return LinkOutcome::Taken,
            Ok(()) => match answer.await {
                Ok(back) => back,
                // The sender was dropped with the link's acceptance.
                Err(_) => return LinkOutcome::Taken,
            },
        };
        let NewLink { stream, leftover, peer, .. } = *link;
        let pending = Pending { stream, leftover, peer, offer, key, principal };
        match tombstone {
            Some(tombstone) => LinkOutcome::Refused(pending, tombstone.loss(rx.unwrap_or(0))),
            None => LinkOutcome::Gone(pending),
        }
    }

    /// Founds a session on a connection and a backend, and gives it a task of its own.
    ///
    /// # Errors
    /// No random bytes, a full store, a client that offered no hello.
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
            // Its own task is not there yet, so it cannot have ended.
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

    /// Sessions that live, with a link or without.
    pub fn live(&self) -> usize {
        self.node.live.load(Ordering::Relaxed)
    }

    /// Bytes that sessions without a link hold.
    pub fn detached_bytes(&self) -> usize {
        self.node.registry.detached_bytes()
    }

    /// Tells every session to move, each in a slot of its own, and waits until none is left or `deadline` has passed;
    /// what is left then is closed. Returns how many those were.
    pub async fn drain(&self, rate: u32, deadline: Duration) -> usize {
        let end = *self.node.drained_by.get_or_init(|| Instant::now() + deadline);
        let sessions = self.node.registry.all();
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        let mut slots = Slots::new(count, rate, deadline);
        for entry in &sessions {
            // A session that just ended needs no telling.
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

/// Where a connection belongs.
enum Destination {
    Session(Arc<SessionEntry>, u64, Option<u64>),
    New(Option<Loss>, Option<Claim>),
    /// Its client closed it, and asks whether that was heard.
    Closed(Tombstone, u64, u64),
}

/// What a session did with a link that it was offered.
enum LinkOutcome {
    Taken,
    Refused(Pending, Loss),
    Gone(Pending),
}

fn newcomer(pending: Pending, loss: Option<Loss>, claim: Option<Claim>) -> Admission {
    Admission::New(Box::new(Newcomer { pending, loss, claim }))
}

/// Tells a client that everything up to its close was taken; there is nothing more to say.
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
    let chosen = undrop_session::answer(offer, protocol);
    undrop_frame::handshake::response_101(key, Some(&chosen), None, &[])
}
