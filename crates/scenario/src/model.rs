//! The model of a scenario, as used by the engine and the report.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use undrop_text::duration;

use crate::error::Notice;
use crate::program::Program;
use crate::variables::Variables;

/// A scenario file that was read and validated, ready to run.
#[derive(Debug)]
pub struct Scenario {
    /// The path of the file as it was given, for messages.
    pub file: String,
    /// The dialect of the file.
    pub dialect: Dialect,
    /// The URLs that users connect to, as far as they are known before the run.
    pub targets: Targets,
    /// The options of every connection.
    pub connection: ConnectionOptions,
    /// The arrival schedule; empty if the file has none, which means a single user.
    pub phases: Vec<ArrivalPhase>,
    /// The flows of users; at least one.
    pub flows: Vec<Flow>,
    /// The conditions on the result, in the order of the file.
    pub ensure: Vec<Condition>,
    /// Corrections, and differences from the tool that the file was written for, to print before the run.
    pub notices: Vec<Notice>,
    pub(crate) variables: Variables,
}

/// The dialect of a scenario file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The native format: `target`, `phases`, `flows`.
    Native,
    /// The Artillery format: `config`, `scenarios`.
    Artillery,
    /// The layout of Artillery with steps that its `ws` engine does not have (`expect`), or with missing parts.
    Guide,
}

/// The inputs besides the file.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// A URL that replaces the `target` of the file.
    pub target: Option<String>,
    /// The variables that replace those of the file, by name.
    pub variables: BTreeMap<String, String>,
    /// The environment variables for `{{ $env.NAME }}` and `{{ $processEnvironment.NAME }}`.
    pub environment: BTreeMap<String, String>,
}

/// The URLs that the users of a scenario connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// The URLs (`ws`, `wss`) that do not depend on variables, without duplicates.
    pub fixed: Vec<String>,
    /// Whether some URL depends on variables of the user, so each [`ConnectRequest::target`](crate::ConnectRequest::target) must be
    /// validated during the run.
    pub computed: bool,
}

/// The options of every connection of a scenario. The command line decides about options that are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// The URL of a forward proxy.
    pub proxy: Option<String>,
    /// Whether certificates are not verified (`tls.rejectUnauthorized: false`).
    pub insecure: bool,
    /// A PEM file with certificate authorities to trust. A relative path was resolved against the directory of the scenario file.
    pub ca: Option<PathBuf>,
    /// The name for SNI and certificate verification.
    pub server_name: Option<String>,
    /// The timeout of each phase of a handshake.
    pub handshake_timeout: Option<Duration>,
    /// Whether to offer permessage-deflate.
    pub compress: Option<bool>,
}

/// One phase of the arrival schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrivalPhase {
    /// The name for the report.
    pub name: Option<String>,
    /// The line in the file.
    pub line: u32,
    /// The arrivals in this phase.
    pub load: ArrivalPattern,
    /// The maximum number of simultaneous users in this phase. The engine skips and counts arrivals beyond it.
    pub max_users: Option<NonZeroU32>,
}

/// The arrivals in a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArrivalPattern {
    /// A rate that changes linearly from `from` to `to`, in users per second.
    Rate {
        /// The duration of the phase, more than zero.
        duration: Duration,
        /// The number of users per second at the start.
        from: f64,
        /// The number of users per second at the end.
        to: f64,
        /// The distribution of the gaps between users.
        spacing: Spacing,
    },
    /// A number of users, evenly spread over the phase; all at once if `duration` is zero.
    Count {
        /// The duration of the phase.
        duration: Duration,
        /// The number of users.
        users: u64,
    },
    /// A pause without arrivals.
    Pause(Duration),
}

/// The distribution of the gaps between users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// Even gaps: the schedule is the integral of the rate, exact to the nanosecond.
    #[default]
    Even,
    /// Exponentially distributed gaps, as of independent users: a Poisson process that depends on the seed.
    Poisson,
}

/// The behaviour of one kind of user.
#[derive(Debug)]
pub struct Flow {
    /// The name in the file, or `flow N`.
    pub name: String,
    /// The line in the file.
    pub line: u32,
    /// The frequency relative to the other flows.
    pub weight: u32,
    pub(crate) program: Program,
}

/// A condition on the result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The line in the file.
    pub line: u32,
    /// The condition in the form of `--ensure`, without spaces: `p99<50ms`, `survival>=99.9%`.
    pub expression: String,
    /// The metric, such as `p99`. The metrics of Artillery are translated to `users`, `completed`, `failed`, `skipped` (numbers of
    /// users), `errors` (percentage of failed users), `sent`, `received` (messages), `send-rate`, `receive-rate` (messages per
    /// second), and `min`, `max`, `mean`, `p50` … `p99.9` (latency of replies). Metrics of the native format are not changed.
    pub metric: String,
    /// The operator of the comparison: `<`, `<=`, `>`, `>=`, `==` or `!=`.
    pub comparison: &'static str,
    /// The limit with its unit: `50ms`.
    pub limit: String,
    /// Whether the run fails if the condition does not hold; otherwise it is only reported.
    pub strict: bool,
}

impl Scenario {
    /// Returns the random numbers of one user. They depend only on `seed` and the number of the user.
    pub fn rng(&self, seed: u64, user: u64) -> fastrand::Rng {
        // One step of splitmix64, so that users with adjacent numbers have unrelated streams.
        let mut mixed = seed ^ user.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        fastrand::Rng::with_seed(mixed ^ (mixed >> 31))
    }

    /// Returns the total duration of all phases.
    pub fn duration(&self) -> Duration {
        self.phases.iter().map(ArrivalPhase::duration).sum()
    }

    /// Returns `file:line`, as in notices and errors.
    pub fn place(&self, line: u32) -> String {
        format!("{}:{line}", self.file)
    }
}

impl ArrivalPhase {
    /// Returns the duration of the phase.
    pub fn duration(&self) -> Duration {
        match self.load {
            ArrivalPattern::Rate { duration, .. }
            | ArrivalPattern::Count { duration, .. }
            | ArrivalPattern::Pause(duration) => duration,
        }
    }
}

/// Describes the phase: `warm up: 5 to 50 users/s for 30 s, at most 200 at once`.
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
