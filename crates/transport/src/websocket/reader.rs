//! The reading half: bytes of the stream to messages.

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
    /// What a read brought beyond the message that was handed out; freed when used up. At most one read.
    held: Vec<u8>,
    at: usize,
}

pub(super) enum Event {
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

    /// The next event. Everything read is in `decoder` or `held` when this returns, so it may be dropped at any time.
    pub(super) fn poll(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Event, ReadError>> {
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

    fn next_held(&mut self) -> Result<Option<Event>, ReadError> {
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

fn decode(decoder: &mut Decoder, input: &mut &mut [u8]) -> Result<Option<Event>, ReadError> {
    with_inflate(decoder, |decoder| decoder.decode(input)?.map(own).transpose())
}

fn own(incoming: Incoming<'_>) -> Result<Event, ReadError> {
    let received = match incoming {
        Incoming::Text(payload) => {
            // The decoder has checked it; a second look is cheap next to the copy.
            Received::Message(Message::Text(payload.into_string().ok_or(FrameError::InvalidUtf8)?))
        }
        Incoming::Binary(payload) => Received::Message(Message::Binary(payload.into_vec())),
        Incoming::Ping(payload) => Received::Ping(payload.into_vec()),
        Incoming::Pong(payload) => Received::Pong(payload.into_vec()),
        Incoming::Close(close) => return Ok(Event::Close(close)),
    };
    Ok(Event::Received(received))
}
