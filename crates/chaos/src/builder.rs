//! The settings of a proxy, and its start.

use std::future::{Future, IntoFuture};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::net::TcpListener;
use tokio::sync::watch;
use undrop_fault::{Bandwidth, CloseManner, Distribution, Latency};

use crate::clock::now;
use crate::close_frame::CloseFrame;
use crate::direction::Direction;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::faults::Faults;
use crate::kind::{
    BlackHoleFault, CloseFrameFault, CountedTraffic, CutFault, CutPoint, ForgetTime, IdleCutFault,
    SilentDropFault, SlicesFault, StatusFault,
};
use crate::preset;
use crate::proxy::Chaos;
use crate::proxy_state::{ProxyCounters, ProxyState, lock};
use crate::replay::Replay;
use crate::serve::{self, ChooseFaults};
use crate::spec::FaultSpec;
use crate::timeline::Timeline;
use crate::upstream::{ToUpstream, Upstream};

impl Chaos {
    /// Prepares a proxy in front of `upstream`: an address, or a text such as `127.0.0.1:9000` or `ws://127.0.0.1:9000`.
    /// Await the builder to start the proxy.
    pub fn start(upstream: impl ToUpstream) -> Builder {
        Builder::new(upstream.to_upstream().map_err(Error::Upstream))
    }
}

/// The settings of a proxy. Await the builder to start the proxy. Every fault may be added several times; all of them
/// apply.
#[must_use = "await it to start the proxy"]
pub struct Builder {
    upstream: Result<Upstream, Error>,
    listen: SocketAddr,
    name: String,
    seed: u64,
    speed: f64,
    faults: Vec<FaultSpec>,
    timeline: Timeline,
    replay: Option<Replay>,
    pub(crate) observer: Option<Observer>,
    choose: Option<ChooseFaults>,
    /// The first error in the settings, which the start reports.
    error: Option<Error>,
}

impl Builder {
    fn new(upstream: Result<Upstream, Error>) -> Builder {
        Builder {
            upstream,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            name: "chaos".into(),
            seed: 0,
            speed: 1.0,
            faults: Vec::new(),
            timeline: Timeline::default(),
            replay: None,
            observer: None,
            choose: None,
            error: None,
        }
    }

