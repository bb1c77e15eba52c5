//! The poll loop and the connections it serves.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use gateway_load::backend::Backend;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use socket2::{Domain, SockRef, Socket, Type};

/// Token of the wake-up for a question on standard input.
pub const WAKER: Token = Token(usize::MAX - 2);
const LISTENER: Token = Token(usize::MAX - 1);
/// Echoes that may wait for a client which does not read: above it, the server does not read either.
const WAITING: usize = 1 << 20;

/// The way in which the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Fin,
    Rst,
}

struct Connection {
    number: u64,
    stream: TcpStream,
    backend: Backend,
    out: Vec<u8>,
    written: usize,
    open: bool,
    /// Our FIN is out: nothing more is echoed.
    ended: bool,
    /// Reading was put off until echoes are written.
    unread: bool,
}

/// An echo server that counts.
pub struct Server {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// When to end which connection; all have the same time to live, so the first is next.
    cuts: VecDeque<(Instant, usize, u64)>,
    cut: Option<(Cut, Duration)>,
    scratch: Vec<u8>,
    began: Instant,
    open: u64,
    opened: u64,
    accepted: u64,
    messages: u64,
}

impl Server {
    /// A server on a free port of the loopback interface.
    pub fn new(cut: Option<(Cut, Duration)>) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(4096)?;
        socket.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            cuts: VecDeque::new(),
            cut,
            scratch: vec![0; 64 * 1024],
            began: Instant::now(),
            open: 0,
            opened: 0,
            accepted: 0,
            messages: 0,
        })
    }

    /// Waits for events once, and handles them.
    pub fn turn(&mut self) -> io::Result<()> {
        let wait = self.cuts.front().map(|(at, ..)| at.saturating_duration_since(Instant::now()));
        if let Err(error) = self.poll.poll(&mut self.events, wait)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error);
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            match event.token() {
                WAKER => {}
                LISTENER => self.accept()?,
                Token(at) => {
                    if event.is_writable() {
                        self.flush(at);
                    }
                    if event.is_readable() {
                        self.read(at);
                    }
                }
            }
        }
        self.events = events;
        self.cut_what_is_due();
        Ok(())
    }

    /// The counts so far, as one line of JSON.
    pub fn counts(&self) -> String {
        let Self { open, opened, messages, .. } = self;
        let seconds = self.began.elapsed().as_secs_f64();
        format!("{{\"seconds\":{seconds:.6},\"open\":{open},\"opened\":{opened},\"messages\":{messages}}}")
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or(self.connections.len());
            self.poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
            self.accepted += 1;
            let connection = Connection {
                number: self.accepted,
                stream,
                backend: Backend::default(),
                out: Vec::new(),
                written: 0,
                open: false,
                ended: false,
                unread: false,
            };
            match self.connections.get_mut(at) {
                Some(place) => *place = Some(connection),
                None => self.connections.push(Some(connection)),
            }
        }
    }

    fn read(&mut self, at: usize) {
        loop {
            let Some(Some(connection)) = self.connections.get_mut(at) else { return };
            connection.unread = connection.out.len() - connection.written > WAITING;
            if connection.unread {
                return;
            }
            let n = match connection.stream.read(&mut self.scratch) {
                Ok(0) => return self.remove(at),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.remove(at),
            };
            if connection.ended {
                continue;
            }
            let before = connection.backend.messages();
            if connection.backend.read(&self.scratch[..n], &mut connection.out).is_err() {
                return self.remove(at);
            }
            self.messages += connection.backend.messages() - before;
            if !connection.open && connection.backend.is_open() {
                connection.open = true;
                self.open += 1;
                self.opened += 1;
                if let Some((_, after)) = self.cut {
                    self.cuts.push_back((Instant::now() + after, at, connection.number));
                }
            }
            // Less than the buffer holds: the socket is empty, and the next byte brings a new event.
            let empty = n < self.scratch.len();
            self.flush(at);
            if empty {
                return;
            }
        }
    }

    fn flush(&mut self, at: usize) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        while connection.written < connection.out.len() {
            match connection.stream.write(&connection.out[connection.written..]) {
                Ok(n) => connection.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.remove(at),
            }
        }
        connection.out.clear();
        connection.written = 0;
        if connection.backend.is_closing() {
            // The answer to a Close frame was all that was left to say.
            let _ = connection.stream.shutdown(Shutdown::Write);
        }
        if connection.unread {
            self.read(at);
        }
    }

    fn cut_what_is_due(&mut self) {
        let Some((how, _)) = self.cut else { return };
        let now = Instant::now();
        while let Some((_, at, number)) = self.cuts.pop_front_if(|(due, ..)| *due <= now) {
            let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
            if connection.number != number {
                continue;
            }
            match how {
                Cut::Fin => {
                    connection.ended = true;
                    connection.out.clear();
                    connection.written = 0;
                    if connection.stream.shutdown(Shutdown::Write).is_err() {
                        self.remove(at);
                    }
                }
                Cut::Rst => {
                    if SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO)).is_ok() {
                        self.remove(at);
                    }
                }
            }
        }
    }

    fn remove(&mut self, at: usize) {
        if let Some(connection) = self.connections.get_mut(at).and_then(Option::take) {
            self.open -= u64::from(connection.open);
            self.free.push(at);
        }
    }
}
