//! The policy `drop-oldest` keeps the limit of the replay buffer whatever the client does.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use undrop_session::{Gateway, GatewayConfig, Overflow, SessionId, SessionKey};

const LIMIT: usize = 4096;

fn unit(gateway: &mut Gateway, len: usize) {
    gateway.append(&vec![0x42; len]);
    gateway.end_unit();
}

/// The link takes `n` bytes and then stalls.
fn transmit(gateway: &mut Gateway, now: Instant, n: usize) {
    let mut slices: [&[u8]; 3] = [&[]; 3];
    let count = gateway.poll_transmit(&mut slices);
    assert!(slices[..count].iter().map(|slice| slice.len()).sum::<usize>() >= n);
    gateway.handle_transmitted(now, n);
}

#[test]
fn a_client_that_stops_inside_the_oldest_unit_neither_pauses_the_producer_nor_grows_the_buffer() {
    #[allow(clippy::disallowed_methods, reason = "any instant does")]
    let now = Instant::now();
    let config = GatewayConfig {
        attached_limit: LIMIT,
        detached_limit: LIMIT,
        overflow: Overflow::DropOldest,
        ttl: Duration::from_secs(60),
        ..GatewayConfig::default()
    };
    let sid = SessionId::parse("n1.AAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let mut gateway = Gateway::new(now, config, sid, SessionKey::decode(&"A".repeat(43)).unwrap(), None);
    gateway.attach(now, 1, None).unwrap();
    let mut slices: [&[u8]; 3] = [&[]; 3];
    let hello: usize = {
        let count = gateway.poll_transmit(&mut slices);
        slices[..count].iter().map(|slice| slice.len()).sum()
    };
    gateway.handle_transmitted(now, hello);

    unit(&mut gateway, 1000);
    transmit(&mut gateway, now, 10);
    for _ in 0..20 {
        assert!(gateway.room() >= 1000);
        unit(&mut gateway, 1000);
    }
    assert!(gateway.progress().buffered <= LIMIT, "{} bytes are held", gateway.progress().buffered);
    // What is left of the unit on the wire is held besides, once.
    assert!(gateway.heap() <= 4 * LIMIT, "{} bytes of heap", gateway.heap());

    // The link dies, and the producer goes on.
    gateway.detach(now);
    for _ in 0..20 {
        unit(&mut gateway, 1000);
    }
    assert!(gateway.progress().buffered <= LIMIT, "{} bytes are held", gateway.progress().buffered);
}
