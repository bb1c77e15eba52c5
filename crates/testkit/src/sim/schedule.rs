//! The schedule of a run, drawn from its seed.

use std::time::Duration;

use fastrand::Rng;
use undrop_fault::{
    Bandwidth, BlackHole, CloseManner, CutAfter, Fault, Flapping, IdleTimeout, Latency, SilentDrop, Slices,
    Trigger,
};
use undrop_session::{Backoff, ClientConfig, GatewayConfig, Overflow};

/// The guarantee that a run has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScheduleKind {
    /// Every message arrives exactly once and in order.
    Exact,
    /// The policy drops the oldest units; every missing unit is reported.
    DropOldest,
    /// Sessions expire or overflow; every loss is reported, and no message is doubled.
    Expiring,
}

/// The schedule of a run. All fields may be changed before the run.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The seed of the schedule and of the random numbers during the run.
    pub seed: u64,
    /// The guarantee that the run has to keep.
    pub kind: ScheduleKind,
    /// The number of messages of the client's application.
    pub client_messages: u32,
    /// The number of messages of the backend.
    pub backend_messages: u32,
    /// The maximum payload, in bytes.
    pub max_payload: usize,
    /// The mean time between two messages of an application.
    pub send_every: Duration,
    /// The mean time between two checks of a slow client application; `None`: it consumes at once.
    pub client_takes: Option<Duration>,
    /// The same for the backend.
    pub backend_takes: Option<Duration>,
    /// The duration of the troubled part.
    pub troubled: Duration,
    /// The mean time between two disturbances.
    pub trouble_every: Duration,
    /// The probability that a new link has an additional fault.
    pub faulty: f64,
    /// The gateway discards the units that wait for the backend whenever a link is lost.
    pub discards: bool,
    /// Sessions move between owners.
    pub moves: bool,
    /// The application that closes at the end.
    pub closes: Closes,
    /// The settings of the client.
    pub client: ClientConfig,
    /// The settings of the gateway.
    pub gateway: GatewayConfig,
}

/// The application that closes once everything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closes {
    /// Neither application closes the session.
    Neither,
    /// The backend closes the session.
    Backend,
    /// The client's application closes the session.
    Client,
}

