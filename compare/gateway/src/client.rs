//! The load generator's side of one connection: sends masked messages, keeps a window of them in flight, checks every echo.
//!
//! In session mode it speaks as much of `undrop.1` as a client must: it offers the hello, reads `S`, and acks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::backend::{accept_key, header_value};
use crate::frame::{self, BINARY, CLOSE, PING, PONG, Piece, Reader, TEXT};
use crate::histogram::Histogram;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// First character of a control packet.
const PACKET: u8 = 0x1f;
/// A client acks after this many units, or this many bytes, whichever comes first.
const ACK_UNITS: u64 = 32;
const ACK_BYTES: u64 = 64 * 1024;

/// The state that all connections of one cell share.
pub struct Cell {
    /// Value of the `Host` header.
    pub host: String,
    /// Whether to offer `undrop.1`.
    pub session: bool,
    /// Messages in flight per connection.
    pub window: usize,
    /// Payload of every message; its first 8 bytes are replaced by the message's number.
    pub payload: Vec<u8>,
    /// The same as a masked frame, and where the payload begins in it.
    frame: Vec<u8>,
    frame_payload: usize,
    /// Whether no new messages are sent.
    pub stopping: bool,
    /// Nanoseconds since the start of the cell.
    pub now: u64,
    /// Echoes that came back right, and their times.
    pub done: u64,
    pub times: Histogram,
}

impl Cell {
    /// A cell whose messages have `size` bytes (8 at least).
    pub fn new(host: &str, session: bool, size: usize, window: usize) -> Self {
        let mut payload: Vec<u8> = (0..size.max(8)).map(|i| (i * 31 + 7) as u8).collect();
        payload[..8].fill(0);
        let mut frame = Vec::new();
        frame::header(&mut frame, BINARY, true, payload.len() as u64, Some(MASK));
        let frame_payload = frame.len();
        frame::masked(&mut frame, &payload, MASK, 0);
        let (done, times) = Default::default();
        Self {
            host: host.to_owned(),
            session,
            window,
            payload,
            frame,
            frame_payload,
            stopping: false,
            now: 0,
            done,
            times,
        }
    }
}

/// State of one dialled connection.
pub struct Client {
    head: Vec<u8>,
    phase: Phase,
    reader: Reader,
    opcode: u8,
    control: Vec<u8>,
    sent: u64,
    received: u64,
    sent_at: Vec<u64>,
    unacked: u64,
    unacked_bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake,
    AwaitsSession,
    Open,
    Closing,
}

impl Client {
    /// A connection about to be made; appends its request. `id` distinguishes sessions.
    pub fn new(cell: &Cell, id: u64, out: &mut Vec<u8>) -> Self {
        let mut offer = String::new();
        if cell.session {
            let hello = URL_SAFE_NO_PAD.encode(format!("{{\"cid\":\"{:032x}\"}}", u128::from(id) | 1 << 100));
            offer = format!("Sec-WebSocket-Protocol: undrop.1, undrop.hello.{hello}\r\n");
        }
        let request = format!(
            "GET /echo HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
             Sec-WebSocket-Version: 13\r\n{offer}\r\n",
            cell.host
        );
        out.extend_from_slice(request.as_bytes());
        Self {
            head: Vec::new(),
            phase: Phase::Handshake,
            reader: Reader::default(),
            opcode: 0,
            control: Vec::new(),
            sent: 0,
            received: 0,
            sent_at: vec![0; cell.window],
            unacked: 0,
            unacked_bytes: 0,
        }
    }

    /// Whether messages may be sent.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Messages whose echo is awaited.
    pub fn in_flight(&self) -> u64 {
        self.sent - self.received
    }

    /// Sends until the window is full, `most` messages at most.
    pub fn fill(&mut self, cell: &Cell, most: u64, out: &mut Vec<u8>) {
        if self.phase != Phase::Open || cell.stopping {
            return;
        }
        for _ in 0..most.min(cell.window as u64 - self.in_flight()) {
            let at = out.len() + cell.frame_payload;
            out.extend_from_slice(&cell.frame);
            for (byte, number) in out[at..at + 8].iter_mut().zip(self.sent.to_le_bytes()) {
                *byte ^= number;
            }
            let slot = (self.sent % cell.window as u64) as usize;
            self.sent_at[slot] = cell.now;
            self.sent += 1;
        }
    }

    /// Ends the connection in the words of its mode.
    pub fn close(&mut self, cell: &Cell, out: &mut Vec<u8>) {
        if self.phase == Phase::Open {
            if cell.session {
                control(out, TEXT, b"\x1fx1000 done");
            } else {
                control(out, CLOSE, &1000_u16.to_be_bytes());
            }
        }
        self.phase = Phase::Closing;
    }

