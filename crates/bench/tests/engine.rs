//! Whole runs against real sockets: what they count, and what the proof finds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::LocalSet;
use undrop_bench::{
    ConnectStage, FailureKind, Fault, Mode, Payload, Plan, Policy, Sabotage, SessionMode, Sink, SinkOptions,
    SinkWatch, Tally, Target, Trigger, Trust, WorkerProgram, run,
};
use undrop_frame::Ending;

fn sink(change: impl FnOnce(&mut SinkOptions)) -> (SocketAddr, SinkWatch) {
    let mut options = SinkOptions {
        listen: ([127, 0, 0, 1], 0).into(),
        reuse_port: false,
        max_message: 1 << 20,
        echo: false,
        broadcast: false,
        sabotage: None,
        lifetime: None,
    };
    change(&mut options);
    let sink = Sink::bind(options).unwrap();
    let (address, watch) = (sink.address().unwrap(), sink.watch());
    tokio::spawn(sink.serve());
    (address, watch)
}

fn plan(address: SocketAddr, mode: Mode) -> Plan {
    Plan {
        target: Target {
            url: format!("ws://{address}/"),
            headers: Vec::new(),
            protocols: Vec::new(),
            compress: false,
            trust: Trust::Native,
            server_name: None,
            source: Vec::new(),
            addresses: Vec::new(),
            timeout: Duration::from_secs(10),
            proxy: None,
            max_message: 1 << 20,
        },
        mode,
        connections: 10,
        ramp_up: Duration::ZERO,
        concurrency: 10,
        rate: 50.0,
        duration: Duration::from_secs(1),
        payload: Payload::of_size(64, false),
        verify: true,
        session: SessionMode::Off,
        reconnect: None,
        ping: None,
        dead_after: Duration::from_secs(10),
        settle: Duration::from_secs(2),
        seed: 7,
        first: 0,
        epoch_us: 0,
        workers: 1,
    }
}

/// Runs a plan in this process, on a separate thread, as the command line does.
async fn load(plan: Plan) -> Tally {
    let result = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let program = WorkerProgram { path: "unused".into(), arguments: Vec::new() };
        let (_stop, mut stopped) = mpsc::channel(1);
        runtime.block_on(LocalSet::new().run_until(run(&plan, &program, |_| {}, &mut stopped)))
    });
    result.await.unwrap().unwrap()
}

#[tokio::test]
async fn a_correct_backend_is_proven_correct_in_both_directions() {
    let (address, watch) = sink(|_| {});
    for binary in [false, true] {
        let mut plan = plan(address, Mode::Run);
        plan.payload = Payload::of_size(100, binary);
        let tally = load(plan).await;
        assert_eq!((tally.asked, tally.opened, tally.alive_at_end, tally.ended_count()), (10, 10, 10, 0));
        // 10 connections x 50 messages, and what those that were open first sent while the others were opened.
        assert!((490..=2000).contains(&tally.intended), "{}", tally.intended);
        assert_eq!((tally.sent, tally.received), (tally.intended, tally.intended));
        assert_eq!((tally.up_sent, tally.up.received, tally.down_sent, tally.down.received), {
            let sent = tally.sent;
            (sent, sent, sent, sent)
        });
        assert_eq!(tally.up.doubled + tally.up.reordered + tally.up.corrupted, 0);
        assert_eq!(tally.down.doubled + tally.down.reordered + tally.down.corrupted, 0);
        assert_eq!((tally.corrected.len(), tally.unanswered), (tally.sent, 0));
        assert!(tally.corrected.quantile(0.5) >= tally.uncorrected.quantile(0.5));
    }
    assert_eq!(watch.counts().missing, 0);
}

#[tokio::test]
async fn every_fault_of_a_backend_is_found_and_nothing_else() {
    for (how, lost, doubled, reordered, corrupted) in [
        (Fault::Lose, 1, 0, 0, 0),
        (Fault::Double, 0, 1, 0, 0),
        (Fault::Swap, 0, 0, 1, 0),
        (Fault::Corrupt, 1, 0, 0, 1),
    ] {
        let (address, _) = sink(|options| options.sabotage = Some(Sabotage { how, every: 300 }));
        let mut plan = plan(address, Mode::Run);
        plan.duration = Duration::from_millis(700);
        let tally = load(plan).await;
        assert!((300..600).contains(&tally.sent), "{}", tally.sent);
        let down = tally.down;
        assert_eq!(
            (tally.down_sent - down.received, down.doubled, down.reordered, down.corrupted),
            (lost, doubled, reordered, corrupted),
            "{how:?}"
        );
        assert_eq!(tally.up_sent - tally.up.received, 0, "{how:?}");
    }
}

#[tokio::test]
async fn an_echo_is_proven_for_the_round_trip() {
    let (address, _) = sink(|options| {
        options.echo = true;
        options.sabotage = Some(Sabotage { how: Fault::Lose, every: 300 });
    });
    let mut plan = plan(address, Mode::Run);
    plan.duration = Duration::from_millis(700);
    let tally = load(plan).await;
    assert_eq!((tally.sent - tally.echoed.received, tally.echoed.doubled), (1, 0));
    assert_eq!((tally.up_sent, tally.down_sent), (0, 0));
}

#[tokio::test]
async fn connections_that_the_backend_drops_are_counted_with_their_age() {
    let (address, _) = sink(|options| options.lifetime = Some(Duration::from_millis(400)));
    let mut plan = plan(address, Mode::Hold);
    plan.rate = 0.0;
    let tally = load(plan).await;
    assert_eq!((tally.opened, tally.alive_at_end, tally.ended_count()), (10, 0, 10));
    for record in &tally.endings {
        assert_eq!(record.ending, Ending::Fin);
        assert!((0.3..2.0).contains(&record.age_s), "{record:?}");
    }
}