    /// Sets the listen address. Default: a free port on 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Builder {
        self.listen = address;
        self
    }

    /// Sets the name of the proxy in events. Default: `chaos`.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = name.into();
        self
    }

    /// Sets the seed of all random draws. Default: 0, so that every run of a test is the same.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// Divides every duration of the faults, presets and timeline by `speed`: 10 shortens a minute to six seconds. It also
    /// applies to faults that are added later. It must be greater than 0. Default: 1.
    pub fn speed(mut self, speed: f64) -> Builder {
        self.speed = speed;
        self
    }

    /// Adds a fault to the proxy.
    pub fn fault(mut self, fault: FaultSpec) -> Builder {
        self.faults.push(fault);
        self
    }

    /// Adds a fault in the form of the command line, such as `"idle-cut after=5s how=rst"`. If it is invalid, the start of
    /// the proxy returns the error.
    pub fn inject(mut self, fault: &str) -> Builder {
        match fault.parse() {
            Ok(fault) => self.faults.push(fault),
            Err(error) => self.error = self.error.or(Some(Error::Fault(error))),
        }
        self
    }

    /// Adds the faults of a product, such as `"alb"`; see `undrop chaos --list-presets`. If no preset has the name, the
    /// start of the proxy returns the error.
    pub fn preset(mut self, name: &str) -> Builder {
        match preset::faults(name) {
            Ok(faults) => self.faults.extend(faults),
            Err(error) => self.error = self.error.or(Some(error)),
        }
        self
    }

    /// Delays data and the end of the stream by `base` and by up to `jitter` more, in both directions.
    pub fn latency(self, base: Duration, jitter: Duration) -> Builder {
        self.fault(FaultSpec::new(Latency { base, jitter, distribution: Distribution::Uniform }))
    }

    /// Limits each direction to a number of bytes per second.
    pub fn bandwidth(self, bytes_per_second: u64) -> Builder {
        self.fault(FaultSpec::new(Bandwidth { bytes_per_second: bytes_per_second.max(1) }))
    }

    /// Delivers data in pieces of `size` bytes.
    pub fn slices(self, size: u64) -> Builder {
        self.fault(FaultSpec::new(SlicesFault { size: size.max(1), gap: Duration::ZERO }))
    }

    /// Ends each connection at an age, whether it is busy or not.
    pub fn cut_after(self, age: Duration, how: CloseManner<CloseFrame>) -> Builder {
        self.cut(CutPoint::Age(age), how)
    }

    /// Ends each connection at an age, or at a position in the stream, in the direction that reaches it first.
    pub fn cut(self, when: CutPoint, how: CloseManner<CloseFrame>) -> Builder {
        self.fault(FaultSpec::new(CutFault { when, spread: 0.0, how }))
    }

    /// Ends each connection with FIN after a silence in both directions: the idle timeout of most proxies.
    pub fn idle_cut(self, after: Duration) -> Builder {
        self.fault(FaultSpec::new(IdleCutFault { after, how: CloseManner::Fin, counts: CountedTraffic::Any }))
    }

    /// Forgets each connection after a silence; the next sender receives a RST.
    pub fn silent_drop(self, after: Duration) -> Builder {
        self.fault(FaultSpec::new(SilentDropFault { when: ForgetTime::AfterSilence(after) }))
    }

    /// Delivers nothing in a direction from an age on, without notifying either side.
    pub fn black_hole(self, direction: Direction, after: Duration) -> Builder {
        self.fault(FaultSpec::new(BlackHoleFault { after, lasts: None }).direction(direction))
    }

    /// Sends the client a Close frame at an age, then FIN. A reason is truncated to 123 bytes.
    pub fn close_frame(self, after: Duration, code: u16, reason: &str) -> Builder {
        let end = reason.floor_char_boundary(CloseFrame::MAX_REASON);
        let reason = reason.get(..end).unwrap_or_default().to_owned();
        self.fault(FaultSpec::new(CloseFrameFault { after, code, reason }))
    }

    /// Responds to every handshake with an HTTP status, without the upstream.
    pub fn status(self, status: u16) -> Builder {
        self.fault(FaultSpec::new(StatusFault { status, headers: Vec::new(), body: String::new() }))
    }

    /// Sets the timeline. If it contains a seed, that is used as well.
    pub fn timeline(mut self, timeline: Timeline) -> Builder {
        self.seed = timeline.seed.unwrap_or(self.seed);
        self.timeline = timeline;
        self
    }

    /// Replays a log with its seed. Other faults apply as well. The speed does not apply to the log, which contains the
    /// actual times.
    pub fn replay(mut self, replay: Replay) -> Builder {
        self.seed = replay.seed().unwrap_or(self.seed);
        self.replay = Some(replay);
        self
    }

    /// Sets a function that is called with every event. It is called from the tasks of the connections, so it must not
    /// block.
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Builder {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Sets a function that chooses the faults of the links for each connection, in the order of acceptance.
    pub fn choose(mut self, choose: impl FnMut(&mut Rng) -> Faults + Send + 'static) -> Builder {
        self.choose = Some(Box::new(choose));
        self
    }
}

impl IntoFuture for Builder {
    type Output = Result<Chaos, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(start(self))
    }
}

async fn start(builder: Builder) -> Result<Chaos, Error> {
    let upstream = builder.upstream?;
    if let Some(error) = builder.error {
        return Err(error);
    }
    let speed = builder.speed;
    if !(speed.is_finite() && speed > 0.0) {
        return Err(Error::Speed(speed));
    }
    let cannot_listen = |source| Error::Listen { address: builder.listen, source };
    let listener = TcpListener::bind(builder.listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let start = now();
    let state = Arc::new(ProxyState {
        name: builder.name,
        address,
        seed: builder.seed,
        speed,
        start,
        upstream: Mutex::new(upstream),
        faults: Mutex::default(),
        enabled: AtomicBool::new(true),
        changed: watch::Sender::new(()),
        listening: watch::Sender::new(true),
        counters: ProxyCounters::default(),
        injected: Mutex::default(),
        connections: Mutex::default(),
        observer: builder.observer,
        unreadable: AtomicBool::new(false),
    });
    state.emit(|state| Event::Listening {
        proxy: state.name.clone(),
        address: address.to_string(),
        upstream: state.upstream().to_string(),
        seed: state.seed,
    });
    if let Some(replay) = builder.replay {
        lock(&state.faults).replay(start, replay);
    }
    for fault in builder.faults {
        state.add(None, vec![fault.faster(speed)], false);
    }
    let timeline = builder.timeline.faster(speed);
    let task = tokio::spawn(serve::run(listener, state.clone(), timeline, builder.choose));
    Ok(Chaos::new(state, task))
}
