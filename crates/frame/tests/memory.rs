//! The heap memory of a connection's codec: none while idle, no more than it received while busy.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use undrop_frame::deflate::{Config, Deflater, Inflater};
use undrop_frame::{Decoder, Encoder, Header, Incoming, Limits, OpCode, Role, Scanner};

thread_local! {
    /// Bytes held, most bytes held, allocations made, by this thread.
    static HEAP: Cell<(isize, isize, usize)> = const { Cell::new((0, 0, 0)) };
}

struct Counting;

fn count(bytes: isize) {
    HEAP.with(|heap| {
        let (held, most, made) = heap.get();
        let held = held + bytes;
        heap.set((held, most.max(held), made + usize::from(bytes > 0)));
    });
}

// SAFETY: hands every call on to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes kept, most bytes held meanwhile, and allocations made by `work`.
fn measure<T>(work: impl FnOnce() -> T) -> (T, isize, isize, usize) {
    let (before, _, made_before) = HEAP.get();
    HEAP.set((before, before, made_before));
    let result = work();
    let (after, most, made) = HEAP.get();
    (result, after - before, most - before, made - made_before)
}

fn frame(opcode: OpCode, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(Role::Client).message(opcode, &vec![b'x'; len], [1, 2, 3, 4], &mut out);
    out
}

#[test]
fn state_is_small() {
    assert!(size_of::<Decoder>() <= 64, "{}", size_of::<Decoder>());
    assert!(size_of::<Encoder>() <= 16, "{}", size_of::<Encoder>());
    assert!(size_of::<Scanner>() <= 40, "{}", size_of::<Scanner>());
    assert!(size_of::<Incoming<'_>>() <= 40, "{}", size_of::<Incoming<'_>>());
}

#[test]
fn messages_in_one_buffer_allocate_nothing() {
    let mut bytes: Vec<u8> =
        (0..100).flat_map(|i| frame([OpCode::Text, OpCode::Binary, OpCode::Ping][i % 3], i)).collect();
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let mut encoder = Encoder::new(Role::Server);
    let mut out = Vec::with_capacity(32 * 1024);
    let (seen, kept, most, made) = measure(|| {
        let mut input = &mut bytes[..];
        let mut seen = 0;
        while let Some(Incoming::Text(payload) | Incoming::Binary(payload) | Incoming::Ping(payload)) =
            decoder.decode(&mut input).unwrap()
        {
            encoder.message(OpCode::Binary, &payload, [0; 4], &mut out);
            seen += 1;
        }
        seen
    });
    assert_eq!((seen, kept, most, made), (100, 0, 0, 0));
}

#[test]
fn a_decoder_between_messages_holds_nothing() {
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let bytes = [frame(OpCode::Text, 70_000), frame(OpCode::Ping, 9)].concat();
    let ((), kept, most, _) = measure(|| {
        for chunk in bytes.chunks(1000) {
            let mut chunk = chunk.to_vec();
            let mut input = &mut chunk[..];
            while decoder.decode(&mut input).unwrap().is_some() {}
        }
    });
    assert!(decoder.is_idle());
    assert_eq!(kept, 0);
    assert!(most > 70_000, "the message was held");
}

#[test]
fn a_claimed_length_allocates_only_a_step() {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    let header = Header { fin: true, rsv1: false, opcode: OpCode::Binary, mask: None, len: 60 << 20 };
    let mut head = [0; Header::MAX_LEN];
    let used = header.encode(&mut head);
    let ((), _, most, _) = measure(|| {
        assert!(decoder.decode(&mut &mut head[..used]).unwrap().is_none());
        assert!(decoder.decode(&mut &mut [1][..]).unwrap().is_none());
        assert!(decoder.spare().unwrap().len() <= 64 * 1024);
    });
    assert!(most < 80 * 1024, "{most}");
    // Reading on grows by doubling at most, and ends with exactly the message.
    let mut left = (60 << 20) - 1;
    let mut so_far = 1;
    while left > 0 {
        let spare = decoder.spare().map_or(0, |spare| spare.len());
        assert!(spare <= so_far.max(64 * 1024), "{spare} after {so_far}");
        if spare == 0 {
            let mut rest = vec![1; left];
            let Some(Incoming::Binary(payload)) = decoder.decode(&mut &mut rest[..]).unwrap() else {
                panic!()
            };
            assert_eq!(payload.len(), 60 << 20);
            return;
        }
        decoder.filled(spare);
        so_far += spare;
        left -= spare;
        let message = decoder.decode(&mut &mut [][..]).unwrap();
        assert_eq!(message.is_some(), left == 0);
    }
}

#[test]
fn fragments_take_what_was_sent() {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    let ((), _, most, made) = measure(|| {
        decoder.decode(&mut &mut [0x02, 1, 0][..]).unwrap();
        for _ in 0..100_000 {
            decoder.decode(&mut &mut [0x00, 1, 0][..]).unwrap();
        }
    });
    assert!(most < 400_000, "{most} bytes for 100 KB");
    assert!(made < 40, "{made} allocations for 100,000 fragments");
}

#[test]
fn compression_without_takeover_holds_nothing_between_messages() {
    let (params, _) = Config::default().negotiate("permessage-deflate").unwrap();
    let ((mut encoder, mut decoder), own, ..) = measure(|| {
        (
            Encoder::new(Role::Client).with_deflate(Deflater::new(params, Role::Client, 128, 2)),
            Decoder::new(Role::Server, Limits::default()).with_deflate(Inflater::new(
                params,
                Role::Server,
                1 << 20,
            )),
        )
    });
    // The boxes of encoder and decoder, without a context.
    assert!(own <= 120, "{own}");
    let ((), kept, most, _) = measure(|| {
        let mut out = Vec::new();
        encoder.message(OpCode::Text, &[b'a'; 5000], [1, 2, 3, 4], &mut out);
        assert!(out.len() < 100);
        assert!(decoder.decode(&mut &mut out[..]).unwrap().is_some());
    });
    assert_eq!(kept, 0);
    assert!(most > 100_000, "a context was in use");
}
