//! Faults that are added and removed while a connection is open, and those that hold data back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use undrop_fault::{CloseManner, Delivery, Distribution, Fault, Hold, Latency, Link, Pair, Side, SlowClose};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn bytes(b: &[u8]) -> Delivery {
    Delivery::Bytes(b.to_vec())
}

fn hold(after: u64, lasts: Option<u64>, ends_pass: bool) -> Fault {
    Fault { hold: Some(Hold { after: ms(after), lasts: lasts.map(ms), ends_pass }), ..Fault::default() }
}

fn run(link: &mut Link, start: Instant, end: Instant) -> Vec<(u64, Delivery)> {
    let (mut now, mut seen) = (start, Vec::new());
    loop {
        while let Some(delivery) = link.poll_deliver(now) {
            seen.push(((now - start).as_millis() as u64, delivery));
        }
        match link.poll_timeout() {
            Some(at) if at <= end => now = now.max(at),
            _ => return seen,
        }
    }
}

#[test]
fn a_held_link_gives_everything_up_when_it_moves_again() {
    let t = Instant::now();
    let mut link = Link::new(t, hold(10, Some(90), false), 1);
    link.push(t, b"before");
    assert_eq!(link.poll_deliver(t), Some(bytes(b"before")));
    link.push(t + ms(20), b"during");
    link.finish(t + ms(30), CloseManner::Fin);
    assert_eq!(link.poll_deliver(t + ms(99)), None);
    assert_eq!(run(&mut link, t, t + ms(500)), [(100, bytes(b"during")), (100, Delivery::Fin)]);
}

#[test]
fn a_held_link_accepts_what_fits_and_no_more() {
    let t = Instant::now();
    let mut link = Link::new(t, Fault { buffer: 10, ..hold(0, None, false) }, 1);
    assert_eq!(link.push(t, b"0123456789abc"), 10);
    assert_eq!(link.push(t, b"abc"), 0);
    assert_eq!(link.poll_timeout(), None, "nothing happens without further input");
}

#[test]
fn a_hold_may_let_the_end_pass_and_loses_what_waited() {
    let t = Instant::now();
    let mut link = Link::new(t, hold(0, None, true), 1);
    link.push(t, b"never seen");
    assert_eq!(link.poll_timeout(), None);
    link.finish(t, CloseManner::Fin);
    assert_eq!(run(&mut link, t, t + ms(1)), [(0, Delivery::Fin)]);
    assert_eq!(link.room(), 1 << 20);
}

#[test]
fn the_later_of_two_holds_counts() {
    let t = Instant::now();
    let mut link = Link::new(t, hold(0, Some(50), false), 1);
    link.add(t, 1, &hold(40, Some(60), false), 1);
    link.push(t, b"x");
    assert_eq!(run(&mut link, t, t + ms(999)), [(100, bytes(b"x"))]);
}

/// Two gates in turn: data that waited at the first, and was due before the second shut, waits at the second. The next
/// deadline is then the end of the second, never a time in the past at which nothing happens.
#[test]
fn data_that_was_due_before_a_hold_waits_for_its_end() {
    let t = Instant::now();
    let mut link = Link::new(t, Fault::default(), 1);
    link.add(t, 1, &hold(0, None, false), 1);
    link.push(t + ms(10), b"x");
    link.add(t + ms(20), 2, &hold(80, Some(100), false), 1);
    link.remove(t + ms(150), 1);
    assert_eq!(link.poll_deliver(t + ms(150)), None);
    assert_eq!(link.poll_timeout(), Some(t + ms(200)));
    assert_eq!(link.poll_deliver(t + ms(200)), Some(bytes(b"x")));
}

#[test]
fn what_is_removed_no_longer_holds() {
    let t = Instant::now();
    let mut pair = Pair::new(t, Fault::default(), Fault::default(), 1);
    pair.add(t, Side::A, 7, &hold(0, None, false), 1);
    pair.push(t, Side::A, b"up");
    pair.push(t, Side::B, b"down");
    assert_eq!(pair.poll_deliver(t, Side::A), Some(bytes(b"down")), "the other direction moves");
    assert_eq!(pair.poll_deliver(t + ms(500), Side::B), None);
    pair.remove(t + ms(500), 8);
    assert_eq!(pair.poll_deliver(t + ms(500), Side::B), None, "another tag");
    pair.remove(t + ms(500), 7);
    assert_eq!(pair.poll_deliver(t + ms(500), Side::B), Some(bytes(b"up")));
}

