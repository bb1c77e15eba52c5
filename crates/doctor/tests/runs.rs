//! Complete runs against real sockets: the report names the fault that was injected.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod peer;

use std::time::Duration;

use peer::{Ca, Habit, look, options, serve};
use undrop_chaos::{Chaos, CloseManner};
use undrop_diagnosis::observations::Traffic;
use undrop_diagnosis::{Conclusion, Observations, diagnose};
use undrop_doctor::{CancellationToken, Options, RunEvent, RunListener};
use undrop_frame::Ending;
use undrop_report::{Finding, Report, json};
use undrop_transport::tls::Trust;

const SECOND: Duration = Duration::from_secs(1);

/// Returns the report of a run and the finding with this id.
#[track_caller]
fn found(seen: &Observations, id: &str) -> (Report, Finding) {
    let report = diagnose(seen);
    let ids: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
    let finding = report.findings.iter().find(|finding| finding.id == id).cloned();
    let finding = finding
        .unwrap_or_else(|| panic!("{id} is not among {ids:?}: {:#?}", seen.target().unwrap().connections));
    (report, finding)
}

#[track_caller]
fn near(value: f64, wanted: f64) {
    assert!((value - wanted).abs() <= wanted * 0.05, "{value} is not {wanted}");
}

#[tokio::test]
async fn a_healthy_server_gets_no_finding() {
    let address = serve(Habit::default()).await;
    let seen = look(&format!("ws://{address}/"), &options()).await;
    let report = diagnose(&seen);
    assert_eq!(report.findings, [], "{:#?}", report.findings);
    assert_eq!(Conclusion::of(&seen, &report), Conclusion::Good);
    let target = seen.target().unwrap();
    assert!(target.connections.len() >= 15 && target.connections.iter().all(|connection| connection.alive()));
    assert!(target.compression.iter().any(|one| one.offered && one.agreed.is_some()));
    assert_eq!(target.close.as_ref().unwrap().end.browser_view().get(), 1000);
}

#[tokio::test]
async fn an_idle_cut_of_a_proxy_is_measured_and_nobody_is_accused() {
    let address = serve(Habit::default()).await;
    let chaos = Chaos::start(address).idle_cut(SECOND).await.unwrap();
    let seen = look(&format!("ws://{}/", chaos.address()), &options()).await;
    let (report, finding) = found(&seen, "idle-cut");
    near(finding.value.unwrap().value, 1.0);
    assert_eq!((finding.hop, report.findings.len()), (None, 1), "{:#?}", report.findings);
    assert!(
        finding.evidence.iter().any(|text| text.contains("kept alive by: ping")),
        "{:?}",
        finding.evidence
    );
}

#[tokio::test]
async fn a_way_around_it_shows_on_which_side_the_timer_is() {
    let address = serve(Habit::default()).await;
    let chaos = Chaos::start(address).idle_cut(SECOND).await.unwrap();
    let direct = format!("ws://{address}/").parse().unwrap();
    let options = Options { direct: Some(direct), ..options() };
    let seen = look(&format!("ws://{}/", chaos.address()), &options).await;
    assert_eq!(found(&seen, "idle-cut").1.hop.as_deref(), Some("between you and the origin"));
}

#[tokio::test]
async fn a_silent_drop_is_found_by_the_comb_and_narrowed_down() {
    let address = serve(Habit::default()).await;
    let chaos = Chaos::start(address).inject("idle-cut after=1.5s how=silent").await.unwrap();
    let seen = look(&format!("ws://{}/", chaos.address()), &options()).await;
    let (_, finding) = found(&seen, "silent-drop");
    let value = finding.value.unwrap();
    let bracket = value.value - value.spread..=value.value + value.spread;
    assert!(bracket.contains(&1.5) && value.spread < 0.15, "{value:?}");
}

#[tokio::test]
async fn a_silent_drop_that_resets_the_next_packet() {
    let address = serve(Habit::default()).await;
    let chaos = Chaos::start(address).silent_drop(Duration::from_millis(1_500)).await.unwrap();
    let seen = look(&format!("ws://{}/", chaos.address()), &options()).await;
    let (_, finding) = found(&seen, "silent-drop");
    assert!(finding.cause.contains("gets a reset"), "{}", finding.cause);
}