impl Schedule {
    /// Draws the schedule of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let kind = match rng.u32(0..10) {
            0 => ScheduleKind::DropOldest,
            1 => ScheduleKind::Expiring,
            _ => ScheduleKind::Exact,
        };
        let millis = |rng: &mut Rng, from: u64, to: u64| Duration::from_millis(rng.u64(from..=to));
        let small = rng.f64() < 0.5;
        let limit = if small { rng.usize(64..2048) } else { 64 * 1024 };
        let heartbeat = millis(&mut rng, 1000, 25_000);
        let gateway = GatewayConfig {
            heartbeat,
            ttl: if kind == ScheduleKind::Expiring {
                millis(&mut rng, 200, 20_000)
            } else {
                Duration::from_secs(3600)
            },
            unconfirmed_ttl: Duration::from_secs(3600),
            linger: Duration::from_secs(3600),
            attached_limit: limit,
            detached_limit: if rng.bool() { limit * 4 } else { limit / 2 + 1 },
            client_window: rng.usize(64..8192),
            overflow: match kind {
                ScheduleKind::DropOldest => Overflow::DropOldest,
                ScheduleKind::Expiring if rng.bool() => Overflow::End,
                _ => Overflow::Pause,
            },
            ack_delay: millis(&mut rng, 1, 400),
            link_max_age: (rng.f64() < 0.2).then(|| millis(&mut rng, 2000, 30_000)),
            ..GatewayConfig::default()
        };
        let client = ClientConfig {
            backoff: Backoff::full_jitter().with_range(Duration::from_millis(200), Duration::from_secs(3)),
            queue_limit: if rng.bool() { rng.usize(100..4096) } else { 1 << 20 },
            ack_delay: millis(&mut rng, 1, 1500),
            connect_timeout: millis(&mut rng, 500, 6000),
            grace: millis(&mut rng, 500, 10_000),
            close_timeout: Duration::from_secs(3600),
            inbox_limit: if rng.bool() { rng.usize(100..4096) } else { 1 << 20 },
            ..ClientConfig::default()
        };
        let slow = |rng: &mut Rng| (rng.f64() < 0.4).then(|| millis(rng, 20, 3000));
        Self {
            seed,
            kind,
            client_messages: rng.u32(0..=40),
            backend_messages: rng.u32(0..=40),
            max_payload: if rng.f64() < 0.1 { 20_000 } else { rng.usize(8..300) },
            send_every: millis(&mut rng, 5, 1500),
            client_takes: slow(&mut rng),
            backend_takes: slow(&mut rng),
            troubled: millis(&mut rng, 2000, 60_000),
            trouble_every: millis(&mut rng, 200, 6000),
            faulty: rng.f64(),
            discards: rng.bool(),
            moves: rng.f64() < 0.2 && kind == ScheduleKind::Exact,
            closes: match rng.u32(0..6) {
                _ if kind == ScheduleKind::Expiring => Closes::Neither,
                0 => Closes::Backend,
                1 => Closes::Client,
                _ => Closes::Neither,
            },
            client,
            gateway,
        }
    }

    /// Draws the faults of a new link, for both directions.
    pub(crate) fn faults(&self, rng: &mut Rng) -> (Fault, Fault) {
        // Some links are so slow that many messages pass on the older one while they are opened.
        let slow = if rng.f64() < 0.2 { 3000 } else { 200 };
        let latency = Latency {
            base: Duration::from_millis(rng.u64(0..slow)),
            jitter: Duration::from_millis(rng.u64(0..100)),
            ..Latency::default()
        };
        let mut both = [(); 2].map(|()| Fault {
            latency: Some(latency),
            buffer: if rng.bool() { 1 << 20 } else { rng.usize(64..4096) },
            slices: (rng.f64() < 0.3).then(|| Slices {
                min: 1,
                max: if rng.bool() { 1 } else { rng.usize(2..40) },
                gap: Duration::from_micros(rng.u64(0..2000)),
            }),
            bandwidth: (rng.f64() < 0.1).then(|| Bandwidth { bytes_per_second: rng.u64(200..100_000) }),
            flapping: (rng.f64() < 0.1).then(|| Flapping {
                up: Duration::from_millis(rng.u64(100..4000)),
                down: Duration::from_millis(rng.u64(100..4000)),
            }),
            ..Fault::default()
        });
        if rng.f64() < self.faulty {
            let one = &mut both[rng.usize(0..2)];
            let how = [CloseManner::Fin, CloseManner::Rst, CloseManner::Silent][rng.usize(0..3)];
            let when = match rng.u32(0..4) {
                0 => Trigger::Age(Duration::from_millis(rng.u64(0..8000))),
                // The first few hundred bytes are the request and its response.
                1 => Trigger::Bytes(rng.u64(0..600)),
                2 => Trigger::Bytes(rng.u64(0..6000)),
                _ => Trigger::Push { nth: rng.u64(1..20), offset: rng.usize(0..40) },
            };
            match rng.u32(0..10) {
                0..=5 => one.cut = Some(CutAfter { when, how }),
                6 => {
                    let lasts = rng.bool().then(|| Duration::from_millis(rng.u64(100..20_000)));
                    one.black_hole = Some(BlackHole { from: when, lasts });
                }
                7 => {
                    let after = Duration::from_millis(rng.u64(200..8000));
                    one.idle_timeout = Some(IdleTimeout { after, how, own_direction_only: rng.bool() });
                }
                _ => one.silent_drop = Some(SilentDrop { after: Duration::from_millis(rng.u64(200..8000)) }),
            }
        }
        let [forth, back] = both;
        (forth, back)
    }
}
