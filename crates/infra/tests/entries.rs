//! Checks that every entry of the knowledge base is consistent and complete.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::path::Path;

use undrop_infra::{
    Activity, Bound, ClosingManner, Confidence, Intermediary, Support, Timer, TimerKind, Tristate, all, find,
};

fn timers() -> impl Iterator<Item = (&'static Intermediary, &'static Timer)> {
    all().iter().flat_map(|entry| entry.timers.iter().map(move |timer| (entry, timer)))
}

#[test]
fn every_data_file_is_embedded() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let files: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let embedded: BTreeSet<String> = all().iter().map(|entry| format!("{}.toml", entry.id)).collect();
    assert_eq!(files, embedded, "data/ and src/data.rs differ");
    assert!(embedded.len() >= 65);
}

#[test]
fn every_entry_is_described_and_has_a_source() {
    let mut names = BTreeSet::new();
    for entry in all() {
        let Intermediary { id, name, about, .. } = entry;
        assert!(names.insert(name), "two entries have the name {name}");
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{id}");
        assert!(about.ends_with('.') && about.len() > 40, "{id}: {about}");
        assert!(!entry.sources.is_empty(), "{id} has no source");
        assert!(!entry.fixes.is_empty(), "{id} has no fix");
        for fix in &entry.fixes {
            assert!(!fix.text.trim().is_empty() && fix.reason.ends_with('.'), "{id}: {fix:?}");
            for timer in &fix.timers {
                assert!(
                    entry.timer(timer).is_some(),
                    "{id}: a fix refers to `{timer}`, which is not a timer of the entry"
                );
            }
        }
        for source in &entry.sources {
            assert!(!source.what.is_empty(), "{id}");
            let date = source.date.as_deref().unwrap_or("2000");
            assert!(date.len() >= 4 && date.chars().all(|c| c.is_ascii_digit() || c == '-'), "{id}: {date}");
        }
        for sentence in &entry.handshake.needs {
            assert!(sentence.ends_with('.'), "{id}: {sentence}");
        }
    }
}

#[test]
fn the_values_of_a_timer_are_within_its_bounds() {
    for (entry, timer) in timers() {
        let place = format!("{}: {}", entry.id, timer.name);
        let (min, max) =
            (timer.min.unwrap_or(Bound::At(Default::default())), timer.max.unwrap_or(Bound::Unlimited));
        assert!(min <= max, "{place}");
        if let Some(default @ Bound::At(_)) = timer.default {
            assert!(min <= default && default <= max, "{place}");
        }
        if !timer.settable && timer.min.is_some() && timer.also.is_empty() {
            assert_eq!(timer.min, timer.default, "{place}: the timer is fixed but has a range");
        }
    }
}

#[test]
fn timers_are_consistent() {
    for (entry, timer) in timers() {
        let place = format!("{}: {}", entry.id, timer.name);
        assert_eq!(
            entry.timers.iter().filter(|other| other.name == timer.name).count(),
            1,
            "{place} exists twice"
        );
        assert!(timer.rearmed_by.iter().all(|activity| !timer.not_by.contains(activity)), "{place}");
        assert!(timer.note.as_ref().is_none_or(|note| note.ends_with('.')), "{place}");
        for other in timer.replaces.iter().chain(&timer.larger_of) {
            assert!(entry.timer(other).is_some(), "{place}: there is no timer `{other}`");
        }
        if timer.what == TimerKind::Idle && timer.expected().is_some() {
            assert!(!timer.rearmed_by.is_empty(), "{place}: the activity that resets it is missing");
            let how = entry.closings.iter().map(|closing| closing.how).collect::<Vec<_>>();
            assert!(
                how.iter().any(|how| *how != ClosingManner::Kept),
                "{place}: the way in which it ends a connection is missing"
            );
        } else if timer.what != TimerKind::Idle {
            assert!(
                timer.rearmed_by.is_empty() && timer.not_by.is_empty(),
                "{place} is not an idle timer, so no activity resets it"
            );
        }
    }
}

