//! Backend → client: finds the units for the replay buffer in the bytes of the backend.
//!
//! Frames are kept as they came (a server does not mask). Control frames are removed, and a text that starts with the
//! escape character gets one more in front (PROTOCOL §3).

use undrop_frame::{CloseCode, FrameError, Header, Limits, OpCode, Role, Sequence};
use undrop_session::{ESCAPE, needs_escape};

/// One element of what a backend sent.
#[derive(Debug)]
pub(crate) enum BackendPiece<'b> {
    /// A whole unit: one frame, as it goes out.
    Unit(&'b [u8]),
    /// The header of a frame of the open unit, with the escape character after it if the text needs one.
    Head {
        head: FrameHead,
        /// The unit is complete.
        ends_unit: bool,
    },
    /// Payload of that frame.
    Payload {
        bytes: &'b [u8],
        /// The unit is complete.
        ends_unit: bool,
    },
    Ping(&'b [u8]),
    Pong,
    /// The backend closes the session. Nothing follows.
    Close {
        code: Option<CloseCode>,
        reason: String,
    },
}

/// An encoded frame header, with or without an escape character after it.
#[derive(Debug)]
pub(crate) struct FrameHead {
    bytes: [u8; Header::MAX_LEN],
    len: usize,
}

impl FrameHead {
    fn new(header: &Header, escape: bool) -> FrameHead {
        let mut bytes = [0; Header::MAX_LEN];
        let mut len = header.encode(&mut bytes);
        if escape {
            // Without a mask a header has ten bytes at most.
            bytes[len] = ESCAPE;
            len += 1;
        }
        FrameHead { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The parser of one backend connection. It owns heap memory only while a header or control frame is incomplete.
#[derive(Debug)]
pub(crate) struct FromBackend {
    /// An incomplete header or control frame; at most 139 bytes.
    stash: Vec<u8>,
    /// Payload bytes of the current data frame that are still to come.
    remaining: u64,
    /// The current data frame ends its message.
    fin: bool,
    /// The fragments of the open text so far were empty: nothing is written yet, the first byte decides about the escape.
    empty_text: bool,
    sequence: Sequence,
}

impl FromBackend {
    pub(crate) fn new(max_message: u64) -> FromBackend {
        let limits = Limits { frame: u64::MAX, message: max_message };
        let sequence = Sequence::new(Role::Client, limits, false);
        FromBackend { stash: Vec::new(), remaining: 0, fin: true, empty_text: false, sequence }
    }

    /// Returns the bytes that the next input must start with, before what is read then.
    pub(crate) fn stash(&self) -> &[u8] {
        &self.stash
    }

    /// Returns the next piece and removes it from the front of `input`. After `None` the input is used up;
    /// [`stash`](Self::stash) then has the bytes to present again.
    ///
    /// # Errors
    /// The backend broke RFC 6455. The pieces before remain valid, the parser is of no further use.
    #[inline]
    pub(crate) fn next<'b>(&mut self, input: &mut &'b [u8]) -> Result<Option<BackendPiece<'b>>, FrameError> {
        if input.is_empty() {
            return Ok(None);
        }
        if !self.stash.is_empty() {
            // The input starts with these bytes.
            self.stash = Vec::new();
        }
        loop {
            let bytes = *input;
            if self.remaining > 0 {
                return Ok(self.payload(input));
            }
            let Some((header, head)) = Header::parse(bytes)? else { return Ok(self.wait(input)) };
            if let Some(unit) = whole_unit(&header, head, bytes)
                && !self.sequence.in_message()
            {
                self.sequence.admit(&header)?;
                *input = &bytes[unit.len()..];
                return Ok(Some(BackendPiece::Unit(unit)));
            }
            self.sequence.check(&header)?;
            if header.opcode.is_control() {
                return self.control(&header, head, input);
            }
            let payload = &bytes[head..];
            let starts_text = header.opcode == OpCode::Text || self.empty_text;
            if starts_text && header.len > 0 && payload.is_empty() {
                return Ok(self.wait(input));
            }
            self.sequence.admit(&header)?;
            (self.fin, self.remaining, *input) = (header.fin, header.len, payload);
            self.empty_text = starts_text && header.len == 0 && !header.fin;
            if self.empty_text {
                continue;
            }
            let escape = starts_text && header.len > 0 && needs_escape(payload);
            let opcode = if starts_text { OpCode::Text } else { header.opcode };
            let header = Header { opcode, len: header.len + u64::from(escape), ..header };
            let ends_unit = self.remaining == 0 && self.fin;
            return Ok(Some(BackendPiece::Head { head: FrameHead::new(&header, escape), ends_unit }));
        }
    }

    /// Payload of the current data frame.
    #[inline]
    fn payload<'b>(&mut self, input: &mut &'b [u8]) -> Option<BackendPiece<'b>> {
        if input.is_empty() {
            return None;
        }
        let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(len);
        *input = rest;
        self.remaining -= len as u64;
        Some(BackendPiece::Payload { bytes, ends_unit: self.remaining == 0 && self.fin })
    }

    fn control<'b>(
        &mut self,
        header: &Header,
        head: usize,
        input: &mut &'b [u8],
    ) -> Result<Option<BackendPiece<'b>>, FrameError> {
        let bytes = *input;
        let total = head + usize::try_from(header.len).unwrap_or(usize::MAX - head);
        let Some(payload) = bytes.get(head..total) else { return Ok(self.wait(input)) };
        *input = &bytes[total..];
        Ok(Some(match header.opcode {
            OpCode::Ping => BackendPiece::Ping(payload),
            OpCode::Close => {
                let close = undrop_frame::parse_close(payload)?;
                let (code, reason) =
                    close.map_or((None, String::new()), |(code, reason)| (Some(code), reason));
                BackendPiece::Close { code, reason }
            }
            _ => BackendPiece::Pong,
        }))
    }

    /// Keeps the rest of the input until more has come.
    #[cold]
    fn wait<'b>(&mut self, input: &mut &'b [u8]) -> Option<BackendPiece<'b>> {
        self.stash = input.to_vec();
        *input = &[];
        None
    }
}

/// Returns the message in one frame at the front of `bytes`, if all of it is there and it goes out as it is: the common
/// case.
#[inline(always)]
fn whole_unit<'b>(header: &Header, head: usize, bytes: &'b [u8]) -> Option<&'b [u8]> {
    if !header.fin || !matches!(header.opcode, OpCode::Text | OpCode::Binary) {
        return None;
    }
    let unit = bytes.get(..head.checked_add(usize::try_from(header.len).ok()?)?)?;
    if header.opcode == OpCode::Text && needs_escape(&unit[head..]) { None } else { Some(unit) }
}

#[cfg(test)]
mod tests;
