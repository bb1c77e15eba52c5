//! One intermediary.

use serde::Deserialize;

use crate::Preset;

/// What is known of one intermediary.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// Its name here, in kebab case; no other entry has it.
    pub id: String,
    /// Its name as people know it.
    pub name: String,
    /// Faults that it causes.
    #[serde(default, rename = "preset")]
    pub presets: Vec<Preset>,
}
