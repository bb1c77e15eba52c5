//! Faults on a link, without I/O: latency, bandwidth, black holes, resets, slicing.
//!
//! A [`Link`] carries bytes in one direction and applies a [`Fault`] to them. A [`Pair`] is the two links of one
//! connection; a reset in the middle reaches both sides. Nothing in this crate reads a clock or opens a socket: the
//! simulator of the tests drives the same code in virtual time that the chaos proxy drives between real sockets. The
//! same fault, seed and calls always give the same deliveries.
//!
//! # How to drive it
//! 1. Call `push` with the bytes that a side writes. It returns the number of bytes accepted; keep the rest and try again
//!    later, where a real socket would block.
//! 2. Call `poll_deliver(now)` for each side until it returns `None`.
//! 3. Advance to `poll_timeout()` (a time in the past means now) and continue with step 2. `None` means that nothing
//!    happens without further input.
//! 4. Call `finish` when a side closes, resets or disappears.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use undrop_fault::{CloseManner, CutAfter, Delivery, Side, Fault, Latency, Pair, Trigger};
//!
//! # #[allow(clippy::disallowed_methods)]
//! let mut now = Instant::now(); // the only clock reading: the origin of virtual time
//! let forth = Fault {
//!     latency: Some(Latency { base: Duration::from_millis(40), ..Latency::default() }),
//!     cut: Some(CutAfter { when: Trigger::Bytes(3), how: CloseManner::Rst }),
//!     ..Fault::default()
//! };
//! let mut pair = Pair::new(now, forth, Fault::default(), 7);
//! assert_eq!(pair.push(now, Side::A, b"hello"), 5);
//!
//! let mut seen = Vec::new();
//! while let Some(at) = pair.poll_timeout() {
//!     now = now.max(at);
//!     for side in [Side::A, Side::B] {
//!         while let Some(delivery) = pair.poll_deliver(now, side) {
//!             seen.push((side, delivery));
//!         }
//!     }
//! }
//! assert!(seen.contains(&(Side::A, Delivery::Rst)));
//! assert!(seen.contains(&(Side::B, Delivery::Bytes(b"hel".to_vec()))));
//! assert!(seen.contains(&(Side::B, Delivery::Rst)));
//! ```
//!
//! # Adding and removing faults
//! [`Pair::add`] adds faults to a connection that is already open, under a tag chosen by the caller, and [`Pair::remove`]
//! removes them: data that they held back then arrives. Added faults draw from a separate seed, so an additional
//! fault does not change the draws of the others.
//!
//! # Delay and loss
//! A link is a TCP connection as its two sides see it: bytes arrive in order, and nothing arrives after a gap. A path
//! that fails temporarily therefore *delays* data ([`Flapping`], [`Hold`], a temporary [`BlackHole`]). Only a cut *loses*
//! data: everything in flight from a random point on.

mod bandwidth;
mod black_hole;
mod close_manner;
mod cut;
mod effect;
mod fault;
mod flapping;
mod hold;
mod idle_timeout;
mod latency;
mod link;
mod pair;
mod side;
mod silent_drop;
mod slices;
mod slow_close;
mod trigger;

pub use bandwidth::Bandwidth;
pub use black_hole::BlackHole;
pub use close_manner::CloseManner;
pub use cut::CutAfter;
pub use fault::Fault;
pub use flapping::Flapping;
pub use hold::Hold;
pub use idle_timeout::IdleTimeout;
pub use latency::{Distribution, Latency};
pub use link::{Delivery, Link, LinkEvent};
pub use pair::Pair;
pub use side::Side;
pub use silent_drop::SilentDrop;
pub use slices::Slices;
pub use slow_close::SlowClose;
pub use trigger::Trigger;
