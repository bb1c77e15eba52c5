//! One thread, one poll loop: the backend's connections and the load's.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::backend::Backend;
use crate::client::{Cell, Client};

/// Handshakes under way at a time: fewer than any of the listeners' backlogs.
const DIALS: usize = 64;
/// A client acks at the latest so long after it received something.
const ACK_DELAY: Duration = Duration::from_secs(1);
const LISTENER: usize = usize::MAX / 2;

enum Side {
    Backend(Backend),
    Client(Client),
}

struct Connection {
    stream: TcpStream,
    side: Side,
    out: Vec<u8>,
    written: usize,
}

/// The poll loop and everything it drives.
pub struct Driver {
    poll: Poll,
    events: Events,
    listeners: Vec<TcpListener>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
    /// Set by the first thing that must not happen in a cell.
    error: Option<String>,
    dialled: u64,
}

impl Driver {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            listeners: Vec::new(),
            connections: Vec::new(),
            free: Vec::new(),
            scratch: vec![0; 256 * 1024],
            error: None,
            dialled: u64::from(std::process::id()) << 32,
        })
    }

    /// Starts one more echo backend; its address is returned.
    pub fn listen(&mut self) -> io::Result<SocketAddr> {
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        self.poll.registry().register(
            &mut listener,
            Token(LISTENER + self.listeners.len()),
            Interest::READABLE,
        )?;
        self.listeners.push(listener);
        Ok(address)
    }

    /// Opens `count` connections; returns when all are open.
    pub fn open(&mut self, cell: &mut Cell, target: SocketAddr, count: usize) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut dialled = 0;
        loop {
            let open = self.clients().filter(|client| client.is_open()).count();
            if open == count {
                return Ok(());
            }
            while dialled < count && dialled - open < DIALS {
                self.dial(cell, target).map_err(|error| format!("cannot dial {target}: {error}"))?;
                dialled += 1;
            }
            self.turn(cell, Duration::from_millis(20), false);
            self.check()?;
            if Instant::now() > deadline {
                return Err(format!("only {open} of {count} connections were open after 30 s"));
            }
        }
    }

    /// Sends on every connection: `most` messages each, as far as the window allows.
    pub fn fill(&mut self, cell: &mut Cell, most: u64) {
        for at in 0..self.connections.len() {
            if let Some(Connection { side: Side::Client(client), out, .. }) = &mut self.connections[at] {
                client.fill(cell, most, out);
            }
            self.flush(at);
        }
    }

    /// Runs for so long; connections refill their windows when `refill` is set.
    pub fn run(
        &mut self,
        cell: &mut Cell,
        start: Instant,
        length: Duration,
        refill: bool,
    ) -> Result<(), String> {
        let end = Instant::now() + length;
        let mut ack_at = Instant::now() + ACK_DELAY;
        loop {
            let now = Instant::now();
            if now >= ack_at {
                self.ack();
                ack_at = now + ACK_DELAY;
            }
            if now >= end {
                return self.check();
            }
            cell.now = (now - start).as_nanos() as u64;
            self.turn_since(cell, Some(start), end.min(ack_at) - now, refill);
            self.check()?;
        }
    }

    /// Runs until no echo is awaited.
    pub fn settle(&mut self, cell: &mut Cell, start: Instant, limit: Duration) -> Result<(), String> {
        let end = Instant::now() + limit;
        while self.clients().any(|client| client.in_flight() > 0) {
            self.turn_since(cell, Some(start), Duration::from_millis(20), false);
            self.check()?;
            if Instant::now() > end {
                let missing: u64 = self.clients().map(Client::in_flight).sum();
                return Err(format!("{missing} echoes did not come within {limit:?}"));
            }
        }
        Ok(())
    }

    /// Closes every connection, politely for as long as that takes up to a second.
    pub fn close(&mut self, cell: &mut Cell) {
        for at in 0..self.connections.len() {
            if let Some(Connection { side: Side::Client(client), out, .. }) = &mut self.connections[at] {
                client.close(cell, out);
            }
            self.flush(at);
        }
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end && self.connections.iter().any(Option::is_some) {
            self.turn(cell, Duration::from_millis(20), false);
        }
        for at in 0..self.connections.len() {
            self.drop_connection(at);
        }
        self.error = None;
    }

    /// Acks on every session what it has received and not acked.
    fn ack(&mut self) {
        for at in 0..self.connections.len() {
            if let Some(Connection { side: Side::Client(client), out, .. }) = &mut self.connections[at] {
                client.ack(out);
                self.flush(at);
            }
        }
    }

    fn clients(&self) -> impl Iterator<Item = &Client> {
        self.connections.iter().filter_map(|connection| match connection {
            Some(Connection { side: Side::Client(client), .. }) => Some(client),
            _ => None,
        })
    }

    fn check(&self) -> Result<(), String> {
        self.error.clone().map_or(Ok(()), Err)
    }

    fn dial(&mut self, cell: &Cell, target: SocketAddr) -> io::Result<()> {
        let stream = TcpStream::connect(target)?;
        self.dialled += 1;
        let mut out = Vec::new();
        let client = Client::new(cell, self.dialled, &mut out);
        self.insert(stream, Side::Client(client), out)
    }

    fn insert(&mut self, mut stream: TcpStream, side: Side, out: Vec<u8>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let at = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
        self.connections[at] = Some(Connection { stream, side, out, written: 0 });
        Ok(())
    }

    fn turn(&mut self, cell: &mut Cell, wait: Duration, refill: bool) {
        self.turn_since(cell, None, wait, refill);
    }

    fn turn_since(&mut self, cell: &mut Cell, start: Option<Instant>, wait: Duration, refill: bool) {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                self.error = Some(format!("poll: {error}"))
            }
            _ => {}
        }
        for event in &events {
            let Token(at) = event.token();
            if at >= LISTENER {
                self.accept(at - LISTENER);
                continue;
            }
            if let Some(start) = start {
                cell.now = start.elapsed().as_nanos() as u64;
            }
            if event.is_readable() {
                self.read(at, cell, refill);
            }
            self.flush(at);
        }
        self.events = events;
    }

    fn accept(&mut self, listener: usize) {
        loop {
            match self.listeners[listener].accept() {
                Ok((stream, _)) => {
                    let backend = Side::Backend(Backend::default());
                    if let Err(error) = self.insert(stream, backend, Vec::new()) {
                        self.error = Some(format!("accept: {error}"));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    self.error = Some(format!("accept: {error}"));
                    return;
                }
            }
        }
    }

    fn read(&mut self, at: usize, cell: &mut Cell, refill: bool) {
        loop {
            let Some(connection) = &mut self.connections[at] else { return };
            let n = match connection.stream.read(&mut self.scratch) {
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    if let Side::Client(client) = &connection.side
                        && (client.in_flight() > 0 || !client.is_open() && !cell.stopping)
                    {
                        self.error.get_or_insert(format!("a connection was lost: {error}"));
                    }
                    return self.drop_connection(at);
                }
            };
            if n == 0 {
                if let Side::Client(client) = &connection.side
                    && !cell.stopping
                {
                    let when = if client.is_open() { "while in use" } else { "in the handshake" };
                    self.error.get_or_insert(format!("a connection was closed {when}"));
                }
                return self.drop_connection(at);
            }
            let input = &self.scratch[..n];
            let result = match &mut connection.side {
                Side::Backend(backend) => backend.read(input, &mut connection.out),
                Side::Client(client) => client.read(cell, input, refill, &mut connection.out),
            };
            if let Err(error) = result {
                self.error.get_or_insert(error);
                return self.drop_connection(at);
            }
            // Less than the buffer holds: the socket is empty, and the next byte brings a new event.
            if n < self.scratch.len() {
                return;
            }
            self.flush(at);
        }
    }

    fn flush(&mut self, at: usize) {
        let Some(connection) = &mut self.connections[at] else { return };
        while connection.written < connection.out.len() {
            match connection.stream.write(&connection.out[connection.written..]) {
                Ok(n) => connection.written += n,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return;
                }
                Err(error) => {
                    if matches!(connection.side, Side::Client(_)) {
                        self.error.get_or_insert(format!("cannot write: {error}"));
                    }
                    return self.drop_connection(at);
                }
            }
        }
        connection.out.clear();
        connection.written = 0;
        if let Side::Backend(backend) = &connection.side
            && backend.is_closing()
        {
            let _ = connection.stream.shutdown(Shutdown::Write);
        }
    }

    /// Drops without leaving a closed port waiting behind: thousands of them would use up the local ports.
    fn drop_connection(&mut self, at: usize) {
        if let Some(connection) = self.connections[at].take() {
            let _ = SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO));
            self.free.push(at);
        }
    }
}
