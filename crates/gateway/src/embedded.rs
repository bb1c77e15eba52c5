//! The backend that a gateway without an upstream serves: `/echo` returns every message, `/broadcast` sends every
//! message to everybody there. It listens on a loopback port of its own, so the gateway reaches it like any other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::broadcast;
use tokio::time::Instant;
use undrop_frame::deflate::{Config, Deflater, Inflater};
use undrop_frame::handshake::{check_upgrade, response_101, response_plain};
use undrop_frame::{CloseCode, Decoder, Encoder, Incoming, Limits, Message, OpCode, Payload, Role};
use undrop_server::retire;
use undrop_transport::{ListenOptions, Listener, Stream, WsUrl, read_request};

/// Messages that a slow member of `/broadcast` may be behind before it is closed.
const BEHIND: usize = 1024;

/// Answers are written when this many bytes are ready, or when the input is used up.
const CORK: usize = 64 * 1024;

/// The listening socket of the embedded backend.
pub(crate) struct Embedded {
    listener: Listener,
    url: WsUrl,
}

impl Embedded {
    /// Takes a free loopback port. Needs a running runtime, that of the worker which will serve it.
    pub(crate) fn bind() -> io::Result<Embedded> {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), ListenOptions::default())?;
        let url = format!("ws://{}", listener.local_addr()?);
        Ok(Embedded { listener, url: url.parse().map_err(io::Error::other)? })
    }

    pub(crate) fn url(&self) -> WsUrl {
        self.url.clone()
    }

    /// Serves until dropped.
    pub(crate) async fn serve(self) {
        let room = broadcast::Sender::new(BEHIND);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(connection(Stream::from(stream), room.clone()))),
                Err(error) => return tracing::error!(%error, "the embedded backend stopped"),
            }
        }
    }
}

async fn connection(mut stream: Stream, room: broadcast::Sender<Arc<Message>>) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let Ok((head, leftover)) = read_request(&mut stream, 16 * 1024, deadline).await else { return };
    let path = head.target.split('?').next().unwrap_or_default();
    let mut socket = match (check_upgrade(&head), path) {
        (Ok(request), "/echo" | "/broadcast") => {
            let limits = Limits::default();
            let mut decoder = Decoder::new(Role::Server, limits);
            let mut encoder = Encoder::new(Role::Server);
            let config = Config::default();
            let agreed = request.extensions.as_deref().and_then(|offers| config.negotiate(offers));
            if let Some((params, _)) = agreed {
                decoder = decoder.with_deflate(Inflater::new(params, Role::Server, limits.message));
                encoder =
                    encoder.with_deflate(Deflater::new(params, Role::Server, config.threshold, config.level));
            }
            let extensions = agreed.as_ref().map(|(_, answer)| answer.as_str());
            let protocol = request.protocols.first().map(String::as_str);
            let answer = response_101(&request.key, protocol, extensions, &[]);
            Socket { stream, decoder, encoder, out: answer }
        }
        (Ok(_), _) => {
            let answer = response_plain(404, &[], "the embedded backend has /echo and /broadcast\n");
            return retire(stream, answer).await;
        }
        (Err(error), _) => {
            let answer = response_plain(error.status(), error.headers(), &format!("{error}\n"));
            return retire(stream, answer).await;
        }
    };
    let room = (path == "/broadcast").then_some(room);
    // An error means that the peer is gone: there is nobody to tell.
    if let Ok(()) = talk(&mut socket, leftover, room).await {
        retire(socket.stream, socket.out).await;
    }
}

struct Socket {
    stream: Stream,
    decoder: Decoder,
    encoder: Encoder,
    out: Vec<u8>,
}

/// Until one side closes; then the Close frame to send is in `out`.
async fn talk(
    socket: &mut Socket,
    mut first: Vec<u8>,
    room: Option<broadcast::Sender<Arc<Message>>>,
) -> io::Result<()> {
    let mut members = room.as_ref().map(broadcast::Sender::subscribe);
    let mut buffer = vec![0; 32 * 1024];
    if socket.take(&mut first, room.as_ref()).await? {
        return Ok(());
    }
    loop {
        socket.flush().await?;
        let news = async {
            match &mut members {
                Some(members) => members.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = socket.stream.read(&mut buffer) => {
                let n = read?;
                if n == 0 || socket.take(&mut buffer[..n], room.as_ref()).await? {
                    return Ok(());
                }
            }
            message = news => match message {
                Ok(message) => {
                    socket.encoder.message(message.opcode(), message.as_bytes(), [0; 4], &mut socket.out);
                }
                Err(_) => {
                    socket.encoder.close(Some(CloseCode::POLICY_VIOLATION), "too slow", [0; 4], &mut socket.out);
                    return Ok(());
                }
            },
        }
    }
}

impl Socket {
    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        self.stream.flush().await
    }

    /// Acts on what arrived; true when the connection is to be closed.
    async fn take(
        &mut self,
        bytes: &mut [u8],
        room: Option<&broadcast::Sender<Arc<Message>>>,
    ) -> io::Result<bool> {
        let mut rest = bytes;
        loop {
            match self.decoder.decode(&mut rest) {
                Ok(None) => return Ok(false),
                Ok(Some(Incoming::Text(payload))) => self.message(OpCode::Text, payload, room),
                Ok(Some(Incoming::Binary(payload))) => self.message(OpCode::Binary, payload, room),
                Ok(Some(Incoming::Ping(payload))) => {
                    self.encoder.control(OpCode::Pong, &payload, [0; 4], &mut self.out);
                }
                Ok(Some(Incoming::Pong(_))) => {}
                Ok(Some(Incoming::Close(close))) => {
                    self.encoder.close(close.map(|(code, _)| code), "", [0; 4], &mut self.out);
                    return Ok(true);
                }
                Err(error) => {
                    self.encoder.close(Some(error.close_code()), &error.to_string(), [0; 4], &mut self.out);
                    return Ok(true);
                }
            }
            if self.out.len() >= CORK {
                self.flush().await?;
            }
        }
    }

    fn message(
        &mut self,
        opcode: OpCode,
        payload: Payload<'_>,
        room: Option<&broadcast::Sender<Arc<Message>>>,
    ) {
        let Some(room) = room else { return self.encoder.message(opcode, &payload, [0; 4], &mut self.out) };
        let message = match opcode {
            OpCode::Text => Message::Text(payload.into_string().unwrap_or_default()),
            _ => Message::Binary(payload.into_vec()),
        };
        // Fails only when nobody listens, and we do.
        let _ = room.send(Arc::new(message));
    }
}
