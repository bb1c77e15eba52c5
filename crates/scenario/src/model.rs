//! A scenario as the engine and the report see it.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use undrop_text::duration;

use crate::error::Notice;
use crate::program::Program;
use crate::variables::Variables;

/// A scenario file, read and judged: ready to run, nothing to check again.
#[derive(Debug)]
pub struct Scenario {
    /// The file as it was named, for messages.
    pub file: String,
    /// How the file is written.
    pub dialect: Dialect,
    /// Where users connect, as far as that is known before they run.
    pub targets: Targets,
    /// What holds for every connection.
    pub connection: ConnectionOptions,
    /// When users arrive; empty when the file says nothing about it (then it is one user, unless the command line says more).
    pub phases: Vec<ArrivalPhase>,
    /// What users do; at least one.
    pub flows: Vec<Flow>,
    /// What must hold at the end of the run, in the order of the file.
    pub ensure: Vec<Condition>,
    /// What was corrected, or means something else here than where the file comes from. To be printed before the run.
    pub notices: Vec<Notice>,
    pub(crate) variables: Variables,
}

/// How a scenario file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Our own format: `target`, `phases`, `flows`.
    Native,
    /// Artillery's: `config`, `scenarios`.
    Artillery,
    /// Artillery's layout with steps that its `ws` engine does not have (`expect`), or with parts missing.
    Guide,
}

/// What is given besides the file.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// A URL that replaces the file's `target`.
    pub target: Option<String>,
    /// Variables that replace those of the file, by name.
    pub variables: BTreeMap<String, String>,
    /// What `{{ $env.NAME }}` and `{{ $processEnvironment.NAME }}` read.
    pub environment: BTreeMap<String, String>,
}

/// Where the users of a scenario connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// URLs (`ws`, `wss`) that do not depend on variables, without repeats.
    pub fixed: Vec<String>,
    /// Some `connect` makes its URL of variables that differ from user to user: check each [`ConnectRequest::target`](crate::ConnectRequest::target) as it comes.
    pub computed: bool,
}

/// What holds for every connection of a scenario. None: the command line decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// Forward proxy URL.
    pub proxy: Option<String>,
    /// Do not verify certificates (`tls.rejectUnauthorized: false`).
    pub insecure: bool,
    /// A file of certificates to trust instead of the system's; relative names are meant relative to the scenario file.
    pub ca: Option<PathBuf>,
    /// Name to expect in the certificate, and to send as SNI.
    pub server_name: Option<String>,
    /// Longest time from dialling to the end of the handshake.
    pub handshake_timeout: Option<Duration>,
    /// Offer permessage-deflate.
    pub compress: Option<bool>,
}

/// A stretch of the arrival schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrivalPhase {
    /// For the report.
    pub name: Option<String>,
    /// Line in the file.
    pub line: u32,
    /// When users arrive in it.
    pub load: ArrivalPattern,
    /// Most users alive at once while this phase runs. The engine enforces it: an arrival beyond it is skipped, and counted as skipped.
    pub max_users: Option<NonZeroU32>,
}

/// When users arrive in a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArrivalPattern {
    /// At a rate that goes in a straight line from `from` to `to`, in users per second.
    Rate {
        /// Length of the phase, more than zero.
        duration: Duration,
        /// Users per second at its start.
        from: f64,
        /// Users per second at its end.
        to: f64,
        /// Even gaps, or gaps as of independent users (exponential).
        spacing: Spacing,
    },
    /// So many users, evenly spread from the start; all at once when `duration` is zero.
    Count {
        /// Length of the phase.
        duration: Duration,
        /// How many arrive.
        users: u64,
    },
    /// Nobody arrives.
    Pause(Duration),
}

/// How arrivals of a rate are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// The schedule is the rate's integral, to the nanosecond.
    #[default]
    Even,
    /// A Poisson process of that rate, from the seed.
    Poisson,
}

/// What one kind of user does.
#[derive(Debug)]
pub struct Flow {
    /// Name in the file, or `flow N`.
    pub name: String,
    /// Line in the file.
    pub line: u32,
    /// How often it is picked, relative to the other flows.
    pub weight: u32,
    pub(crate) program: Program,
}

/// Something that must hold at the end of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Line in the file.
    pub line: u32,
    /// As `--ensure` takes it: `p99<50ms`, `survival>=99.9%`; no spaces.
    pub expression: String,
    /// Left of the comparison: `p99`. From Artillery's names come `users`, `completed`, `failed`, `skipped` (numbers of users), `errors`
    /// (percent of users that failed), `sent`, `received` (messages), `send-rate`, `receive-rate` (messages per second), and `min`, `max`,
    /// `mean`, `p50` … `p99.9` (latency of answers); from our own format whatever stands there.
    pub metric: String,
    /// `<`, `<=`, `>`, `>=`, `==` or `!=`.
    pub comparison: &'static str,
    /// Right of it, with its unit: `50ms`.
    pub limit: String,
    /// Missing it fails the run; otherwise it is only reported.
    pub strict: bool,
}

impl Scenario {
    /// The random numbers of one user: what a user does depends on `seed` and its number, not on when others run.
    pub fn rng(&self, seed: u64, user: u64) -> fastrand::Rng {
        // A step of splitmix64 between the numbers, so that neighbours have unrelated streams.
        let mut mixed = seed ^ user.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        fastrand::Rng::with_seed(mixed ^ (mixed >> 31))
    }

    /// Time from the first arrival to the end of the last phase.
    pub fn duration(&self) -> Duration {
        self.phases.iter().map(ArrivalPhase::duration).sum()
    }

    /// `file:line`, as notices and errors write it.
    pub fn place(&self, line: u32) -> String {
        format!("{}:{line}", self.file)
    }
}

impl ArrivalPhase {
    /// Length of the phase.
    pub fn duration(&self) -> Duration {
        match self.load {
            ArrivalPattern::Rate { duration, .. }
            | ArrivalPattern::Count { duration, .. }
            | ArrivalPattern::Pause(duration) => duration,
        }
    }
}

/// In words and with units, to be printed before the run: `warm up: 5 to 50 users/s for 30 s, at most 200 at once`.
impl fmt::Display for ArrivalPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}: ")?;
        }
        let length = duration::spell(self.duration());
        match self.load {
            ArrivalPattern::Rate { from, to, .. } if from == to => write!(f, "{from} users/s for {length}")?,
            ArrivalPattern::Rate { from, to, .. } => write!(f, "{from} to {to} users/s for {length}")?,
            ArrivalPattern::Count { users, duration } if duration.is_zero() => {
                write!(f, "{users} users at once")?
            }
            ArrivalPattern::Count { users, .. } => write!(f, "{users} users over {length}")?,
            ArrivalPattern::Pause(_) => write!(f, "pause of {length}")?,
        }
        if let ArrivalPattern::Rate { spacing: Spacing::Poisson, .. } = self.load {
            f.write_str(", at random")?;
        }
        match self.max_users {
            Some(max) => write!(f, ", at most {max} at once"),
            None => Ok(()),
        }
    }
}
