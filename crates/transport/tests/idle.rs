//! The memory of an idle WebSocket: its own size and its heap allocations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod peer;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use undrop_frame::deflate::Config;
use undrop_frame::{Message, Role};
use undrop_transport::{Received, Stream, WebSocket, WebSocketConfig};

/// Counts the bytes that this thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system allocator unchanged; the counter is a plain integer of this thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = HELD.try_with(|held| held.set(held.get().wrapping_add(layout.size())));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set(held.get().wrapping_sub(layout.size())));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> isize {
    HELD.get() as isize
}

async fn echo_once(near: &mut WebSocket, far: &mut WebSocket, message: &Message) {
    let exchange = async {
        near.send(message).await.unwrap();
        near.flush().await.unwrap();
        near.recv().await.unwrap()
    };
    let answer = async {
        let Received::Message(message) = far.recv().await.unwrap() else { panic!() };
        far.send(&message).await.unwrap();
        far.flush().await.unwrap();
    };
    let (received, ()) = tokio::join!(exchange, answer);
    assert_eq!(received, Received::Message(message.clone()));
}

#[tokio::test]
async fn an_idle_websocket_holds_no_buffer_before_and_after_a_burst() {
    let deflate = Config { threshold: 0, ..Config::default() };
    let compressing = WebSocketConfig {
        deflate: Some((deflate.negotiate(&deflate.offer()).unwrap().0, deflate)),
        ..WebSocketConfig::default()
    };
    println!("size_of WebSocket: {} bytes, Stream: {} bytes", size_of::<WebSocket>(), size_of::<Stream>());
    assert!(size_of::<WebSocket>() <= 400, "{}", size_of::<WebSocket>());

    // Small enough for the thread to keep its write buffer, whose allocation would disturb the measurement.
    let large = Message::Text("large ".repeat(35_000));
    let messages = [Message::from("hello"), Message::Binary(vec![7; 64 * 1024]), large];
    for (name, config, bound) in [("plain", WebSocketConfig::default(), 0), ("deflate", compressing, 700)] {
        // The first use allocates the buffers of the thread. The pair is kept, so they are not freed in between.
        let _warm = exchange(&config, &messages, &mut Vec::new()).await;
        let mut heap = Vec::new();
        let _pair = exchange(&config, &messages, &mut heap).await;
        println!("{name}: heap of both ends when fresh and idle after 5 B, 64 KiB, 210 kB: {heap:?}");
        assert!(heap.iter().all(|bytes| *bytes <= 2 * bound), "{name}: {heap:?}");
    }
}

/// Opens a pair, echoes the messages, and returns the heap that the pair holds before the first and after each. A value
/// slightly below zero is correct, because the runtime frees the dropped listener later.
async fn exchange(
    config: &WebSocketConfig,
    messages: &[Message],
    heap: &mut Vec<isize>,
) -> (WebSocket, WebSocket) {
    heap.reserve(messages.len() + 1);
    let (a, b) = peer::tcp_pair().await;
    let before = held();
    let mut near = WebSocket::new(a.into(), Role::Client, Vec::new(), config);
    let mut far = WebSocket::new(b.into(), Role::Server, Vec::new(), config);
    heap.push(held() - before);
    for message in messages {
        echo_once(&mut near, &mut far, message).await;
        heap.push(held() - before);
    }
    (near, far)
}
