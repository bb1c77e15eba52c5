//! Faults on a link, without I/O: latency, bandwidth, black holes, resets, slicing.
//!
//! A [`Link`] carries bytes in one direction and does to them what its [`Fault`] says; a [`Pair`] is two links that
//! share one fate (a reset in the middle hits both ends). Nothing here reads a clock or opens a socket: the simulator
//! of the tests drives the same code in virtual time that the chaos proxy drives between real sockets. The same fault,
//! seed and calls give the same deliveries, always.
//!
//! # How to drive it
//! 1. `push` what an end writes. The return value says how much was taken; keep the rest and try again later (a real
//!    socket would block there).
//! 2. `poll_deliver(now)` for each end until it says `None`.
//! 3. Jump to `poll_timeout()` (an instant in the past means "now") and go on with 2. `None`: nothing will ever happen
//!    again by itself.
//! 4. `finish` when an end closes, resets or vanishes.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use undrop_fault::{Cut, CutAfter, Delivery, End, Fault, Latency, Pair, Trigger};
//!
//! # #[allow(clippy::disallowed_methods)]
//! let mut now = Instant::now(); // the only clock reading: a zero for virtual time
//! let forth = Fault {
//!     latency: Some(Latency { base: Duration::from_millis(40), ..Latency::default() }),
//!     cut: Some(CutAfter { when: Trigger::Bytes(3), how: Cut::Rst }),
//!     ..Fault::default()
//! };
//! let mut pair = Pair::new(now, forth, Fault::default(), 7);
//! assert_eq!(pair.push(now, End::A, b"hello"), 5);
//!
//! let mut seen = Vec::new();
//! while let Some(at) = pair.poll_timeout() {
//!     now = now.max(at);
//!     for end in [End::A, End::B] {
//!         while let Some(delivery) = pair.poll_deliver(now, end) {
//!             seen.push((end, delivery));
//!         }
//!     }
//! }
//! assert!(seen.contains(&(End::A, Delivery::Rst)));
//! assert!(seen.contains(&(End::B, Delivery::Bytes(b"hel".to_vec()))));
//! assert!(seen.contains(&(End::B, Delivery::Rst)));
//! ```
//!
//! # Faults that come and go
//! [`Pair::add`] puts faults on a connection that is open already, under a tag of the caller's, and [`Pair::remove`]
//! takes them away: what they held back then arrives. Faults that are added draw from a seed of their own, so one
//! more of them changes nothing for the others.
//!
//! # What a stream loses
//! A link is a TCP connection seen from its ends: bytes arrive in order, and nothing arrives behind a hole. So a path
//! that fails for a while *delays* ([`Flapping`], [`Hold`], a [`BlackHole`] that ends), and only a cut *loses*: everything from
//! some random point of what is in flight at that instant.

mod bandwidth;
mod black_hole;
mod cut;
mod effect;
mod flapping;
mod hold;
mod idle_cut;
mod latency;
mod link;
mod pair;
mod silent_drop;
mod slices;
mod slow_close;

pub use bandwidth::Bandwidth;
pub use black_hole::BlackHole;
pub use cut::{Cut, CutAfter, Trigger};
pub use flapping::Flapping;
pub use hold::Hold;
pub use idle_cut::IdleCut;
pub use latency::{Distribution, Latency};
pub use link::{Delivery, Fault, Link, News};
pub use pair::{End, Pair};
pub use silent_drop::SilentDrop;
pub use slices::Slices;
pub use slow_close::SlowClose;
