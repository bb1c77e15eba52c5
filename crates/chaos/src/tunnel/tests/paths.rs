//! Faults of the path: they delay data or hold it back, and can be added and removed at run time.

use undrop_fault::{CloseManner, Delivery, Side};

use super::{Run, frame};
use undrop_frame::OpCode;

#[test]
fn latency_and_bandwidth_in_their_direction() {
    let mut run = Run::open(&[]);
    run.assign(&[(1, "latency base=70ms direction=up"), (2, "bandwidth rate=1000 direction=down")]);
    run.text(Side::A, "up");
    run.send(Side::B, &frame(Side::B, OpCode::Binary, &[0; 1996]));
    run.until(10_000);
    assert_eq!(run.arrivals[1], [70]);
    assert_eq!(*run.arrivals[0].last().unwrap(), 2000);
    let kinds: Vec<&str> = run.injected.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ["latency", "bandwidth"], "each is logged once");
}

#[test]
fn slices_are_small_and_apart() {
    let mut run = Run::open(&[]);
    run.assign(&[(1, "slices size=1 gap=10ms direction=down")]);
    run.send(Side::B, &frame(Side::B, OpCode::Text, b"abc"));
    run.until(1000);
    assert_eq!(run.arrivals[0], [0, 10, 20, 30, 40]);
}

#[test]
fn a_black_hole_of_one_direction() {
    let mut run = Run::open(&["black-hole after=1s direction=up"]);
    run.until(1500);
    run.text(Side::A, "lost");
    run.send(Side::B, b"\x81\x02hi");
    run.finish(Side::A, CloseManner::Fin);
    run.until(100_000);
    assert_eq!((run.bytes[1].len(), run.ends[1].len()), (0, 0), "nothing arrives, not even a FIN");
    assert_eq!(run.bytes[0], b"\x81\x02hi", "the other direction is open");
    assert_eq!(run.log(), [("black-hole", "black-hole after=1s direction=up", 1000)]);
}

#[test]
fn a_black_hole_hides_a_reset_of_the_other_side() {
    let mut run = Run::open(&["black-hole"]);
    run.finish(Side::B, CloseManner::Rst);
    run.until(100_000);
    assert_eq!(run.ends[0], []);
}

#[test]
fn a_temporary_black_hole_delivers_the_held_data_at_its_end() {
    let mut run = Run::open(&["black-hole after=1s lasts=2s"]);
    run.until(1500);
    run.text(Side::A, "late");
    run.until(2999);
    assert_eq!(run.bytes[1], b"");
    run.until(3000);
    assert_eq!(run.arrivals[1], [3000]);
}

#[test]
fn held_data_is_bounded() {
    let mut run = Run::open(&["suspend"]);
    let mut accepted = 0;
    while run.tunnel.wants_input(Side::B) {
        run.send(Side::B, &frame(Side::B, OpCode::Binary, &[0; 10_000]));
        accepted += 10_000;
        assert!(accepted < 3 << 20, "the buffer must be bounded");
    }
    assert_eq!(run.bytes[0], b"");
}

#[test]
fn a_device_sleeps_and_wakes() {
    let mut run = Run::open(&["suspend after=1s lasts=30s"]);
    run.until(2000);
    run.text(Side::B, "while it slept");
    run.text(Side::A, "and back");
    run.until(30_999);
    assert_eq!((run.bytes[0].len(), run.bytes[1].len()), (0, 0));
    run.until(31_000);
    assert_eq!((run.arrivals[0].len(), run.arrivals[1].len()), (1, 1));
}

#[test]
fn a_stall_holds_data_and_lets_ends_pass() {
    let mut run = Run::open(&["stall direction=down", "cut age=1s how=fin"]);
    run.text(Side::B, "never seen");
    run.until(5000);
    assert_eq!(run.bytes[0], b"");
    assert_eq!(run.ends[0], [(1000, Delivery::Fin)]);
}

#[test]
fn data_waits_while_the_path_fails() {
    let mut run = Run::open(&["flapping up=1s down=500ms"]);
    run.until(1100);
    run.text(Side::A, "x");
    run.until(3000);
    assert_eq!(run.arrivals[1], [1500]);
}

#[test]
fn the_end_of_the_stream_is_delayed() {
    let mut run = Run::open(&["slow-close delay=3s direction=up"]);
    run.finish(Side::A, CloseManner::Fin);
    run.finish(Side::B, CloseManner::Fin);
    run.until(10_000);
    assert_eq!(run.ends, [vec![(0, Delivery::Fin)], vec![(3000, Delivery::Fin)]]);
}

#[test]
fn faults_are_added_and_removed_at_run_time() {
    let mut run = Run::open(&[]);
    run.text(Side::A, "1");
    assert_eq!(run.arrivals[1], [0]);
    run.until(1000);
    run.assign(&[(1, "black-hole"), (2, "latency base=50ms")]);
    run.text(Side::A, "2");
    run.until(2000);
    assert_eq!(run.arrivals[1].len(), 1);
    // Without the black hole, the held data arrives; the latency remains.
    run.assign(&[(2, "latency base=50ms")]);
    assert_eq!(run.arrivals[1], [0, 2000]);
    run.text(Side::A, "3");
    run.until(3000);
    assert_eq!(run.arrivals[1], [0, 2000, 2050]);
    run.assign(&[]);
    run.text(Side::A, "4");
    assert_eq!(*run.arrivals[1].last().unwrap(), 3000);
}

#[test]
fn ages_count_from_the_addition_of_the_fault() {
    let mut run = Run::open(&[]);
    run.until(10_000);
    run.assign(&[(1, "cut age=2s how=fin")]);
    run.until(20_000);
    assert_eq!(run.ends[0], [(12_000, Delivery::Fin)]);
    assert_eq!(
        run.injected[0].replay.to_string(),
        "cut age=12s how=fin",
        "relative to the age of the connection"
    );
}

#[test]
fn a_large_stream_passes_unharmed() {
    let mut run = Run::open(&["drop-pings", "idle-cut after=10s"]);
    let stream: Vec<u8> =
        (0..2000_usize).flat_map(|n| frame(Side::A, OpCode::Binary, &vec![n as u8; n % 700])).collect();
    for piece in stream.chunks(1371) {
        run.send(Side::A, piece);
    }
    assert!(run.bytes[1] == stream);
    run.finish(Side::A, CloseManner::Fin);
    assert_eq!(run.ends[1], [(0, Delivery::Fin)]);
}
