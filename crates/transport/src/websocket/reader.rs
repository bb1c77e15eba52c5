//! The reading half, which converts bytes of the stream to messages.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use undrop_frame::{CloseCode, Decoder, FrameError, Incoming, Message};

use super::Received;
use super::contexts::with_inflate;
use crate::Stream;

#[derive(Debug)]
pub(super) struct Reader {
    decoder: Decoder,
    /// The bytes of the last read after the message that was returned. Freed when they are used up.
    held: Vec<u8>,
    at: usize,
}

pub(super) enum ReadEvent {
    Received(Received),
    Close(Option<(CloseCode, String)>),
}

pub(super) enum ReadError {
    Frame(FrameError),
    Fin,
    Io(io::Error),
}

impl From<FrameError> for ReadError {
    fn from(error: FrameError) -> Self {
        ReadError::Frame(error)
    }
}

impl Reader {
    pub(super) fn new(decoder: Decoder, leftover: Vec<u8>) -> Reader {
        Reader { decoder, held: leftover, at: 0 }
    }

    /// Returns the next event. All bytes that were read are in `decoder` or `held` when this returns, so the caller may be
    /// dropped at any time.
    pub(super) fn poll(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ReadEvent, ReadError>> {
        loop {
            if !self.held.is_empty()
                && let Some(event) = self.next_held()?
            {
                return Poll::Ready(Ok(event));
            }
            if let Some(spare) = self.decoder.spare() {
                let mut read = ReadBuf::new(spare);
                ready!(Pin::new(&mut *stream).poll_read(cx, &mut read)).map_err(ReadError::Io)?;
                let n = read.filled().len();
                if n == 0 {
                    return Poll::Ready(Err(ReadError::Fin));
                }
                self.decoder.filled(n);
                if let Some(event) = decode(&mut self.decoder, &mut &mut [][..])? {
                    return Poll::Ready(Ok(event));
                }
                continue;
            }
            let Reader { decoder, held, .. } = self;
            let read = stream.poll_read_shared(cx, |mut chunk| {
                if chunk.is_empty() {
                    return Err(ReadError::Fin);
                }
                let event = decode(decoder, &mut chunk)?;
                held.extend_from_slice(chunk);
                Ok(event)
            });
            if let Some(event) = ready!(read).map_err(ReadError::Io)?? {
                return Poll::Ready(Ok(event));
            }
        }
    }

    fn next_held(&mut self) -> Result<Option<ReadEvent>, ReadError> {
        let mut input = self.held.get_mut(self.at..).unwrap_or_default();
        let event = decode(&mut self.decoder, &mut input)?;
        let left = input.len();
        self.at = self.held.len() - left;
        if left == 0 {
            self.held = Vec::new();
            self.at = 0;
        }
        Ok(event)
    }
}

fn decode(decoder: &mut Decoder, input: &mut &mut [u8]) -> Result<Option<ReadEvent>, ReadError> {
    with_inflate(decoder, |decoder| decoder.decode(input)?.map(own).transpose())
}

fn own(incoming: Incoming<'_>) -> Result<ReadEvent, ReadError> {
    let received = match incoming {
        Incoming::Text(payload) => {
            // The decoder has validated it; a second validation is cheap compared to the copy.
            Received::Message(Message::Text(payload.into_string().ok_or(FrameError::InvalidUtf8)?))
        }
        Incoming::Binary(payload) => Received::Message(Message::Binary(payload.into_vec())),
        Incoming::Ping(payload) => Received::Ping(payload.into_vec()),
        Incoming::Pong(payload) => Received::Pong(payload.into_vec()),
        Incoming::Close(close) => return Ok(ReadEvent::Close(close)),
    };
    Ok(ReadEvent::Received(received))
}