#[test]
fn a_settable_idle_timer_has_a_fix() {
    for (entry, timer) in timers() {
        let idle = timer.what == TimerKind::Idle && timer.settable;
        assert!(
            !idle || entry.fixes_of(&timer.name).next().is_some(),
            "{}: no fix shows how to set `{}`",
            entry.id,
            timer.name
        );
    }
}

#[test]
fn a_close_frame_has_a_code_unless_it_is_unknown() {
    for entry in all() {
        for closing in &entry.closings {
            let framed = closing.how == ClosingManner::CloseFrame;
            assert!(framed || closing.code.is_none() && closing.reason.is_none(), "{}", entry.id);
            assert!(closing.code.is_none_or(|code| (1000..5000).contains(&code)), "{}", entry.id);
            assert!(!framed || closing.code.is_some() || closing.note.is_some(), "{}", entry.id);
        }
        for refusal in &entry.refusals {
            assert!(refusal.status.is_some() != refusal.without.is_some(), "{}: {refusal:?}", entry.id);
            assert!(refusal.status.is_none_or(|status| (200..600).contains(&status)), "{}", entry.id);
        }
    }
}

#[test]
fn only_hops_that_see_packets_are_reset_by_tcp_keepalive() {
    for (entry, timer) in timers().filter(|(_, timer)| timer.what == TimerKind::Idle) {
        let counted = timer.is_rearmed_by(Activity::TcpKeepalive) == Tristate::Yes;
        let packets = matches!(
            entry.id.as_str(),
            "aws-nlb"
                | "aws-sg-conntrack"
                | "aws-natgw"
                | "azure-lb"
                | "azure-natgw"
                | "gcp-cloud-nat"
                | "gcp-vpc-firewall"
                | "linux-conntrack"
                | "ipvs"
                | "home-nat"
                | "mobile-nat"
                | "cisco-asa"
                | "paloalto"
                | "fortinet"
                | "checkpoint"
                | "juniper-srx"
        );
        assert_eq!(counted, packets, "{}: {}", entry.id, timer.name);
    }
}

#[test]
fn facts_without_documentation_are_unsure() {
    for id in
        ["akamai", "netlify", "paloalto", "corp-proxy", "browser-safari", "azure-nsg", "gcp-regional-alb"]
    {
        assert!(find(id).unwrap().is_unsure(), "{id}");
    }
    for id in ["nginx", "haproxy", "aws-alb", "heroku", "linux-conntrack"] {
        let entry = find(id).unwrap();
        assert!(!entry.is_unsure() && entry.confidence == Confidence::High, "{id}");
        assert!(entry.timers.iter().all(|timer| !timer.is_unsure()), "{id}");
    }
    let gateway = find("azure-appgw").unwrap();
    let default = gateway.timer("requestTimeout of the backend settings").unwrap();
    assert!(default.is_unsure() && !gateway.is_unsure(), "a single undocumented value in a documented entry");
    assert!(!gateway.timer("frontend TCP idle timeout").unwrap().is_unsure());
}

#[test]
fn expected_values_of_well_known_timers() {
    let value = |id: &str, timer: &str| {
        find(id).unwrap().timer(timer).unwrap().expected().map(|duration| duration.as_secs())
    };
    assert_eq!(value("aws-alb", "idle_timeout.timeout_seconds"), Some(60));
    assert_eq!(value("aws-nlb", "tcp.idle_timeout.seconds"), Some(350));
    assert_eq!(value("gcp-external-alb", "timeoutSec of the backend service"), Some(30));
    assert_eq!(value("aws-apigw-ws", "connection duration"), Some(7200));
    assert_eq!(value("heroku", "rolling window"), Some(55));
    assert_eq!(value("envoy", "stream_idle_timeout"), Some(300));
    assert_eq!(value("istio", "stream idle timeout"), None);
    assert_eq!(find("netlify").unwrap().handshake.upgrade, Support::No);
    assert_eq!(find("haproxy").unwrap().handshake.extended_connect, Support::Yes);
}
