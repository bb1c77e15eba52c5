//! Both directions of a connection.

use std::time::Instant;

use crate::link::News;
use crate::{Cut, Delivery, Fault, Link};

/// One end of a [`Pair`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The first end; by convention the client.
    A,
    /// The second end; by convention the server.
    B,
}

impl End {
    /// The opposite end.
    pub fn other(self) -> End {
        match self {
            End::A => End::B,
            End::B => End::A,
        }
    }
}

/// Two links of one connection. A cut of one direction reaches the other; both ends notice it, each in its own time.
#[derive(Debug)]
pub struct Pair {
    /// Indexed by the sending end.
    links: [Link; 2],
    fault: Option<Cut>,
}

impl Pair {
    /// A connection opened at `now`: `forth` from A to B, `back` from B to A.
    pub fn new(now: Instant, forth: Fault, back: Fault, seed: u64) -> Pair {
        let back_seed = seed.rotate_left(32) ^ 0x9e37_79b9_7f4a_7c15;
        Pair { links: [Link::new(now, forth, seed), Link::new(now, back, back_seed)], fault: None }
    }

    /// Puts faults on what `from` sends; see [`Link::add`].
    pub fn add(&mut self, now: Instant, from: End, tag: u64, fault: &Fault, seed: u64) {
        self.settle(now);
        self.link(from).add(now, tag, fault, seed);
    }

    /// Takes away, in both directions, the faults that were added under `tag`; see [`Link::remove`].
    pub fn remove(&mut self, now: Instant, tag: u64) {
        self.settle(now);
        for link in &mut self.links {
            link.remove(now, tag);
        }
    }

    /// Cuts the connection at `now`: unless it is a FIN, what is in flight is lost from a random point on.
    pub fn cut(&mut self, now: Instant, how: Cut) {
        self.settle(now);
        for link in &mut self.links {
            link.finish(now, how);
        }
    }

    /// Cuts the connection right behind what `from` has pushed, all of which arrives; the other direction is cut at
    /// `now`.
    pub fn cut_behind(&mut self, now: Instant, from: End, how: Cut) {
        self.settle(now);
        self.link(from).cut_behind(now, how);
        self.link(from.other()).finish(now, how);
    }

    /// `from` writes; returns how many bytes were taken (see [`Link::push`]).
    pub fn push(&mut self, now: Instant, from: End, bytes: &[u8]) -> usize {
        self.settle(now);
        let taken = self.link(from).push(now, bytes);
        if taken > 0 {
            self.link(from.other()).opposite_activity(now);
        }
        self.share(now);
        taken
    }

    /// `from` ends: [`Cut::Fin`] closes its direction and leaves the other open; [`Cut::Rst`] and [`Cut::Silent`] mean
    /// that it is gone, so nothing reaches it any more either.
    pub fn finish(&mut self, now: Instant, from: End, how: Cut) {
        self.settle(now);
        self.link(from).finish(now, how);
        if how != Cut::Fin {
            self.link(from.other()).finish(now, Cut::Silent);
        }
    }

    /// What has arrived at `at`; call until `None`.
    pub fn poll_deliver(&mut self, now: Instant, at: End) -> Option<Delivery> {
        self.settle(now);
        self.link(at.other()).poll_deliver(now)
    }

    /// When to poll next; may lie in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.links.iter().filter_map(Link::poll_timeout).min()
    }

    /// Bytes that [`Pair::push`] would take from this end now.
    pub fn room(&self, from: End) -> usize {
        self.links[from as usize].room()
    }

    /// How a fault has ended the connection so far; `None`: none has, or only in one direction. An end of an end is
    /// no fault.
    pub fn fault(&self) -> Option<Cut> {
        self.fault
    }

    /// Nothing will be delivered at this end any more, and it is not told.
    pub fn is_silent(&self, at: End) -> bool {
        self.links[at.other() as usize].is_silent()
    }

    /// Nothing will be delivered at either end any more.
    pub fn is_over(&self) -> bool {
        self.links.iter().all(Link::is_over)
    }

    fn link(&mut self, from: End) -> &mut Link {
        &mut self.links[from as usize]
    }

    /// A cut that is due on one link must reach the other before anything else happens to that one.
    fn settle(&mut self, now: Instant) {
        for link in &mut self.links {
            link.expire(now);
        }
        self.share(now);
    }

    fn share(&mut self, now: Instant) {
        for from in [End::A, End::B] {
            match self.link(from).take_news() {
                Some(News::Cut(how)) => {
                    self.fault.get_or_insert(how);
                    self.link(from.other()).finish(now, how);
                }
                Some(News::Rejected) => {
                    self.fault.get_or_insert(Cut::Rst);
                    self.link(from.other()).finish(now, Cut::Rst);
                }
                None => {}
            }
        }
    }
}
