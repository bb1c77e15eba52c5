//! What is known of the intermediaries in the way of a WebSocket: proxies, balancers, clouds, firewalls, networks, browsers.
//!
//! The knowledge is data: one TOML file for each intermediary in `data/`, embedded here and parsed once. Every entry has
//! its sources; what comes from memory or a single report says so ([`Entry::is_unsure`], [`Timer::is_unsure`]).
//!
//! ```
//! use undrop_infra::{Chain, Heartbeat, Hop, find};
//!
//! let mut chain = Chain::new();
//! chain.push(Hop::of(find("aws-alb")?));
//! chain.push(Hop::of(find("nginx")?).set("proxy_read_timeout", Some(std::time::Duration::from_secs(20)))?);
//! let budget = chain.budget();
//! assert_eq!(budget.heartbeat, Some(std::time::Duration::from_secs(10)));
//! assert_eq!(budget.carrier(), Some(Heartbeat::ServerPing));
//! # Ok::<(), undrop_infra::UnknownName>(())
//! ```

mod activity;
mod chain;
mod confidence;
mod data;
mod entry;
mod fingerprint;
mod kind;
mod near;
mod nearest;
mod preset;
mod span;
mod timer;

use std::sync::LazyLock;

pub use activity::{Activity, Answer, Heartbeat};
pub use chain::{Budget, Cap, Chain, Hop, Origin};
pub use confidence::Confidence;
pub use entry::{
    Closing, Entry, Fix, Handshake, How, Limit, LimitKind, NoAnswer, Occasion, Refusal, Setting, Source,
    Support, Treatment, Trouble,
};
pub use fingerprint::{Evidence, Fingerprint, Match, Matcher, identify};
pub use kind::{Basis, Kind};
pub use near::{Near, timers_near};
pub use nearest::UnknownName;
pub use preset::Preset;
pub use span::{Bound, spelled};
pub use timer::{Elsewhere, Timer, TimerKind};

/// The parsed data files. One that cannot be parsed would be left out; a test holds that there is none.
static ENTRIES: LazyLock<Vec<Entry>> =
    LazyLock::new(|| data::FILES.iter().filter_map(|(_, text)| Entry::parse(text).ok()).collect());

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_file_is_valid_and_named_after_its_entry() {
        for (id, text) in data::FILES {
            match Entry::parse(text) {
                Ok(entry) => assert_eq!(entry.id, *id),
                Err(error) => panic!("data/{id}.toml: {error}"),
            }
        }
        assert_eq!(all().len(), data::FILES.len());
        assert!(data::FILES.is_sorted_by(|a, b| a.0 < b.0), "an id twice, or out of order");
    }

    #[test]
    fn unknown_keys_and_words_are_refused() {
        let entry = "id = 'x'\nname = 'x'\nkind = 'nat'\nabout = 'x.'\nconfidence = 'high'\n";
        assert!(Entry::parse(entry).is_ok());
        for more in [
            "ttl = 1",
            "[[timer]]\nname = 't'\nwhat = 'idle'\ndefualt = '1s'",
            "[[timer]]\nname = 't'\nwhat = 'idel'",
            "[[timer]]\nname = 't'\nwhat = 'idle'\nrearmed-by = ['pigeons']",
            "[handshake]\nupgrade = 'maybe'",
            "[[fingerprint]]\nheader = 'a'\ncookie = 'b'\nweight = 1",
            "[[closing]]\nwhen = 'idle'\nhow = 'fin'\nwhy = 'x'",
        ] {
            assert!(Entry::parse(&format!("{entry}{more}")).is_err(), "{more}");
        }
    }

    #[test]
    fn ids_are_found_and_wrong_ones_get_a_suggestion() {
        for entry in all() {
            assert_eq!(find(&entry.id), Ok(entry));
        }
        let error = find("ngnix").map_err(|error| error.to_string());
        assert_eq!(error, Err("no intermediary is called `ngnix`; did you mean `nginx`?".to_owned()));
    }
}