#[tokio::test]
async fn a_cap_of_age_is_no_idle_timer() {
    let address = serve(Habit::default()).await;
    let chaos = Chaos::start(address).cut_after(SECOND * 2, CloseManner::Fin).await.unwrap();
    let seen = look(&format!("ws://{}/", chaos.address()), &options()).await;
    let (report, finding) = found(&seen, "lifetime-cap");
    near(finding.value.unwrap().value, 2.0);
    assert!(report.findings.iter().all(|finding| finding.id != "idle-cut"), "{:#?}", report.findings);
}

#[tokio::test]
async fn the_server_s_own_idle_close_is_told_from_a_proxy_s() {
    let address = serve(Habit { idle: Some((SECOND, 4000)), ..Habit::default() }).await;
    let seen = look(&format!("ws://{address}/"), &options()).await;
    let (_, finding) = found(&seen, "idle-cut");
    assert!(finding.cause.contains("of the server, or of a gateway"), "{}", finding.cause);
}

#[tokio::test]
async fn replies_that_stop_are_one_way_loss() {
    let address = serve(Habit { replies: Some(8), ..Habit::default() }).await;
    let seen = look(&format!("ws://{address}/"), &options()).await;
    let (_, finding) = found(&seen, "one-way-loss");
    assert!(finding.evidence[0].contains("8 replies received"), "{:?}", finding.evidence);
}

#[tokio::test]
async fn a_limit_of_size_is_found_to_the_byte() {
    let address = serve(Habit { limit: Some(70_000), ..Habit::default() }).await;
    let quick = Options { horizon: Duration::ZERO, ..options() };
    let seen = look(&format!("ws://{address}/"), &quick).await;
    let (_, finding) = found(&seen, "message-too-big");
    let value = finding.value.unwrap();
    // Twelve steps from 65,537 and 131,072.
    assert!((value.value - 70_000.0).abs() <= value.spread + 1.0 && value.spread <= 9.0, "{value:?}");
    assert!(finding.cause.contains("1009"), "{}", finding.cause);
}

