//! One connection of the load, from its first handshake to its last reply. It reconnects after a loss if the plan says so.

mod close;
mod event;
pub(crate) mod handshake;
pub mod proof;
mod record;
mod session;
pub(crate) mod signals;
pub mod stamp;
mod traffic;
mod transport;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use undrop_session::SessionMode;

use crate::connection::event::LinkExit;
use crate::connection::handshake::{OpenError, Opener, within};
use crate::connection::proof::{IncomingStream, OutgoingStream, SinkTotals};
use crate::connection::session::ClientSession;
use crate::connection::signals::Signals;
use crate::connection::stamp::StampKind;
use crate::connection::transport::Transport;
use crate::engine::environment::Environment;
use crate::metrics::snapshot::RunPhase;
use crate::plan::{Mode, Policy};

struct Connection {
    env: Rc<Environment>,
    opener: Arc<Opener>,
    signals: Rc<Signals>,
    /// The index within the worker.
    index: u32,
    /// The number within the whole run; also the number of its stream.
    number: u32,

    // Messages.
    /// Whether this connection sends messages.
    sends: bool,
    /// The number of messages accepted by the transport.
    sent: u64,
    received: u64,
    /// The intended times and the delays of messages without a stamp, in microseconds, oldest first.
    unstamped: VecDeque<(u64, u64)>,
    /// Whether a Ping was not answered yet.
    awaits_pong: bool,

    // Proof.
    outgoing: OutgoingStream,
    /// Our own messages that the target returned.
    echoed: IncomingStream,
    /// The messages of a sink.
    from_sink: IncomingStream,
    /// The messages of other connections that a broadcast distributes, by sender.
    from_others: BTreeMap<u32, IncomingStream>,
    /// The findings of the sink, after it was asked.
    sink_totals: Option<SinkTotals>,

    // Link.
    /// The time when the current link was opened; 0 before the first.
    opened_us: u64,
    /// The time of the loss, while there is no link.
    lost_us: Option<u64>,
    /// Whether a loss of this connection was counted for the storm.
    loss_counted: bool,
    /// Whether the connection is counted as alive.
    is_alive: bool,
}

/// Runs one connection to its end.
pub(crate) async fn run(env: Rc<Environment>, opener: Arc<Opener>, signals: Rc<Signals>, index: u32) {
    let number = env.plan.first + index;
    let sends = match env.plan.mode {
        Mode::Broadcast { senders } => index < senders,
        Mode::Hold | Mode::Ramp { .. } | Mode::Churn { .. } | Mode::Scenario(_) => false,
        Mode::Run | Mode::Flood { .. } | Mode::Storm { .. } => true,
    };
    let outgoing = OutgoingStream::new(StampKind::Up, env.run_id, number);
    let mut connection = Connection {
        opener,
        signals,
        index,
        number,
        sends,
        sent: 0,
        received: 0,
        unstamped: VecDeque::new(),
        awaits_pong: false,
        outgoing,
        echoed: IncomingStream::default(),
        from_sink: IncomingStream::default(),
        from_others: BTreeMap::new(),
        sink_totals: None,
        opened_us: 0,
        lost_us: None,
        loss_counted: false,
        is_alive: false,
        env,
    };
    match connection.env.plan.mode {
        Mode::Churn { lifetime, .. } => connection.run_for(lifetime).await,
        _ => connection.run_to_end().await,
    }
    connection.set_alive(false);
    connection.signals.retire();
    connection.record_proof();
}

