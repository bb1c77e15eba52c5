//! The numbered catalogue of causes for dropped and refused WebSockets.

use std::sync::LazyLock;

use serde::Deserialize;

/// A cause of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KnownCause {
    /// The number that [`Check::cases`](crate::Check::cases) refers to.
    pub number: u8,
    /// The symptom that users report.
    pub symptom: String,
    /// The cause of the symptom.
    pub cause: String,
    /// The change that removes the cause.
    pub remedy: String,
    /// The name of a chaos preset that reproduces the cause.
    pub preset: Option<String>,
    /// A query about the symptom for `undrop explain`.
    pub explain: String,
    /// URLs of public reports.
    pub reports: Vec<String>,
}

/// The contents of the data file.
#[derive(Deserialize)]
struct CauseFile {
    cause: Vec<KnownCause>,
}

/// An invalid data file would give an empty catalogue; a test rules this out.
static CAUSES: LazyLock<Vec<KnownCause>> = LazyLock::new(|| {
    toml::from_str::<CauseFile>(include_str!("../data/causes.toml"))
        .map(|file| file.cause)
        .unwrap_or_default()
});

/// Returns the catalogue in the order of its numbers.
pub fn causes() -> &'static [KnownCause] {
    &CAUSES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CHECKS;

    #[test]
    fn the_numbers_are_consecutive_and_checks_refer_to_them() {
        let numbers: Vec<u8> = causes().iter().map(|cause| cause.number).collect();
        assert_eq!(numbers, (1..=55).collect::<Vec<u8>>());
        let referred = CHECKS.iter().flat_map(|check| check.cases);
        assert!(referred.into_iter().all(|number| numbers.contains(number)));
    }

    #[test]
    fn every_preset_exists() {
        for preset in causes().iter().filter_map(|cause| cause.preset.as_deref()) {
            assert!(undrop_infra::preset(preset).is_ok(), "{preset}");
        }
    }
}
