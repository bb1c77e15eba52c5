//! The client machine against servers that do not speak the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use support::{Bench, closed};
use undrop_frame::CloseCode;
use undrop_session::{ClientConfig, ClientEvent, ClosedBy, LinkMode, PlainHeartbeat, SessionMode};

#[test]
fn plain_mode_sends_pings_and_follows_close_codes() {
    let mut b = Bench::new(ClientConfig::default());
    b.dial();
    b.send("queued");
    b.client.handle_link_up(b.now, 1, LinkMode::Plain);
    assert!(b.events().contains(&ClientEvent::Open { n: 1, session: false, protocol: None }));
    assert_eq!(b.out(), ["1 queued"]);
    b.data(1, "\u{1f}not a packet here");
    assert_eq!(b.messages(), ["\u{1f}not a packet here"]);
    b.pass_to_timeout();
    assert_eq!(b.out(), ["1 ping"]);
    b.client.handle_pong(b.now, 1);
    b.pass_to_timeout();
    assert_eq!(b.out(), ["1 ping"]);
    b.pass_to_timeout();
    assert!(b.events().contains(&ClientEvent::Lost { n: 1, end: None }), "ten seconds without any answer");
    b.redial();
    b.client.handle_link_up(b.now, 2, LinkMode::Plain);
    b.client.handle_link_down(b.now, 2, closed(1011));
    b.redial();
    b.client.handle_link_up(b.now, 3, LinkMode::Plain);
    b.client.handle_link_down(b.now, 3, closed(4400));
    assert!(matches!(b.events().pop(), Some(ClientEvent::Closed { by: ClosedBy::Refused, .. })));
}

#[test]
fn plain_mode_with_a_heartbeat_of_text() {
    let text = Some(("ping".to_owned(), "pong".to_owned()));
    let heartbeat = Some(PlainHeartbeat { text, ..PlainHeartbeat::default() });
    let mut b = Bench::new(ClientConfig { plain_heartbeat: heartbeat, ..ClientConfig::default() });
    b.dial();
    b.client.handle_link_up(b.now, 1, LinkMode::Plain);
    b.pass_to_timeout();
    assert_eq!(b.out(), ["1 ping"]);
    b.data(1, "pong");
    b.data(1, "data");
    assert_eq!(b.messages(), ["data"]);
    b.client.close(b.now, CloseCode::NORMAL, "bye");
    assert_eq!(b.out(), ["1 close 1000 bye"]);
    b.client.handle_link_down(b.now, 1, closed(1000));
    assert!(matches!(b.events().pop(), Some(ClientEvent::Closed { by: ClosedBy::Local, .. })));
}

#[test]
fn session_modes() {
    let mut b = Bench::new(ClientConfig { session: SessionMode::Off, ..ClientConfig::default() });
    assert_eq!(b.dial().hello, None);
    let mut b = Bench::new(ClientConfig { session: SessionMode::Require, ..ClientConfig::default() });
    b.dial();
    b.client.handle_link_up(b.now, 1, LinkMode::Plain);
    assert!(matches!(b.events().pop(), Some(ClientEvent::Closed { by: ClosedBy::Incompatible, .. })));
    assert_eq!(SessionMode::by_name("off"), Some(SessionMode::Off));
}
