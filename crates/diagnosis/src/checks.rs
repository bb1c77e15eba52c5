//! The checks. Each is a pure function that finds one fault in observations, in a file with its documentation and its tests. A new
//! check needs two lines here.

mod accept_mismatch;
mod address_family;
mod all_at_once;
mod answers_plain_page;
mod backend_unreachable;
mod bad_switch;
mod cannot_connect;
mod certificate;
mod certificate_expiring;
mod close_unanswered;
mod compression_broken;
mod control_frames_ignored;
mod dead_peers_stay;
mod ends_at_once;
mod forward_proxy_refuses;
mod handshake_refused;
mod heartbeat_too_slow;
mod hidden_tab;
mod http2_without_websocket;
mod idle_cut;
mod lifetime_cap;
mod local_limits;
mod message_too_big;
mod mixed_content;
mod name_unknown;
mod not_http;
mod one_way_loss;
mod origin_refused;
mod packet_size;
mod pings_answered_early;
mod pings_unanswered;
mod pongs_enforced;
mod protocol_broken;
mod redirected;
mod silent_drop;
mod sticky_sessions;
mod subprotocol_missing;
mod suspended_phone;
mod tls_intercepted;
mod unexplained_drop;
mod upgrade_stripped;

#[cfg(test)]
mod catalogue;
#[cfg(test)]
pub(crate) mod sample;

use undrop_report::Finding;

use crate::analysis::Case;

/// A check of observations for one fault.
#[derive(Clone, Copy)]
pub struct Check {
    /// The name of the fault, in kebab case.
    pub id: &'static str,
    /// The documentation in Markdown: the fault, its effects, and remedies.
    pub doc: &'static str,
    /// The numbers of the causes in the catalogue that it finds.
    pub cases: &'static [u8],
    evaluate: fn(&Case<'_>) -> Vec<Finding>,
}

/// All checks, in the order in which findings of equal severity are reported: the earlier stage first.
pub const CHECKS: &[Check] = &[
    name_unknown::CHECK,
    cannot_connect::CHECK,
    forward_proxy_refuses::CHECK,
    address_family::CHECK,
    certificate::CHECK,
    certificate_expiring::CHECK,
    tls_intercepted::CHECK,
    not_http::CHECK,
    redirected::CHECK,
    backend_unreachable::CHECK,
    upgrade_stripped::CHECK,
    http2_without_websocket::CHECK,
    origin_refused::CHECK,
    subprotocol_missing::CHECK,
    sticky_sessions::CHECK,
    answers_plain_page::CHECK,
    handshake_refused::CHECK,
    bad_switch::CHECK,
    accept_mismatch::CHECK,
    mixed_content::CHECK,
    protocol_broken::CHECK,
    ends_at_once::CHECK,
    compression_broken::CHECK,
    packet_size::CHECK,
    message_too_big::CHECK,
    all_at_once::CHECK,
    lifetime_cap::CHECK,
    idle_cut::CHECK,
    control_frames_ignored::CHECK,
    silent_drop::CHECK,
    one_way_loss::CHECK,
    hidden_tab::CHECK,
    heartbeat_too_slow::CHECK,
    pings_unanswered::CHECK,
    close_unanswered::CHECK,
    unexplained_drop::CHECK,
    pongs_enforced::CHECK,
    pings_answered_early::CHECK,
    suspended_phone::CHECK,
    dead_peers_stay::CHECK,
    local_limits::CHECK,
];

impl Check {
    /// Returns the findings about a target.
    pub(crate) fn evaluate(&self, case: &Case<'_>) -> Vec<Finding> {
        (self.evaluate)(case)
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_check_file_is_registered_and_has_its_own_id() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks");
        let registered: BTreeSet<String> = CHECKS.iter().map(|check| check.id.replace('-', "_")).collect();
        assert_eq!(registered.len(), CHECKS.len(), "an id twice");
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let name = name.trim_end_matches(".rs");
            assert!(
                ["sample", "catalogue"].contains(&name) || registered.contains(name),
                "checks/{name}.rs is not in CHECKS"
            );
        }
    }

    #[test]
    fn every_check_is_documented() {
        for check in CHECKS {
            assert!(check.doc.trim_start().starts_with("# "), "{}: the documentation has no title", check.id);
            assert!(check.doc.len() > 200, "{}: hardly documented", check.id);
        }
    }

    #[test]
    fn most_cases_of_the_catalogue_are_recognised() {
        let cases: BTreeSet<u8> = CHECKS.iter().flat_map(|check| check.cases).copied().collect();
        assert!(cases.len() >= 45 && cases.iter().all(|case| (1..=55).contains(case)), "{cases:?}");
    }

    #[test]
    fn nothing_is_found_where_nothing_is_wrong() {
        let seen = sample::healthy();
        let case = Case::new(&seen).unwrap();
        for check in CHECKS {
            assert_eq!(check.evaluate(&case), [], "{}", check.id);
        }
    }
}
