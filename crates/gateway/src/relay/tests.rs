//! A relay whose sides hold bytes back, as a TLS layer over a full socket does.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use undrop_transport::tls::{self, ClientTls, Trust, server_config};

use super::*;
use crate::process::Relays;

fn options() -> RelayOptions {
    RelayOptions { heartbeat: Duration::ZERO, limits: Limits::default(), compressed: false }
}

/// Both ends of TLS over a pipe that holds less than one record.
async fn narrow_tls() -> (Stream, Stream) {
    let made = rcgen::generate_simple_self_signed(vec!["gate.example".to_owned()]).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = server_config(&cert, &key).unwrap();
    let client = ClientTls::new(&Trust::Only(made.cert.pem().into_bytes())).unwrap();
    let (near, far) = duplex(2048);
    let deadline = Instant::now() + Duration::from_secs(20);
    let (near, far) = tokio::join!(
        tls::connect(near.into(), &client, "gate.example", deadline),
        tls::accept(far.into(), &server, deadline)
    );
    (near.unwrap(), far.unwrap())
}

fn frame(len: usize, key: Option<[u8; 4]>) -> Vec<u8> {
    let header =
        undrop_frame::Header { fin: true, rsv1: false, opcode: OpCode::Binary, mask: key, len: len as u64 };
    let mut head = [0; 14];
    let written = header.encode(&mut head);
    let mut bytes = head[..written].to_vec();
    bytes.resize(written + len, 7);
    bytes
}

/// Bytes that the TLS layer holds because its socket is full are written when there is room again, without another event.
#[tokio::test(start_paused = true)]
async fn bytes_in_a_tls_layer_are_not_forgotten() {
    let relays = Arc::new(Relays::default());
    let peer = "127.0.0.1:1".parse().unwrap();
    for upwards in [false, true] {
        let (mut outer, inner) = narrow_tls().await;
        let (mut other, pipe) = duplex(1 << 20);
        let (client, backend) =
            if upwards { (Stream::from(pipe), inner) } else { (inner, Stream::from(pipe)) };
        let relay = Relay::new((client, Vec::new()), (backend, Vec::new()), peer, options(), relays.enter());
        let relay = tokio::spawn(relay);
        let bytes = frame(40_000, upwards.then_some([0; 4]));
        other.write_all(&bytes).await.unwrap();
        // The paused clock advances only when every task waits, so the relay has done all it can by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut seen = vec![0; bytes.len()];
        let read = tokio::time::timeout(Duration::from_secs(60), outer.read_exact(&mut seen)).await;
        assert!(read.is_ok(), "the last bytes never came, upwards: {upwards}");
        assert!(seen == bytes);
        relay.abort();
    }
}

/// A client that says nothing is pinged before it has been quiet for a whole heartbeat, and gone a heartbeat after that.
#[tokio::test(start_paused = true)]
async fn a_quiet_client_is_pinged_within_one_heartbeat() {
    let relays = Arc::new(Relays::default());
    let peer = "127.0.0.1:1".parse().unwrap();
    let (mut client, near) = duplex(1 << 16);
    let (_backend, far) = duplex(1 << 16);
    let heartbeat = Duration::from_secs(25);
    let options = RelayOptions { heartbeat, ..options() };
    let sides = ((near.into(), Vec::new()), (far.into(), Vec::new()));
    let relay = tokio::spawn(Relay::new(sides.0, sides.1, peer, options, relays.enter()));
    let begun = Instant::now();
    let mut head = [0; 2];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x89, "a Ping");
    assert!(begun.elapsed() <= heartbeat, "{:?}", begun.elapsed());
    relay.await.unwrap();
    assert_eq!(begun.elapsed(), heartbeat * 2);
}