impl Connection {
    async fn run_to_end(&mut self) {
        let env = self.env.clone();
        let Some(mut transport) = self.open_first().await else { return };
        if self.sends && !matches!(env.plan.mode, Mode::Flood { .. }) {
            env.schedule.add(&env.plan, self.index, &self.signals, env.clock.now_us());
        }
        self.on_opened();
        loop {
            match poll_fn(|cx| self.poll(&mut transport, cx)).await {
                LinkExit::RunOver => return self.finish(transport).await,
                LinkExit::Cut => {
                    self.on_lost();
                    if let Some(session) = transport.cut() {
                        // The session detects the loss of its link and opens another one.
                        transport = session;
                        continue;
                    }
                    let at = env.clock.now_s();
                    env.metrics.tally().timeline.at(at).lost += 1;
                }
                LinkExit::Ended(ending) => {
                    self.record_ending(&ending);
                    self.set_alive(false);
                    if matches!(transport, Transport::Session(_)) {
                        return self.on_given_up();
                    }
                    self.on_lost();
                }
            }
            let Some(restored) = self.reconnect().await else { return self.on_given_up() };
            transport = restored;
            self.on_opened();
        }
    }

    /// Opens the connection, keeps it for `lifetime`, and closes it.
    async fn run_for(&mut self, lifetime: Duration) {
        let Some(mut transport) = self.open_first().await else { return };
        self.on_opened();
        match within(lifetime, poll_fn(|cx| self.poll(&mut transport, cx))).await {
            Some(LinkExit::Ended(ending)) => self.record_ending(&ending),
            _ => self.finish(transport).await,
        }
    }

    /// Performs the first handshake. It is not repeated when it fails, since a load tester reports failures.
    async fn open_first(&mut self) -> Option<Transport> {
        let opened = self.open().await;
        self.env.counters.change(&self.env.counters.attempted, 1);
        match opened {
            Ok(transport) => {
                let mut tally = self.env.metrics.tally();
                tally.opened += 1;
                tally.sessions += u64::from(transport.is_session());
                Some(transport)
            }
            Err(error) => {
                self.record_failure(&error);
                None
            }
        }
    }

    async fn open(&mut self) -> Result<Transport, OpenError> {
        let env = self.env.clone();
        {
            let mut tally = env.metrics.tally();
            tally.attempts += 1;
            tally.timeline.at(env.clock.now_s()).attempts += 1;
        }
        env.counters.change(&env.counters.opening, 1);
        let opened = match env.plan.session {
            SessionMode::Off => {
                self.opener.open(self.number, self.opener.request()).await.map(|(socket, times)| {
                    env.metrics.tally().record_handshake(times.connect, times.tls, times.upgrade);
                    Transport::Plain(Box::new(socket))
                })
            }
            SessionMode::Prefer | SessionMode::Require => {
                let started = env.clock.now_us();
                let policy = self.reconnect_policy().unwrap_or(Policy::FullJitter);
                let session = ClientSession::open(&self.opener, &env.plan, self.number, policy);
                Box::pin(session).await.map(|session| {
                    let took = env.clock.now_us() - started;
                    env.metrics.tally().handshake.record_us(took);
                    Transport::Session(Box::new(session))
                })
            }
        };
        env.counters.change(&env.counters.opening, -1);
        opened
    }

    fn reconnect_policy(&self) -> Option<Policy> {
        match self.env.plan.mode {
            Mode::Storm { policy, .. } => Some(policy),
            _ => self.env.plan.reconnect,
        }
    }

    /// Reopens a plain connection after a loss. Returns `None` if the policy gives up, or if the load is over.
    async fn reconnect(&mut self) -> Option<Transport> {
        let backoff = self.reconnect_policy()?.backoff();
        let mut tries = 0;
        loop {
            let random = self.env.random.borrow_mut().f64();
            let delay = backoff.delay(tries, random)?;
            tokio::select! {
                biased;
                () = self.load_is_over() => return None,
                () = tokio::time::sleep(delay) => {}
            }
            match self.open().await {
                Ok(transport) => {
                    let away = self.env.clock.now_us().saturating_sub(self.lost_us.unwrap_or_default());
                    self.on_restored(Duration::from_micros(away));
                    return Some(transport);
                }
                Err(error) => {
                    self.record_failure(&error);
                    tries += 1;
                }
            }
        }
    }

    /// Waits until nothing more is to be sent.
    async fn load_is_over(&self) {
        poll_fn(|cx| {
            self.signals.register(cx.waker());
            if self.env.phase.get() > RunPhase::Running { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