#[test]
fn latency_that_is_added_delays_data_and_ends_from_then_on() {
    let t = Instant::now();
    let fault = Fault { latency: Some(Latency { base: ms(70), ..Latency::default() }), ..Fault::default() };
    let mut link = Link::new(t, Fault::default(), 1);
    link.push(t, b"a");
    link.add(t, 1, &fault, 5);
    link.push(t, b"b");
    assert_eq!(run(&mut link, t, t + ms(200)), [(0, bytes(b"a")), (70, bytes(b"b"))]);
    link.finish(t + ms(200), CloseManner::Rst);
    assert_eq!(run(&mut link, t, t + ms(999)), [(270, Delivery::Rst)]);
}

/// An additional fault does not change the draws of the others.
#[test]
fn an_added_fault_draws_for_itself() {
    let t = Instant::now();
    let slow = |distribution| Fault {
        latency: Some(Latency { base: ms(1), jitter: ms(500), distribution }),
        ..Fault::default()
    };
    let arrivals = |extra: bool| {
        let mut link = Link::new(t, Fault::default(), 9);
        link.add(t, 1, &slow(Distribution::Uniform), 42);
        if extra {
            let slices = undrop_fault::Slices { min: 1, max: 3, gap: ms(0) };
            link.add(t, 2, &Fault { slices: Some(slices), ..Fault::default() }, 43);
        }
        link.push(t, b"0123456789");
        link.push(t, b"0123456789");
        let seen = run(&mut link, t, t + ms(9999));
        let mut times: Vec<u64> = seen.into_iter().map(|(at, _)| at).collect();
        times.dedup();
        times
    };
    assert_eq!(arrivals(false), arrivals(true));
}

#[test]
fn slow_close_delays_ends_only() {
    let t = Instant::now();
    for (how, end) in [(CloseManner::Fin, Delivery::Fin), (CloseManner::Rst, Delivery::Rst)] {
        let fault = Fault { slow_close: Some(SlowClose { delay: ms(300) }), ..Fault::default() };
        let mut link = Link::new(t, fault, 1);
        link.push(t, b"x");
        assert_eq!(link.poll_deliver(t), Some(bytes(b"x")));
        link.finish(t, how);
        assert_eq!(run(&mut link, t, t + ms(999)), [(300, end)]);
    }
}

/// The bounds and medians that the documentation states.
#[test]
fn distributions_are_what_they_are_called() {
    let t = Instant::now();
    for (distribution, median, highest) in [
        (Distribution::Uniform, 450..550, 1000),
        (Distribution::Normal, 600..750, 4000),
        (Distribution::Pareto, 350..480, 20_000),
    ] {
        let mut delays: Vec<u64> = (0..2000)
            .map(|seed| {
                let latency = Latency { base: ms(100), jitter: ms(1000), distribution };
                let mut link = Link::new(t, Fault { latency: Some(latency), ..Fault::default() }, seed);
                link.push(t, b"x");
                run(&mut link, t, t + ms(99_999))[0].0
            })
            .collect();
        delays.sort_unstable();
        assert!(delays[0] >= 100 && delays[1999] <= 100 + highest, "{distribution:?} {delays:?}");
        assert!(median.contains(&(delays[1000] - 100)), "{distribution:?}: {}", delays[1000]);
    }
}

#[test]
fn a_cut_after_data_loses_nothing_of_what_was_pushed() {
    let t = Instant::now();
    let slow = Fault { latency: Some(Latency { base: ms(50), ..Latency::default() }), ..Fault::default() };
    for seed in 0..20 {
        let mut pair = Pair::new(t, slow.clone(), Fault::default(), seed);
        pair.push(t, Side::A, b"all of it");
        pair.cut_after_data(t, Side::A, CloseManner::Rst);
        assert_eq!(pair.poll_deliver(t + ms(50), Side::B), Some(bytes(b"all of it")));
        assert_eq!(pair.poll_deliver(t + ms(50), Side::B), Some(Delivery::Rst));
        assert_eq!(pair.poll_deliver(t, Side::A), Some(Delivery::Rst));
    }
}

#[test]
fn a_pair_distinguishes_a_fault_from_an_end_of_a_side() {
    let t = Instant::now();
    let mut pair = Pair::new(t, Fault::default(), Fault::default(), 1);
    pair.finish(t, Side::A, CloseManner::Rst);
    assert_eq!(pair.fault(), None);
    let cut = undrop_fault::CutAfter { when: undrop_fault::Trigger::Age(ms(5)), how: CloseManner::Rst };
    let mut pair = Pair::new(t, Fault { cut: Some(cut), ..Fault::default() }, Fault::default(), 1);
    assert_eq!(pair.poll_deliver(t + ms(5), Side::A), Some(Delivery::Rst));
    assert_eq!(pair.fault(), Some(CloseManner::Rst));
}
