//! The codec beside other WebSocket libraries: one read after the other from memory, messages as fast as they come.
//!
//! `cargo bench -p undrop-frame --bench codec`. Every library gets its bytes from the same [`Wire`], which copies
//! them into the library's buffer as a kernel does, and its output is thrown away. One iteration is [`batch`]
//! messages, so items per second is messages per second.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "codec/wire.rs"]
mod wire;

use std::hint::black_box;
use std::task::{Context, Poll};

use divan::Bencher;
use divan::counter::ItemsCount;
use fastwebsockets::{Frame, Payload as FastPayload};
use futures_util::{Sink, Stream};
use std::pin::{Pin, pin};
use tungstenite::protocol::WebSocketConfig;
use undrop_frame::{Decoder, Encoder, Header, Incoming, Limits, OpCode, Piece, Role, Scanner};
use wire::{Wire, batch, stream};

const SIZES: [usize; 3] = [64, 1024, 65536];
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn main() {
    divan::main();
}

/// Polls a future that the endless wire never lets wait.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(futures_util::task::noop_waker_ref())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the wire is always ready"),
    }
}

/// Reads `messages` messages with our decoder as a driver does: into one scratch buffer, or straight into a large
/// message.
fn read_ours(
    wire: &mut Wire,
    decoder: &mut Decoder,
    scratch: &mut [u8],
    n: usize,
    mut take: impl FnMut(&mut [u8]),
) {
    let mut left = n;
    while left > 0 {
        let mut input = if let Some(spare) = decoder.spare() {
            let read = wire.read(spare);
            decoder.filled(read);
            &mut [][..]
        } else {
            let read = wire.read(scratch);
            &mut scratch[..read]
        };
        while let Some(incoming) = decoder.decode(&mut input).unwrap() {
            let (Incoming::Binary(mut payload) | Incoming::Text(mut payload)) = incoming else {
                unreachable!()
            };
            take(&mut payload);
            left = left.saturating_sub(1);
        }
    }
}

/// Our codec, reading into a buffer of `scratch` bytes. An echo of 4 KiB and more goes out from where it was read, as
/// header and payload of a vectored write.
fn ours(bencher: Bencher, scratch: usize, role: Role, opcode: OpCode, size: usize, echo: bool) {
    let mut wire = stream(role, opcode, size);
    let mut decoder = Decoder::new(role, Limits::default());
    let mut encoder = Encoder::new(role);
    let mut scratch = vec![0; scratch];
    let mut out = Vec::with_capacity(256 * 1024);
    bencher.counter(ItemsCount::new(batch(size))).bench_local(|| {
        read_ours(&mut wire, &mut decoder, &mut scratch, batch(size), |payload| {
            if echo {
                if out.len() > 128 * 1024 {
                    black_box(&out);
                    out.clear();
                }
                if payload.len() < 4096 {
                    encoder.message(opcode, payload, KEY, &mut out);
                } else {
                    let mut head = [0; Header::MAX_LEN];
                    encoder.header(opcode, payload.len() as u64, KEY, &mut head);
                    if role == Role::Client {
                        undrop_frame::mask(payload, KEY, 0);
                    }
                    black_box((head, payload));
                }
            } else {
                black_box(payload);
            }
        });
    });
}

fn theirs_tungstenite(bencher: Bencher, role: Role, opcode: OpCode, size: usize, echo: bool) {
    let side = match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    };
    let config = WebSocketConfig::default().read_buffer_size(64 * 1024).write_buffer_size(64 * 1024);
    let mut socket = tungstenite::WebSocket::from_raw_socket(stream(role, opcode, size), side, Some(config));
    bencher.counter(ItemsCount::new(batch(size))).bench_local(|| {
        for _ in 0..batch(size) {
            let message = socket.read().unwrap();
            if echo {
                socket.write(message).unwrap();
            } else {
                black_box(message);
            }
        }
        socket.flush().unwrap();
    });
}

fn theirs_tokio_websockets(bencher: Bencher, role: Role, opcode: OpCode, size: usize, echo: bool) {
    let wire = stream(role, opcode, size);
    let config = tokio_websockets::Config::default().flush_threshold(64 * 1024);
    let mut socket = match role {
        Role::Server => tokio_websockets::ServerBuilder::new().config(config).serve(wire),
        Role::Client => tokio_websockets::ClientBuilder::new().config(config).take_over(wire),
    };
    let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
    bencher.counter(ItemsCount::new(batch(size))).bench_local(|| {
        for _ in 0..batch(size) {
            let Poll::Ready(Some(Ok(message))) = Pin::new(&mut socket).poll_next(&mut context) else {
                unreachable!()
            };
            if echo {
                assert!(Pin::new(&mut socket).poll_ready(&mut context).is_ready());
                Pin::new(&mut socket).start_send(message).unwrap();
            } else {
                black_box(message);
            }
        }
        assert!(Pin::new(&mut socket).poll_flush(&mut context).is_ready());
    });
}

