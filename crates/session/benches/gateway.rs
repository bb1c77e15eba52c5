//! The way of one 64-byte message through the gateway's machine, both directions, in steady state.
//!
//! `cargo bench -p undrop-session --bench gateway`. One iteration is [`BATCH`] messages each way: counted in, taken, acked;
//! appended, transmitted, acked by the client.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::Instant;

use divan::Bencher;
use divan::counter::ItemsCount;
use undrop_session::{Gateway, GatewayConfig, Packet, SessionId, SessionKey};

const BATCH: u64 = 32;

fn main() {
    divan::main();
}

fn attached(now: Instant) -> Gateway {
    let sid = SessionId::new("n1", [7; 16]).unwrap();
    let mut gateway = Gateway::new(now, GatewayConfig::default(), sid, SessionKey::new([7; 32]), None);
    gateway.attach(now, 1, None).unwrap();
    flush(&mut gateway, now);
    gateway
}

fn flush(gateway: &mut Gateway, now: Instant) {
    let mut slices = [&b""[..]; 3];
    let count = gateway.poll_transmit(&mut slices);
    let n = slices[..count].iter().map(|slice| black_box(slice).len()).sum();
    gateway.handle_transmitted(now, n);
}

/// Client to backend: what each message costs besides its bytes.
#[divan::bench]
fn client_to_backend(bencher: Bencher<'_, '_>) {
    let now = Instant::now();
    let mut gateway = attached(now);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            black_box(gateway.handle_data(now, black_box(64)));
        }
        gateway.handle_consumed(now, BATCH);
        flush(&mut gateway, now);
    });
}

/// Backend to client: one copy into the replay buffer, one borrowed write out of it, one ack for the batch.
#[divan::bench]
fn backend_to_client(bencher: Bencher<'_, '_>) {
    let now = Instant::now();
    let mut gateway = attached(now);
    let frame = [0x42; 66];
    let mut number = 0;
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            gateway.append(black_box(&frame));
            gateway.end_unit();
        }
        flush(&mut gateway, now);
        number += BATCH;
        gateway.handle_packet(now, &Packet::Ack(number)).unwrap();
    });
}
