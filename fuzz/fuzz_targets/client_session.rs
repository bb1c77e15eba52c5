//! Any order of links, messages, packets and time on the client's machine: no panic, and no message is settled twice or
//! acked out of range.
#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use undrop_frame::{CloseCode, Message};
use undrop_session::{Client, ClientConfig, ClientEvent, LinkEnd, LinkMode};

#[derive(Arbitrary, Debug)]
enum Step {
    Connect,
    LinkUp { n: u8, session: bool },
    LinkDown { n: u8, code: Option<u16>, status: Option<u16>, fatal: bool },
    Started { n: u8 },
    Resumed { n: u8, rx: u8, start: u8 },
    Packet { n: u8, text: String },
    Text { n: u8, text: String },
    Binary { n: u8, len: u8 },
    Pong(u8),
    Send { len: u16, ttl: Option<u16> },
    Transmit(u8),
    Take,
    Wake,
    Offline,
    Close(u16),
    Wait(u32),
}

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fuzz_target!(|steps: Vec<Step>| {
    let mut now = Instant::now();
    let mut client = Client::new(now, ClientConfig::default(), "0123456789abcdef".into(), 7);
    let (mut sent, mut settled) = (0_u64, 0_u64);
    for step in steps {
        match step {
            Step::Connect => {
                let _ = client.poll_connect(now);
            }
            Step::LinkUp { n, session } => {
                client.handle_link_up(now, n.into(), if session { LinkMode::Session } else { LinkMode::Plain });
            }
            Step::LinkDown { n, code, status, fatal } => {
                let close = code.map(|code| (CloseCode::new(1000 + code % 4000), "retry=100".to_owned()));
                client.handle_link_down(now, n.into(), LinkEnd { close, status, retry_after: None, fatal });
            }
            Step::Started { n } => {
                let text = format!(
                    "\u{1f}S{{\"sid\":\"n1.AAAAAAAAAAAAAAAAAAAAAA\",\"key\":\"{KEY}\",\"att\":{n},\"hb\":25000,\"win\":262144,\"ttl\":120000}}"
                );
                let _ = client.handle_message(now, n.into(), Message::Text(text));
            }
            Step::Resumed { n, rx, start } => {
                let text = format!(
                    "\u{1f}R{{\"att\":{n},\"rx\":{rx},\"start\":{start},\"ttl\":120000,\"backend\":\"same\",\"away\":false}}"
                );
                let _ = client.handle_message(now, n.into(), Message::Text(text));
            }
            Step::Packet { n, text } => {
                let _ = client.handle_message(now, n.into(), Message::Text(format!("\u{1f}{text}")));
            }
            Step::Text { n, text } => {
                let _ = client.handle_message(now, n.into(), Message::Text(text));
            }
            Step::Binary { n, len } => {
                let _ = client.handle_message(now, n.into(), Message::Binary(vec![1; len.into()]));
            }
            Step::Pong(n) => client.handle_pong(now, n.into()),
            Step::Send { len, ttl } => {
                let ttl = ttl.map(|ttl| Duration::from_millis(ttl.into()));
                sent += u64::from(client.send(now, Message::Binary(vec![2; len.into()]), ttl).is_ok());
            }
            Step::Transmit(most) => {
                for _ in 0..most {
                    if client.poll_transmit().is_none() {
                        break;
                    }
                }
            }
            Step::Take => {
                let _ = client.poll_message(now);
            }
            Step::Wake => client.wake(now),
            Step::Offline => client.offline(now),
            Step::Close(code) => client.close(now, CloseCode::new(1000 + code % 4000), "fuzzed"),
            Step::Wait(milliseconds) => {
                now += Duration::from_millis(u64::from(milliseconds) % 300_000);
                if client.poll_timeout().is_some_and(|at| at <= now) {
                    client.handle_timeout(now);
                    assert!(client.poll_timeout().is_none_or(|at| at > now), "a deadline that does not pass");
                }
            }
        }
        while let Some(event) = client.poll_event() {
            settled += u64::from(matches!(
                event,
                ClientEvent::Acked(_) | ClientEvent::Expired(_) | ClientEvent::Dropped(_)
            ));
            assert!(settled <= sent, "more messages were settled than sent");
        }
    }
});
