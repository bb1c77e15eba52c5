//! The client machine in a session, driven by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::time::Duration;

use support::{Bench, KEY, S, closed, lost, resumed, started};
use undrop_frame::{CloseCode, Message, OpCode};
use undrop_session::{
    Attempt, Backoff, ClientConfig, ClientEvent, ClosedBy, GapReason, Hello, LinkEnd, LinkMode, LossReason,
    Misbehaviour, QueueFull, QueuePolicy, Transmit,
};

#[test]
fn first_contact_then_resume_with_proof() {
    let mut b = Bench::new(ClientConfig::default());
    let first = b.dial();
    assert_eq!(first, Attempt { n: 1, hello: Some(Hello::First { cid: "0123456789abcdef".into(), n: 1 }) });
    assert_eq!(b.client.poll_connect(b.now), None);
    b.client.handle_link_up(b.now, 1, LinkMode::Session);
    let receipt = b.send("hi");
    assert_eq!(b.out(), [""; 0], "nothing goes out before the answer");
    b.packet(1, &started(1, "n1.a")).unwrap();
    assert_eq!(b.out(), ["1 hi"]);
    b.data(1, "one");
    b.data(1, "two");
    assert_eq!(b.client.poll_message(b.now), Some("one".into()));
    b.client.handle_link_down(b.now, 1, LinkEnd::default());
    let attempt = b.redial();
    let Some(Hello::Resume { sid, n: 2, rx: 1, mac }) = attempt.hello else { panic!("{attempt:?}") };
    let key = undrop_session::SessionKey::decode(KEY).unwrap();
    assert!(key.verify(&sid, 2, 1, &mac), "the proof is about what was taken");
    b.events();
    b.client.handle_link_up(b.now, 2, LinkMode::Session);
    b.packet(2, &resumed(2, 1, 2)).unwrap();
    assert!(b.events().contains(&ClientEvent::Acked(receipt)));
    b.data(2, "two");
    b.data(2, "three");
    assert_eq!(b.messages(), ["two", "three"], "received before, so not again");
}

#[test]
fn messages_that_look_like_packets_are_escaped_and_back() {
    let mut b = Bench::open();
    b.send("\u{1f}a1");
    assert_eq!(b.out(), ["1 \u{1f}\u{1f}a1"]);
    b.data(1, "\u{1f}\u{1f}x");
    assert_eq!(b.messages(), ["\u{1f}x"]);
    b.client.send(b.now, Message::Binary(vec![0x1f]), None).unwrap();
    assert!(
        matches!(b.client.poll_transmit(), Some((1, Transmit::Message(OpCode::Binary, bytes))) if *bytes == [0x1f])
    );
}

#[test]
fn acks_are_about_what_was_taken() {
    let mut b = Bench::open();
    for k in 0..33 {
        b.data(1, &k.to_string());
    }
    assert_eq!(b.out(), [""; 0]);
    assert_eq!(b.messages().len(), 33);
    assert_eq!(b.out(), ["1 |ax"]);
    b.data(1, "last");
    b.messages();
    assert_eq!(b.out(), [""; 0]);
    b.now += S;
    b.client.handle_timeout(b.now);
    assert_eq!(b.out(), ["1 |ay"]);
    b.packet(1, "Pk7").unwrap();
    assert_eq!(b.out(), ["1 |ay", "1 |pk7"]);
}

#[test]
fn what_was_taken_while_the_hello_travelled_is_acked_on_the_new_link() {
    let mut b = Bench::open();
    b.data(1, "one");
    b.client.handle_link_down(b.now, 1, LinkEnd::default());
    b.redial();
    assert_eq!(b.messages(), ["one"]);
    b.client.handle_link_up(b.now, 2, LinkMode::Session);
    b.packet(2, &resumed(2, 0, 1)).unwrap();
    b.data(2, "one");
    assert_eq!(b.out(), ["2 |a1"]);
    assert_eq!(b.messages(), [""; 0]);
}

#[test]
fn an_unanswered_probe_opens_a_second_link_beside_the_first() {
    let mut b = Bench::open();
    b.client.wake(b.now);
    assert_eq!(b.out(), ["1 |P1"]);
    assert_eq!(b.client.poll_connect(b.now), None);
    b.now += Duration::from_millis(1500);
    b.client.handle_timeout(b.now);
    assert_eq!(b.dial().n, 2);
    b.send("still on the old one");
    assert_eq!(b.out(), ["1 still on the old one"]);
    b.client.handle_link_up(b.now, 2, LinkMode::Session);
    b.events();
    b.packet(2, &resumed(2, 0, 1)).unwrap();
    let events = b.events();
    assert!(events.contains(&ClientEvent::CloseLink { n: 1, code: CloseCode::NORMAL }), "{events:?}");
    assert!(matches!(events[..], [.., ClientEvent::Resumed { seamless: true, resent: 1, .. }]), "{events:?}");
    assert_eq!(b.out(), ["2 still on the old one"]);
    b.client.handle_message(b.now, 1, "too late".into()).unwrap();
    assert_eq!(b.messages(), [""; 0], "the old link no longer counts");
}

