//! Full buffers: messages larger than any of them, sides that do not read, both directions full at once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use support::peer::{encode, upgrade};
use support::session::{In, Session, first};
use support::{Backend, Echo, Gate, Got, Peer, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use undrop_frame::{Header, OpCode, Role};
use undrop_session::{LossReason, Packet, offer};

async fn pair(gate: &Gate, backend: &Backend) -> (Session, Peer) {
    tokio::join!(Session::open(gate), backend.accept())
}

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 ^ seed).collect()
}

/// Larger than the replay buffer (256 KiB) and than a client's window (1 MiB), both ways, with a cut in between.
#[tokio::test]
async fn a_message_may_be_larger_than_every_buffer() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, "").await;
    let mut client = Session::open(&gate).await;
    for seed in 0..3 {
        client.text("small before").await;
        // As every client, it sends a message beyond the window when nothing else is unacknowledged.
        client.all_acked().await;
        let message = pattern(5 << 20, seed);
        client.unit(OpCode::Binary, &message).await;
        client.all_acked().await;
        client.text("small behind").await;
        for expected in [b"small before", &message[..], b"small behind"] {
            assert!(client.data().await.1 == expected, "{seed}: another message of {} bytes", expected.len());
            client.ack().await;
        }
    }
    // The link is cut repeatedly while the echo is in flight.
    let message = pattern(5 << 20, 77);
    client.unit(OpCode::Binary, &message).await;
    client.all_acked().await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        client.cut();
        client.resume().await;
    }
    assert!(client.data().await == (OpCode::Binary, message));
}

/// A client that sends a large message cannot acknowledge the small echo before it: its ack follows the message.
/// The gateway must not wait for that ack before it reads on.
#[tokio::test]
async fn an_ack_behind_a_large_message_is_read() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    server.text("small, un-acked").await;
    assert_eq!(client.read_text().await, "small, un-acked");
    // More than the kernel can buffer.
    let up = pattern(20 << 20, 1);
    let down = pattern(20 << 20, 2);
    // The backend writes before it reads, like an echo that is busy with an earlier message.
    let serve = async {
        server.send(OpCode::Binary, &down).await;
        assert!(server.next().await == Got::Binary(up.clone()));
    };
    let talk = async {
        client.unit(OpCode::Binary, &up).await;
        // The gateway now waits for the backend. If it stopped reading from the client, the test would hang.
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.ack().await;
        assert!(client.data().await.1 == down);
    };
    tokio::join!(serve, talk);
}

/// A full window up and a full replay buffer down at the same time, for long: the two sides do not wait for each other.
#[tokio::test]
async fn many_megabytes_both_ways_at_once() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, "").await;
    let mut client = Session::open(&gate).await;
    let Peer { mut reader, mut writer, .. } = client.link.take().unwrap();
    let (acks, mut to_ack) = tokio::sync::mpsc::unbounded_channel::<u64>();
    let (credit, mut credits) = tokio::sync::mpsc::unbounded_channel::<u64>();
    const COUNT: u64 = 2000;
    let send = async {
        let (mut sent, mut acked) = (0u64, 0u64);
        loop {
            // The window of a client is 1 MiB of unacknowledged data.
            if sent < COUNT && (sent - acked) * 20_000 < 1_000_000 {
                sent += 1;
                let payload = [&sent.to_be_bytes()[..], &[7; 19_992]].concat();
                writer.write_all(&encode(Role::Client, OpCode::Binary, &payload)).await.unwrap();
            }
            let full = sent == COUNT || (sent - acked) * 20_000 >= 1_000_000;
            let number = tokio::select! {
                biased;
                number = to_ack.recv() => number,
                Some(number) = credits.recv() => {
                    acked = number;
                    continue;
                }
                () = std::future::ready(()), if !full => continue,
            };
            // The receiver has everything, so no ack is missing.
            let Some(number) = number else { return acked };
            let packet = Packet::Ack(number).encode();
            writer.write_all(&encode(Role::Client, OpCode::Text, packet.as_bytes())).await.unwrap();
        }
    };
    let receive = async move {
        let (mut taken, mut acked) = (0u64, 0);
        while taken < COUNT || acked < COUNT {
            let got = reader.next().await;
            match (support::session::packet(&got), got) {
                (Some(Packet::Ack(number)), _) => {
                    acked = number;
                    credit.send(number).unwrap();
                }
                (Some(Packet::AckNow), _) => acks.send(taken).unwrap(),
                (Some(other), _) => panic!("{other:?}"),
                (None, Got::Binary(payload)) => {
                    taken += 1;
                    assert_eq!(payload[..8], taken.to_be_bytes());
                    if taken % 3 == 0 {
                        acks.send(taken).unwrap();
                    }
                }
                (None, other) => panic!("{other:?}"),
            }
        }
    };
    support::soon(async { tokio::join!(send, receive) }).await;
}

