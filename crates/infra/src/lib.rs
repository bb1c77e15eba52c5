//! A knowledge base of the intermediaries between a WebSocket client and its server: proxies, load balancers, clouds, firewalls,
//! networks and browsers.
//!
//! The knowledge is data: one TOML file per intermediary in `data/`, embedded in the crate and parsed once. Every intermediary has
//! sources. Facts from memory or from a single report are marked ([`Intermediary::is_unsure`], [`Timer::is_unsure`]).
//!
//! ```
//! use undrop_infra::{Chain, Heartbeat, Hop, Tristate, find};
//!
//! let mut chain = Chain::new();
//! chain.push(Hop::of(find("aws-alb")?));
//! chain.push(Hop::of(find("nginx")?).set("proxy_read_timeout", Some(std::time::Duration::from_secs(20)))?);
//! let budget = chain.budget();
//! assert_eq!(budget.heartbeat, Some(std::time::Duration::from_secs(10)));
//! assert!(budget.carriers.contains(&(Heartbeat::ServerPing, Tristate::Yes)));
//! # Ok::<(), undrop_infra::UnknownName>(())
//! ```

mod activity;
mod bound;
mod chain;
mod confidence;
mod data;
mod fingerprint;
mod identify;
mod intermediary;
mod kind;
mod preset;
mod timer;
mod timer_match;
mod unknown_name;

use std::sync::LazyLock;

pub use activity::{Activity, Heartbeat, Tristate};
pub use bound::Bound;
pub use chain::{Budget, Chain, ChainTimer, Hop, Origin};
pub use confidence::Confidence;
pub use fingerprint::{Evidence, Fingerprint, Matcher};
pub use identify::{ProductMatch, identify};
pub use intermediary::{
    Citation, Closing, ClosingManner, HandshakeProblem, HandshakeRefusal, HandshakeSupport, Intermediary,
    Limit, LimitKind, NoResponse, Occasion, ProductFix, ProductSetting, Support, Treatment,
};
pub use kind::{Basis, ProductKind};
pub use preset::Preset;
pub use timer::{Elsewhere, Timer, TimerKind};
pub use timer_match::{TimerMatch, timers_matching};
pub use unknown_name::UnknownName;

/// The parsed data files. A file that cannot be parsed would be skipped; a test ensures that every file can be parsed.
static ALL: LazyLock<Vec<Intermediary>> =
    LazyLock::new(|| data::FILES.iter().filter_map(|(_, text)| Intermediary::parse(text).ok()).collect());

/// Returns every intermediary, sorted by id.
pub fn all() -> &'static [Intermediary] {
    &ALL
}

/// Returns the intermediary with this id.
///
/// # Errors
/// Returns an error with the most similar id if no intermediary has it.
pub fn find(id: &str) -> Result<&'static Intermediary, UnknownName> {
    all()
        .iter()
        .find(|entry| entry.id == id)
        .ok_or_else(|| UnknownName::new("intermediary", id, all().iter().map(|entry| entry.id.as_str())))
}

/// Returns every preset, in the order of the intermediaries.
pub fn presets() -> impl Iterator<Item = &'static Preset> {
    all().iter().flat_map(|entry| &entry.presets)
}

/// Returns the preset with this name.
///
/// # Errors
/// Returns an error with the most similar name if no preset has it.
pub fn preset(name: &str) -> Result<&'static Preset, UnknownName> {
    presets()
        .find(|preset| preset.name == name)
        .ok_or_else(|| UnknownName::new("preset", name, presets().map(|preset| preset.name.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_file_is_valid_and_named_after_its_id() {
        for (id, text) in data::FILES {
            match Intermediary::parse(text) {
                Ok(entry) => assert_eq!(entry.id, *id),
                Err(error) => panic!("data/{id}.toml: {error}"),
            }
        }
        assert_eq!(all().len(), data::FILES.len());
        assert!(data::FILES.is_sorted_by(|a, b| a.0 < b.0), "an id twice, or out of order");
    }

    #[test]
    fn unknown_keys_and_words_are_rejected() {
        let entry = "id = 'x'\nname = 'x'\nkind = 'nat'\nabout = 'x.'\nconfidence = 'high'\n";
        assert!(Intermediary::parse(entry).is_ok());
        for more in [
            "ttl = 1",
            "[[timer]]\nname = 't'\nwhat = 'idle'\ndefualt = '1s'",
            "[[timer]]\nname = 't'\nwhat = 'idel'",
            "[[timer]]\nname = 't'\nwhat = 'idle'\nrearmed-by = ['pigeons']",
            "[handshake]\nupgrade = 'maybe'",
            "[[fingerprint]]\nheader = 'a'\ncookie = 'b'\nweight = 1",
            "[[closing]]\nwhen = 'idle'\nhow = 'fin'\nwhy = 'x'",
        ] {
            assert!(Intermediary::parse(&format!("{entry}{more}")).is_err(), "{more}");
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
