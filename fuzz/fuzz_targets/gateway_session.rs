//! Any order of links, units, packets, acks and time on the gateway's machine: no panic, counters never go back or overtake each
//! other, what is sent was appended, and the replay buffer keeps its limit.
#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use undrop_frame::CloseCode;
use undrop_session::{Gateway, GatewayConfig, Overflow, Packet, UnitStatus, SessionId, SessionKey};

#[derive(Arbitrary, Debug)]
enum Step {
    Attach { n: u8, rx: Option<u8> },
    Detach,
    DiscardUntaken,
    Data(u16),
    Packet(String),
    Ack(u8),
    Traffic,
    Taken(u8),
    Append(u16),
    EndUnit,
    Close(u16),
    ControlFrame(u8),
    Transmit(u16),
    Wait(u32),
    Release,
}

const LIMIT: usize = 4096;
const LARGEST: usize = 2048;

fuzz_target!(|input: (u8, Vec<Step>)| {
    let (policy, steps) = input;
    let start = Instant::now();
    let mut now = start;
    let config = GatewayConfig {
        attached_limit: LIMIT,
        detached_limit: 2 * LIMIT,
        overflow: [Overflow::Pause, Overflow::End, Overflow::DropOldest][usize::from(policy % 3)],
        ..GatewayConfig::default()
    };
    let sid = SessionId::parse("n1.AAAAAAAAAAAAAAAAAAAAAA").expect("a valid id");
    let key = SessionKey::decode(&"A".repeat(43)).expect("a valid key");
    let mut gateway = Gateway::new(now, config, sid, key, None);
    let (mut untaken, mut open) = (0_u64, 0);
    let mut before = gateway.progress();
    for step in steps {
        match step {
            Step::Attach { n, rx } => {
                let _ = gateway.attach(now, u64::from(n), rx.map(u64::from));
            }
            Step::Detach => gateway.detach(now),
            Step::DiscardUntaken => {
                if !gateway.is_attached() {
                    gateway.discard_unconsumed();
                    untaken = 0;
                }
            }
            Step::Data(len) if gateway.is_attached() => {
                untaken += u64::from(gateway.handle_data(now, len.into()) == UnitStatus::Deliver);
            }
            Step::Packet(text) => {
                if let Ok(packet) = Packet::parse(&text)
                    && gateway.handle_packet(now, &packet).is_err()
                {
                    gateway.detach(now);
                }
            }
            Step::Ack(number) => {
                if gateway.handle_packet(now, &Packet::Ack(number.into())).is_err() {
                    gateway.detach(now);
                }
            }
            Step::Traffic => gateway.handle_traffic(now),
            Step::Taken(units) => {
                let units = u64::from(units).min(untaken);
                untaken -= units;
                gateway.handle_consumed(now, units);
            }
            Step::Append(len) => {
                // The driver keeps to the largest message; the machine admits a unit of any size when it holds no other.
                let len = usize::from(len).min(LARGEST - open).min(gateway.room());
                gateway.append(&[0x42; LARGEST][..len]);
                open += len;
            }
            Step::EndUnit if open > 0 => {
                gateway.end_unit();
                open = 0;
            }
            Step::Close(code) => gateway.close(CloseCode::new(1000 + code % 4000), "fuzzed"),
            Step::ControlFrame(len) => gateway.queue_control_frame(&[0x8a; 127][..usize::from(len).min(127)]),
            Step::Transmit(most) => {
                let mut slices: [&[u8]; 3] = [&[]; 3];
                let count = gateway.poll_transmit(&mut slices);
                let ready: usize = slices[..count].iter().map(|slice| slice.len()).sum();
                assert!(gateway.is_attached() || ready == 0, "bytes without a link");
                gateway.handle_transmitted(now, usize::from(most).min(ready));
            }
            Step::Wait(milliseconds) => {
                now += Duration::from_millis(u64::from(milliseconds) % 300_000);
                if gateway.poll_timeout().is_some_and(|at| at <= now) {
                    gateway.handle_timeout(now);
                    assert!(
                        gateway.poll_timeout().is_none_or(|at| at > now),
                        "a deadline that does not pass"
                    );
                }
            }
            Step::Release => gateway.release_idle_memory(),
            Step::Data(_) | Step::EndUnit => {}
        }
        while gateway.poll_event().is_some() {}
        let progress = gateway.progress();
        assert!(progress.acked <= progress.sent && progress.sent <= progress.appended, "{progress:?}");
        assert!(progress.consumed <= progress.received, "{progress:?}");
        assert!(
            progress.acked >= before.acked && progress.appended >= before.appended,
            "{before:?} {progress:?}"
        );
        assert!(progress.consumed >= before.consumed, "{before:?} {progress:?}");
        // A unit is admitted whole once there is room for its start, and the limit is checked when it ends: two units, the
        // close, and what each unit is charged come on top.
        let most = 2 * LIMIT + 2 * LARGEST + 512;
        assert!(progress.buffered <= most, "{} bytes in the replay buffer", progress.buffered);
        before = progress;
    }
});
