//! Messages as applications see them, and as the decoder hands them out.

use std::ops::{Deref, DerefMut};

use crate::{CloseCode, OpCode};

/// An owned application message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A message of UTF-8 text.
    Text(String),
    /// A message of arbitrary bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Returns the opcode, [`OpCode::Text`] or [`OpCode::Binary`].
    pub fn opcode(&self) -> OpCode {
        match self {
            Self::Text(_) => OpCode::Text,
            Self::Binary(_) => OpCode::Binary,
        }
    }

    /// Returns the payload as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the payload length, in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// The payload as owned bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

/// Unmasked payload bytes, either in the caller's read buffer or in separate memory.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'b> {
    /// In the buffer that was given to the decoder.
    Lent(&'b mut [u8]),
    /// Put together from several reads or frames, or decompressed.
    Owned(Vec<u8>),
}

impl Payload<'_> {
    /// Returns the bytes as a vector; copies them only if they were lent.
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Lent(bytes) => bytes.to_vec(),
            Self::Owned(bytes) => bytes,
        }
    }

    /// The bytes as text; `None` when they are not UTF-8. That of [`Incoming::Text`] always is; the bytes are
    /// looked at again all the same, which keeps this crate free of `unsafe`.
    pub fn as_str(&self) -> Option<&str> {
        simdutf8::basic::from_utf8(self).ok()
    }

    /// [`into_vec`](Self::into_vec) as text; `None` when the bytes are not UTF-8.
    pub fn into_string(self) -> Option<String> {
        String::from_utf8(self.into_vec()).ok()
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl DerefMut for Payload<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Payload<'_> {
    #[inline(always)]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A whole message or a control frame from the decoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'b> {
    /// A text message; the payload is valid UTF-8.
    Text(Payload<'b>),
    /// A message of arbitrary bytes.
    Binary(Payload<'b>),
    /// A Ping with at most 125 bytes of payload, which needs a Pong with the same payload in reply (RFC 6455 §5.5.2).
    Ping(Payload<'b>),
    /// A Pong with at most 125 bytes of payload.
    Pong(Payload<'b>),
    /// A Close frame, with code and reason if it has them. Everything after it is ignored.
    Close(Option<(CloseCode, String)>),
}

impl Incoming<'_> {
    /// Converts this to an owned message; a control frame is returned as the error.
    pub fn into_message(self) -> Result<Message, Self> {
        match self {
            Self::Text(payload) => match String::from_utf8(payload.into_vec()) {
                Ok(text) => Ok(Message::Text(text)),
                Err(error) => Err(Self::Text(Payload::Owned(error.into_bytes()))),
            },
            Self::Binary(payload) => Ok(Message::Binary(payload.into_vec())),
            other => Err(other),
        }
    }
}
