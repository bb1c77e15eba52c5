//! Cuts: their time, their position, and their manner.

use undrop_fault::{CloseManner, Delivery, Side};
use undrop_frame::{OpCode, parse_close};

use super::{Run, fragments, frame};
use crate::direction::Direction;

const FIN: Delivery = Delivery::Fin;
const RST: Delivery = Delivery::Rst;

/// Returns the code and the reason of the Close frame in `bytes`.
fn close(bytes: &[u8]) -> (u16, String) {
    let at = bytes.iter().rposition(|byte| *byte == 0x88).expect("a Close frame");
    let payload = if bytes[at + 1] & 0x80 == 0 {
        bytes[at + 2..].to_vec()
    } else {
        let key = [bytes[at + 2], bytes[at + 3], bytes[at + 4], bytes[at + 5]];
        let mut payload = bytes[at + 6..].to_vec();
        undrop_frame::mask(&mut payload, key, 0);
        payload
    };
    let (code, reason) = parse_close(&payload).unwrap().unwrap();
    (code.get(), reason)
}

#[test]
fn a_busy_connection_is_cut_at_its_age_in_each_manner() {
    for (how, ends) in [("rst", Some(RST)), ("fin", Some(FIN)), ("silent", None)] {
        let mut run = Run::open(&[&format!("cut age=1s how={how}")]);
        for at in (100..2000).step_by(100) {
            run.until(at);
            run.text(Side::A, "busy");
        }
        let ends: Vec<_> = ends.into_iter().map(|end| (1000, end)).collect();
        assert_eq!(run.ends, [ends.clone(), ends], "{how}");
        let busy = frame(Side::A, OpCode::Text, b"busy").len();
        // At 1000 ms, the cut comes before the message.
        assert_eq!(
            run.bytes[Side::B as usize].len(),
            9 * busy,
            "{how}: earlier data arrives, later data is lost"
        );
        assert_eq!(run.log().len(), 1);
        assert_eq!(run.injected[0].replay.to_string(), format!("cut age=1s how={how}"));
        assert!(run.tunnel.is_cut());
    }
}

#[test]
fn a_close_frame_is_sent_to_both_sides() {
    let mut run = Run::open(&["cut age=1s how=close code=1012 reason=restart"]);
    run.until(1500);
    for end in [Side::A, Side::B] {
        assert_eq!(close(&run.bytes[end as usize]), (1012, "restart".to_owned()));
        assert_eq!(run.ends[end as usize], [(1000, FIN)]);
    }
    assert_eq!(run.bytes[Side::B as usize][1] & 0x80, 0x80, "masked towards the upstream");
    assert_eq!(run.log(), [("cut", "close 1012", 1000)]);
}

#[test]
fn a_close_frame_waits_for_the_end_of_the_current_frame() {
    let mut run = Run::open(&["close-frame after=1s code=4000"]);
    let message = frame(Side::B, OpCode::Binary, &[7; 300]);
    run.send(Side::B, &message[..100]);
    run.until(1200);
    assert_eq!(run.ends[0], [], "not inside a frame");
    run.send(Side::B, &message[100..]);
    assert_eq!(run.bytes[0][..message.len()], message[..], "the message is whole");
    assert_eq!(close(&run.bytes[0][message.len()..]), (4000, String::new()));
    assert_eq!(run.ends[0], [(1200, FIN)]);
    assert_eq!(run.ends[1], [(1000, FIN)], "the other side receives no Close frame");
}

#[test]
fn a_frame_that_never_ends_does_not_delay_the_end_forever() {
    let mut run = Run::open(&["close-frame after=1s code=4000"]);
    run.send(Side::B, &frame(Side::B, OpCode::Binary, &[7; 300])[..100]);
    run.until(60_000);
    assert_eq!(run.bytes[0].len(), 100);
    assert_eq!(run.ends[0], [(6000, FIN)]);
}

#[test]
fn a_close_frame_may_carry_any_code_and_go_to_the_upstream() {
    for code in [0_u16, 1006, 1015, 65_535] {
        let mut run = Run::open(&[&format!("close-frame after=0 code={code} direction=up")]);
        run.until(1);
        // No frame can be sent during the handshake.
        assert_eq!(run.ends[1], [(0, FIN)]);
        let mut run = Run::open(&[&format!("close-frame after=5ms code={code} direction=up")]);
        run.until(10);
        let frame = &run.bytes[1];
        let mut payload = frame[6..8].to_vec();
        undrop_frame::mask(&mut payload, [frame[2], frame[3], frame[4], frame[5]], 0);
        assert_eq!(payload, code.to_be_bytes());
        assert_eq!(run.bytes[0], b"");
    }
}