#[test]
fn an_answered_probe_changes_nothing_and_teaches_the_round_trip() {
    let mut b = Bench::open();
    b.client.wake(b.now);
    b.out();
    b.now += S;
    b.packet(1, "p1").unwrap();
    b.client.wake(b.now);
    b.out();
    b.now += Duration::from_millis(3900);
    b.client.handle_timeout(b.now);
    assert_eq!(b.client.poll_connect(b.now), None, "four round trips");
    b.now += Duration::from_millis(200);
    b.client.handle_timeout(b.now);
    assert!(b.client.poll_connect(b.now).is_some());
}

#[test]
fn silence_is_suspected_then_given_up() {
    let mut b = Bench::open();
    b.now += 34 * S;
    b.client.handle_traffic(b.now, 1);
    b.now += 30 * S;
    b.pass_to_timeout();
    assert_eq!(b.client.poll_connect(b.now), None);
    b.pass_to_timeout();
    assert_eq!(b.out(), ["1 |P1"]);
    assert_eq!(b.dial().n, 2);
    b.client.handle_link_down(b.now, 2, LinkEnd::default());
    b.events();
    for _ in 0..20 {
        b.pass_to_timeout();
        let _ = b.client.poll_connect(b.now);
        let events = b.events();
        if events.contains(&ClientEvent::Lost { n: 1, end: None }) {
            assert!(events.contains(&ClientEvent::CloseLink { n: 1, code: CloseCode::GOING_AWAY }));
            return;
        }
    }
    panic!("a silent link was never given up");
}

#[test]
fn own_stall_is_no_evidence() {
    let mut b = Bench::open();
    b.now += 600 * S;
    b.client.handle_timeout(b.now);
    assert_eq!(b.out(), ["1 |P1"], "it asks");
    assert_eq!(b.client.poll_connect(b.now), None, "and waits for the answer");
    assert!(!b.events().iter().any(|event| matches!(event, ClientEvent::Lost { .. })));
    b.packet(1, "p1").unwrap();
    b.data(1, "fine");
    assert_eq!(b.messages(), ["fine"]);
}

