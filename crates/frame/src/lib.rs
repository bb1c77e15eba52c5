//! WebSocket frames without I/O: RFC 6455 and RFC 7692 codec, close codes, handshake rules.
//!
//! Bytes come in as arguments and go out as return values; no socket, clock, thread, lock or source of randomness is
//! touched, so everything here runs the same in a gateway, a client, a simulator and a fuzzer.
//!
//! | for | use |
//! |---|---|
//! | an endpoint that reads messages | [`Decoder`], which gives [`Incoming`] |
//! | an endpoint that writes messages | [`Encoder`] |
//! | a relay that forwards frames as they are | [`Scanner`] with [`Header`] and [`mask()`] |
//! | compression | [`deflate`] |
//! | the opening handshake | [`handshake`] |
//! | how a connection ended | [`Ending`] |
//! | what to close with, and what a close means | [`FrameError::close_code`], [`CloseCode`] |
//!
//! ```
//! use undrop_frame::{Decoder, Encoder, Incoming, Limits, OpCode, Role};
//!
//! // A client writes …
//! let mut wire = Vec::new();
//! Encoder::new(Role::Client).message(OpCode::Text, b"hello", [7, 1, 8, 2], &mut wire);
//!
//! // … and a server reads it, in two pieces.
//! let mut server = Decoder::new(Role::Server, Limits::default());
//! let (mut front, mut back) = wire.split_at_mut(4);
//! assert!(server.decode(&mut front)?.is_none());
//! let Some(Incoming::Text(text)) = server.decode(&mut back)? else { unreachable!() };
//! assert_eq!(text.as_str(), Some("hello"));
//! # Ok::<(), undrop_frame::FrameError>(())
//! ```

#![forbid(unsafe_code)]

mod close;
mod close_code;
mod decoder;
pub mod deflate;
mod encoder;
mod ending;
mod error;
pub mod handshake;
mod header;
mod mask;
mod message;
mod opcode;
mod role;
mod scanner;
mod sequence;
mod utf8;

pub use close::parse_close;
pub use close_code::{CloseCode, Retry, Sender};
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use ending::{Ending, HeadFault, LocalFault, ProtocolFault, ProxyFault, SocksReply, TlsFault};
pub use error::FrameError;
pub use header::Header;
pub use mask::mask;
pub use message::{Incoming, Message, Payload};
pub use opcode::OpCode;
pub use role::{Limits, Role};
pub use scanner::{Piece, Scanner};
pub use sequence::Sequence;
