//! Both directions of a connection.

use std::time::Instant;

use crate::close_manner::CloseManner;
use crate::fault::Fault;
use crate::link::{Delivery, Link, LinkEvent};
use crate::side::Side;

/// The two links of one connection. A cut in one direction also cuts the other; each side notices it in its own time.
#[derive(Debug)]
pub struct Pair {
    /// Indexed by the sending side.
    links: [Link; 2],
    fault: Option<CloseManner>,
}

impl Pair {
    /// Creates a connection that is opened at `now`, with the faults `forth` from A to B and `back` from B to A.
    pub fn new(now: Instant, forth: Fault, back: Fault, seed: u64) -> Pair {
        let back_seed = seed.rotate_left(32) ^ 0x9e37_79b9_7f4a_7c15;
        Pair { links: [Link::new(now, forth, seed), Link::new(now, back, back_seed)], fault: None }
    }

    /// Adds faults to the direction in which `from` sends; see [`Link::add`].
    pub fn add(&mut self, now: Instant, from: Side, tag: u64, fault: &Fault, seed: u64) {
        self.settle(now);
        self.link(from).add(now, tag, fault, seed);
    }

    /// Removes, in both directions, the faults that were added with `tag`; see [`Link::remove`].
    pub fn remove(&mut self, now: Instant, tag: u64) {
        self.settle(now);
        for link in &mut self.links {
            link.remove(now, tag);
        }
    }

    /// Cuts the connection at `now`. Unless the end is orderly, data in flight is lost from a random point on.
    pub fn cut(&mut self, now: Instant, how: CloseManner) {
        self.settle(now);
        for link in &mut self.links {
            link.finish(now, how);
        }
    }

    /// Cuts the connection directly after the data that `from` has pushed, all of which arrives. The other direction is
    /// cut at `now`.
    pub fn cut_after_data(&mut self, now: Instant, from: Side, how: CloseManner) {
        self.settle(now);
        self.link(from).cut_after_data(now, how);
        self.link(from.other()).finish(now, how);
    }

    /// Writes `bytes` as `from`. Returns the number of bytes accepted; see [`Link::push`].
    pub fn push(&mut self, now: Instant, from: Side, bytes: &[u8]) -> usize {
        self.settle(now);
        let accepted = self.link(from).push(now, bytes);
        if accepted > 0 {
            self.link(from.other()).opposite_activity(now);
        }
        self.share(now);
        accepted
    }

    /// Ends the direction of `from`. [`CloseManner::Fin`] leaves the other direction open; [`CloseManner::Rst`] and
    /// [`CloseManner::Silent`] mean that the side no longer exists, so nothing reaches it either.
    pub fn finish(&mut self, now: Instant, from: Side, how: CloseManner) {
        self.settle(now);
        self.link(from).finish(now, how);
        if how != CloseManner::Fin {
            self.link(from.other()).finish(now, CloseManner::Silent);
        }
    }

    /// Returns the next delivery at `at`; call it until it returns `None`.
    pub fn poll_deliver(&mut self, now: Instant, at: Side) -> Option<Delivery> {
        self.settle(now);
        self.link(at.other()).poll_deliver(now)
    }

    /// Returns the time at which to poll next, which may be in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.links.iter().filter_map(Link::poll_timeout).min()
    }

    /// Returns the number of bytes that [`Pair::push`] would accept from this side now.
    pub fn room(&self, from: Side) -> usize {
        self.links[from as usize].room()
    }

    /// Returns the manner in which a fault has ended the connection. `None` if no fault has, or only in one direction; an
    /// end that one of the sides caused does not count.
    pub fn fault(&self) -> Option<CloseManner> {
        self.fault
    }

    /// Returns whether nothing will ever be delivered again at this side, without notification.
    pub fn is_silent(&self, at: Side) -> bool {
        self.links[at.other() as usize].is_silent()
    }

    /// Returns whether nothing will ever be delivered again at either side.
    pub fn is_over(&self) -> bool {
        self.links.iter().all(Link::is_over)
    }

    fn link(&mut self, from: Side) -> &mut Link {
        &mut self.links[from as usize]
    }

    /// Applies a cut that is due on one link to the other, before anything else happens to that one.
    fn settle(&mut self, now: Instant) {
        for link in &mut self.links {
            link.expire(now);
        }
        self.share(now);
    }

    fn share(&mut self, now: Instant) {
        for from in [Side::A, Side::B] {
            match self.link(from).take_event() {
                Some(LinkEvent::Cut(how)) => {
                    self.fault.get_or_insert(how);
                    self.link(from.other()).finish(now, how);
                }
                Some(LinkEvent::Rejected) => {
                    self.fault.get_or_insert(CloseManner::Rst);
                    self.link(from.other()).finish(now, CloseManner::Rst);
                }
                None => {}
            }
        }
    }
}