#[tokio::test]
async fn handshakes_that_fail_have_one_clear_finding() {
    let quick = Options { horizon: Duration::ZERO, ..options() };
    for (habit, id) in [
        (Habit { status: Some(502), ..Habit::default() }, "backend-unreachable"),
        (Habit { status: Some(403), ..Habit::default() }, "handshake-refused"),
        (Habit { status: Some(200), ..Habit::default() }, "answers-plain-page"),
        (Habit { hangs: true, ..Habit::default() }, "backend-unreachable"),
    ] {
        let address = serve(habit).await;
        let seen = look(&format!("ws://{address}/"), &quick).await;
        let (report, _) = found(&seen, id);
        assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
        assert_eq!(Conclusion::of(&seen, &report), Conclusion::Handshake);
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let seen = look(&format!("ws://{gone}/"), &options()).await;
    let (report, finding) = found(&seen, "cannot-connect");
    assert!(finding.evidence[0].contains("refused"), "{:?}", finding.evidence);
    assert_eq!(Conclusion::of(&seen, &report), Conclusion::Handshake);
}

#[tokio::test]
async fn what_is_wrong_with_tls_is_one_verdict() {
    let (ca, other) = (Ca::new("ours"), Ca::new("theirs"));
    let quick = |ca: &Ca| {
        let trust = Trust::Only(ca.pem.clone().into_bytes());
        let tls = undrop_transport::tls::ClientTls::new(&trust).ok();
        let dial = undrop_transport::DialOptions { tls, ..Default::default() };
        Options { horizon: Duration::ZERO, trust, dial, ..options() }
    };
    for (server, trusted, part) in [
        (Some(ca.server("localhost", 2021)), &ca, "has expired"),
        (Some(ca.server("example.org", 2999)), &ca, "is not for localhost"),
        (Some(ca.server("localhost", 2999)), &other, "not trusted"),
        (None, &ca, "does not speak TLS"),
    ] {
        let address = serve(Habit { tls: server, ..Habit::default() }).await;
        let seen = look(&format!("wss://localhost:{}/", address.port()), &quick(trusted)).await;
        let (report, finding) = found(&seen, "certificate");
        assert!(finding.cause.contains(part), "{}", finding.cause);
        assert_eq!(Conclusion::of(&seen, &report), Conclusion::Tls, "{part}");
    }
    let address = serve(Habit { tls: Some(ca.server("localhost", 2999)), ..Habit::default() }).await;
    let seen = look(&format!("wss://localhost:{}/", address.port()), &quick(&ca)).await;
    let report = diagnose(&seen);
    assert_eq!(Conclusion::of(&seen, &report), Conclusion::Good, "{:#?}", report.findings);
    let tls = seen.target().unwrap().tls.as_ref().unwrap();
    assert_eq!(tls.only("1.2").and_then(|trial| trial.version.as_deref()), Some("1.2"));
    assert_eq!(tls.only("1.3").and_then(|trial| trial.version.as_deref()), Some("1.3"));
}

#[tokio::test]
async fn a_saved_run_gives_the_same_report_byte_for_byte() {
    let address = serve(Habit::default()).await;
    let chaos = Chaos::start(address).idle_cut(SECOND).await.unwrap();
    let seen = look(&format!("ws://{}/", chaos.address()), &options()).await;
    let saved = serde_json::to_string(&seen).unwrap();
    let again: Observations = serde_json::from_str(&saved).unwrap();
    assert_eq!(again, seen);
    assert_eq!(json(&diagnose(&again)), json(&diagnose(&seen)));
}

#[tokio::test]
async fn a_run_that_is_stopped_reports_what_it_saw() {
    let address = serve(Habit::default()).await;
    let chaos = Chaos::start(address).idle_cut(SECOND).await.unwrap();
    let stop = CancellationToken::new();
    let options = Options { horizon: Duration::from_secs(600), ..options() };
    let url = format!("ws://{}/", chaos.address()).parse().unwrap();
    let listener = StopsAtAnEnd(stop.clone());
    let seen = undrop_doctor::examine(&url, &options, &stop, &listener).await;
    let (report, _) = found(&seen, "idle-cut");
    assert!(seen.interrupted && report.notes[0].contains("stopped early"));
}

/// A listener that stops the run as soon as a watched connection ended.
struct StopsAtAnEnd(CancellationToken);

impl RunListener for StopsAtAnEnd {
    fn on_event(&self, event: RunEvent<'_>) {
        if matches!(event, RunEvent::Ended { .. }) {
            self.0.cancel();
        }
    }
}

#[tokio::test]
async fn messages_of_the_server_are_an_arm_where_they_can_be_had() {
    let address = serve(Habit { pushes: Some(Duration::from_millis(300)), ..Habit::default() }).await;
    let chaos = Chaos::start(address).idle_cut(SECOND).await.unwrap();
    let options = Options { subscribe: Some("subscribe".to_owned()), ..options() };
    let seen = look(&format!("ws://{}/", chaos.address()), &options).await;
    let push = seen
        .target()
        .unwrap()
        .connections
        .iter()
        .find(|connection| connection.traffic == Traffic::Push)
        .unwrap();
    assert!(push.alive() && push.received > 5 && push.end != Some(Ending::Fin), "{push:?}");
}

#[tokio::test]
async fn stages_that_take_too_long_are_cut_short() {
    let address = serve(Habit { hangs: true, ..Habit::default() }).await;
    let options = Options {
        horizon: Duration::ZERO,
        timeout: Duration::from_secs(60),
        stages_within: Duration::from_millis(500),
        ..options()
    };
    let seen = look(&format!("ws://{address}/"), &options).await;
    assert!(seen.took_s < 5.0 && seen.target().unwrap().incomplete, "{}", seen.took_s);
    assert!(diagnose(&seen).notes.iter().any(|note| note.contains("took too long")));
}