/// Writes complete messages until the socket accepts nothing for a while. Returns the number of accepted messages, of which
/// the last one may be incomplete.
async fn fill(peer: &mut Peer, len: usize) -> usize {
    for count in 0..10_000 {
        let message = vec![count as u8; len];
        if timeout(Duration::from_millis(250), peer.try_send(OpCode::Binary, &message)).await.is_err() {
            return count;
        }
    }
    panic!("it takes messages without end");
}

/// Policy `pause`: a backend is paused by a client that does not read or does not acknowledge, and later continues. Other
/// connections are not affected.
#[tokio::test]
async fn a_client_that_never_reads_pauses_its_backend() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let mut bystander = gate.bystander().await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    let whole = fill(&mut server, 10_000).await;
    assert!(whole > 0);
    bystander.is_fine().await;
    // The other direction works all the time.
    client.text("I am alive").await;
    assert_eq!(server.next().await, Got::text("I am alive"));
    for count in 0..whole {
        let (_, payload) = client.data().await;
        assert_eq!(payload[0], count as u8);
        client.ack().await;
    }
}

#[tokio::test]
async fn an_absent_client_pauses_its_backend_too() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[session]\nparked_buffer = \"100KiB\"").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    client.text("one").await;
    assert_eq!(server.next().await, Got::text("one"));
    client.cut();
    let whole = fill(&mut server, 10_000).await;
    client.resume().await;
    for count in 0..whole {
        assert_eq!(client.data().await.1[0], count as u8);
        client.ack().await;
    }
}

/// A backend that does not read pauses its client, and receives every message once when it reads again.
#[tokio::test]
async fn a_backend_that_never_reads_pauses_its_client() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "").await;
    let mut bystander = gate.bystander().await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    let whole = fill(client.link(), 10_000).await;
    bystander.is_fine().await;
    // Its messages are received nevertheless.
    server.text("busy").await;
    assert_eq!(client.read_text().await, "busy");
    for count in 0..whole {
        let Got::Binary(payload) = server.next().await else { panic!("message {count}") };
        assert_eq!(payload[0], count as u8);
    }
}

/// Policy `end`: the session ends, and the client learns which messages it missed.
#[tokio::test]
async fn the_policy_end_ends_a_slow_session() {
    let backend = Backend::new().await;
    let gate = Gate::start(backend.address, "[session]\noverflow = \"end\"\nparked_buffer = \"64KiB\"").await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    server.text("read").await;
    assert_eq!(client.read_text().await, "read");
    client.ack().await;
    client.packet(&Packet::Probe("k".into())).await;
    while client.next().await != In::Packet(Packet::ProbeReply("k".into())) {}
    client.fin();
    for _ in 0..20 {
        // Fails if the session has already ended.
        let _ = server.try_send(OpCode::Binary, &[0; 10_000]).await;
    }
    assert!(matches!(server.ending().await, Got::Close(1008, _) | Got::Reset));
    until(|| gate.gateway.sessions() == 0).await;
    let (answer, _server) = tokio::join!(client.attempt(), backend.accept());
    let support::session::Answer::Lost(lost) = answer.0 else { panic!("{:?}", answer.0) };
    assert_eq!(lost.why, LossReason::Overflow);
    let (from, to) = lost.lost.expect("a range");
    assert!(from == 2 && (7..=21).contains(&to), "{lost:?}");
}

