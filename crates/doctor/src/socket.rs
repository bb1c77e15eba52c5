//! The client side of a WebSocket with control over single frames: unsolicited Pongs, unanswered Pings, endless messages.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use undrop_frame::deflate::{Config, Deflater, Inflater, Params};
use undrop_frame::{CloseCode, Decoder, Encoder, Header, Incoming, Limits, OpCode, Role, mask};
use undrop_transport::{Ending, Stream, ending_of, tcp_info};

/// The maximum size of a received message in bytes.
const LIMIT: u64 = 20 << 20;

/// The maximum number of bytes that wait for the socket; further automatic Pongs are omitted.
const PENDING: usize = 64 << 10;

/// A received frame or message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReceivedFrame {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping,
    Pong(Vec<u8>),
}

impl ReceivedFrame {
    /// Returns the payload of a message.
    pub(crate) fn message(&self) -> Option<&[u8]> {
        match self {
            ReceivedFrame::Text(payload) | ReceivedFrame::Binary(payload) => Some(payload),
            ReceivedFrame::Ping | ReceivedFrame::Pong(_) => None,
        }
    }
}

/// A WebSocket connection. [`recv`](Self::recv) also writes the output that is waiting.
pub(crate) struct FrameSocket {
    stream: Stream,
    decoder: Decoder,
    encoder: Encoder,
    /// Received bytes; those from `at` on are not decoded yet.
    held: Vec<u8>,
    at: usize,
    /// The output; the bytes from `written` on are not written yet.
    out: Vec<u8>,
    written: usize,
    /// Whether Pings are answered.
    pub(crate) answers_pings: bool,
    /// Whether a write failed with a reset.
    reset: bool,
}

impl FrameSocket {
    /// Creates a connection. `leftover`: the bytes that were received after the handshake.
    pub(crate) fn new(stream: Stream, leftover: Vec<u8>, deflate: Option<Params>) -> FrameSocket {
        let limits = Limits { frame: LIMIT, message: LIMIT };
        let mut decoder = Decoder::new(Role::Client, limits);
        let mut encoder = Encoder::new(Role::Client);
        if let Some(params) = deflate {
            // Everything is compressed, so that small messages show what large ones would.
            let config = Config::default();
            decoder = decoder.with_deflate(Inflater::new(params, Role::Client, limits.message));
            encoder = encoder.with_deflate(Deflater::new(params, Role::Client, 0, config.level));
        }
        FrameSocket {
            stream,
            decoder,
            encoder,
            held: leftover,
            at: 0,
            out: Vec::new(),
            written: 0,
            answers_pings: true,
            reset: false,
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.encoder.message(OpCode::Text, text.as_bytes(), key(), &mut self.out);
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.encoder.control(OpCode::Ping, payload, key(), &mut self.out);
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        self.encoder.control(OpCode::Pong, payload, key(), &mut self.out);
    }

    pub(crate) fn close(&mut self, code: CloseCode) {
        self.encoder.close(Some(code), "", key(), &mut self.out);
    }

    /// Queues a frame of an endless binary message: data to which no server can reply.
    pub(crate) fn fragment(&mut self, first: bool) {
        let key = key();
        let opcode = if first { OpCode::Binary } else { OpCode::Continuation };
        let header = Header { fin: false, rsv1: false, opcode, mask: Some(key), len: 1 };
        let mut head = [0; Header::MAX_LEN];
        let len = header.encode(&mut head);
        let mut payload = *b".";
        mask(&mut payload, key, 0);
        self.out.extend_from_slice(&head[..len]);
        self.out.extend_from_slice(&payload);
    }

    /// Receives the next frame or message, or how the connection ended. Cancel-safe.
    pub(crate) async fn recv(&mut self) -> Result<ReceivedFrame, Ending> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    #[cfg(test)]
    /// Writes the waiting output. [`recv`](Self::recv) reports a failure after the data of the peer. Cancel-safe.
    pub(crate) async fn flush(&mut self) {
        poll_fn(|cx| self.poll_write(cx)).await;
    }

    /// Returns whether the kernel of the peer acknowledged all data; `None` if that is not known.
    pub(crate) fn acked(&self) -> Option<bool> {
        let info = tcp_info(self.stream.tcp()?).ok()?;
        Some(info.unacked == 0 && self.written == self.out.len())
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<ReceivedFrame, Ending>> {
        loop {
            if let Some(frame) = self.decode()? {
                // The reply to a Ping is sent at once.
                let _ = self.poll_write(cx);
                return Poll::Ready(Ok(frame));
            }
            let _ = self.poll_write(cx);
            let held = &mut self.held;
            let read = ready!(self.stream.poll_read_shared(cx, |bytes| {
                held.extend_from_slice(bytes);
                bytes.len()
            }));
            match read {
                Ok(0) if self.reset => return Poll::Ready(Err(Ending::Reset)),
                Ok(0) => return Poll::Ready(Err(Ending::Fin)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(ending_of(&error))),
            }
        }
    }

    fn decode(&mut self) -> Result<Option<ReceivedFrame>, Ending> {
        let mut input = self.held.get_mut(self.at..).unwrap_or_default();
        let before = input.len();
        let decoded = self.decoder.decode(&mut input).map_err(Ending::from)?;
        let frame = match decoded {
            Some(Incoming::Text(payload)) => Some(ReceivedFrame::Text(payload.into_vec())),
            Some(Incoming::Binary(payload)) => Some(ReceivedFrame::Binary(payload.into_vec())),
            Some(Incoming::Pong(payload)) => Some(ReceivedFrame::Pong(payload.into_vec())),
            Some(Incoming::Ping(payload)) => {
                if self.answers_pings && self.out.len() - self.written < PENDING {
                    let payload = payload.into_vec();
                    self.encoder.control(OpCode::Pong, &payload, key(), &mut self.out);
                }
                Some(ReceivedFrame::Ping)
            }
            Some(Incoming::Close(close)) => {
                let (code, reason) = close.unwrap_or((CloseCode::NO_STATUS, String::new()));
                return Err(Ending::Close { code, reason });
            }
            None => None,
        };
        self.at += before - input.len();
        if self.at == self.held.len() {
            self.held.clear();
            self.at = 0;
        }
        Ok(frame)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.written < self.out.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out[self.written..])) {
                Ok(0) => return self.give_up(&io::ErrorKind::WriteZero.into()),
                Ok(n) => self.written += n,
                Err(error) => return self.give_up(&error),
            }
        }
        self.out.clear();
        self.written = 0;
        // TLS may buffer data.
        match ready!(Pin::new(&mut self.stream).poll_flush(cx)) {
            Ok(()) => Poll::Ready(()),
            Err(error) => self.give_up(&error),
        }
    }

    fn give_up(&mut self, error: &io::Error) -> Poll<()> {
        self.reset |= ending_of(error) == Ending::Reset;
        self.out.clear();
        self.written = 0;
        Poll::Ready(())
    }
}

