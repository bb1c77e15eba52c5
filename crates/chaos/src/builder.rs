//! How a proxy is set up.

use std::future::{Future, IntoFuture};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use crate::event::{Event, Observer};
use crate::proxy::{Chaos, Choose};
use crate::spec::{Counts, Direction, How, Kind, Spec, When};
use crate::{Error, Faults, Replay, Timeline, Upstream, preset};

/// A proxy that is not started yet: await it. Every fault may be given several times; all of them apply.
#[must_use = "await it to start the proxy"]
pub struct Builder {
    pub(crate) upstream: Result<Upstream, Error>,
    pub(crate) listen: SocketAddr,
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    pub(crate) faults: Vec<Spec>,
    pub(crate) timeline: Timeline,
    pub(crate) replay: Option<Replay>,
    pub(crate) observer: Option<Observer>,
    pub(crate) choose: Option<Choose>,
    pub(crate) wrong: Option<Error>,
}

impl Builder {
    pub(crate) fn new(upstream: Result<Upstream, Error>) -> Builder {
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
            wrong: None,
        }
    }

    /// Listens there instead of on a free loopback port.
    pub fn listen(mut self, address: SocketAddr) -> Builder {
        self.listen = address;
        self
    }

    /// The name in events. Default: `chaos`.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = name.into();
        self
    }

    /// Everything that is drawn follows from it. Default: 0, so that a test is the same each time.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// Divides every duration of faults, presets and timeline: 10 makes a minute six seconds. Default: 1. Also for faults
    /// that are added later. A speed that is not above 0 is an error.
    pub fn speed(mut self, speed: f64) -> Builder {
        self.speed = speed;
        self
    }

    /// Adds a fault.
    pub fn fault(mut self, fault: Spec) -> Builder {
        self.faults.push(fault);
        self
    }

    /// Adds a fault in the form of the command line, such as `"idle-cut after=5s how=rst"`. What is wrong with it shows
    /// when the proxy is started.
    pub fn inject(mut self, fault: &str) -> Builder {
        match fault.parse() {
            Ok(fault) => self.faults.push(fault),
            Err(error) => self.wrong = self.wrong.or(Some(Error::Fault(error))),
        }
        self
    }

    /// Adds the faults of a product, such as `"alb"`; see `undrop chaos --list-presets`.
    pub fn preset(mut self, name: &str) -> Builder {
        match preset::faults(name) {
            Ok(faults) => self.faults.extend(faults),
            Err(error) => self.wrong = self.wrong.or(Some(error)),
        }
        self
    }

    /// Delays data and ends by `base` and up to `jitter` more, in both directions.
    pub fn latency(self, base: Duration, jitter: Duration) -> Builder {
        self.fault(Spec::new(Kind::Latency {
            base,
            jitter,
            distribution: undrop_fault::Distribution::Uniform,
        }))
    }

    /// Limits each direction to so many bytes per second.
    pub fn bandwidth(self, bytes_per_second: u64) -> Builder {
        self.fault(Spec::new(Kind::Bandwidth { rate: bytes_per_second.max(1) }))
    }

    /// Passes data on in pieces of so many bytes.
    pub fn slices(self, size: usize) -> Builder {
        self.fault(Spec::new(Kind::Slices { size: size.max(1), gap: Duration::ZERO }))
    }

    /// Cuts each connection at this age, busy or not.
    pub fn cut_after(self, age: Duration, how: How) -> Builder {
        self.cut(When::Age(age), how)
    }

    /// Cuts each connection; for a place in the stream, in whichever direction reaches it first.
    pub fn cut(self, when: When, how: How) -> Builder {
        self.fault(Spec::new(Kind::Cut { when, spread: 0.0, how }))
    }

    /// Ends each connection with FIN after a silence in both directions, as most proxies do.
    pub fn idle_cut(self, after: Duration) -> Builder {
        self.fault(Spec::new(Kind::IdleCut { after, how: How::Fin, counts: Counts::Any }))
    }

    /// Forgets each connection after a silence; whoever sends next gets a RST.
    pub fn silent_drop(self, after: Duration) -> Builder {
        self.fault(Spec::new(Kind::SilentDrop { when: crate::spec::Forget::After(after) }))
    }

    /// From this age on nothing arrives any more in this direction, and nobody is told.
    pub fn black_hole(self, direction: Direction, after: Duration) -> Builder {
        self.fault(Spec::new(Kind::BlackHole { after, lasts: None }).direction(direction))
    }

    /// Sends the client a Close frame at this age, then FIN. A reason of more than 123 bytes is cut there.
    pub fn close_frame(self, after: Duration, code: u16, reason: &str) -> Builder {
        let end = reason.floor_char_boundary(123);
        let reason = reason.get(..end).unwrap_or_default().to_owned();
        self.fault(Spec::new(Kind::CloseFrame { after, code, reason }))
    }

    /// Answers every handshake with this status.
    pub fn answer(self, status: u16) -> Builder {
        self.fault(Spec::new(Kind::Status { status, headers: Vec::new(), body: String::new() }))
    }

    /// Adds the faults of a timeline. Its seed is used if it names one.
    pub fn timeline(mut self, timeline: Timeline) -> Builder {
        self.seed = timeline.seed.unwrap_or(self.seed);
        self.timeline = timeline;
        self
    }

    /// Does again what a log recorded, with its seed. Other faults apply as well. The speed does not: what was recorded
    /// has its times.
    pub fn replay(mut self, replay: Replay) -> Builder {
        self.seed = replay.seed().unwrap_or(self.seed);
        self.replay = Some(replay);
        self
    }

    /// Is told of everything that happens. Called from the tasks of the connections, so it must not block.
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Builder {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Chooses faults of the links by hand for each connection, in the order in which they are accepted.
    pub fn choose(mut self, choose: impl FnMut(&mut Rng) -> Faults + Send + 'static) -> Builder {
        self.choose = Some(Box::new(choose));
        self
    }
}

impl IntoFuture for Builder {
    type Output = Result<Chaos, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(crate::proxy::start(self))
    }
}
