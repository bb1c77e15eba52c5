//! Recognising products by the evidence of an endpoint.

use std::cmp::Reverse;

use crate::fingerprint::{Evidence, Fingerprint, LowercaseEvidence};
use crate::{Intermediary, all};

/// A product that was recognised.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProductMatch {
    /// The product that was recognised.
    pub entry: &'static Intermediary,
    /// The confidence from 1 to 100: the weights of the fingerprints, combined as independent probabilities.
    pub score: u8,
    /// The fingerprints that matched, the highest weight first.
    pub found: Vec<&'static Fingerprint>,
}

/// Returns the products that match the evidence, the most likely first.
///
/// Several products may be between the client and the server. An empty result proves nothing, since many products leave no trace.
pub fn identify(evidence: &Evidence) -> Vec<ProductMatch> {
    let seen = LowercaseEvidence::new(evidence);
    let mut matches: Vec<ProductMatch> = all().iter().filter_map(|entry| compare(entry, &seen)).collect();
    matches.sort_by_key(|found| Reverse(found.score));
    matches
}

fn compare(entry: &'static Intermediary, seen: &LowercaseEvidence) -> Option<ProductMatch> {
    let mut found: Vec<&Fingerprint> =
        entry.fingerprints.iter().filter(|fingerprint| seen.shows(&fingerprint.matcher)).collect();
    if found.is_empty() {
        return None;
    }
    found.sort_by_key(|fingerprint| Reverse(fingerprint.weight));
    let doubt =
        found.iter().fold(1.0, |doubt, fingerprint| doubt * (1.0 - f64::from(fingerprint.weight) / 100.0));
    let score = ((1.0 - doubt) * 100.0).round().clamp(1.0, 100.0) as u8;
    Some(ProductMatch { entry, score, found })
}