fn theirs_fastwebsockets(bencher: Bencher, role: Role, opcode: OpCode, size: usize, echo: bool) {
    let side = match role {
        Role::Server => fastwebsockets::Role::Server,
        Role::Client => fastwebsockets::Role::Client,
    };
    let mut socket = fastwebsockets::WebSocket::after_handshake(stream(role, opcode, size), side);
    bencher.counter(ItemsCount::new(batch(size))).bench_local(|| {
        for _ in 0..batch(size) {
            let frame = now(socket.read_frame()).unwrap();
            if echo {
                now(socket.write_frame(frame)).unwrap();
            } else {
                black_box(&frame.payload);
            }
        }
        now(socket.flush()).unwrap();
    });
}

/// A module with one benchmark for each library.
macro_rules! compare {
    ($name:ident, $role:expr, $opcode:expr, $echo:expr) => {
        mod $name {
            use super::*;

            #[divan::bench(args = SIZES)]
            fn undrop(bencher: Bencher, size: usize) {
                ours(bencher, 64 * 1024, $role, $opcode, size, $echo);
            }
            #[divan::bench(args = [65536])]
            fn undrop_256_kib_buffer(bencher: Bencher, size: usize) {
                ours(bencher, 256 * 1024, $role, $opcode, size, $echo);
            }
            #[divan::bench(args = SIZES)]
            fn tungstenite(bencher: Bencher, size: usize) {
                theirs_tungstenite(bencher, $role, $opcode, size, $echo);
            }
            #[divan::bench(args = SIZES)]
            fn tokio_websockets(bencher: Bencher, size: usize) {
                theirs_tokio_websockets(bencher, $role, $opcode, size, $echo);
            }
            #[divan::bench(args = SIZES)]
            fn fastwebsockets(bencher: Bencher, size: usize) {
                theirs_fastwebsockets(bencher, $role, $opcode, size, $echo);
            }
        }
    };
}

compare!(decode_masked_binary, Role::Server, OpCode::Binary, false);
compare!(decode_masked_text, Role::Server, OpCode::Text, false);
compare!(decode_unmasked_binary, Role::Client, OpCode::Binary, false);
compare!(echo_server_binary, Role::Server, OpCode::Binary, true);
compare!(echo_server_text, Role::Server, OpCode::Text, true);
compare!(echo_client_binary, Role::Client, OpCode::Binary, true);

/// The floor of every reading benchmark: the copies that the kernel would make.
#[divan::bench(args = SIZES)]
fn wire_only(bencher: Bencher, size: usize) {
    let mut wire = stream(Role::Server, OpCode::Binary, size);
    let mut scratch = vec![0; 64 * 1024];
    bencher.counter(ItemsCount::new(batch(size))).bench_local(|| {
        let mut left = batch(size) * (size + 8);
        while left > 0 {
            left = left.saturating_sub(wire.read(&mut scratch));
            black_box(&scratch);
        }
    });
}

/// One buffer full of messages that a read has just filled; the filling is not measured.
mod full_buffer {
    use super::*;

    const BUFFER: usize = 64 * 1024;

    fn each(bencher: Bencher, opcode: OpCode, size: usize, mut take: impl FnMut(&[u8])) {
        let mut wire = stream(Role::Server, opcode, size);
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        let whole = BUFFER / (size + 8) * (size + if size > 125 { 8 } else { 6 });
        let mut template = vec![0; whole];
        wire.read(&mut template);
        bencher
            .counter(ItemsCount::new(BUFFER / (size + 8)))
            .with_inputs(|| template.clone())
            .bench_local_refs(|buffer| {
                let mut input = &mut buffer[..];
                while let Some(incoming) = decoder.decode(&mut input).unwrap() {
                    let (Incoming::Binary(payload) | Incoming::Text(payload)) = incoming else {
                        unreachable!()
                    };
                    take(&payload);
                }
            });
    }

    #[divan::bench(args = [64, 1024], sample_size = 1)]
    fn scan(bencher: Bencher, size: usize) {
        let mut wire = stream(Role::Server, OpCode::Binary, size);
        let mut scanner = Scanner::new(Role::Server, Limits::default(), false);
        let mut buffer = vec![0; BUFFER / (size + 8) * (size + if size > 125 { 8 } else { 6 })];
        wire.read(&mut buffer);
        bencher.counter(ItemsCount::new(BUFFER / (size + 8))).bench_local(|| {
            let mut rest = &buffer[..];
            while let Some(piece) = scanner.next(rest).unwrap() {
                let (Piece::Header { len, .. } | Piece::Payload { len, .. }) = piece;
                rest = &rest[len..];
            }
        });
    }

