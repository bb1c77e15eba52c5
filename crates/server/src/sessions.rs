//! The accept side: decides what a request wants, finds or founds its session, and hands its connection over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use undrop_session::{Gateway, Hello, Loss, LossReason, Offer, SessionId, SessionKey, Slots, parse_offer};
use undrop_store::{Lease, SessionStore, StoreError};
use undrop_transport::Stream;

use crate::driver::{Command, Driver, NewLink};
use crate::mailbox::Mailbox;
use crate::options::SessionOptions;
use crate::registry::{Entry, Registry, Tomb};

/// All sessions of this node. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: SessionOptions,
    pub(crate) registry: Registry,
    store: Arc<dyn SessionStore>,
    node: Box<str>,
    live: AtomicUsize,
    emptied: Notify,
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
    /// There is no such session: it needs a backend and [`Sessions::found`].
    New(Box<Pending>, Option<Loss>),
}

/// Why a session could not be founded.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
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
        Sessions {
            shared: Arc::new(Shared {
                options,
                registry: Registry::default(),
                store,
                node: node.into(),
                live: AtomicUsize::new(0),
                emptied: Notify::new(),
            }),
        }
    }

    /// What the sub-protocol tokens of a request ask for.
    pub fn offer(tokens: &[String]) -> Offer {
        parse_offer(tokens)
    }

    /// Gives the connection to the session that its hello names.
    pub async fn admit(&self, pending: Pending) -> Admission {
        let Some(Ok(hello)) = &pending.offer.hello else { return Admission::New(Box::new(pending), None) };
        let registry = &self.shared.registry;
        match hello.clone() {
            Hello::First { cid, n } => match registry.by_contact(&cid) {
                Some(entry) if entry.principal == pending.principal => {
                    self.offer_link(&entry, pending, n, None).await
                }
                _ => Admission::New(Box::new(pending), None),
            },
            Hello::Resume { sid, n, rx, mac } => {
                let entry = registry.get(&sid);
                match entry {
                    Some(entry) if !entry.key.verify(&sid, n, rx, &mac) => {
                        tracing::warn!(%sid, peer = %pending.peer, "resume with a wrong proof");
                        lost(pending, LossReason::Unknown)
                    }
                    Some(entry) if entry.principal != pending.principal => {
                        tracing::warn!(%sid, peer = %pending.peer, "resume from another origin or route");
                        lost(pending, LossReason::Unknown)
                    }
                    Some(entry) => self.offer_link(&entry, pending, n, Some(rx)).await,
                    None => match registry.tomb(&sid) {
                        Some(tomb) if tomb.key.verify(&sid, n, rx, &mac) => {
                            Admission::New(Box::new(pending), Some(tomb.loss(rx)))
                        }
                        _ if sid.node() != &*self.shared.node => lost(pending, LossReason::NodeLost),
                        _ => lost(pending, LossReason::Unknown),
                    },
                }
            }
        }
    }

    async fn offer_link(
        &self,
        entry: &Arc<Entry>,
        pending: Pending,
        attempt: u64,
        rx: Option<u64>,
    ) -> Admission {
        let (refused, answer) = oneshot::channel();
        let Pending { stream, leftover, peer, offer, key, principal } = pending;
        let link = NewLink {
            stream,
            leftover,
            answer: answer_101(&offer, &key, entry.protocol.as_deref()),
            attempt,
            rx,
            peer,
            refused: Some(refused),
        };
        let again = |link: NewLink, loss| {
            let NewLink { stream, leftover, peer, .. } = link;
            Admission::New(Box::new(Pending { stream, leftover, peer, offer, key, principal }), loss)
        };
        match entry.mailbox.send(Command::Link(Box::new(link))) {
            // It ended between the look-up and now.
            Err(Command::Link(link)) => {
                let loss = self.shared.registry.tomb(&entry.sid).map(|tomb| tomb.loss(rx.unwrap_or(0)));
                again(*link, loss.or(Some(Loss { why: LossReason::Unknown, acc: 0, lost: None })))
            }
            Err(_) => Admission::Taken,
            Ok(()) => match answer.await {
                Ok((link, tomb)) => again(*link, Some(tomb.loss(rx.unwrap_or(0)))),
                // The sender was dropped with the link's acceptance.
                Err(_) => Admission::Taken,
            },
        }
    }

    /// Founds a session on a connection and a backend, and gives it a task of its own.
    ///
    /// # Errors
    /// No random bytes, a full store, a client that offered no hello.
    pub async fn found(
        &self,
        pending: Pending,
        backend: Backend,
        loss: Option<Loss>,
    ) -> Result<(), FoundError> {
        let Some(Ok(hello)) = &pending.offer.hello else {
            return Err(FoundError::Invalid("the client offered no hello".into()));
        };
        let attempt = hello.attempt();
        let contact: Box<str> = match hello {
            Hello::First { cid, .. } => cid.as_str().into(),
            Hello::Resume { sid, .. } => sid.as_str().into(),
        };
        let mut random = [0; 48];
        getrandom::fill(&mut random).map_err(FoundError::Random)?;
        let (mut id, mut secret) = ([0; 16], [0; 32]);
        id.copy_from_slice(&random[..16]);
        secret.copy_from_slice(&random[16..]);
        let sid = SessionId::new(&self.shared.node, id).map_err(|e| FoundError::Invalid(e.to_string()))?;
        let lease = self.shared.store.claim(&sid, &self.shared.node).await?;
        let key = SessionKey::new(secret);
        let entry = Arc::new(Entry {
            sid: sid.clone(),
            key: key.clone(),
            principal: pending.principal.clone(),
            protocol: backend.protocol.clone().map(String::into_boxed_str),
            mailbox: Mailbox::new(),
            parked_bytes: AtomicUsize::new(0),
            parked_order: Default::default(),
            fence: lease.fence,
        });
        let now = Instant::now().into_std();
        let machine =
            Gateway::new(now, self.shared.options.machine.clone(), sid, key, backend.protocol.clone());
        let answer = answer_101(&pending.offer, &pending.key, backend.protocol.as_deref());
        let link = NewLink {
            stream: pending.stream,
            leftover: pending.leftover,
            answer,
            attempt,
            rx: None,
            peer: pending.peer,
            refused: None,
        };
        self.shared.registry.insert(entry.clone(), &contact);
        self.shared.live.fetch_add(1, Ordering::Relaxed);
        let mut driver = Driver::new(machine, backend.stream, entry, self.shared.clone(), contact);
        if let Some(loss) = loss {
            driver.succeed(loss);
        }
        driver.preload_backend(&backend.leftover, now);
        driver.attach(Box::new(link), now);
        tokio::spawn(driver);
        Ok(())
    }

    /// Sessions that live, with a link or without.
    pub fn live(&self) -> usize {
        self.shared.live.load(Ordering::Relaxed)
    }

    /// Bytes that sessions without a link hold.
    pub fn parked_bytes(&self) -> usize {
        self.shared.registry.parked_bytes()
    }

    /// Tells every session to move, each in a slot of its own, and waits until none is left or `deadline` has passed;
    /// what is left then is closed. Returns how many those were.
    pub async fn drain(&self, rate: u32, deadline: Duration) -> usize {
        let end = Instant::now() + deadline;
        let sessions = self.shared.registry.all();
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        let mut slots = Slots::new(count, rate, deadline);
        for entry in &sessions {
            // A session that just ended needs no telling.
            let _ = entry.mailbox.send(Command::Drain(slots.assign("drain")));
        }
        while self.live() > 0 {
            let emptied = self.shared.emptied.notified();
            if self.live() == 0 || tokio::time::timeout_at(end, emptied).await.is_err() {
                break;
            }
        }
        let left = self.shared.registry.all();
        for entry in &left {
            let close =
                Command::Close { code: undrop_frame::CloseCode::GOING_AWAY, reason: "gateway stops".into() };
            let _ = entry.mailbox.send(close);
        }
        left.len()
    }
}

fn lost(pending: Pending, why: LossReason) -> Admission {
    Admission::New(Box::new(pending), Some(Loss { why, acc: 0, lost: None }))
}

fn answer_101(offer: &Offer, key: &str, protocol: Option<&str>) -> Vec<u8> {
    let chosen = undrop_session::answer(offer, protocol);
    undrop_frame::handshake::response_101(key, Some(&chosen), None, &[])
}

impl Shared {
    /// The session's task is over.
    pub(crate) fn ended(self: &Arc<Self>, entry: &Arc<Entry>, contact: Option<&str>, tomb: Option<Tomb>) {
        self.registry.remove(entry, contact, tomb);
        // Links that were on their way get their sender back by the drop of the command.
        drop(entry.mailbox.close());
        let lease = Lease { session: entry.sid.clone(), node: self.node.to_string(), fence: entry.fence };
        let store = self.store.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = store.release(&lease).await {
                    tracing::warn!(sid = %lease.session, %error, "lease not released");
                }
            });
        }
        if self.live.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.emptied.notify_waiters();
        }
    }
}
