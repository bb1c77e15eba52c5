//! Recognises the products on the path by the responses.

use undrop_infra::{Evidence, Intermediary, ProductKind, identify};

use crate::observations::{Endpoint, HttpOutcome};

/// A product that was recognised in responses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    pub(crate) entry: &'static Intermediary,
    /// The strength of the evidence, from 1 to 100.
    pub(crate) score: u8,
    /// The fingerprints that were found.
    pub(crate) traits: Vec<String>,
}

/// The score at or above which a product counts as recognised.
pub(crate) const SEEN: u8 = 50;

/// Returns the products that the responses of an endpoint point to, the likeliest first. Browsers are not hops and left out.
pub(crate) fn products(endpoint: &Endpoint) -> Vec<Product> {
    let mut found: Vec<Product> = Vec::new();
    for evidence in evidence(endpoint) {
        for matched in identify(&evidence) {
            if matched.entry.kind == ProductKind::Browser {
                continue;
            }
            let traits = || matched.found.iter().map(|fingerprint| fingerprint.matcher.to_string()).collect();
            match found.iter_mut().find(|product| product.entry.id == matched.entry.id) {
                Some(known) if known.score >= matched.score => {}
                Some(known) => (known.score, known.traits) = (matched.score, traits()),
                None => {
                    found.push(Product { entry: matched.entry, score: matched.score, traits: traits() });
                }
            }
        }
    }
    found.sort_by(|a, b| b.score.cmp(&a.score).then(a.entry.id.cmp(&b.entry.id)));
    found
}

fn evidence(endpoint: &Endpoint) -> Vec<Evidence> {
    let issuer = endpoint.tls.as_ref().and_then(|tls| Some(tls.chain.first()?.issuer.clone()));
    let mut all = vec![Evidence { host: Some(endpoint.host.clone()), issuer, ..Evidence::default() }];
    for attempt in &endpoint.attempts {
        match &attempt.outcome {
            HttpOutcome::Response { status, headers, body, .. } => all.push(Evidence {
                status: Some(*status),
                headers: headers.clone(),
                body: body.clone(),
                ..Evidence::default()
            }),
            HttpOutcome::Http2 { status, headers, .. } => {
                all.push(Evidence { status: *status, headers: headers.clone(), ..Evidence::default() });
            }
            _ => {}
        }
    }
    all
}

impl Product {
    /// Returns whether the evidence is strong enough to name the product.
    pub(crate) fn is_seen(&self) -> bool {
        self.score >= SEEN
    }
}