#[test]
fn drain_slot_moves_without_losing_the_link() {
    let mut b = Bench::open();
    b.packet(1, r#"g{"in":1000,"slot":500,"until":60000,"why":"drain"}"#).unwrap();
    let Some(ClientEvent::GoAway { after, .. }) = b.events().pop() else { panic!("no drain event") };
    assert!((S..=S + S / 2).contains(&after));
    b.now += after;
    b.client.handle_timeout(b.now);
    assert_eq!(b.dial().n, 2);
    assert_eq!(b.client.link(), Some(1));
    b.client.handle_link_down(b.now, 2, LinkEnd::default());
    assert_eq!(b.redial().n, 3, "again until it has moved");
}

#[test]
fn a_lost_session_is_stated_and_the_rest_goes_into_the_new_one() {
    let mut b = Bench::open();
    let receipts: Vec<u64> = ["a", "b", "c"].iter().map(|text| b.send(text)).collect();
    b.out();
    b.data(1, "old one");
    b.client.handle_link_down(b.now, 1, LinkEnd::default());
    b.send("d");
    b.redial();
    b.client.handle_link_up(b.now, 2, LinkMode::Session);
    b.events();
    b.packet(2, &lost(2, "expired", 1, r#","lost":[1,4]"#)).unwrap();
    let events = b.events();
    assert_eq!(events[0], ClientEvent::Acked(receipts[0]));
    let reason = GapReason::Lost(LossReason::Expired);
    assert_eq!(events[1], ClientEvent::Gap { reason, lost: Some((1, 4)), resent: 2 });
    assert!(matches!(&events[2], ClientEvent::Open { n: 2, session: true, .. }), "{events:?}");
    assert_eq!(b.out(), ["2 b", "2 c", "2 d"]);
    assert_eq!(b.messages(), ["old one"], "it was received");
    b.packet(2, "a3").unwrap();
    b.data(2, "new one");
    b.messages();
    b.packet(2, "r").unwrap();
    assert_eq!(b.out(), ["2 |a1"], "only units of the new session count");
}

#[test]
fn a_second_answer_about_the_lost_session_opens_no_other_one() {
    let mut b = Bench::open();
    b.client.handle_link_down(b.now, 1, LinkEnd::default());
    b.redial();
    b.now += 2 * S;
    b.client.wake(b.now);
    assert_eq!(b.dial().n, 3);
    for n in [2, 3] {
        b.client.handle_link_up(b.now, n, LinkMode::Session);
    }
    b.packet(2, &lost(2, "expired", 0, "")).unwrap();
    b.data(2, "first of the new one");
    assert_eq!(b.messages().len(), 1);
    b.packet(3, &lost(3, "expired", 0, "")).unwrap();
    b.data(3, "first of the new one");
    b.data(3, "second");
    assert_eq!(b.messages(), ["second"]);
    let gaps = b.events().iter().filter(|event| matches!(event, ClientEvent::Gap { .. })).count();
    assert_eq!(gaps, 1);
}

#[test]
fn answers_below_the_best_are_ignored() {
    let mut b = Bench::open();
    b.client.wake(b.now);
    b.now += 2 * S - Duration::from_millis(1);
    b.client.handle_timeout(b.now);
    b.dial();
    b.client.handle_link_down(b.now, 1, LinkEnd::default());
    b.now += 2 * S;
    b.client.wake(b.now);
    assert_eq!(b.dial().n, 3);
    b.client.handle_link_up(b.now, 3, LinkMode::Session);
    b.client.handle_link_up(b.now, 2, LinkMode::Session);
    b.packet(3, &resumed(3, 0, 1)).unwrap();
    assert_eq!(b.client.link(), Some(3));
    b.packet(2, &resumed(2, 0, 1)).unwrap();
    assert_eq!(b.client.link(), Some(3));
}

#[test]
fn moved_by_a_stranger_begins_anew() {
    let mut b = Bench::open();
    b.packet(1, "m").unwrap();
    assert!(b.events().iter().any(|e| matches!(e, ClientEvent::Gap { reason: GapReason::Superseded, .. })));
    let Some(Hello::First { cid, n: 2 }) = b.redial().hello else { panic!("first contact") };
    assert!(cid != "0123456789abcdef" && undrop_session::is_client_id(&cid), "{cid}");
}

#[test]
fn close_waits_for_the_ack_of_everything() {
    let mut b = Bench::open();
    b.send("last");
    b.client.close(b.now, CloseCode::new(4001), "bye");
    assert_eq!(b.client.send(b.now, "more".into(), None), Err(QueueFull("more".into())));
    assert_eq!(b.out(), ["1 last", "1 |x4001 bye"]);
    b.data(1, "crossing");
    assert_eq!(b.messages(), ["crossing"]);
    b.packet(1, "a1").unwrap();
    assert!(!b.events().iter().any(|event| matches!(event, ClientEvent::Closed { .. })));
    b.packet(1, "a2").unwrap();
    let Some(ClientEvent::Closed { code, by: ClosedBy::Local, unacked: 0, .. }) = b.events().pop() else {
        panic!()
    };
    assert_eq!(code.get(), 4001);
    assert_eq!(b.out(), ["1 |a1", "1 close 1000 "]);
    assert_eq!(b.client.poll_timeout(), None);
    assert_eq!(b.client.poll_connect(b.now), None);
}

#[test]
fn close_of_the_peer_comes_behind_its_data() {
    let mut b = Bench::open();
    b.data(1, "one");
    b.packet(1, "x4002 done").unwrap();
    assert_eq!(b.client.handle_message(b.now, 1, "more".into()), Err(Misbehaviour::AfterClose));
    assert!(b.events().is_empty());
    assert_eq!(b.messages(), ["one"]);
    let Some(ClientEvent::Closed { code, reason, by: ClosedBy::Peer, .. }) = b.events().pop() else {
        panic!()
    };
    assert_eq!((code.get(), &reason[..]), (4002, "done"));
    assert_eq!(b.out(), ["1 |a2", "1 close 1000 "]);
}

#[test]
fn close_without_an_answer_ends_after_its_time() {
    let mut b = Bench::open();
    b.send("unheard");
    b.client.close(b.now, CloseCode::NORMAL, "");
    b.client.handle_link_down(b.now, 1, LinkEnd::default());
    for _ in 0..50 {
        b.pass_to_timeout();
        if let Some(ClientEvent::Closed { by, unacked, .. }) = b.events().pop() {
            assert_eq!((by, unacked), (ClosedBy::Local, 1));
            return;
        }
    }
    panic!("still not closed");
}

#[test]
fn in_a_session_no_close_code_is_final() {
    for code in [1000, 1008, 4400] {
        let mut b = Bench::open();
        b.client.handle_link_down(b.now, 1, closed(code));
        assert!(matches!(b.redial().hello, Some(Hello::Resume { .. })), "{code}");
    }
}

#[test]
fn refusals_are_final_or_retried() {
    let refused = |down: LinkEnd, up: bool| {
        let mut b = Bench::new(ClientConfig::default());
        b.dial();
        if up {
            b.client.handle_link_up(b.now, 1, LinkMode::Session);
        }
        b.client.handle_link_down(b.now, 1, down);
        b.events().into_iter().find_map(|event| match event {
            ClientEvent::Closed { by, .. } => Some(Err(by)),
            ClientEvent::Retry { after, .. } => Some(Ok(after)),
            _ => None,
        })
    };
    let status = |status| LinkEnd { status: Some(status), ..LinkEnd::default() };
    assert_eq!(refused(status(403), false), Some(Err(ClosedBy::Refused)));
    assert_eq!(refused(closed(1008), true), Some(Err(ClosedBy::Refused)));
    assert!(matches!(refused(status(502), false), Some(Ok(_))));
    let hinted =
        LinkEnd { close: Some((CloseCode::TRY_AGAIN_LATER, "retry=9000".into())), ..LinkEnd::default() };
    let Some(Ok(after)) = refused(hinted, true) else { panic!("retried") };
    assert!((9 * S..12 * S).contains(&after), "{after:?}");
    let header = LinkEnd { status: Some(503), retry_after: Some(5 * S), ..LinkEnd::default() };
    assert!(matches!(refused(header, false), Some(Ok(after)) if after >= 5 * S));
}

#[test]
fn gives_up_after_the_policys_tries() {
    let mut b = Bench::new(ClientConfig { backoff: Backoff::classic(), ..ClientConfig::default() });
    let mut tries = 0;
    loop {
        let attempt = b.redial();
        tries += 1;
        b.client.handle_link_down(b.now, attempt.n, LinkEnd::default());
        if let Some(ClientEvent::Closed { by, .. }) = b.events().pop() {
            assert_eq!((by, tries), (ClosedBy::GaveUp, 10));
            return;
        }
        assert!(tries < 20);
    }
}

#[test]
fn a_link_that_dies_at_once_does_not_reset_the_backoff() {
    let mut b = Bench::open();
    let mut longest = Duration::ZERO;
    for k in 2..12 {
        b.client.handle_link_down(b.now, k - 1, LinkEnd::default());
        let before = b.now;
        assert_eq!(b.redial().n, k);
        longest = longest.max(b.now - before);
        b.client.handle_link_up(b.now, k, LinkMode::Session);
        b.packet(k, &resumed(k, 0, 1)).unwrap();
    }
    assert!(longest > 4 * S, "{longest:?}");
}

#[test]
fn queue_is_bounded_and_time_to_live_is_kept() {
    let mut b = Bench::new(ClientConfig { queue_limit: 300, ..ClientConfig::default() });
    let short = b.client.send(b.now, "short-lived".into(), Some(S)).unwrap();
    b.send("stays");
    assert!(b.client.send(b.now, Message::Binary(vec![0; 300]), None).is_err());
    b.dial();
    b.now += S;
    b.client.handle_timeout(b.now);
    assert!(b.events().contains(&ClientEvent::Expired(short)));
    b.client.handle_link_up(b.now, 1, LinkMode::Session);
    b.packet(1, &started(1, "n1.a")).unwrap();
    assert_eq!(b.out(), ["1 stays"]);
    let policy = QueuePolicy::DropOldest;
    let mut b =
        Bench::new(ClientConfig { queue_limit: 300, queue_policy: policy, ..ClientConfig::default() });
    let first = b.send("first");
    b.client.send(b.now, Message::Binary(vec![0; 200]), None).unwrap();
    assert!(b.events().contains(&ClientEvent::Dropped(first)));
}

#[test]
fn half_full_queue_asks_for_an_ack() {
    let mut b = Bench::new(ClientConfig { queue_limit: 400, ..ClientConfig::default() });
    b.dial();
    b.client.handle_link_up(b.now, 1, LinkMode::Session);
    b.packet(1, &started(1, "n1.a")).unwrap();
    for text in ["1", "2", "3", "4"] {
        b.send(text);
    }
    assert_eq!(
        b.out(),
        ["1 1", "1 2", "1 3", "1 4", "1 |r"].map(str::to_owned),
        "after the messages that fill it"
    );
}

#[test]
fn misbehaviour_of_the_gateway() {
    let mut b = Bench::open();
    b.send("x");
    b.out();
    assert_eq!(b.packet(1, "a2"), Err(Misbehaviour::AckBeyondSent { acked: 2, sent: 1 }));
    assert_eq!(b.packet(1, "z"), Err(Misbehaviour::UnknownPacket('z')));
    assert_eq!(b.packet(1, "qhidden"), Err(Misbehaviour::UnexpectedPacket('q')));
    assert_eq!(b.packet(1, &started(1, "n1.a")), Err(Misbehaviour::UnexpectedPacket('S')));
    assert_eq!(b.packet(1, r#"G{"from":5,"to":6,"policy":"p"}"#), Err(Misbehaviour::Skew));
    let mut b = Bench::new(ClientConfig::default());
    b.dial();
    b.client.handle_link_up(b.now, 1, LinkMode::Session);
    assert_eq!(b.client.handle_message(b.now, 1, "early".into()), Err(Misbehaviour::NoFirstPacket));
    assert_eq!(b.packet(1, "h"), Err(Misbehaviour::NoFirstPacket));
    assert_eq!(b.packet(1, &resumed(1, 0, 1)), Err(Misbehaviour::UnexpectedPacket('R')));
    assert_eq!(b.packet(1, &started(2, "n1.a")), Err(Misbehaviour::Skew));
}

#[test]
fn skew_begins_anew_instead_of_failing_for_ever() {
    let mut b = Bench::open();
    b.send("kept");
    b.out();
    b.client.handle_link_down(b.now, 1, LinkEnd::default());
    b.redial();
    b.client.handle_link_up(b.now, 2, LinkMode::Session);
    assert_eq!(b.packet(2, &resumed(2, 9, 1)), Err(Misbehaviour::Skew));
    b.client.handle_link_down(b.now, 2, LinkEnd::default());
    assert!(matches!(b.redial().hello, Some(Hello::First { .. })));
    b.client.handle_link_up(b.now, 3, LinkMode::Session);
    b.packet(3, &started(3, "n1.b")).unwrap();
    assert_eq!(b.out(), ["3 kept"]);
}

#[test]
fn explicit_loss_stands_where_the_messages_would_have() {
    let mut b = Bench::open();
    b.data(1, "one");
    b.packet(1, r#"G{"from":2,"to":4,"policy":"drop-oldest"}"#).unwrap();
    b.data(1, "five");
    assert_eq!(b.client.poll_message(b.now), Some("one".into()));
    assert!(b.events().is_empty());
    assert_eq!(b.client.poll_message(b.now), Some("five".into()));
    assert_eq!(b.events(), [ClientEvent::Gap { reason: GapReason::Dropped, lost: Some((2, 4)), resent: 0 }]);
    b.packet(1, "r").unwrap();
    assert_eq!(b.out(), ["1 |a5"]);
}

#[test]
fn offline_makes_no_attempts() {
    let mut b = Bench::open();
    b.client.offline(b.now);
    b.client.handle_link_down(b.now, 1, LinkEnd::default());
    b.pass_to_timeout();
    assert_eq!(b.client.poll_connect(b.now), None);
    b.client.wake(b.now);
    assert_eq!(b.dial().n, 2);
}

#[test]
fn an_attempt_without_an_answer_is_given_up() {
    let mut b = Bench::new(ClientConfig::default());
    b.dial();
    b.client.handle_link_up(b.now, 1, LinkMode::Session);
    b.pass_to_timeout();
    assert!(b.events().contains(&ClientEvent::CloseLink { n: 1, code: CloseCode::GOING_AWAY }));
    assert_eq!(b.redial().n, 2);
    b.packet(1, &started(1, "n1.a")).unwrap();
    assert_eq!(b.client.link(), None, "too late");
}

#[test]
fn a_slow_application_stops_the_reading_and_is_not_taken_for_a_dead_link() {
    let mut b = Bench::new(ClientConfig { inbox_limit: 1000, ..ClientConfig::default() });
    b.dial();
    b.client.handle_link_up(b.now, 1, LinkMode::Session);
    b.packet(1, &started(1, "n1.a")).unwrap();
    b.data(1, &"x".repeat(1000));
    assert!(!b.client.wants_read());
    for _ in 0..10 {
        b.now += 30 * S;
        b.client.handle_timeout(b.now);
        b.out();
        b.client.handle_message(b.now, 1, "\u{1f}p1".into()).unwrap();
    }
    assert!(!b.events().iter().any(|event| matches!(event, ClientEvent::Lost { .. })));
    b.messages();
    assert!(b.client.wants_read());
}
