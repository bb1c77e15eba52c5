//! The echo backend's side of one connection: unmodified RFC 6455, no subprotocol, no extension.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::frame::{self, CLOSE, PING, PONG, Piece, Reader};

/// State of one accepted connection.
#[derive(Default)]
pub struct Backend {
    head: Vec<u8>,
    open: bool,
    reader: Reader,
    closing: bool,
    messages: u64,
}

impl Backend {
    /// Takes what was read, appends what to answer.
    pub fn read(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        if self.open {
            return self.echo(input, out);
        }
        self.head.extend_from_slice(input);
        let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(());
        };
        let head = String::from_utf8_lossy(&self.head[..end]).into_owned();
        let key = header_value(&head, "sec-websocket-key").ok_or("no Sec-WebSocket-Key")?;
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            accept_key(key)
        );
        out.extend_from_slice(answer.as_bytes());
        self.open = true;
        let rest = std::mem::take(&mut self.head).split_off(end + 4);
        self.echo(&rest, out)
    }

    /// Whether the answer that was appended last ends the connection.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether the handshake is done.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The number of data messages whose last frame has started to arrive.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    fn echo(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let (closing, messages) = (&mut self.closing, &mut self.messages);
        self.reader.read(input, |piece| match piece {
            Piece::Start { opcode, fin, len } => {
                *closing |= opcode == CLOSE;
                *messages += u64::from(fin && opcode < CLOSE);
                frame::header(out, if opcode == PING { PONG } else { opcode }, fin, len, None);
            }
            Piece::Payload { bytes, mask: Some(key), offset } => frame::masked(out, bytes, key, offset),
            Piece::Payload { bytes, mask: None, .. } => out.extend_from_slice(bytes),
            Piece::End => {}
        })
    }
}

/// The value of a header in the text of a message head; `name` in lower case.
pub fn header_value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The accept value for a key (RFC 6455 §4.2.2).
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_key_is_that_of_the_standard() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
