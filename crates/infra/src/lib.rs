//! What is known of the intermediaries in the way of a WebSocket: proxies, balancers, clouds, firewalls, networks, browsers.
//!
//! The knowledge is data: one TOML file for each intermediary in `data/`, embedded here and parsed once.

mod confidence;
mod data;
mod entry;
mod nearest;
mod preset;

use std::sync::LazyLock;

pub use confidence::Confidence;
pub use entry::Entry;
pub use nearest::UnknownName;
pub use preset::Preset;

/// The parsed data files. One that cannot be parsed would be left out; a test holds that there is none.
static ENTRIES: LazyLock<Vec<Entry>> =
    LazyLock::new(|| data::FILES.iter().filter_map(|(_, text)| toml::from_str(text).ok()).collect());

/// Every intermediary, in the alphabetical order of the ids.
pub fn all() -> &'static [Entry] {
    &ENTRIES
}

/// The intermediary with this id.
///
/// # Errors
/// No intermediary has it; the error says which name is closest.
pub fn find(id: &str) -> Result<&'static Entry, UnknownName> {
    all()
        .iter()
        .find(|entry| entry.id == id)
        .ok_or_else(|| UnknownName::new("intermediary", id, all().iter().map(|entry| entry.id.as_str())))
}

/// Every preset, in the order of the entries.
pub fn presets() -> impl Iterator<Item = &'static Preset> {
    all().iter().flat_map(|entry| &entry.presets)
}

/// The preset with this name.
///
/// # Errors
/// No preset has it; the error says which name is closest.
pub fn preset(name: &str) -> Result<&'static Preset, UnknownName> {
    presets()
        .find(|preset| preset.name == name)
        .ok_or_else(|| UnknownName::new("preset", name, presets().map(|preset| preset.name.as_str())))
}
