//! Every fault separately, on one link in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use undrop_fault::{
    Bandwidth, BlackHole, CloseManner, CutAfter, Delivery, Fault, Flapping, IdleTimeout, Latency, Link,
    LinkEvent, SilentDrop, Slices, Trigger,
};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs a link until `end`, jumping from deadline to deadline; deliveries with their time since `start`, in ms.
fn run(link: &mut Link, start: Instant, mut now: Instant, end: Instant) -> Vec<(u64, Delivery)> {
    let mut seen = Vec::new();
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

fn bytes(b: &[u8]) -> Delivery {
    Delivery::Bytes(b.to_vec())
}

#[test]
fn a_perfect_link_delivers_at_once_and_ends_in_order() {
    let t = Instant::now();
    let mut link = Link::new(t, Fault::default(), 1);
    assert_eq!(link.poll_timeout(), None);
    assert_eq!(link.push(t, b"one"), 3);
    link.finish(t, CloseManner::Fin);
    assert_eq!(run(&mut link, t, t, t), [(0, bytes(b"one")), (0, Delivery::Fin)]);
    assert!(link.is_over());
    assert_eq!(link.push(t, b"late"), 4);
    assert_eq!(link.poll_deliver(t), None);
}

#[test]
fn latency_delays_and_jitter_keeps_order() {
    let t = Instant::now();
    let fault = Fault {
        latency: Some(Latency { base: ms(50), jitter: ms(200), ..Latency::default() }),
        ..Fault::default()
    };
    let mut link = Link::new(t, fault, 3);
    for i in 0..50u8 {
        link.push(t + ms(u64::from(i)), &[i]);
    }
    let seen = run(&mut link, t, t + ms(50), t + ms(1000));
    let order: Vec<u8> =
        seen.iter().map(|(_, d)| if let Delivery::Bytes(b) = d { b[0] } else { 255 }).collect();
    assert_eq!(order, (0..50).collect::<Vec<u8>>());
    assert!(seen.iter().all(|(at, _)| (50..=300).contains(at)), "{seen:?}");
    assert!(seen.iter().map(|(at, _)| at).collect::<std::collections::BTreeSet<_>>().len() > 3, "no jitter");
}

#[test]
fn bandwidth_spreads_a_large_push() {
    let t = Instant::now();
    let fault = Fault { bandwidth: Some(Bandwidth { bytes_per_second: 14_600 }), ..Fault::default() };
    let mut link = Link::new(t, fault, 1);
    link.push(t, &[0; 14_600]);
    let seen = run(&mut link, t, t, t + ms(5000));
    assert_eq!(seen.len(), 10);
    assert_eq!(seen.first().unwrap().0, 100);
    assert_eq!(seen.last().unwrap().0, 1000);
}

#[test]
fn slices_of_one_byte() {
    let t = Instant::now();
    let fault = Fault { slices: Some(Slices { min: 1, max: 1, gap: ms(10) }), ..Fault::default() };
    let mut link = Link::new(t, fault, 1);
    link.push(t, b"abc");
    assert_eq!(run(&mut link, t, t, t + ms(100)), [(0, bytes(b"a")), (10, bytes(b"b")), (20, bytes(b"c"))]);
}

#[test]
fn a_full_buffer_accepts_no_more_until_it_delivers() {
    let t = Instant::now();
    let latency = Some(Latency { base: ms(10), jitter: ms(0), ..Latency::default() });
    let mut link = Link::new(t, Fault { latency, buffer: 4, ..Fault::default() }, 1);
    assert_eq!(link.push(t, b"abcdef"), 4);
    assert_eq!((link.push(t, b"ef"), link.room()), (0, 0));
    assert_eq!(link.poll_deliver(t + ms(10)), Some(bytes(b"abcd")));
    assert_eq!(link.push(t + ms(10), b"ef"), 2);
}

#[test]
fn a_cut_after_bytes_falls_in_the_middle_of_a_push() {
    let t = Instant::now();
    for (how, end) in [
        (CloseManner::Fin, Some(Delivery::Fin)),
        (CloseManner::Rst, Some(Delivery::Rst)),
        (CloseManner::Silent, None),
    ] {
        let cut = Some(CutAfter { when: Trigger::Bytes(5), how });
        let mut link = Link::new(t, Fault { cut, ..Fault::default() }, 1);
        link.push(t, b"abc");
        link.push(t, b"defg");
        link.push(t, b"h");
        let mut want = vec![(0, bytes(b"abc")), (0, bytes(b"de"))];
        want.extend(end.map(|end| (0, end)));
        assert_eq!(run(&mut link, t, t, t + ms(1000)), want);
        assert_eq!(link.take_event(), Some(LinkEvent::Cut(how)));
    }
}

#[test]
fn a_cut_inside_the_nth_push() {
    let t = Instant::now();
    let cut = Some(CutAfter { when: Trigger::Push { nth: 2, offset: 1 }, how: CloseManner::Rst });
    let mut link = Link::new(t, Fault { cut, ..Fault::default() }, 1);
    link.push(t, b"abc");
    link.push(t, b"defg");
    assert_eq!(run(&mut link, t, t, t), [(0, bytes(b"abc")), (0, bytes(b"d")), (0, Delivery::Rst)]);
    // Also where a speed limit splits the push into segments.
    let bandwidth = Some(Bandwidth { bytes_per_second: 1 << 40 });
    let cut = Some(CutAfter { when: Trigger::Push { nth: 1, offset: 2000 }, how: CloseManner::Fin });
    let mut link = Link::new(t, Fault { cut, bandwidth, ..Fault::default() }, 1);
    link.push(t, &[1; 9000]);
    let total: usize = run(&mut link, t, t, t + ms(1000))
        .iter()
        .map(|(_, d)| if let Delivery::Bytes(b) = d { b.len() } else { 0 })
        .sum();
    assert_eq!(total, 2000);
}

#[test]
fn a_lifetime_cut_loses_only_what_was_in_flight_and_always_a_tail_of_it() {
    let t = Instant::now();
    let mut kept_counts = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let cut = Some(CutAfter { when: Trigger::Age(ms(100)), how: CloseManner::Rst });
        let latency = Some(Latency { base: ms(50), jitter: ms(0), ..Latency::default() });
        let mut link = Link::new(t, Fault { cut, latency, ..Fault::default() }, seed);
        for i in 0..10u8 {
            link.push(t + ms(10 * u64::from(i)), &[i]);
        }
        let seen = run(&mut link, t, t + ms(90), t + ms(1000));
        let (end, data) = seen.split_last().unwrap();
        assert_eq!(*end, (150, Delivery::Rst));
        // Pushed at 0..=50 ms: arrived by 100 ms, so safe.
        assert!(data.len() >= 6, "{seen:?}");
        assert!(data.iter().enumerate().all(|(i, (_, d))| *d == bytes(&[i as u8])));
        kept_counts.insert(data.len());
    }
    assert_eq!(kept_counts.into_iter().collect::<Vec<_>>(), [6, 7, 8, 9, 10]);
}

