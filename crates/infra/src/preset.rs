//! Faults that a real product causes, by the product's name.

use serde::Deserialize;

use crate::Confidence;

/// A named set of faults, ready for a fault injector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Preset {
    /// The name to ask for, in kebab case; no other preset has it.
    pub name: String,
    /// The product or the place it stands for.
    pub title: String,
    /// What happens to a connection, and what of it is not known; one to three sentences.
    pub about: String,
    /// The faults as tables with a `kind`, in the syntax of the fault injector, which this crate does not interpret.
    pub faults: Vec<toml::Table>,
    /// Where the figures come from: addresses, or words where there is none.
    pub sources: Vec<String>,
    /// How sure the figures are.
    pub confidence: Confidence,
}
