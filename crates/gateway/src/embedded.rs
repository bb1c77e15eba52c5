//! The backend of a gateway without an upstream: `/echo` returns every message, `/broadcast` sends every message to all
//! of its clients. It listens on a separate loopback port, and the gateway connects to it as to any other backend.

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

/// The maximum number of messages that a client of `/broadcast` may lag behind before it is closed.
const MAX_LAG: usize = 1024;

/// The size of the output in bytes at which it is written before all input is processed.
const WRITE_THRESHOLD: usize = 64 * 1024;

/// The listening socket of the embedded backend.
pub(crate) struct Embedded {
    listener: Listener,
    url: WsUrl,
}

impl Embedded {
    /// Listens on a free loopback port. Must be called in the runtime of the worker that serves it.
    pub(crate) fn bind() -> io::Result<Embedded> {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), ListenOptions::default())?;
        let url = format!("ws://{}", listener.local_addr()?);
        Ok(Embedded { listener, url: url.parse().map_err(io::Error::other)? })
    }

    pub(crate) fn url(&self) -> WsUrl {
        self.url.clone()
    }

    /// Serves connections until the future is dropped.
    pub(crate) async fn serve(self) {
        let room = broadcast::Sender::new(MAX_LAG);
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
            let extensions = agreed.as_ref().map(|(_, response)| response.as_str());
            let protocol = request.protocols.first().map(String::as_str);
            let response = response_101(&request.key, protocol, extensions, &[]);
            Socket { stream, decoder, encoder, out: response }
        }
        (Ok(_), _) => {
            let response = response_plain(404, &[], "the embedded backend serves /echo and /broadcast\n");
            return retire(stream, response).await;
        }
        (Err(error), _) => {
            let response = response_plain(error.status(), error.headers(), &format!("{error}\n"));
            return retire(stream, response).await;
        }
    };
    let room = (path == "/broadcast").then_some(room);
    // After an error there is no connection to close.
    if let Ok(()) = exchange(&mut socket, leftover, room).await {
        retire(socket.stream, socket.out).await;
    }
}

struct Socket {
    stream: Stream,
    decoder: Decoder,
    encoder: Encoder,
    out: Vec<u8>,
}

/// Exchanges messages until one side closes. The Close frame to send is then in `out`.
async fn exchange(
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
        let broadcasted = async {
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
            message = broadcasted => match message {
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

    /// Processes received bytes. Returns `true` if the connection is to be closed.
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
            if self.out.len() >= WRITE_THRESHOLD {
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
        // Cannot fail: this connection is subscribed itself.
        let _ = room.send(Arc::new(message));
    }
}