#[tokio::test]
async fn a_storm_ends_when_the_last_one_is_back() {
    let (address, watch) = sink(|_| {});
    let mut plan = plan(address, Mode::Storm { trigger: Trigger::Cut, policy: Policy::FullJitter });
    plan.duration = Duration::from_secs(60);
    plan.rate = 0.0;
    plan.verify = false;
    let tally = load(plan).await;
    assert_eq!((tally.opened, tally.resumes, tally.alive_at_end, tally.attempts), (10, 10, 10, 20));
    assert!(tally.last_back.unwrap() < Duration::from_secs(5));
    assert_eq!(watch.counts().connections, 20);
}

#[tokio::test]
async fn a_flood_keeps_its_window_and_loses_nothing() {
    let (address, _) = sink(|_| {});
    let tally = load(plan(address, Mode::Flood { window: 8 })).await;
    assert!(tally.sent > 1000, "{}", tally.sent);
    assert_eq!((tally.received, tally.down.received), (tally.sent, tally.sent));
}

#[tokio::test]
async fn a_broadcast_reaches_everybody() {
    let (address, _) = sink(|options| options.broadcast = true);
    let tally = load(plan(address, Mode::Broadcast { senders: 2 })).await;
    assert_eq!(tally.received, tally.sent * 10);
    assert_eq!((tally.echoed.received, tally.echoed.doubled), (tally.sent * 10, 0));
}

#[tokio::test]
async fn churn_opens_and_closes_at_its_rate() {
    let (address, watch) = sink(|_| {});
    let mode = Mode::Churn { rate: 50.0, lifetime: Duration::from_millis(100) };
    let mut plan = plan(address, mode);
    plan.connections = 100;
    plan.verify = false;
    let tally = load(plan).await;
    assert!((30..=52).contains(&tally.asked), "{}", tally.asked);
    assert_eq!((tally.opened, tally.alive_at_end, tally.ended_count()), (tally.asked, tally.asked, 0));
    assert_eq!(watch.counts().connections, tally.asked);
}

#[tokio::test]
async fn nobody_listening_is_refused_and_never_alive() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let tally = load(plan(address, Mode::Run)).await;
    assert_eq!((tally.opened, tally.failed_count(), tally.alive_at_end), (0, 10, 0));
    let failures = &tally.failures[0];
    assert_eq!(failures.kind, Some(FailureKind { stage: ConnectStage::Connect, ending: Ending::Refused }));
}

#[tokio::test]
async fn a_stream_whose_answers_never_come_is_not_proven() {
    use undrop_chaos::{Chaos, Faults};
    use undrop_fault::{BlackHole, Fault as Broken, Trigger};
    let (address, _) = sink(|_| {});
    let mut connections = 0;
    let chaos = Chaos::start(address)
        .seed(3)
        .choose(move |_| {
            // Nothing comes back on every second connection, from its handshake on.
            connections += 1;
            let from = Trigger::Age(Duration::from_millis(200));
            let hole = (connections % 2 == 0).then_some(BlackHole { from, lasts: None });
            Faults { forth: Broken::default(), back: Broken { black_hole: hole, ..Broken::default() } }
        })
        .await
        .unwrap();
    let mut plan = plan(chaos.address(), Mode::Run);
    plan.rate = 2.0;
    plan.duration = Duration::from_secs(2);
    plan.settle = Duration::from_secs(1);
    plan.dead_after = Duration::from_secs(1);
    let tally = load(plan).await;
    assert_eq!(tally.opened, 10);
    assert_eq!(tally.unanswered, 5, "{tally:?}");
    assert!(tally.unproven > 0 && tally.up_sent + tally.unproven == tally.sent, "{tally:?}");
}

#[tokio::test]
async fn lost_connections_come_back_while_others_are_still_opened() {
    let (address, _) = sink(|options| options.lifetime = Some(Duration::from_millis(500)));
    let mut plan = plan(address, Mode::Hold);
    plan.rate = 0.0;
    plan.ramp_up = Duration::from_secs(2);
    plan.reconnect = Some(Policy::Immediate);
    let tally = load(plan).await;
    assert_eq!(tally.opened, 10);
    // Each of the ten is cut at least twice; only what was cut last may still be away.
    assert!(tally.ended_count() >= 20, "{}", tally.ended_count());
    assert!(tally.resumes + 10 >= tally.ended_count(), "{} of {}", tally.resumes, tally.ended_count());
}

#[tokio::test]
async fn churn_that_outlives_the_run_is_closed_and_alive() {
    let (address, _) = sink(|_| {});
    let mode = Mode::Churn { rate: 10.0, lifetime: Duration::from_secs(300) };
    let mut plan = plan(address, mode);
    plan.connections = 100;
    plan.verify = false;
    let begun = std::time::Instant::now();
    let tally = load(plan).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!((tally.opened, tally.alive_at_end, tally.ended_count()), (tally.asked, tally.asked, 0));
}

#[tokio::test]
async fn a_rate_that_nobody_can_keep_ends_in_time() {
    let (address, _) = sink(|_| {});
    let mut plan = plan(address, Mode::Run);
    plan.rate = 100_000.0;
    plan.verify = false;
    let begun = std::time::Instant::now();
    let tally = load(plan).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!((900_000..=1_100_000).contains(&tally.intended), "{}", tally.intended);
}
