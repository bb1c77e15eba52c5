//! Reading the body of a response, which explains a refusal.

use std::future::poll_fn;

use tokio::time::{Instant, timeout_at};
use undrop_frame::handshake::ResponseHead;

use crate::Stream;

/// Reads up to `limit` bytes of the body of a response and removes a chunked transfer encoding. `start`: the bytes that
/// were read after the head. Never fails: at `deadline`, at a malformed chunk, or when the connection ends, the part that
/// has arrived is returned, because the body is for people and logs.
pub async fn read_body(
    stream: &mut Stream,
    head: &ResponseHead,
    start: Vec<u8>,
    limit: usize,
    deadline: Instant,
) -> Vec<u8> {
    let mut body = BodyReader::new(head, limit);
    let mut more = body.feed(&start);
    while more {
        let read = poll_fn(|cx| {
            stream.poll_read_shared(cx, |chunk| if chunk.is_empty() { false } else { body.feed(chunk) })
        });
        more = matches!(timeout_at(deadline, read).await, Ok(Ok(true)));
    }
    body.bytes
}

/// The rule for the end of a body (RFC 9112 §6.3).
enum Framing {
    /// This number of bytes remains.
    Length(u64),
    Chunked(Chunk),
    UntilClose,
    Done,
}

/// The position in a chunked body (RFC 9112 §7.1).
enum Chunk {
    /// In the line with the chunk size: the size so far, and the number of its digits.
    Size {
        value: u64,
        digits: u8,
        extension: bool,
    },
    Data(u64),
    /// In the line end after the data.
    DataEnd,
}

struct BodyReader {
    bytes: Vec<u8>,
    limit: usize,
    framing: Framing,
}

const NEW_CHUNK: Chunk = Chunk::Size { value: 0, digits: 0, extension: false };

impl BodyReader {
    fn new(head: &ResponseHead, limit: usize) -> BodyReader {
        let framing = if matches!(head.status, 100..=199 | 204 | 304) {
            Framing::Done
        } else if head.headers.has_token("Transfer-Encoding", "chunked") {
            Framing::Chunked(NEW_CHUNK)
        } else if let Some(length) = head.headers.get_str("Content-Length") {
            length.trim().parse().map_or(Framing::UntilClose, Framing::Length)
        } else {
            Framing::UntilClose
        };
        BodyReader { bytes: Vec::new(), limit, framing }
    }

    /// Processes received bytes. Returns `true` if more are needed.
    fn feed(&mut self, mut input: &[u8]) -> bool {
        loop {
            if self.bytes.len() >= self.limit {
                return false;
            }
            match &mut self.framing {
                Framing::Done => return false,
                Framing::UntilClose => {
                    self.keep(&mut input, u64::MAX);
                    return self.bytes.len() < self.limit;
                }
                Framing::Length(0) => self.framing = Framing::Done,
                Framing::Length(left) => {
                    if input.is_empty() {
                        return true;
                    }
                    let left = *left;
                    let took = self.keep(&mut input, left);
                    self.framing = Framing::Length(left - took);
                }
                Framing::Chunked(Chunk::Data(0)) => self.framing = Framing::Chunked(Chunk::DataEnd),
                Framing::Chunked(Chunk::Data(left)) => {
                    if input.is_empty() {
                        return true;
                    }
                    let left = *left;
                    let took = self.keep(&mut input, left);
                    self.framing = Framing::Chunked(Chunk::Data(left - took));
                }
                Framing::Chunked(chunk) => {
                    let Some((byte, rest)) = input.split_first() else { return true };
                    input = rest;
                    self.framing = chunk.step(*byte);
                }
            }
        }
    }

    /// Consumes up to `most` bytes of the input and keeps them as far as the limit allows. Returns the number consumed.
    fn keep(&mut self, input: &mut &[u8], most: u64) -> u64 {
        let used = input.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let kept = used.min(self.limit - self.bytes.len());
        self.bytes.extend_from_slice(&input[..kept]);
        *input = &input[used..];
        used as u64
    }
}

impl Chunk {
    /// Processes one byte of a size line or of a line end.
    fn step(&mut self, byte: u8) -> Framing {
        match self {
            Chunk::Data(_) | Chunk::DataEnd => match byte {
                b'\r' => Framing::Chunked(Chunk::DataEnd),
                b'\n' => Framing::Chunked(NEW_CHUNK),
                _ => Framing::Done,
            },
            Chunk::Size { value, digits, extension } => match (byte, (byte as char).to_digit(16)) {
                (b'\n', _) if *digits == 0 || *value == 0 => Framing::Done,
                (b'\n', _) => Framing::Chunked(Chunk::Data(*value)),
                (b'\r', _) => {
                    Framing::Chunked(Chunk::Size { value: *value, digits: *digits, extension: true })
                }
                (_, Some(digit)) if !*extension && *digits < 15 => Framing::Chunked(Chunk::Size {
                    value: *value << 4 | u64::from(digit),
                    digits: *digits + 1,
                    extension: false,
                }),
                (b';' | b' ' | b'\t', _) => {
                    Framing::Chunked(Chunk::Size { value: *value, digits: *digits, extension: true })
                }
                _ if *extension => {
                    Framing::Chunked(Chunk::Size { value: *value, digits: *digits, extension: true })
                }
                _ => Framing::Done,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use undrop_frame::handshake::parse_response;

    use super::*;

    fn body(head: &str, pieces: &[u8], limit: usize, at_a_time: usize) -> (String, bool) {
        let (head, _) = parse_response(head.as_bytes(), 4096).unwrap().unwrap();
        let mut body = BodyReader::new(&head, limit);
        let mut more = body.feed(b"");
        for piece in pieces.chunks(at_a_time) {
            if !more {
                break;
            }
            more = body.feed(piece);
        }
        (String::from_utf8(body.bytes).unwrap(), more)
    }

    #[test]
    fn every_framing_in_any_pieces() {
        let length = "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n";
        let chunked = "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n";
        let close = "HTTP/1.1 403 No\r\n\r\n";
        let empty = "HTTP/1.1 204 No\r\n\r\n";
        for n in [1, 2, 3, 100] {
            assert_eq!(body(length, b"hello and more", 99, n), ("hello".to_owned(), false));
            assert_eq!(body(length, b"hel", 99, n), ("hel".to_owned(), true));
            let chunks = b"3\r\nhel\r\n2;x=1f\r\nlo\r\n0\r\n\r\n";
            assert_eq!(body(chunked, chunks, 99, n), ("hello".to_owned(), false));
            assert_eq!(body(chunked, b"1A\r\nabcdefghijklmnopqrstuvwxyz\r\n", 99, n).0.len(), 26);
            assert_eq!(body(close, b"hello", 99, n), ("hello".to_owned(), true));
            assert_eq!(body(close, b"hello", 3, n), ("hel".to_owned(), false));
            assert_eq!(body(chunked, chunks, 4, n), ("hell".to_owned(), false));
            assert_eq!(body(chunked, b"zz\r\nhello", 99, n), (String::new(), false));
            assert_eq!(body(chunked, b"fffffffffffffffff\r\nhello", 99, n), (String::new(), false));
            assert_eq!(body(empty, b"hello", 99, n), (String::new(), false));
        }
    }
}