/// Returns a masking key. It need not be unpredictable, since this program chooses all payloads itself.
fn key() -> [u8; 4] {
    fastrand::u32(..).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Encodes frames of a server.
    fn served(build: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        build(&mut Encoder::new(Role::Server), &mut out);
        out
    }

    #[tokio::test]
    async fn messages_pings_and_the_close_of_a_server() {
        let (near, mut far) = duplex(1 << 16);
        let mut socket = FrameSocket::new(near.into(), Vec::new(), None);
        let bytes = served(|encoder, out| {
            encoder.message(OpCode::Text, b"hello", [0; 4], out);
            encoder.control(OpCode::Ping, b"p", [0; 4], out);
            encoder.close(Some(CloseCode::new(4001)), "why", [0; 4], out);
        });
        // The bytes arrive in two pieces that are split within a frame.
        far.write_all(&bytes[..4]).await.unwrap();
        let rest = bytes[4..].to_vec();
        let (first, ()) = tokio::join!(socket.recv(), async {
            tokio::task::yield_now().await;
            far.write_all(&rest).await.unwrap();
        });
        assert_eq!(first, Ok(ReceivedFrame::Text(b"hello".to_vec())));
        assert_eq!(socket.recv().await, Ok(ReceivedFrame::Ping));
        assert_eq!(
            socket.recv().await,
            Err(Ending::Close { code: CloseCode::new(4001), reason: "why".to_owned() })
        );
        let mut pong = [0; 7];
        far.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong[0], 0x8a);
    }

    #[tokio::test]
    async fn a_ping_is_left_unanswered_on_purpose() {
        let (near, mut far) = duplex(1 << 16);
        let mut socket = FrameSocket::new(near.into(), Vec::new(), None);
        socket.answers_pings = false;
        far.write_all(&served(|encoder, out| encoder.control(OpCode::Ping, b"p", [0; 4], out)))
            .await
            .unwrap();
        assert_eq!(socket.recv().await, Ok(ReceivedFrame::Ping));
        socket.pong(b"other");
        socket.flush().await;
        let mut read = [0; 32];
        let n = far.read(&mut read).await.unwrap();
        assert_eq!((n, read[0], read[1]), (2 + 4 + 5, 0x8a, 0x85));
    }

    #[tokio::test]
    async fn fragments_are_frames_of_one_message_without_end() {
        let (near, mut far) = duplex(1 << 16);
        let mut socket = FrameSocket::new(near.into(), Vec::new(), None);
        socket.fragment(true);
        socket.fragment(false);
        socket.flush().await;
        let mut bytes = vec![0; 14];
        far.read_exact(&mut bytes).await.unwrap();
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        assert!(decoder.decode(&mut bytes.as_mut_slice()).unwrap().is_none());
        assert_eq!((bytes[0], bytes[7]), (0x02, 0x00));
    }

    #[tokio::test]
    async fn endings_are_distinguished() {
        let (near, far) = duplex(64);
        drop(far);
        assert_eq!(FrameSocket::new(near.into(), Vec::new(), None).recv().await, Err(Ending::Fin));
        let (near, mut far) = duplex(64);
        far.write_all(&[0xff, 0]).await.unwrap();
        let end = FrameSocket::new(near.into(), Vec::new(), None).recv().await.unwrap_err();
        assert!(matches!(end, Ending::ProtocolError(_)), "{end}");
    }
}
