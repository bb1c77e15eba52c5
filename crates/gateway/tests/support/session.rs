//! A session client by hand: it keeps the numbers and nothing else, so that a test decides what is said when.

use std::collections::VecDeque;
use std::net::SocketAddr;

use undrop_frame::OpCode;
use undrop_session::{Hello, Lost, Packet, Resumed, SessionId, SessionKey, Started, escape, offer};

use super::peer::{Got, Peer, connect};
use super::{Gate, soon};

/// A message, a packet or the end of a session link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum In {
    /// A data message that is new.
    Data(OpCode, Vec<u8>),
    Packet(Packet),
    /// The link ended in this way.
    End(Got),
}

pub struct Session {
    pub gate: SocketAddr,
    pub target: String,
    pub headers: Vec<(&'static str, &'static str)>,
    pub sid: SessionId,
    pub key: SessionKey,
    /// The number of the newest attempt.
    pub n: u64,
    /// The number of the last unit that was taken.
    pub rx: u64,
    /// Number of the next unit on this link.
    pub next: u64,
    /// All units ever sent; the first has the number 1.
    pub sent: Vec<(OpCode, Vec<u8>)>,
    /// Highest unit of ours that the gateway acked.
    pub acked: u64,
    pub link: Option<Peer>,
    /// Data that came while something else was waited for.
    inbox: VecDeque<(OpCode, Vec<u8>)>,
}

/// The answer to a hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Started(Started),
    Resumed(Resumed),
    Lost(Lost),
    /// `m`, then a Close with this code.
    Stale(u16),
}

pub fn first(cid: &str, n: u64) -> Hello {
    Hello::First { cid: cid.to_owned(), n }
}

/// Says hello and reads the answer.
pub async fn hello(
    gate: SocketAddr,
    target: &str,
    hello: Hello,
    headers: &[(&str, &str)],
) -> Result<(Answer, Peer), (u16, String)> {
    let mut peer = connect(gate, target, &offer(&[], &hello), headers).await?;
    assert_eq!(peer.header("Sec-WebSocket-Protocol"), Some("undrop.1"));
    let answer = match packet(&peer.next().await) {
        Some(Packet::Started(started)) => Answer::Started(started),
        Some(Packet::Resumed(resumed)) => Answer::Resumed(resumed),
        Some(Packet::Lost(lost)) => Answer::Lost(lost),
        Some(Packet::Moved) => match peer.next().await {
            Got::Close(code, _) => Answer::Stale(code),
            other => panic!("behind m: {other:?}"),
        },
        other => panic!("the first packet is {other:?}"),
    };
    Ok((answer, peer))
}

/// The control packet in a message, if it is one.
pub fn packet(got: &Got) -> Option<Packet> {
    let Got::Text(text) = got else { return None };
    let body = text.strip_prefix('\u{1f}')?;
    if body.starts_with('\u{1f}') {
        return None;
    }
    Some(Packet::parse(body).expect("a valid packet"))
}

impl Session {
    pub fn new(gate: SocketAddr, target: &str, started: &Started, link: Peer) -> Session {
        Session {
            gate,
            target: target.to_owned(),
            headers: Vec::new(),
            sid: started.sid.clone(),
            key: started.key.clone(),
            n: started.att,
            rx: 0,
            next: 1,
            sent: Vec::new(),
            acked: 0,
            link: Some(link),
            inbox: VecDeque::new(),
        }
    }

    pub async fn open(gate: &Gate) -> Session {
        Session::open_at(gate.address, "/").await
    }

    pub async fn open_at(gate: SocketAddr, target: &str) -> Session {
        let cid = format!("{:032x}", fastrand::u128(..));
        match hello(gate, target, first(&cid, 1), &[]).await {
            Ok((Answer::Started(started), link)) => Session::new(gate, target, &started, link),
            Ok((other, _)) => panic!("{other:?}"),
            Err(refused) => panic!("{refused:?}"),
        }
    }

    pub fn link(&mut self) -> &mut Peer {
        self.link.as_mut().expect("a link")
    }

    pub async fn text(&mut self, text: &str) {
        self.unit(OpCode::Text, text.as_bytes()).await;
    }

    /// Sends a data unit.
    pub async fn unit(&mut self, opcode: OpCode, payload: &[u8]) {
        self.sent.push((opcode, payload.to_vec()));
        self.write(opcode, payload).await;
    }

    async fn write(&mut self, opcode: OpCode, payload: &[u8]) {
        let bytes = if opcode == OpCode::Text { escape(payload) } else { payload.into() };
        self.link().send(opcode, &bytes).await;
    }

    pub async fn packet(&mut self, packet: &Packet) {
        let text = packet.encode();
        self.link().send(OpCode::Text, text.as_bytes()).await;
    }

