//! Both directions together: which side notices a fault, and when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use undrop_fault::{
    BlackHole, CloseManner, CutAfter, Delivery, Fault, IdleTimeout, Latency, Pair, Side, SilentDrop, Trigger,
};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn run(pair: &mut Pair, start: Instant, mut now: Instant, end: Instant) -> Vec<(u64, Side, Delivery)> {
    let mut seen = Vec::new();
    loop {
        for at in [Side::A, Side::B] {
            while let Some(delivery) = pair.poll_deliver(now, at) {
                seen.push(((now - start).as_millis() as u64, at, delivery));
            }
        }
        match pair.poll_timeout() {
            Some(at) if at <= end => now = now.max(at),
            _ => return seen,
        }
    }
}

fn slow(base: u64) -> Option<Latency> {
    Some(Latency { base: ms(base), jitter: ms(0), ..Latency::default() })
}

#[test]
fn a_cut_on_one_direction_ends_both_each_in_its_own_time() {
    let t = Instant::now();
    let cut = Some(CutAfter { when: Trigger::Age(ms(100)), how: CloseManner::Rst });
    let forth = Fault { latency: slow(10), cut, ..Fault::default() };
    let back = Fault { latency: slow(70), ..Fault::default() };
    let mut pair = Pair::new(t, forth, back, 1);
    let seen = run(&mut pair, t, t, t + ms(999));
    assert_eq!(seen, [(110, Side::B, Delivery::Rst), (170, Side::A, Delivery::Rst)]);
    assert!(pair.is_over());
}

#[test]
fn answers_keep_an_idle_timer_of_the_pair_from_firing() {
    let t = Instant::now();
    let idle = |own_direction_only| Fault {
        idle_timeout: Some(IdleTimeout { after: ms(60), how: CloseManner::Fin, own_direction_only }),
        ..Fault::default()
    };
    for (own, ends) in [(false, 310), (true, 60)] {
        let mut pair = Pair::new(t, idle(own), Fault::default(), 1);
        let mut seen = Vec::new();
        for i in 0..=5 {
            let now = t + ms(i * 50);
            pair.push(now, Side::B, b"x");
            seen.extend(run(&mut pair, t, now, now + ms(49)));
        }
        seen.extend(run(&mut pair, t, t + ms(300), t + ms(999)));
        let first_end = seen.iter().find(|(_, _, d)| *d == Delivery::Fin).unwrap();
        assert_eq!(first_end.0, ends, "own direction only: {own}");
    }
}

#[test]
fn a_forgotten_flow_resets_the_sender_and_leaves_the_other_side_half_open() {
    let t = Instant::now();
    let fault =
        Fault { silent_drop: Some(SilentDrop { after: ms(100) }), latency: slow(5), ..Fault::default() };
    let mut pair = Pair::new(t, fault.clone(), fault, 1);
    pair.push(t, Side::A, b"a");
    assert_eq!(run(&mut pair, t, t, t + ms(100)), [(5, Side::B, Delivery::Bytes(b"a".to_vec()))]);
    pair.push(t + ms(200), Side::A, b"b");
    assert_eq!(run(&mut pair, t, t + ms(200), t + ms(900)), [(205, Side::A, Delivery::Rst)]);
}

#[test]
fn the_quiet_side_of_a_forgotten_flow_is_reset_when_it_sends() {
    let t = Instant::now();
    let fault = Fault { silent_drop: Some(SilentDrop { after: ms(100) }), ..Fault::default() };
    let mut pair = Pair::new(t, fault.clone(), fault, 1);
    pair.push(t + ms(200), Side::B, b"b");
    assert_eq!(run(&mut pair, t, t + ms(200), t + ms(900)), [(200, Side::B, Delivery::Rst)]);
}

#[test]
fn a_black_hole_in_one_direction_lets_the_other_pass() {
    let t = Instant::now();
    let hole = Some(BlackHole { from: Trigger::Age(ms(0)), lasts: None });
    let mut pair = Pair::new(t, Fault { black_hole: hole, ..Fault::default() }, Fault::default(), 1);
    pair.push(t + ms(1), Side::A, b"lost");
    pair.push(t + ms(1), Side::B, b"kept");
    let seen = run(&mut pair, t, t + ms(1), t + ms(999));
    assert_eq!(seen, [(1, Side::A, Delivery::Bytes(b"kept".to_vec()))]);
}

#[test]
fn a_side_that_vanishes_leaves_the_other_without_a_sign() {
    let t = Instant::now();
    let mut pair = Pair::new(t, Fault::default(), Fault::default(), 1);
    pair.finish(t, Side::A, CloseManner::Silent);
    assert_eq!(pair.push(t, Side::B, b"anyone?"), 7);
    assert_eq!(run(&mut pair, t, t, t + ms(99_999)), []);
}

#[test]
fn a_fin_closes_one_direction_only() {
    let t = Instant::now();
    let mut pair = Pair::new(t, Fault::default(), Fault::default(), 1);
    pair.finish(t, Side::A, CloseManner::Fin);
    pair.push(t, Side::B, b"still here");
    let seen = run(&mut pair, t, t, t);
    assert_eq!(seen, [(0, Side::A, Delivery::Bytes(b"still here".to_vec())), (0, Side::B, Delivery::Fin)]);
}
