//! WebSocket frames without I/O: RFC 6455 and RFC 7692 codec, close codes, handshake rules.

#![forbid(unsafe_code)]

mod close;
mod close_code;
mod decoder;
pub mod deflate;
mod encoder;
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
pub use error::FrameError;
pub use header::Header;
pub use mask::mask;
pub use message::{Incoming, Message, Payload};
pub use opcode::OpCode;
pub use role::{Limits, Role};
pub use scanner::{Piece, Scanner};
