//! One end of a WebSocket connection, written by hand so that it may break every rule.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use undrop_frame::handshake::{Headers, ResponseHead, parse_response, request};
use undrop_frame::{CloseCode, Decoder, Encoder, Header, Incoming, Limits, OpCode, Role, mask};
use undrop_transport::Stream;

use super::soon;

pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A message or the end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// 1005: without a code.
    Close(u16, String),
    Fin,
    Reset,
    /// Bytes that are not a WebSocket frame.
    Broken(String),
}

impl Got {
    pub fn text(text: &str) -> Got {
        Got::Text(text.to_owned())
    }
}

pub struct Peer {
    pub reader: Reader,
    pub writer: WriteHalf<Stream>,
    pub role: Role,
    /// The answer to the handshake, on a client.
    pub head: Option<ResponseHead>,
}

pub struct Reader {
    read: ReadHalf<Stream>,
    decoder: Decoder,
    buffer: Vec<u8>,
    at: usize,
    chunk: Vec<u8>,
}

impl Peer {
    pub fn new(stream: Stream, role: Role, leftover: Vec<u8>) -> Peer {
        let (read, writer) = split(stream);
        let reader = Reader {
            read,
            decoder: Decoder::new(role, Limits::default()),
            buffer: leftover,
            at: 0,
            chunk: Vec::new(),
        };
        Peer { reader, writer, role, head: None }
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        soon(self.writer.write_all(bytes)).await.unwrap();
        soon(self.writer.flush()).await.unwrap();
    }

    pub async fn try_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.writer.write_all(bytes).await?;
        self.writer.flush().await
    }

    pub async fn try_send(&mut self, opcode: OpCode, payload: &[u8]) -> std::io::Result<()> {
        let bytes = encode(self.role, opcode, payload);
        self.writer.write_all(&bytes).await?;
        self.writer.flush().await
    }

    pub async fn try_close(&mut self, code: u16, reason: &str) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        Encoder::new(self.role).close(Some(CloseCode::new(code)), reason, [9; 4], &mut bytes);
        self.writer.write_all(&bytes).await?;
        self.writer.flush().await
    }

    pub async fn send(&mut self, opcode: OpCode, payload: &[u8]) {
        soon(self.try_send(opcode, payload)).await.unwrap();
    }

    pub async fn text(&mut self, text: &str) {
        self.send(OpCode::Text, text.as_bytes()).await;
    }

    pub async fn close(&mut self, code: u16, reason: &str) {
        soon(self.try_close(code, reason)).await.unwrap();
    }

    /// The next thing that comes.
    pub async fn next(&mut self) -> Got {
        soon(self.reader.next()).await
    }

    /// Returns the next event other than a Ping or a Pong.
    pub async fn data(&mut self) -> Got {
        loop {
            match self.next().await {
                Got::Ping(_) | Got::Pong(_) => {}
                got => return got,
            }
        }
    }

    /// Returns how the connection ends, and skips everything before.
    pub async fn ending(&mut self) -> Got {
        loop {
            match self.next().await {
                Got::Text(_) | Got::Binary(_) | Got::Ping(_) | Got::Pong(_) => {}
                ending => return ending,
            }
        }
    }

    /// Ends with a RST.
    pub fn cut(self) {
        match self.into_stream() {
            Stream::Tcp(tcp) => undrop_transport::reset(tcp).unwrap(),
            other => panic!("{other:?} cannot be reset"),
        }
    }

    /// Ends with a FIN; nothing more can be read.
    pub fn fin(self) {
        drop(self.into_stream());
    }

    pub fn into_stream(self) -> Stream {
        self.reader.read.unsplit(self.writer)
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.as_ref()?.headers.get_str(name)
    }
}

impl Reader {
    /// The bytes that were received but not decoded yet.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    pub async fn next(&mut self) -> Got {
        loop {
            let mut input = &mut self.buffer[self.at..];
            let got = match self.decoder.decode(&mut input) {
                Ok(None) => None,
                Ok(Some(Incoming::Text(text))) => Some(Got::Text(String::from_utf8(text.to_vec()).unwrap())),
                Ok(Some(Incoming::Binary(bytes))) => Some(Got::Binary(bytes.to_vec())),
                Ok(Some(Incoming::Ping(payload))) => Some(Got::Ping(payload.to_vec())),
                Ok(Some(Incoming::Pong(payload))) => Some(Got::Pong(payload.to_vec())),
                Ok(Some(Incoming::Close(None))) => Some(Got::Close(1005, String::new())),
                Ok(Some(Incoming::Close(Some((code, reason))))) => Some(Got::Close(code.get(), reason)),
                Err(error) => Some(Got::Broken(error.to_string())),
            };
            let left = input.len();
            self.at = self.buffer.len() - left;
            if let Some(got) = got {
                return got;
            }
            // Cancel-safe: nothing is touched before something came.
            self.chunk.resize(64 * 1024, 0);
            let read = self.read.read(&mut self.chunk).await;
            self.buffer.clear();
            self.at = 0;
            match read {
                Ok(0) => return Got::Fin,
                Ok(n) => self.buffer.extend_from_slice(&self.chunk[..n]),
                Err(_) => return Got::Reset,
            }
        }
    }
}

/// One frame with a whole message, masked as the role has to.
pub fn encode(role: Role, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(role).plain(opcode, payload, [1, 2, 3, 4], &mut bytes);
    bytes
}

/// Any frame of a client.
pub fn masked(fin: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let key = [9, 8, 7, 6];
    let mut head = [0; Header::MAX_LEN];
    let header = Header { fin, rsv1: false, opcode, mask: Some(key), len: payload.len() as u64 };
    let len = header.encode(&mut head);
    let mut bytes = [&head[..len], payload].concat();
    mask(&mut bytes[len..], key, 0);
    bytes
}

/// Connects a client. The error contains the status, and the head with the body after it.
pub async fn connect(
    address: SocketAddr,
    target: &str,
    protocols: &[String],
    headers: &[(&str, &str)],
) -> Result<Peer, (u16, String)> {
    let stream = soon(TcpStream::connect(address)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    upgrade(Stream::from(stream), target, protocols, headers, &[]).await
}

/// Performs the opening handshake on a stream, with bytes directly after it.
pub async fn upgrade(
    mut stream: Stream,
    target: &str,
    protocols: &[String],
    headers: &[(&str, &str)],
    behind: &[u8],
) -> Result<Peer, (u16, String)> {
    let mut extra = Headers::new();
    let mut extensions = None;
    for (name, value) in headers {
        match *name {
            "Sec-WebSocket-Extensions" => extensions = Some(*value),
            name => extra.append(name, *value),
        }
    }
    let mut bytes = request("gate.example", target, KEY, protocols, extensions, &extra);
    bytes.extend_from_slice(behind);
    soon(stream.write_all(&bytes)).await.unwrap();
    soon(stream.flush()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let n = soon(stream.read(&mut chunk)).await.unwrap_or(0);
        answer.extend_from_slice(&chunk[..n]);
        match parse_response(&answer, 64 * 1024).expect("HTTP") {
            None => assert_ne!(n, 0, "no answer: {}", String::from_utf8_lossy(&answer)),
            Some((head, len)) if head.status == 101 => {
                let mut peer = Peer::new(stream, Role::Client, answer[len..].to_vec());
                peer.head = Some(head);
                return Ok(peer);
            }
            Some((head, _)) => {
                let _ = soon(stream.read_to_end(&mut answer)).await;
                return Err((head.status, String::from_utf8_lossy(&answer).into_owned()));
            }
        }
    }
}