#[test]
fn an_idle_timeout_spares_a_busy_link() {
    let t = Instant::now();
    let idle = IdleTimeout { after: ms(60), how: CloseManner::Fin, own_direction_only: false };
    let mut link = Link::new(t, Fault { idle_timeout: Some(idle), ..Fault::default() }, 1);
    for i in 0..10 {
        link.push(t + ms(i * 50), b"x");
    }
    let seen = run(&mut link, t, t + ms(450), t + ms(5000));
    assert_eq!(seen.len(), 11);
    assert_eq!(*seen.last().unwrap(), (510, Delivery::Fin));
}

#[test]
fn a_push_after_the_idle_timeout_does_not_arrive_even_if_nobody_polled() {
    let t = Instant::now();
    let idle = IdleTimeout { after: ms(60), how: CloseManner::Rst, own_direction_only: false };
    let mut link = Link::new(t, Fault { idle_timeout: Some(idle), ..Fault::default() }, 1);
    link.push(t + ms(61), b"late");
    assert_eq!(link.poll_deliver(t + ms(61)), Some(Delivery::Rst));
    assert_eq!(link.poll_deliver(t + ms(61)), None);
}

#[test]
fn a_silent_drop_rejects_the_next_packet_without_notifying_the_receiver() {
    let t = Instant::now();
    let fault = Fault { silent_drop: Some(SilentDrop { after: ms(100) }), ..Fault::default() };
    let mut link = Link::new(t, fault, 1);
    link.push(t + ms(90), b"a");
    link.push(t + ms(190), b"b");
    assert_eq!(link.take_event(), None);
    assert_eq!(link.poll_timeout(), Some(t + ms(90)));
    link.push(t + ms(291), b"c");
    assert_eq!(link.take_event(), Some(LinkEvent::Rejected));
    assert_eq!(run(&mut link, t, t + ms(291), t + ms(999)), [(291, bytes(b"a")), (291, bytes(b"b"))]);
}

