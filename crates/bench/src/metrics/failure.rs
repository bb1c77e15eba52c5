//! Kinds of endings and of failed handshakes, for counting.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use undrop_frame::Ending;
use undrop_transport::ConnectStage;

/// The stage at which handshakes failed and how, without details that differ from one to the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailureKind {
    /// The stage that was not completed.
    pub stage: ConnectStage,
    /// The ending of the attempt, without the reason of a close.
    pub ending: Ending,
}

/// Handshakes that failed in the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureCount {
    /// The kind that they have in common; `None` for the group of all kinds beyond [`MAX_FAILURE_KINDS`].
    pub kind: Option<FailureKind>,
    /// The number of failed handshakes.
    pub count: u64,
    /// The explanation of the first one.
    pub example: String,
    /// The time of the first one, in seconds since the start of the run.
    pub first_s: f64,
}

/// The number of different failures that are counted separately, so that a server that words every refusal differently does not
/// make the table grow without bound.
pub const MAX_FAILURE_KINDS: usize = 64;

/// The number of occurrences of each kind. Serialized as a list of pairs, since kinds are not strings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(K, u64)>", into = "Vec<(K, u64)>")]
#[serde(bound(serialize = "K: Ord + Clone + Serialize", deserialize = "K: Ord + Deserialize<'de>"))]
pub struct KindCounts<K: Ord>(BTreeMap<K, u64>);

impl<K: Ord> Default for KindCounts<K> {
    fn default() -> Self {
        KindCounts(BTreeMap::new())
    }
}

impl<K: Ord> From<Vec<(K, u64)>> for KindCounts<K> {
    fn from(pairs: Vec<(K, u64)>) -> Self {
        KindCounts(pairs.into_iter().collect())
    }
}

impl<K: Ord> From<KindCounts<K>> for Vec<(K, u64)> {
    fn from(counts: KindCounts<K>) -> Self {
        counts.0.into_iter().collect()
    }
}

impl<K: Ord> KindCounts<K> {
    /// Adds `count` occurrences of a kind.
    pub fn add(&mut self, kind: K, count: u64) {
        *self.0.entry(kind).or_default() += count;
    }

    /// Adds the counts of another worker.
    pub fn merge(&mut self, other: KindCounts<K>) {
        for (kind, count) in other.0 {
            self.add(kind, count);
        }
    }

    /// Returns the kinds with their numbers of occurrences.
    pub fn iter(&self) -> impl Iterator<Item = (&K, u64)> {
        self.0.iter().map(|(kind, count)| (kind, *count))
    }

    /// Returns whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage, self.ending)
    }
}

impl FailureCount {
    /// Returns whether these connections were not attempted, because the load itself had no room for them.
    pub fn is_own_limit(&self) -> bool {
        use undrop_frame::LocalFault;
        self.kind.as_ref().is_some_and(|kind| kind.ending == Ending::Local(LocalFault::ConnectionLimit))
    }
}

/// Returns the kind of an ending: the same without the close reason, which may be different for every connection.
pub(crate) fn ending_kind(ending: &Ending) -> Ending {
    match ending {
        Ending::Close { code, .. } => Ending::Close { code: *code, reason: String::new() },
        other => other.clone(),
    }
}