#[test]
fn no_close_frame_follows_a_close_frame() {
    let mut run = Run::open(&["cut age=1s how=close"]);
    run.send(Side::B, &frame(Side::B, OpCode::Close, &1000_u16.to_be_bytes()));
    run.until(2000);
    assert_eq!(run.bytes[0].len(), 4);
    assert_eq!(run.ends[0], [(1000, FIN)]);
}

#[test]
fn a_cut_comes_after_an_exact_number_of_bytes() {
    for (bytes, pieces) in [(500, 7), (500, 500), (1, 1), (0, 3)] {
        let mut run = Run::new(&[&format!("cut bytes={bytes} direction=down how=rst")]);
        run.send(Side::A, b"POST / HTTP/1.1\r\n\r\n");
        let data: Vec<u8> = (0..900).map(|n| (n % 251) as u8).collect();
        for piece in data.chunks(pieces) {
            run.send(Side::B, piece);
        }
        run.until(1);
        assert_eq!(run.bytes[0], data[..bytes]);
        assert_eq!(run.ends, [vec![(0, RST)], vec![(0, RST)]]);
        assert_eq!((run.injected[0].offset, run.injected[0].direction), (bytes as u64, Direction::Down));
        assert_eq!(run.injected[0].replay.to_string(), format!("cut bytes={bytes} direction=down how=rst"));
    }
}

#[test]
fn a_cut_comes_after_the_nth_frame_however_it_is_sliced() {
    let frames: Vec<Vec<u8>> = (0..5).map(|n| frame(Side::B, OpCode::Text, &[b'a' + n; 200])).collect();
    let stream = frames.concat();
    for piece in [1, 3, 100, 10_000] {
        let mut run = Run::open(&["cut frames=3 direction=down how=fin"]);
        for piece in stream.chunks(piece) {
            run.send(Side::B, piece);
        }
        assert_eq!(run.bytes[0], stream[..3 * frames[0].len()]);
        assert_eq!(run.ends[0], [(0, FIN)]);
    }
}

#[test]
fn a_frame_without_payload_counts_too() {
    let mut run = Run::open(&["cut frames=2 how=rst"]);
    run.send(Side::A, &frame(Side::A, OpCode::Ping, b""));
    run.send(Side::A, &frame(Side::A, OpCode::Pong, b""));
    assert_eq!((run.bytes[1].len(), run.ends[1].len()), (12, 1));
}

#[test]
fn a_cut_comes_inside_the_nth_frame() {
    let frames: Vec<Vec<u8>> =
        [0, 1, 50, 300].iter().map(|len| frame(Side::B, OpCode::Binary, &vec![9; *len])).collect();
    for nth in 1..=frames.len() {
        for seed in 0..30 {
            let mut run = Run::with_seed(&[&format!("cut mid-frame={nth} direction=down how=rst")], seed);
            run.handshake();
            run.send(Side::B, &frames.concat());
            let before: usize = frames[..nth - 1].iter().map(Vec::len).sum();
            let inside = run.bytes[0].len() - before;
            assert!(0 < inside && inside < frames[nth - 1].len(), "{nth} {inside}");
            assert_eq!(run.ends[0], [(0, RST)]);
            assert_eq!(run.injected[0].offset, (super::RESPONSE.len() + before + inside) as u64);
        }
    }
}

#[test]
fn a_cut_comes_inside_the_nth_message() {
    // A message of several frames is cut after its first frame. A Ping before it does not count as a message.
    let mut run = Run::open(&["cut mid-message=2 direction=down how=silent"]);
    let first = frame(Side::B, OpCode::Text, b"one");
    let ping = frame(Side::B, OpCode::Ping, b"p");
    let second = fragments(b"abcdefgh", 3);
    run.send(Side::B, &[first.clone(), ping.clone(), second.clone()].concat());
    assert_eq!(run.bytes[0].len(), first.len() + ping.len() + 5);
    assert_eq!(run.ends[0], []);
    // A message of one frame is cut inside it.
    let mut run = Run::open(&["cut mid-message=1 direction=down how=rst"]);
    run.send(Side::B, &frame(Side::B, OpCode::Text, &[b'x'; 100]));
    assert!((3..102).contains(&run.bytes[0].len()));
}

