//! The description of what is wrong with a link.

use std::time::Instant;

use fastrand::Rng;

use crate::bandwidth::Bandwidth;
use crate::black_hole::BlackHole;
use crate::cut::CutAfter;
use crate::effect::Effect;
use crate::flapping::Flapping;
use crate::hold::Hold;
use crate::idle_timeout::IdleTimeout;
use crate::latency::Latency;
use crate::silent_drop::SilentDrop;
use crate::slices::Slices;
use crate::slow_close::SlowClose;

/// The faults of a link. The default is a perfect link: no delay, no loss, no end.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The travel time of data.
    pub latency: Option<Latency>,
    /// The limit in bytes per second.
    pub bandwidth: Option<Bandwidth>,
    /// Delivery in small pieces.
    pub slices: Option<Slices>,
    /// A path that alternates between working and failing.
    pub flapping: Option<Flapping>,
    /// A path that pauses.
    pub hold: Option<Hold>,
    /// The delay of the end of the stream.
    pub slow_close: Option<SlowClose>,
    /// A path that stops delivering without notification.
    pub black_hole: Option<BlackHole>,
    /// The end of the connection after an age, a number of bytes, or inside a push.
    pub cut: Option<CutAfter>,
    /// The end of the connection after a silence.
    pub idle_timeout: Option<IdleTimeout>,
    /// A forgotten flow: a RST for the side that sends after a silence.
    pub silent_drop: Option<SilentDrop>,
    /// The number of bytes that the link holds before [`Link::push`](crate::Link::push) accepts no more: socket buffers
    /// and path together. Default: 1 MiB.
    pub buffer: usize,
}

impl Default for Fault {
    fn default() -> Self {
        Fault {
            latency: None,
            bandwidth: None,
            slices: None,
            flapping: None,
            hold: None,
            slow_close: None,
            black_hole: None,
            cut: None,
            idle_timeout: None,
            silent_drop: None,
            buffer: 1 << 20,
        }
    }
}

impl Fault {
    /// Returns the effects in the order in which a piece of data meets them: data that the path rejects is never
    /// queued, and a failing path is applied to the final time of arrival.
    pub(crate) fn effects(&self, now: Instant, opening: bool) -> Vec<EffectSlot> {
        let latency = |fault: Latency| {
            let effect: Box<dyn Effect> = if opening { Box::new(fault) } else { fault.added_effect() };
            effect
        };
        let effects = [
            self.silent_drop.map(|fault| fault.effect(now)),
            self.cut.map(|fault| fault.effect(now)),
            self.idle_timeout.map(|fault| fault.effect(now)),
            self.bandwidth.map(Bandwidth::effect),
            self.latency.map(latency),
            self.flapping.map(|fault| fault.effect(now)),
            self.black_hole.map(|fault| fault.effect(now)),
            self.hold.map(|fault| fault.effect(now)),
            self.slow_close.map(|fault| Box::new(fault) as Box<dyn Effect>),
            self.slices.map(|fault| Box::new(fault) as Box<dyn Effect>),
        ];
        let slot = |(rank, effect): (usize, Option<Box<dyn Effect>>)| {
            effect.map(|effect| EffectSlot { rank, effect, added: None })
        };
        effects.into_iter().enumerate().filter_map(slot).collect()
    }
}

/// An effect on a link, with its position among the others.
#[derive(Debug)]
pub(crate) struct EffectSlot {
    /// The position among the other effects.
    pub(crate) rank: usize,
    pub(crate) effect: Box<dyn Effect>,
    /// For an effect that was added after the opening: its tag, and its own source of randomness.
    pub(crate) added: Option<(u64, Rng)>,
}
