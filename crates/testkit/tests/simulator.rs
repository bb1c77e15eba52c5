//! Schedules of the network simulator: the rules as they are keep their promise, broken ones are found out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use undrop_session::mutate::BrokenRule;
use undrop_testkit::sim::{self, Harness, Schedule, ScheduleKind};

/// Schedules of a test run; the binary `simulate` runs the full number.
fn schedules() -> u64 {
    std::env::var("UNDROP_SIM_SCHEDULES").ok().and_then(|number| number.parse().ok()).unwrap_or(2000)
}

#[test]
fn every_schedule_is_exactly_once_and_in_order() {
    let count = schedules();
    let mut delivered = 0;
    for seed in 0..count {
        match sim::run(seed) {
            Ok(report) => delivered += report.delivered,
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(delivered > count * 10, "{delivered} messages in {count} schedules: the workload is gone");
}

#[test]
fn a_run_is_a_function_of_its_seed() {
    for seed in [3, 17, 4242] {
        let harness = Harness { trace: true, ..Harness::default() };
        let [one, two] = [(); 2].map(|()| sim::run_with(seed, harness).expect("a sound run"));
        assert_eq!(
            (one.steps, one.delivered, one.virtual_time),
            (two.steps, two.delivered, two.virtual_time)
        );
    }
}

#[test]
fn schedules_cover_what_they_should() {
    let (mut resumes, mut losses, mut moves) = (0, 0, 0);
    for seed in 0..500 {
        let report = sim::run(seed).expect("a sound run");
        resumes += report.resumes;
        losses += report.losses;
        moves += report.moves;
    }
    assert!(resumes > 500 && losses > 10 && moves > 10, "{resumes} {losses} {moves}");
}

/// The first failure among the first `count` seeds.
fn first_failure(count: u64, harness: Harness, change: impl Fn(&mut Schedule)) -> Option<sim::Failure> {
    (0..count).find_map(|seed| {
        let mut schedule = Schedule::draw(seed);
        change(&mut schedule);
        sim::run_schedule(schedule, harness).err()
    })
}

fn breaking(rule: BrokenRule) -> Harness {
    Harness { broken: Some(rule), ..Harness::default() }
}

#[track_caller]
fn must_fail(name: &str, failure: Option<sim::Failure>) {
    let failure = failure.unwrap_or_else(|| panic!("{name} went unnoticed"));
    eprintln!("{name}: schedule {} failed: {}", failure.seed, failure.what);
}

#[test]
fn start_from_the_clients_rx_alone_is_found() {
    must_fail("start from rx", first_failure(3000, breaking(BrokenRule::StartFromRx), |_| ()));
}

/// Observable where units are lost after their receipt: the gateway discards what waits for the backend with the link.
#[test]
fn acks_on_receipt_are_found() {
    must_fail("acks on receipt", first_failure(1000, breaking(BrokenRule::AckOnReceipt), |_| ()));
}

#[test]
fn a_skipped_count_is_found() {
    must_fail("skipped count", first_failure(1000, breaking(BrokenRule::SkipCount), |_| ()));
}

#[test]
fn no_dedupe_is_found() {
    must_fail("no dedupe", first_failure(1000, breaking(BrokenRule::NoDedupe), |_| ()));
}

#[test]
fn two_owners_without_a_fence_are_found() {
    let moving = |schedule: &mut Schedule| schedule.moves = schedule.kind == ScheduleKind::Exact;
    let careless = Harness { no_fence: true, ..Harness::default() };
    must_fail("no fence", first_failure(1000, careless, moving));
    let fenced = first_failure(300, Harness::default(), moving);
    assert!(fenced.is_none(), "with the fence all is well: {}", fenced.expect("checked"));
}