    /// Acks everything taken so far.
    pub async fn ack(&mut self) {
        let rx = self.rx;
        self.packet(&Packet::Ack(rx)).await;
    }

    /// The next thing on the link. Units that were taken before are passed over; new ones count as taken. Pings are
    /// answered.
    pub async fn next(&mut self) -> In {
        loop {
            let got = soon(self.link().reader.next()).await;
            if let Some(packet) = packet(&got) {
                match &packet {
                    Packet::Ack(number) => self.acked = *number,
                    Packet::Close(_) => self.count(),
                    Packet::Gap(gap) => {
                        self.next = gap.to + 1;
                        self.rx = gap.to;
                    }
                    _ => {}
                }
                return In::Packet(packet);
            }
            let (opcode, mut payload) = match got {
                Got::Text(text) => (OpCode::Text, text.into_bytes()),
                Got::Binary(bytes) => (OpCode::Binary, bytes),
                Got::Ping(payload) => {
                    self.link().send(OpCode::Pong, &payload).await;
                    continue;
                }
                Got::Pong(_) => continue,
                end => return In::End(end),
            };
            if opcode == OpCode::Text && payload.first() == Some(&0x1f) {
                payload.remove(0);
            }
            let known = self.next <= self.rx;
            self.count();
            if !known {
                return In::Data(opcode, payload);
            }
        }
    }

    fn count(&mut self) {
        self.rx = self.rx.max(self.next);
        self.next += 1;
    }

    /// The next data message; packets that a quiet session may send are passed over, and `r` is answered.
    pub async fn data(&mut self) -> (OpCode, Vec<u8>) {
        if let Some(earlier) = self.inbox.pop_front() {
            return earlier;
        }
        loop {
            match self.next().await {
                In::Data(opcode, payload) => return (opcode, payload),
                In::Packet(Packet::AckNow) => self.ack().await,
                In::Packet(Packet::Ack(_) | Packet::Heartbeat) => {}
                other => panic!("instead of data: {other:?}"),
            }
        }
    }

    pub async fn read_text(&mut self) -> String {
        let (opcode, payload) = self.data().await;
        assert_eq!(opcode, OpCode::Text);
        String::from_utf8(payload).unwrap()
    }

    /// The next packet that is neither an ack, nor a request for one, nor a heartbeat. Data is an error.
    pub async fn news(&mut self) -> Packet {
        loop {
            match self.next().await {
                In::Packet(Packet::Ack(_) | Packet::AckNow | Packet::Heartbeat) => {}
                In::Packet(packet) => return packet,
                other => panic!("instead of a packet: {other:?}"),
            }
        }
    }

    /// Waits for the ack of everything sent; acks what comes in the meantime.
    pub async fn all_acked(&mut self) {
        while self.acked < self.sent.len() as u64 {
            match self.next().await {
                In::Packet(_) => {}
                In::Data(opcode, payload) => {
                    self.inbox.push_back((opcode, payload));
                    self.ack().await;
                }
                other => panic!("instead of an ack: {other:?}"),
            }
        }
    }

    /// Returns how the link ends, and skips everything before.
    pub async fn ending(&mut self) -> Got {
        loop {
            if let In::End(got) = self.next().await {
                return got;
            }
        }
    }

    /// The link ends with a RST.
    pub fn cut(&mut self) {
        if let Some(link) = self.link.take() {
            link.cut();
        }
    }

    /// The link ends with a FIN.
    pub fn fin(&mut self) {
        if let Some(link) = self.link.take() {
            link.fin();
        }
    }

    pub fn hello(&self, n: u64) -> Hello {
        Hello::resume(&self.sid, &self.key, n, self.rx)
    }

    /// Attempt n + 1. The link that was there stays with the caller when it is still open.
    pub async fn attempt(&mut self) -> (Answer, Peer) {
        self.n += 1;
        let (gate, target, say) = (self.gate, self.target.clone(), self.hello(self.n));
        hello(gate, &target, say, &self.headers.clone()).await.expect("101")
    }

    /// Resumes on a new link and sends again what the gateway did not take. Returns `R` and the older link.
    pub async fn resume(&mut self) -> (Resumed, Option<Peer>) {
        let (answer, link) = self.attempt().await;
        let Answer::Resumed(resumed) = answer else { panic!("{answer:?}") };
        assert_eq!(resumed.att, self.n);
        assert!(resumed.start <= self.rx + 1, "a gap: {resumed:?} at {}", self.rx);
        self.next = resumed.start;
        self.acked = self.acked.max(resumed.rx);
        let old = self.link.replace(link);
        let again: Vec<_> = self.sent[resumed.rx as usize..].to_vec();
        for (opcode, payload) in again {
            self.write(opcode, &payload).await;
        }
        (resumed, old)
    }
}