/// Nothing may be inserted into a message, because the client would read it as a part of the message.
#[tokio::test]
async fn the_policy_end_never_fakes_the_rest_of_a_message() {
    let backend = Backend::new().await;
    let more = "[session]\noverflow = \"end\"\nattached_buffer = \"16MiB\"";
    let gate = Gate::start(backend.address, more).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream = socket.connect(gate.address).await.unwrap();
    let tokens = offer(&[], &first("0123456789abcdef", 1));
    let (link, mut server) = tokio::join!(upgrade(stream.into(), "/", &tokens, &[], &[]), backend.accept());
    let mut link = link.expect("101");
    let Some(Packet::Started(_)) = support::session::packet(&link.next().await) else { panic!("no S") };
    // The client stops reading: the kernel buffers some data, then the replay buffer exceeds its limit.
    let words = encode(Role::Server, OpCode::Binary, &[9; 60_000]);
    let received = loop {
        tokio::select! {
            biased;
            got = server.reader.next() => break got,
            written = server.writer.write_all(&words) => written.unwrap(),
        }
    };
    assert!(matches!(received, Got::Close(1008, _)), "{received:?}");
    let mut bytes = link.reader.unread().to_vec();
    let _ = support::soon(link.into_stream().read_to_end(&mut bytes)).await;
    let mut rest = &bytes[..];
    while let Ok(Some((header, len))) = Header::parse(rest) {
        let (payload, behind) = rest[len..].split_at((header.len as usize).min(rest.len() - len));
        // Only the last message may be incomplete.
        assert!(header.opcode != OpCode::Binary || payload.iter().all(|byte| *byte == 9), "a fake message");
        rest = behind;
    }
    assert!(rest.len() < 14, "{} bytes are not a frame", rest.len());
}

/// Policy `drop-oldest`: the newest messages arrive, after a notice of the gap before them.
#[tokio::test]
async fn the_policy_drop_oldest_announces_the_gap() {
    let backend = Backend::new().await;
    let more = "[session]\noverflow = \"drop-oldest\"\nparked_buffer = \"64KiB\"";
    let gate = Gate::start(backend.address, more).await;
    let (mut client, mut server) = pair(&gate, &backend).await;
    server.text("read").await;
    assert_eq!(client.read_text().await, "read");
    client.ack().await;
    client.fin();
    for count in 0..50 {
        server.send(OpCode::Binary, &vec![count; 10_000]).await;
    }
    server.text("newest").await;
    // The Pong to a Ping after all messages proves that everything was received.
    server.send(OpCode::Ping, b"sync").await;
    assert_eq!(server.next().await, Got::Pong(b"sync".to_vec()));
    let (answer, link) = client.attempt().await;
    let support::session::Answer::Resumed(resumed) = answer else { panic!("{answer:?}") };
    client.link = Some(link);
    client.next = 2;
    let In::Packet(Packet::Gap(gap)) = client.next().await else { panic!("no G") };
    assert_eq!((gap.from, gap.policy.as_ref()), (2, "drop-oldest"));
    assert!(resumed.start == 2 || resumed.start == gap.to + 1, "{resumed:?} {gap:?}");
    let mut number = gap.to;
    loop {
        number += 1;
        match client.next().await {
            In::Data(OpCode::Text, text) => break assert_eq!(text, b"newest"),
            In::Data(_, payload) => assert_eq!(u64::from(payload[0]) + 2, number),
            In::Packet(Packet::AckNow) => number -= 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(number, 52);
    assert!(gap.to >= 40, "the buffer holds no more than its limit: {gap:?}");
    server.text("and on").await;
    assert_eq!(client.read_text().await, "and on");
}
