//! Backend → client: the backend's frames, written into the replay buffer as the units that go out on the link.
//!
//! Frames are kept as they came (a server does not mask); control frames are cut out, and text that begins with the
//! mark of a packet gets one more in front (PROTOCOL §3).

use undrop_frame::{CloseCode, FrameError, Header, OpCode};

use crate::from_link::MARK;

/// Where the pieces go.
pub(crate) trait Sink {
    /// Bytes of the open unit.
    fn append(&mut self, bytes: &[u8]);
    /// The open unit is complete.
    fn end_unit(&mut self);
    /// A whole unit at once.
    #[inline]
    fn unit(&mut self, bytes: &[u8]) {
        self.append(bytes);
        self.end_unit();
    }
    fn ping(&mut self, payload: &[u8]);
    fn pong(&mut self);
    fn close(&mut self, code: Option<CloseCode>, reason: &str);
}

/// Parse state of one backend connection. Owns heap memory only while a header or control frame is incomplete.
#[derive(Debug)]
pub(crate) struct FromBackend {
    /// An incomplete header or control frame; at most 139 bytes.
    stash: Vec<u8>,
    /// Payload bytes of the current data frame that are still to come.
    rest: u64,
    /// The current data frame ends its message.
    fin: bool,
    message: Message,
    /// Payload bytes of the current message so far.
    length: u64,
    max_message: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    None,
    /// Fragments so far were empty text: nothing is written yet, the first byte decides about the escape.
    EmptyText,
    Open,
}

/// The message in one frame at the front of `bytes`, when all of it is there and it goes on as it is: the common case.
#[inline(always)]
fn whole_unit<'b>(header: &Header, head: usize, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let plain = match header.opcode {
        OpCode::Binary => true,
        OpCode::Text => bytes.get(head) != Some(&MARK) || header.len == 0,
        _ => false,
    };
    let len = usize::try_from(header.len).ok()?;
    if plain && header.fin { bytes.get(..head.checked_add(len)?) } else { None }
}

impl FromBackend {
    pub(crate) fn new(max_message: u64) -> FromBackend {
        FromBackend { stash: Vec::new(), rest: 0, fin: true, message: Message::None, length: 0, max_message }
    }

    /// Bytes that must stand before the next read in the buffer given to [`FromBackend::take`].
    pub(crate) fn stash(&self) -> &[u8] {
        &self.stash
    }

    /// Takes everything in `input`, which begins with what [`FromBackend::stash`] returned. False after a Close frame.
    pub(crate) fn take(&mut self, input: &[u8], sink: &mut impl Sink) -> Result<bool, FrameError> {
        self.stash = Vec::new();
        let mut at = 0;
        while at < input.len() {
            if self.rest > 0 {
                let take = usize::try_from(self.rest).unwrap_or(usize::MAX).min(input.len() - at);
                sink.append(&input[at..at + take]);
                at += take;
                self.rest -= take as u64;
                if self.rest == 0 {
                    self.frame_ended(sink);
                }
                continue;
            }
            let bytes = &input[at..];
            let Some((header, head)) = Header::parse(bytes)? else { break };
            if header.mask.is_some() {
                return Err(FrameError::Masked);
            }
            if header.rsv1 {
                return Err(FrameError::ReservedBit);
            }
            if self.message == Message::None
                && let Some(unit) = whole_unit(&header, head, bytes)
                && header.len <= self.max_message
            {
                sink.unit(unit);
                at += unit.len();
                continue;
            }
            if header.opcode.is_control() {
                let total = head + usize::try_from(header.len).unwrap_or(usize::MAX);
                let Some(payload) = bytes.get(head..total) else { break };
                match header.opcode {
                    OpCode::Ping => sink.ping(payload),
                    OpCode::Close => {
                        let close = undrop_frame::parse_close(payload)?;
                        let (code, reason) =
                            close.map_or((None, String::new()), |(code, reason)| (Some(code), reason));
                        sink.close(code, &reason);
                        return Ok(false);
                    }
                    _ => sink.pong(),
                }
                at += total;
                continue;
            }
            match self.data_frame(header, &bytes[head..], sink)? {
                Some(used) => at += head + used,
                None => break,
            }
        }
        if at < input.len() {
            self.stash = input[at..].to_vec();
        }
        Ok(true)
    }

    /// Starts a data frame whose payload begins `payload`; returns how much of it was written, None to wait for more.
    fn data_frame(
        &mut self,
        header: Header,
        payload: &[u8],
        sink: &mut impl Sink,
    ) -> Result<Option<usize>, FrameError> {
        let first = match (self.message, header.opcode) {
            (Message::None, OpCode::Text | OpCode::Binary) => true,
            (Message::Open | Message::EmptyText, OpCode::Continuation) => false,
            _ => return Err(FrameError::UnexpectedContinuation),
        };
        let before = if first { 0 } else { self.length };
        let length = before.saturating_add(header.len);
        if length > self.max_message {
            return Err(FrameError::MessageTooBig { limit: self.max_message });
        }
        let starts_text = (first && header.opcode == OpCode::Text) || self.message == Message::EmptyText;
        if starts_text && header.len > 0 && payload.is_empty() {
            return Ok(None);
        }
        self.length = length;
        self.fin = header.fin;
        if starts_text && header.len == 0 && !header.fin {
            self.message = Message::EmptyText;
            return Ok(Some(0));
        }
        let escape = starts_text && payload.first() == Some(&MARK);
        let opcode = if starts_text { OpCode::Text } else { header.opcode };
        let mut head = [0; 14];
        let out = Header { opcode, len: header.len + u64::from(escape), ..header };
        let len = out.encode(&mut head);
        sink.append(&head[..len]);
        if escape {
            sink.append(&[MARK]);
        }
        self.message = Message::Open;
        let take = usize::try_from(header.len).unwrap_or(usize::MAX).min(payload.len());
        sink.append(&payload[..take]);
        self.rest = header.len - take as u64;
        if self.rest == 0 {
            self.frame_ended(sink);
        }
        Ok(Some(take))
    }

    fn frame_ended(&mut self, sink: &mut impl Sink) {
        if self.fin {
            self.message = Message::None;
            self.length = 0;
            sink.end_unit();
        }
    }
}

#[cfg(test)]
mod tests;