#[test]
fn a_permanent_black_hole_fills_the_senders_buffer() {
    let t = Instant::now();
    let hole = BlackHole { from: Trigger::Bytes(2), lasts: None };
    let mut link = Link::new(t, Fault { black_hole: Some(hole), buffer: 10, ..Fault::default() }, 1);
    assert_eq!(link.push(t, b"abcd"), 4);
    assert_eq!(run(&mut link, t, t, t + ms(9000)), [(0, bytes(b"ab"))]);
    assert_eq!(link.push(t, &[0; 20]), 10);
    assert_eq!(link.push(t, b"x"), 0);
    assert_eq!(link.poll_timeout(), None);
    assert_eq!(link.take_event(), None, "one way only");
}

#[test]
fn a_passing_black_hole_delays() {
    let t = Instant::now();
    let hole = BlackHole { from: Trigger::Age(ms(100)), lasts: Some(ms(400)) };
    let mut link = Link::new(t, Fault { black_hole: Some(hole), ..Fault::default() }, 1);
    link.push(t + ms(99), b"a");
    link.push(t + ms(100), b"b");
    link.push(t + ms(700), b"c");
    assert_eq!(
        run(&mut link, t, t + ms(99), t + ms(999)),
        [(99, bytes(b"a")), (500, bytes(b"b")), (700, bytes(b"c"))]
    );
}

#[test]
fn flapping_holds_back_while_down() {
    let t = Instant::now();
    let fault = Fault { flapping: Some(Flapping { up: ms(100), down: ms(50) }), ..Fault::default() };
    let mut link = Link::new(t, fault, 1);
    for at in [0, 99, 100, 149, 150, 270, 300] {
        link.push(t + ms(at), &[1]);
    }
    let times: Vec<u64> = run(&mut link, t, t, t + ms(999)).iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 99, 150, 150, 150, 300, 300]);
}

#[test]
fn a_reset_overtakes_an_orderly_end() {
    let t = Instant::now();
    let latency = Some(Latency { base: ms(50), jitter: ms(0), ..Latency::default() });
    let mut link = Link::new(t, Fault { latency, ..Fault::default() }, 1);
    link.finish(t, CloseManner::Fin);
    link.finish(t + ms(10), CloseManner::Rst);
    assert_eq!(run(&mut link, t, t, t + ms(999)), [(60, Delivery::Rst)]);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_does_not() {
    let t = Instant::now();
    let run_with = |seed| {
        let fault = Fault {
            latency: Some(Latency { base: ms(5), jitter: ms(90), ..Latency::default() }),
            slices: Some(Slices { min: 1, max: 7, gap: ms(1) }),
            cut: Some(CutAfter { when: Trigger::Age(ms(80)), how: CloseManner::Rst }),
            ..Fault::default()
        };
        let mut link = Link::new(t, fault, seed);
        for i in 0..20u8 {
            link.push(t + ms(u64::from(i) * 4), &[i; 20]);
        }
        run(&mut link, t, t, t + ms(2000))
    };
    assert_eq!(run_with(42), run_with(42));
    assert_ne!(run_with(42), run_with(43));
}
