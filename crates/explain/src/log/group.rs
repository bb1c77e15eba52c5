//! The sessions of all logs in one format.

use super::ages::{Ages, merged};
use super::format::{Format, Session};
use super::moments::Moments;
use super::paths::Paths;
use super::slots::{Label, Slots};

/// The maximum number of different endings; the last one counts all others.
const CLASSES: usize = 24;

/// The number of bytes up to which a session counts as quiet: the response head, which some logs count, and little else.
const QUIET: u64 = 512;

/// Whether a session carried data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    Unknown,
    Quiet,
    Busy,
}

/// The sessions with one ending.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) ending: Label,
    pub(super) traffic: Traffic,
    pub(super) ages: Ages,
}

/// The statistics of the sessions.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) label: String,
    pub(super) product: Option<&'static str>,
    pub(super) tcp: bool,
    pub(super) coarse: bool,
    pub(super) guess: bool,
    pub(super) has_duration: bool,
    pub(super) classes: Vec<Class>,
    pub(super) moments: Moments,
    pub(super) paths: Paths,
    pub(super) sessions: u64,
    /// The number of lines that were written before the session ended.
    pub(super) early: u64,
    /// The number of sessions without a readable duration.
    pub(super) ageless: u64,
    /// The requests that did not open a session.
    pub(super) others: u64,
    /// The offset of the log's clock from UTC, in seconds.
    pub(super) offset_s: i64,
}

impl Group {
    pub(super) fn new(format: &Format) -> Group {
        Group {
            label: format.label.clone(),
            product: format.product,
            tcp: format.tcp,
            coarse: format.is_coarse(),
            guess: format.is_guess(),
            has_duration: format.has_duration(),
            classes: Vec::new(),
            moments: Moments::default(),
            paths: Paths::default(),
            sessions: 0,
            early: 0,
            ageless: 0,
            others: 0,
            offset_s: 0,
        }
    }

    pub(super) fn session(&mut self, format: &Format, slots: &Slots<'_>, budget: &mut usize) {
        self.sessions += 1;
        if !self.tcp {
            self.paths.opened(slots.path());
        }
        let Session { duration_us, end, ending, bytes, early } = format.session(slots);
        if early {
            self.early += 1;
            return;
        }
        let Some(us) = duration_us else {
            self.ageless += 1;
            return;
        };
        let traffic = match bytes {
            None => Traffic::Unknown,
            Some(0..=QUIET) => Traffic::Quiet,
            Some(_) => Traffic::Busy,
        };
        self.class(ending, traffic).ages.add(us, budget);
        if let Some(end) = end {
            self.offset_s = i64::from(end.offset_s);
            self.moments.add(end.unix_us.div_euclid(1_000_000), us);
        }
    }

    pub(super) fn refused(&mut self, slots: &Slots<'_>, status: u16) {
        self.others += 1;
        self.paths.refused(slots.path(), status, slots.asks_for_websocket());
    }

    fn class(&mut self, ending: Label, traffic: Traffic) -> &mut Class {
        let full = self.classes.len() >= CLASSES;
        let same = |class: &Class| class.ending == ending && class.traffic == traffic;
        let at = self.classes.iter().position(same).unwrap_or_else(|| {
            if !full {
                self.classes.push(Class { ending, traffic, ages: Ages::default() });
            }
            self.classes.len() - 1
        });
        &mut self.classes[at]
    }

    /// Returns the number of sessions with an age.
    pub(super) fn aged(&self) -> u64 {
        self.classes.iter().map(|class| class.ages.count).sum()
    }

    /// Returns the number of sessions whose age is known to 10 s only, for lack of memory.
    pub(super) fn blurred(&self) -> u64 {
        self.classes.iter().map(|class| class.ages.blurred()).sum()
    }

    /// Returns the ages of all sessions.
    pub(super) fn bins(&self) -> Vec<(u32, u32)> {
        merged(self.classes.iter().map(|class| &class.ages))
    }

    /// Returns the endings of the sessions between two bins with their counts, the most frequent first, without unknown ones.
    pub(super) fn endings(&self, from: u32, to: u32) -> Vec<(String, u64)> {
        let mut counts: Vec<(String, u64)> = Vec::new();
        for class in &self.classes {
            let name = name(&class.ending);
            let count = class.ages.within(from, to);
            if name.is_empty() || count == 0 {
                continue;
            }
            match counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += count,
                None => counts.push((name, count)),
            }
        }
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts
    }

    /// Returns the number of quiet and busy sessions between two bins.
    pub(super) fn traffic(&self, from: u32, to: u32) -> (u64, u64) {
        let sum = |wanted| {
            let classes = self.classes.iter().filter(|class| class.traffic == wanted);
            classes.map(|class| class.ages.within(from, to)).sum()
        };
        (sum(Traffic::Quiet), sum(Traffic::Busy))
    }
}

fn name(label: &Label) -> String {
    label.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()
}
