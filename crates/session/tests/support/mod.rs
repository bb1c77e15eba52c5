//! A client machine on a bench: time, answers and events by hand.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use undrop_frame::{CloseCode, Message};
use undrop_session::{Attempt, Client, ClientConfig, ClientEvent, LinkEnd, LinkMode, Misbehaviour, Transmit};

pub const S: Duration = Duration::from_secs(1);
pub const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

pub struct Bench {
    pub now: Instant,
    pub client: Client,
}

impl Bench {
    pub fn new(config: ClientConfig) -> Self {
        let now = Instant::now();
        Self { now, client: Client::new(now, config, "0123456789abcdef".into(), 7) }
    }

    /// A client with a session on attempt 1.
    pub fn open() -> Self {
        let mut bench = Self::new(ClientConfig::default());
        bench.dial();
        bench.client.handle_link_up(bench.now, 1, LinkMode::Session);
        bench.packet(1, &started(1, "n1.a")).unwrap();
        bench.events();
        bench
    }

    pub fn dial(&mut self) -> Attempt {
        self.client.poll_connect(self.now).expect("an attempt is due")
    }

    /// Time passes until the next attempt.
    pub fn redial(&mut self) -> Attempt {
        for _ in 0..100 {
            if let Some(attempt) = self.client.poll_connect(self.now) {
                return attempt;
            }
            self.pass_to_timeout();
        }
        panic!("no attempt");
    }

    pub fn pass_to_timeout(&mut self) {
        self.now = self.client.poll_timeout().expect("a timer").max(self.now);
        self.client.handle_timeout(self.now);
    }

    pub fn packet(&mut self, n: u64, text: &str) -> Result<(), Misbehaviour> {
        self.client.handle_message(self.now, n, Message::Text(format!("\u{1f}{text}")))
    }

    pub fn data(&mut self, n: u64, text: &str) {
        self.client.handle_message(self.now, n, text.into()).unwrap();
    }

    /// Everything to be written: data as it is, packets behind `|`.
    pub fn out(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some((n, transmit)) = self.client.poll_transmit() {
            seen.push(match transmit {
                Transmit::Message(_, bytes) => format!("{n} {}", String::from_utf8_lossy(&bytes)),
                Transmit::Packet(text) => format!("{n} |{}", text.trim_start_matches('\u{1f}')),
                Transmit::Ping(_) => format!("{n} ping"),
                Transmit::Close(code, reason) => format!("{n} close {} {reason}", code.get()),
            });
        }
        seen
    }

    pub fn events(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    pub fn messages(&mut self) -> Vec<String> {
        let now = self.now;
        std::iter::from_fn(|| self.client.poll_message(now))
            .map(|message| String::from_utf8(message.into_bytes()).unwrap())
            .collect()
    }

    pub fn send(&mut self, text: &str) -> u64 {
        self.client.send(self.now, text.into(), None).unwrap()
    }
}

pub fn started(att: u64, sid: &str) -> String {
    format!(r#"S{{"sid":"{sid}","key":"{KEY}","att":{att},"hb":25000,"win":262144,"ttl":120000}}"#)
}

pub fn resumed(att: u64, rx: u64, start: u64) -> String {
    format!(r#"R{{"att":{att},"rx":{rx},"start":{start},"ttl":1,"backend":"same","away":false}}"#)
}

pub fn lost(att: u64, why: &str, acc: u64, range: &str) -> String {
    let session = started(att, "n1.b");
    format!(r#"L{{"why":"{why}","acc":{acc}{range},{}"#, &session[2..])
}

pub fn closed(code: u16) -> LinkEnd {
    LinkEnd { close: Some((CloseCode::new(code), String::new())), ..LinkEnd::default() }
}
