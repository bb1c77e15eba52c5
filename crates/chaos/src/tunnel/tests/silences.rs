//! Silence: idle timeouts, forgotten flows, half-open connections, dropped Pings and Pongs.

use undrop_fault::{CloseManner, Delivery, Side};
use undrop_frame::OpCode;

use super::{Run, frame};

/// Sends a frame from one side every 300 ms for 3 s. Returns the time at which the connection ended.
fn lives(fault: &str, from: Side, opcode: OpCode) -> Option<u64> {
    let mut run = Run::open(&[fault]);
    for n in 1..10 {
        run.until(n * 300);
        run.send(from, &frame(from, opcode, b"x"));
    }
    run.ends[0].first().map(|(at, _)| *at)
}

#[test]
fn only_counted_traffic_keeps_a_connection_alive() {
    let (a, b) = (Side::A, Side::B);
    for (fault, from, opcode, end) in [
        ("idle-cut after=500ms", a, OpCode::Text, None),
        ("idle-cut after=500ms", b, OpCode::Pong, None),
        ("idle-cut after=500ms counts=data", a, OpCode::Text, None),
        ("idle-cut after=500ms counts=data", b, OpCode::Binary, None),
        ("idle-cut after=500ms counts=data", a, OpCode::Ping, Some(500)),
        ("idle-cut after=500ms counts=data", b, OpCode::Pong, Some(500)),
        ("idle-cut after=500ms counts=up", a, OpCode::Ping, None),
        ("idle-cut after=500ms counts=up", b, OpCode::Text, Some(500)),
        ("idle-cut after=500ms counts=down", b, OpCode::Text, None),
        ("idle-cut after=500ms direction=down", a, OpCode::Text, Some(500)),
    ] {
        assert_eq!(lives(fault, from, opcode), end, "{fault} {opcode:?} from {from:?}");
    }
}

#[test]
fn an_idle_timeout_is_logged_with_its_manner_and_time() {
    let mut run = Run::open(&["idle-cut after=500ms how=rst"]);
    run.until(200);
    run.text(Side::B, "hello");
    run.until(5000);
    assert_eq!(run.ends, [vec![(700, Delivery::Rst)], vec![(700, Delivery::Rst)]]);
    assert_eq!(run.log(), [("idle-cut", "RST", 700)]);
    assert_eq!(run.injected[0].replay.to_string(), "cut age=700ms how=rst");
}

#[test]
fn a_forgotten_flow_is_silent_until_a_side_sends() {
    let mut run = Run::open(&["silent-drop after=500ms"]);
    run.until(10_000);
    assert_eq!(run.ends, [vec![], vec![]]);
    run.text(Side::B, "into the void");
    assert_eq!(run.ends, [vec![], vec![(10_000, Delivery::Rst)]], "only the sender is reset");
    assert_eq!(run.bytes[0], b"");
    run.until(20_000);
    run.text(Side::A, "and now I");
    assert_eq!(run.ends[0], [(20_000, Delivery::Rst)]);
    assert_eq!(run.log(), [("silent-drop", "flow forgotten; RST for the next sender", 500)]);
}

#[test]
fn a_fin_is_a_packet_too() {
    let mut run = Run::open(&["silent-drop after=500ms"]);
    run.until(600);
    run.finish(Side::A, CloseManner::Fin);
    assert_eq!(run.ends, [vec![(600, Delivery::Rst)], vec![]]);
}

#[test]
fn traffic_keeps_a_flow_known() {
    let mut run = Run::open(&["silent-drop after=500ms"]);
    for n in 1..10 {
        run.until(n * 400);
        run.text(if n % 2 == 0 { Side::A } else { Side::B }, "x");
    }
    assert_eq!((run.ends[0].len(), run.ends[1].len(), run.injected.len()), (0, 0, 0));
}

#[test]
fn the_upstream_vanishes_and_the_client_writes_into_nothing() {
    let mut run = Run::open(&["half-open after=1s"]);
    run.until(2000);
    assert_eq!(run.ends, [vec![], vec![(1000, Delivery::Rst)]], "only the side that vanished is reset");
    let mut accepted = 0;
    while run.tunnel.wants_input(Side::A) {
        run.text(Side::A, &"x".repeat(10_000));
        accepted += 10_000;
        assert!(accepted < 3 << 20, "the buffer must be bounded");
    }
    assert!(accepted > 100_000);
    assert_eq!(run.bytes[1], b"");
    run.finish(Side::A, CloseManner::Fin);
    assert_eq!(run.ends[0], []);
    let mut run = Run::open(&["half-open after=1s direction=down"]);
    run.until(2000);
    assert_eq!(run.ends, [vec![(1000, Delivery::Rst)], vec![]]);
}

#[test]
fn only_pings_or_pongs_are_dropped_in_their_direction() {
    for (fault, dropped, way) in [
        ("drop-pings direction=up", OpCode::Ping, Side::A),
        ("drop-pongs direction=up", OpCode::Pong, Side::A),
        ("drop-pings direction=down", OpCode::Ping, Side::B),
        ("drop-pongs direction=down", OpCode::Pong, Side::B),
    ] {
        for piece in [1, 4, 1000] {
            let mut run = Run::open(&[fault]);
            for from in [Side::A, Side::B] {
                let frames = [OpCode::Ping, OpCode::Text, OpCode::Pong, OpCode::Ping]
                    .map(|opcode| frame(from, opcode, b"hello"));
                for bytes in frames.concat().chunks(piece) {
                    run.send(from, bytes);
                }
                let kept = [OpCode::Ping, OpCode::Text, OpCode::Pong, OpCode::Ping]
                    .into_iter()
                    .filter(|opcode| from != way || *opcode != dropped)
                    .map(|opcode| frame(from, opcode, b"hello"));
                assert_eq!(
                    run.bytes[from.other() as usize],
                    kept.collect::<Vec<_>>().concat(),
                    "{fault} {piece}"
                );
            }
            let count = if dropped == OpCode::Ping { 2 } else { 1 };
            assert_eq!(run.injected.len(), count, "{fault}: one line for each frame");
        }
    }
}