    #[divan::bench(args = [64, 1024], sample_size = 1)]
    fn decode(bencher: Bencher, size: usize) {
        each(bencher, OpCode::Binary, size, |payload| {
            black_box(payload);
        });
    }

    #[divan::bench(args = [64, 1024], sample_size = 1)]
    fn echo_binary(bencher: Bencher, size: usize) {
        let mut encoder = Encoder::new(Role::Server);
        let mut out = Vec::with_capacity(2 * BUFFER);
        each(bencher, OpCode::Binary, size, |payload| {
            if out.len() > BUFFER {
                out.clear();
            }
            encoder.message(OpCode::Binary, payload, KEY, &mut out);
        });
    }

    #[divan::bench(args = [64, 1024], sample_size = 1)]
    fn echo_text(bencher: Bencher, size: usize) {
        let mut encoder = Encoder::new(Role::Server);
        let mut out = Vec::with_capacity(2 * BUFFER);
        each(bencher, OpCode::Text, size, |payload| {
            if out.len() > BUFFER {
                out.clear();
            }
            encoder.message(OpCode::Text, payload, KEY, &mut out);
        });
    }
}

/// Writing alone: the server's unmasked frames and the client's masked ones.
mod encode {
    use super::*;

    const ROLES: [Role; 2] = [Role::Server, Role::Client];

    #[divan::bench(consts = SIZES, args = ROLES)]
    fn undrop<const SIZE: usize>(bencher: Bencher, role: Role) {
        let mut encoder = Encoder::new(role);
        let payload = vec![0x42; SIZE];
        let mut out = Vec::with_capacity(256 * 1024);
        bencher.counter(ItemsCount::new(batch(SIZE))).bench_local(|| {
            for _ in 0..batch(SIZE) {
                if out.len() > 64 * 1024 {
                    black_box(&out);
                    out.clear();
                }
                encoder.message(OpCode::Binary, black_box(&payload), KEY, &mut out);
            }
        });
    }

    #[divan::bench(consts = SIZES, args = ROLES)]
    fn tungstenite<const SIZE: usize>(bencher: Bencher, role: Role) {
        let side = match role {
            Role::Server => tungstenite::protocol::Role::Server,
            Role::Client => tungstenite::protocol::Role::Client,
        };
        let config = WebSocketConfig::default().write_buffer_size(64 * 1024);
        let wire = stream(role, OpCode::Binary, SIZE);
        let mut socket = tungstenite::WebSocket::from_raw_socket(wire, side, Some(config));
        let payload = tungstenite::Bytes::from(vec![0x42; SIZE]);
        bencher.counter(ItemsCount::new(batch(SIZE))).bench_local(|| {
            for _ in 0..batch(SIZE) {
                socket.write(tungstenite::Message::Binary(payload.clone())).unwrap();
            }
            socket.flush().unwrap();
        });
    }

    #[divan::bench(consts = SIZES, args = ROLES)]
    fn tokio_websockets<const SIZE: usize>(bencher: Bencher, role: Role) {
        let wire = stream(role, OpCode::Binary, SIZE);
        let config = tokio_websockets::Config::default().flush_threshold(64 * 1024);
        let mut socket = match role {
            Role::Server => tokio_websockets::ServerBuilder::new().config(config).serve(wire),
            Role::Client => tokio_websockets::ClientBuilder::new().config(config).take_over(wire),
        };
        let mut context = Context::from_waker(futures_util::task::noop_waker_ref());
        let payload = tokio_websockets::Payload::from(vec![0x42; SIZE]);
        bencher.counter(ItemsCount::new(batch(SIZE))).bench_local(|| {
            for _ in 0..batch(SIZE) {
                assert!(Pin::new(&mut socket).poll_ready(&mut context).is_ready());
                let message = tokio_websockets::Message::binary(payload.clone());
                Pin::new(&mut socket).start_send(message).unwrap();
            }
            assert!(Pin::new(&mut socket).poll_flush(&mut context).is_ready());
        });
    }

    #[divan::bench(consts = SIZES, args = ROLES)]
    fn fastwebsockets<const SIZE: usize>(bencher: Bencher, role: Role) {
        let side = match role {
            Role::Server => ::fastwebsockets::Role::Server,
            Role::Client => ::fastwebsockets::Role::Client,
        };
        let wire = stream(role, OpCode::Binary, SIZE);
        let mut socket = ::fastwebsockets::WebSocket::after_handshake(wire, side);
        let payload = vec![0x42; SIZE];
        bencher.counter(ItemsCount::new(batch(SIZE))).bench_local(|| {
            for _ in 0..batch(SIZE) {
                now(socket.write_frame(Frame::binary(FastPayload::Borrowed(&payload)))).unwrap();
            }
            now(socket.flush()).unwrap();
        });
    }
}
