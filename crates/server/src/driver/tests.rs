//! The task of a session, polled by hand in virtual time.
#![allow(clippy::unwrap_used)]

use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::{Instant, timeout};
use undrop_frame::{Encoder, OpCode, Role};
use undrop_session::{Packet, SessionId, SessionKey};
use undrop_store::MemoryStore;

use super::*;
use crate::mailbox::Mailbox;
use crate::options::SessionOptions;

fn driver(backend: Stream, link: Stream) -> Driver {
    let node = Arc::new(Node::new(SessionOptions::default(), Arc::new(MemoryStore::default()), "n1"));
    node.live.store(1, std::sync::atomic::Ordering::Relaxed);
    let (sid, key) = (SessionId::new("n1", [7; 16]).unwrap(), SessionKey::new([7; 32]));
    let now = Instant::now().into_std();
    let machine = Gateway::new(now, node.options.machine.clone(), sid.clone(), key.clone(), None);
    let entry = SessionEntry {
        sid,
        key,
        principal: "test".into(),
        protocol: None,
        fence: 1,
        mailbox: Mailbox::new(),
        detached_bytes: Default::default(),
        detached_order: Default::default(),
    };
    let mut driver = Driver::new(machine, backend, Arc::new(entry), node, None);
    let link = NewLink {
        stream: link,
        leftover: Vec::new(),
        response: Vec::new(),
        attempt: 1,
        rx: None,
        peer: "127.0.0.1:1".parse().unwrap(),
        refused: None,
    };
    driver.attach(Box::new(link), now);
    driver
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_frees_its_buffers_after_a_burst() {
    let (near_backend, mut backend) = duplex(1 << 20);
    let (near_link, mut link) = duplex(1 << 20);
    let mut driver = driver(near_backend.into(), near_link.into());
    let mut burst = Vec::new();
    Encoder::new(Role::Server).message(OpCode::Binary, &[0; 50_000], [0; 4], &mut burst);
    backend.write_all(&burst).await.unwrap();
    assert!(timeout(Duration::from_millis(10), &mut driver).await.is_err());
    let mut ack = Vec::new();
    let text = Packet::Ack(1).encode();
    Encoder::new(Role::Client).message(OpCode::Text, text.as_bytes(), [1, 2, 3, 4], &mut ack);
    link.write_all(&ack).await.unwrap();
    assert!(timeout(Duration::from_millis(10), &mut driver).await.is_err());
    assert_eq!(driver.machine.progress().acked, 1);
    assert!(driver.machine.heap() > 50_000, "the buffer is kept for the next message");
    assert!(timeout(Duration::from_secs(3), &mut driver).await.is_err());
    assert!(driver.machine.heap() < 1000, "{} bytes of heap", driver.machine.heap());
}