    /// Takes what was read, counts echoes, appends what to answer (with `refill`, new messages too).
    pub fn read(
        &mut self,
        cell: &mut Cell,
        input: &[u8],
        refill: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        if self.phase != Phase::Handshake {
            return self.frames(cell, input, refill, out);
        }
        self.head.extend_from_slice(input);
        let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(());
        };
        let rest = self.head.split_off(end + 4);
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let accepted = header_value(&head, "sec-websocket-accept") == Some(accept_key(KEY).as_str());
        if !head.starts_with("HTTP/1.1 101") || !accepted {
            return Err(format!("refused: {}", head.lines().next().unwrap_or_default()));
        }
        if cell.session && header_value(&head, "sec-websocket-protocol") != Some("undrop.1") {
            return Err("the gateway did not accept undrop.1".to_owned());
        }
        self.phase = if cell.session { Phase::AwaitsSession } else { Phase::Open };
        self.frames(cell, &rest, refill, out)
    }

    fn frames(
        &mut self,
        cell: &mut Cell,
        input: &[u8],
        refill: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let mut wrong = None;
        let mut reader = std::mem::take(&mut self.reader);
        let framing = reader.read(input, |piece| {
            if let Err(error) = self.piece(cell, piece, out) {
                wrong.get_or_insert(error);
            }
        });
        self.reader = reader;
        framing?;
        if let Some(error) = wrong {
            return Err(error);
        }
        if self.unacked >= ACK_UNITS || self.unacked_bytes >= ACK_BYTES {
            self.ack(out);
        }
        if refill {
            self.fill(cell, u64::MAX, out);
        }
        Ok(())
    }

    fn piece(&mut self, cell: &mut Cell, piece: Piece, out: &mut Vec<u8>) -> Result<(), String> {
        match piece {
            Piece::Start { opcode, fin, len } => {
                self.opcode = opcode;
                if opcode == BINARY && (!fin || len != cell.payload.len() as u64) {
                    return Err(format!("an echo of {len} bytes, wanted {}", cell.payload.len()));
                }
            }
            Piece::Payload { bytes, offset, .. } if self.opcode == BINARY => {
                let number = self.received.to_le_bytes();
                let (mut bytes, mut at) = (bytes, offset as usize);
                if at < 8 {
                    let n = bytes.len().min(8 - at);
                    if bytes[..n] != number[at..at + n] {
                        return Err(format!("echo {} is not in order", self.received));
                    }
                    (bytes, at) = (&bytes[n..], at + n);
                }
                if bytes != &cell.payload[at..at + bytes.len()] {
                    return Err(format!("echo {} is damaged", self.received));
                }
            }
            Piece::Payload { bytes, .. } => self.control.extend_from_slice(bytes),
            Piece::End if self.opcode == BINARY => {
                let slot = (self.received % cell.window as u64) as usize;
                cell.times.record(cell.now - self.sent_at[slot]);
                cell.done += 1;
                self.received += 1;
                if cell.session {
                    self.unacked += 1;
                    self.unacked_bytes += cell.payload.len() as u64;
                }
            }
            Piece::End => {
                let text = std::mem::take(&mut self.control);
                match (self.opcode, text.as_slice()) {
                    (PING, payload) => control(out, PONG, payload),
                    (TEXT, [PACKET, b'S', ..]) if self.phase == Phase::AwaitsSession => {
                        self.phase = Phase::Open
                    }
                    (TEXT, [PACKET, b'r' | b'P', rest @ ..]) => {
                        self.ack(out);
                        if text[1] == b'P' {
                            control(out, TEXT, &[&[PACKET, b'p'], rest].concat());
                        }
                    }
                    (TEXT, [PACKET, b'L', rest @ ..]) => {
                        return Err(format!("the session was refused: {}", String::from_utf8_lossy(rest)));
                    }
                    (CLOSE, reason) if self.phase != Phase::Closing => {
                        return Err(format!(
                            "closed by the other end: {:?}",
                            String::from_utf8_lossy(reason)
                        ));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Acks what was received and not acked.
    pub fn ack(&mut self, out: &mut Vec<u8>) {
        if self.unacked == 0 || self.phase != Phase::Open {
            return;
        }
        (self.unacked, self.unacked_bytes) = (0, 0);
        let mut digits = [0; 16];
        let mut at = digits.len();
        let mut number = self.received;
        while number > 0 {
            at -= 1;
            digits[at] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
            number /= 36;
        }
        let mut packet = [PACKET, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let n = digits.len() - at;
        packet[2..2 + n].copy_from_slice(&digits[at..]);
        control(out, TEXT, &packet[..2 + n]);
    }
}

/// Appends a short masked frame.
fn control(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    frame::header(out, opcode, true, payload.len() as u64, Some(MASK));
    frame::masked(out, payload, MASK, 0);
}
