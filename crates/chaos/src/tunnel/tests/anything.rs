//! Random faults with random traffic: no panic, no endless loop, and the same seed gives the same run.

use fastrand::Rng;
use undrop_fault::{CloseManner, Delivery, Side};
use undrop_frame::OpCode;

use super::{REQUEST, RESPONSE, Run, fragments, frame};

const FAULTS: &[&str] = &[
    "latency base=10ms jitter=90ms distribution=normal",
    "bandwidth rate=20000",
    "slices size=5 gap=1ms",
    "black-hole after=300ms lasts=1s",
    "black-hole after=2s direction=up",
    "stall after=500ms lasts=500ms direction=down",
    "suspend after=1s lasts=2s",
    "half-open after=2s",
    "cut age=3s spread=0.5 how=close",
    "cut bytes=900 how=fin",
    "cut frames=6 direction=up how=close code=0",
    "cut mid-frame=4 how=rst",
    "cut mid-message=3 how=silent",
    "idle-cut after=400ms counts=data how=rst",
    "idle-cut after=700ms how=close",
    "silent-drop after=600ms",
    "silent-drop age=2s",
    "flapping up=300ms down=200ms",
    "slow-close delay=500ms",
    "close-frame after=1s code=1006",
    "drop-pings",
    "drop-pongs direction=down",
    "header name=Upgrade remove=true",
    "compression mode=corrupt",
    "status status=503 share=0.5",
    "reload every=900ms grace=100ms how=close",
    "restart every=3s down=1s",
];

type Outcome = ([Vec<u8>; 2], [Vec<(u64, Delivery)>; 2], Vec<String>);

fn play(seed: u64) -> Outcome {
    let mut rng = Rng::with_seed(seed);
    let pick = |rng: &mut Rng| (rng.u64(..1 << 40), FAULTS[rng.usize(..FAULTS.len())]);
    let mut run = Run::with_seed(&[], seed);
    let mut faults: Vec<(u64, &str)> = (0..rng.usize(..4)).map(|_| pick(&mut rng)).collect();
    run.assign(&faults);
    let mut streams = [REQUEST.to_vec(), RESPONSE.to_vec()];
    for (from, stream) in [Side::A, Side::B].into_iter().zip(&mut streams) {
        for n in 0..rng.u8(5..20) {
            let opcode = [OpCode::Text, OpCode::Binary, OpCode::Ping, OpCode::Pong][rng.usize(..4)];
            let mut bytes =
                frame(from, opcode, &vec![n; rng.usize(..if opcode.is_control() { 125 } else { 400 })]);
            if from == Side::B && rng.u8(..4) == 0 {
                bytes = fragments(&[n; 50], rng.usize(1..30));
            }
            // A compressed message, as far as the proxy can see.
            bytes[0] |= if rng.bool() && !opcode.is_control() { 0x40 } else { 0 };
            stream.extend(bytes);
        }
        if rng.u8(..5) == 0 {
            let at = rng.usize(..stream.len());
            stream[at] = rng.u8(..);
        }
    }
    let (mut at, mut sent) = (0, [0, 0]);
    for _ in 0..200 {
        at += rng.u64(..120);
        run.until(at);
        let from = if rng.bool() { Side::A } else { Side::B };
        if run.ends[from as usize].iter().any(|(_, end)| *end == Delivery::Rst) {
            // The side was reset and no longer sends.
            continue;
        }
        let stream = &streams[from as usize];
        let end = stream.len().min(sent[from as usize] + rng.usize(1..300));
        if run.tunnel.wants_input(from) && sent[from as usize] < end {
            run.send(from, &stream[sent[from as usize]..end]);
            sent[from as usize] = end;
        }
        match rng.u8(..60) {
            0 => run.finish(from, CloseManner::Fin),
            1 => run.finish(from, CloseManner::Rst),
            2 => {
                faults.push(pick(&mut rng));
                run.assign(&faults);
            }
            3 if !faults.is_empty() => {
                faults.swap_remove(rng.usize(..faults.len()));
                run.assign(&faults);
            }
            _ => {}
        }
    }
    run.assign(&[]);
    run.until(at + 60_000);
    let log = run.injected.iter().map(|one| format!("{one:?}")).collect();
    (run.bytes, run.ends, log)
}

#[test]
fn random_faults_over_random_traffic() {
    let mut affected = 0;
    for seed in 0..1500 {
        let first = play(seed);
        for ends in &first.1 {
            // A RST of the proxy may follow a FIN; nothing may follow a RST.
            let resets = ends.iter().filter(|(_, end)| *end == Delivery::Rst).count();
            assert!(resets <= 1 && ends.len() <= 2, "seed {seed}: {ends:?}");
        }
        affected += usize::from(!first.2.is_empty());
        if seed % 10 == 0 {
            assert!(first == play(seed), "seed {seed} does not repeat its run");
        }
    }
    assert!(affected > 1000, "{affected}");
}