#[test]
fn the_spread_differs_from_connection_to_connection_and_not_from_run_to_run() {
    let age = |seed| {
        let mut run = Run::with_seed(&["cut age=10s spread=0.3 how=fin"], seed);
        run.until(20_000);
        run.ends[0][0].0
    };
    let ages: Vec<u64> = (0..40).map(age).collect();
    assert!(ages.iter().all(|age| (7000..=13_000).contains(age)), "{ages:?}");
    assert!(ages.iter().min().unwrap() + 2000 < *ages.iter().max().unwrap(), "{ages:?}");
    assert_eq!(ages, (0..40).map(age).collect::<Vec<_>>());
}

#[test]
fn reloads_end_all_connections_at_one_instant() {
    // The connection and the fault start at 0. The instants are every 10 s, and the end comes 3 s later.
    let mut run = Run::open(&["reload every=10s grace=3s how=close code=1001"]);
    run.until(30_000);
    assert_eq!(run.ends[0], [(13_000, FIN)]);
    assert_eq!(close(&run.bytes[0]).0, 1001);
    assert_eq!(run.log(), [("reload", "going away 1001", 13_000)]);
    let mut run = Run::open(&["reload at=2s"]);
    run.until(30_000);
    assert_eq!(run.ends[0], [(2000, FIN)]);
    let mut run = Run::open(&["restart every=4s down=1s"]);
    run.until(30_000);
    assert_eq!(run.ends[0], [(4000, RST)]);
}

/// The recorded faults repeat a run to the byte.
#[test]
fn recorded_faults_have_the_same_effect_again() {
    for fault in [
        "cut age=1s spread=0.5 how=rst",
        "cut mid-frame=4 direction=down how=rst",
        "cut frames=3 direction=up how=fin",
        "idle-cut after=300ms how=close code=1008",
        "silent-drop after=310ms",
        "close-frame after=500ms code=4999 reason=bye",
        "reload every=700ms grace=100ms",
        "half-open after=450ms direction=down",
        "drop-pongs direction=up",
        "latency base=10ms jitter=300ms distribution=pareto",
        "slices size=3 gap=1ms",
        "black-hole after=300ms lasts=400ms direction=down",
    ] {
        let play = |mut run: Run| {
            run.handshake();
            for n in 0..12_u64 {
                run.until(n * 37 + n * n * 3);
                run.text(Side::A, &format!("message {n}"));
                run.send(Side::A, &frame(Side::A, OpCode::Pong, b"alive"));
                run.send(Side::B, &frame(Side::B, OpCode::Binary, &[n as u8; 100]));
            }
            run.until(5000);
            (run.bytes.clone(), run.ends.clone(), run.injected.clone())
        };
        let first = play(Run::with_seed(&[fault], 5));
        assert!(!first.2.is_empty(), "{fault} did nothing");
        let mut again = Run::with_seed(&[], 5);
        let mut recorded = Vec::new();
        for one in &first.2 {
            let start = again.start + one.from;
            let same = super::assigned(recorded.len() as u64, one.replay.clone(), start, 0);
            let same = super::AssignedFault { seed: one.seed, ..same };
            if !recorded.iter().any(|other: &super::AssignedFault| other.spec == same.spec) {
                recorded.push(same);
            }
        }
        let start = again.start;
        again.tunnel.assign(start, &recorded);
        let second = play(again);
        assert_eq!(first.0, second.0, "{fault}: other bytes");
        assert_eq!(first.1, second.1, "{fault}: other ends");
    }
}

#[test]
fn an_end_that_resets_is_passed_on_as_it_is() {
    for (how, end) in [(CloseManner::Rst, RST), (CloseManner::Fin, FIN)] {
        let mut run = Run::open(&[]);
        run.finish(Side::A, how);
        assert_eq!(run.ends, [vec![], vec![(0, end)]]);
        assert!(!run.tunnel.is_cut() && run.injected.is_empty());
    }
}
