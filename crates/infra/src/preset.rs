//! Presets: faults that a real product causes.

use serde::Deserialize;

use crate::Confidence;

/// A named set of faults, ready for a fault injector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Preset {
    /// The unique name of the preset, in kebab case.
    pub name: String,
    /// The product or environment that the preset reproduces.
    pub title: String,
    /// A description of what happens to a connection and of what is not known, in one to three sentences.
    pub about: String,
    /// The faults, as tables with a `kind` in the syntax of `undrop chaos`. This crate does not interpret them.
    pub faults: Vec<toml::Table>,
    /// The sources of the figures: URLs, or descriptions if there is no URL.
    pub sources: Vec<String>,
    /// The confidence in the figures.
    pub confidence: Confidence,
}
