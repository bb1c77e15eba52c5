//! The gateway machine, driven by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use undrop_frame::{CloseCode, Decoder, Incoming, Limits, Role};
use undrop_session::{
    Gateway, GatewayConfig, GatewayEvent, GoAway, Loss, LossReason, MOVED_FRAME, Misbehaviour, Overflow,
    Packet, PageState, Refusal, SessionId, SessionKey, Started, UnitStatus,
};

const S: Duration = Duration::from_secs(1);

fn config() -> GatewayConfig {
    GatewayConfig { attached_limit: 1000, detached_limit: 2000, ..GatewayConfig::default() }
}

fn gateway(config: GatewayConfig) -> (Instant, Gateway) {
    let now = Instant::now();
    let sid = SessionId::new("n1", [7; 16]).unwrap();
    (now, Gateway::new(now, config, sid, SessionKey::new([9; 32]), Some("chat".into())))
}

/// A unit as the driver appends it: an unmasked text frame.
fn unit(gateway: &mut Gateway, text: &str) {
    gateway.append(&[0x81, text.len() as u8]);
    gateway.append(text.as_bytes());
    gateway.end_unit();
}

/// Everything the link takes now, decoded.
fn drain(gateway: &mut Gateway, now: Instant) -> Vec<String> {
    let mut bytes = Vec::new();
    loop {
        let mut slices = [&b""[..]; 3];
        let count = gateway.poll_transmit(&mut slices);
        let n: usize = slices[..count].iter().map(|slice| slice.len()).sum();
        bytes.extend(slices[..count].concat());
        if n == 0 {
            break;
        }
        gateway.handle_transmitted(now, n);
    }
    texts(bytes)
}

fn texts(mut bytes: Vec<u8>) -> Vec<String> {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    let mut input = &mut bytes[..];
    let mut seen = Vec::new();
    while let Some(incoming) = decoder.decode(&mut input).unwrap() {
        match incoming {
            Incoming::Text(payload) => seen.push(payload.into_string().unwrap()),
            other => seen.push(format!("{other:?}")),
        }
    }
    assert!(decoder.is_idle(), "whole frames only");
    seen
}

fn events(gateway: &mut Gateway) -> Vec<GatewayEvent> {
    std::iter::from_fn(|| gateway.poll_event()).collect()
}

fn first_contact(config: GatewayConfig) -> (Instant, Gateway) {
    let (now, mut gateway) = gateway(config);
    gateway.attach(now, 1, None).unwrap();
    drain(&mut gateway, now);
    (now, gateway)
}

#[test]
fn first_contact_then_resume_without_a_round_trip() {
    let (now, mut g) = gateway(config());
    unit(&mut g, "early");
    g.attach(now, 1, None).unwrap();
    let out = drain(&mut g, now);
    let Ok(Packet::Started(Started { att: 1, hb: 25_000, win: 1000, ttl: 120_000, protocol, .. })) =
        Packet::parse(&out[0][1..])
    else {
        panic!("{out:?}")
    };
    assert_eq!((protocol.as_deref(), &out[1..]), (Some("chat"), &["early".to_owned()][..]));
    assert_eq!(g.handle_data(now, 3), UnitStatus::Deliver);
    g.handle_consumed(now, 1);
    unit(&mut g, "two");
    drain(&mut g, now);
    g.detach(now);
    unit(&mut g, "three");
    g.attach(now, 2, Some(1)).unwrap();
    let out = drain(&mut g, now);
    assert_eq!(
        out[0],
        "\u{1f}R{\"att\":2,\"rx\":1,\"start\":2,\"ttl\":120000,\"backend\":\"same\",\"away\":false}"
    );
    assert_eq!(out[1..], ["two", "three"]);
}

#[test]
fn newest_attempt_wins_and_a_stale_one_changes_nothing() {
    let (now, mut g) = first_contact(config());
    g.attach(now, 5, Some(0)).unwrap();
    let before = format!("{g:?}");
    for n in [1, 4, 5] {
        assert_eq!(g.attach(now, n, Some(0)), Err(Refusal::Stale));
    }
    assert_eq!(g.attach(now, 6, Some(1)), Err(Refusal::Skew));
    assert_eq!(format!("{g:?}"), before);
    assert_eq!(MOVED_FRAME, *Packet::Moved.to_server_frame());
}

#[test]
fn repeated_first_contact_is_the_same_session_until_it_is_confirmed() {
    let (now, mut g) = first_contact(config());
    unit(&mut g, "one");
    drain(&mut g, now);
    g.attach(now, 2, None).unwrap();
    let out = drain(&mut g, now);
    assert!(out[0].contains("\"att\":2") && out[1] == "one", "{out:?}");
    g.handle_packet(now, &Packet::Ack(1)).unwrap();
    assert_eq!(g.attach(now, 3, None), Err(Refusal::Stale));
    assert!(g.is_attached());
}

#[test]
fn start_is_behind_the_newest_ack_when_the_hello_is_older() {
    let (now, mut g) = first_contact(config());
    for text in ["1", "2", "3"] {
        unit(&mut g, text);
    }
    drain(&mut g, now);
    g.handle_packet(now, &Packet::Ack(2)).unwrap();
    g.attach(now, 2, Some(1)).unwrap();
    let out = drain(&mut g, now);
    assert!(out[0].contains("\"start\":3") && out[1..] == ["3"], "{out:?}");
}

#[test]
fn ack_ahead_of_the_new_link_is_no_lie() {
    let (now, mut g) = first_contact(config());
    for text in ["1", "2", "3"] {
        unit(&mut g, text);
    }
    drain(&mut g, now);
    g.attach(now, 2, Some(0)).unwrap();
    // The client took 1 and 2 on the old link and says so on the new one, before they are sent here.
    g.handle_packet(now, &Packet::Ack(2)).unwrap();
    let out = drain(&mut g, now);
    assert_eq!(out[1..], ["1", "2", "3"], "the link counts from its start");
    assert_eq!(g.handle_packet(now, &Packet::Ack(4)), Err(Misbehaviour::AckBeyondSent { acked: 4, sent: 3 }));
}

#[test]
fn a_broken_unit_is_finished_before_control_and_sent_again_on_the_next_link() {
    let (now, mut g) = first_contact(config());
    unit(&mut g, "hello");
    g.handle_transmitted(now, 3);
    assert!(!g.at_boundary());
    g.handle_packet(now, &Packet::Probe("k".into())).unwrap();
    let mut slices = [&b""[..]; 3];
    let count = g.poll_transmit(&mut slices);
    assert_eq!((count, slices[0]), (2, &b"ello"[..]), "the rest first");
    g.handle_transmitted(now, 2);
    g.detach(now);
    g.attach(now, 2, Some(0)).unwrap();
    assert_eq!(drain(&mut g, now)[1..], ["hello"]);
}

#[test]
fn acks_follow_the_consumer() {
    let (now, mut g) = first_contact(config());
    for _ in 0..40 {
        g.handle_data(now, 10);
    }
    assert_eq!(drain(&mut g, now), [""; 0], "received is not consumed");
    g.handle_consumed(now, 31);
    assert_eq!(drain(&mut g, now), [""; 0]);
    g.handle_consumed(now, 1);
    assert_eq!(drain(&mut g, now), ["\u{1f}aw"]);
    g.handle_consumed(now, 1);
    g.handle_packet(now, &Packet::AckNow).unwrap();
    assert_eq!(drain(&mut g, now), ["\u{1f}ax"]);
    g.handle_consumed(now, 1);
    assert_eq!(drain(&mut g, now), ["\u{1f}ay"], "asked: what is still waiting is acked as it is taken");
    g.handle_consumed(now, 1);
    let due = g.poll_timeout().unwrap();
    g.handle_timeout(due);
    assert_eq!(drain(&mut g, due), ["\u{1f}az"]);
}

#[test]
fn units_that_wait_for_the_backend_outlive_the_link() {
    let (now, mut g) = first_contact(config());
    for _ in 0..3 {
        g.handle_data(now, 1);
    }
    g.handle_consumed(now, 1);
    g.detach(now);
    g.attach(now, 2, Some(0)).unwrap();
    assert!(drain(&mut g, now)[0].contains("\"rx\":1"), "what was taken is what is stated");
    assert_eq!(
        [(); 3].map(|()| g.handle_data(now, 1)),
        [UnitStatus::Duplicate, UnitStatus::Duplicate, UnitStatus::Deliver]
    );
    g.detach(now);
    g.discard_unconsumed();
    g.attach(now, 3, Some(0)).unwrap();
    assert_eq!(g.handle_data(now, 1), UnitStatus::Deliver, "thrown away by the driver: it comes again");
}

#[test]
fn pause_bounds_the_buffer_and_lets_any_single_unit_pass() {
    let (now, mut g) = first_contact(config());
    assert!(g.room() >= 1000);
    g.append(&vec![0; 5000]);
    assert!(g.room() > 0, "an open unit alone may always grow");
    g.end_unit();
    assert_eq!(g.room(), 0);
    let mut slices = [&b""[..]; 3];
    let count = g.poll_transmit(&mut slices);
    let n: usize = slices[..count].iter().map(|slice| slice.len()).sum();
    g.handle_transmitted(now, n);
    assert_eq!(drain(&mut g, now), ["\u{1f}r"], "half full: please ack");
    g.handle_packet(now, &Packet::Ack(1)).unwrap();
    assert!(g.room() >= 1000);
}

#[test]
fn overflow_end_states_what_is_gone() {
    let (now, mut g) = first_contact(GatewayConfig { overflow: Overflow::End, ..config() });
    for _ in 0..20 {
        unit(&mut g, &"x".repeat(100));
    }
    assert_eq!(events(&mut g), [GatewayEvent::Overflow]);
    assert_eq!((g.room(), g.poll_transmit(&mut [&[]; 3]), g.is_attached()), (0, 0, false));
    assert_eq!(g.attach(now, 2, Some(0)), Err(Refusal::Overflow { lost: (1, 10) }));
}

#[test]
fn drop_oldest_tells_the_link_where_the_hole_is() {
    let (now, mut g) = first_contact(GatewayConfig { overflow: Overflow::DropOldest, ..config() });
    unit(&mut g, "sent");
    g.handle_transmitted(now, 2);
    for text in ["a", "b", "c"] {
        unit(&mut g, &text.repeat(120));
    }
    for _ in 0..6 {
        unit(&mut g, &"d".repeat(120));
    }
    let out = {
        let mut bytes = vec![0x81, 4];
        let mut slices = [&b""[..]; 3];
        loop {
            let count = g.poll_transmit(&mut slices);
            let n: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            if n == 0 {
                break;
            }
            bytes.extend(slices[..count].concat());
            g.handle_transmitted(now, n);
            slices = [&b""[..]; 3];
        }
        texts(bytes)
    };
    let [GatewayEvent::Dropped { from: 1, to }] = events(&mut g)[..] else { panic!("one range") };
    assert_eq!(out[0], "sent", "what is partly out is finished");
    assert_eq!(out[1], format!("\u{1f}G{{\"from\":2,\"to\":{to},\"policy\":\"drop-oldest\"}}"));
    let units = out.iter().filter(|text| !text.starts_with('\u{1f}')).count() as u64;
    assert_eq!(units, 10 - (to - 1));
}

#[test]
fn drop_oldest_while_parked_is_told_on_resume() {
    let (now, mut g) = first_contact(GatewayConfig { overflow: Overflow::DropOldest, ..config() });
    unit(&mut g, "one");
    drain(&mut g, now);
    g.handle_packet(now, &Packet::Ack(1)).unwrap();
    g.detach(now);
    for _ in 0..20 {
        unit(&mut g, &"x".repeat(120));
    }
    let [GatewayEvent::Dropped { from: 2, to }] = events(&mut g)[..] else { panic!("one range") };
    g.attach(now, 2, Some(1)).unwrap();
    let out = drain(&mut g, now);
    assert!(out[0].contains(&format!("\"start\":{}", to + 1)), "{}", out[0]);
    assert_eq!(out[1], format!("\u{1f}G{{\"from\":2,\"to\":{to},\"policy\":\"drop-oldest\"}}"));
    let units = out.iter().filter(|text| !text.starts_with('\u{1f}')).count() as u64;
    assert_eq!(units, 21 - to);
    g.handle_packet(now, &Packet::Ack(21)).unwrap();
}

#[test]
fn close_is_sequenced_both_ways() {
    let (now, mut g) = first_contact(config());
    unit(&mut g, "last");
    g.append(b"half a unit");
    g.close(CloseCode::new(4002), "done");
    unit(&mut g, "too late");
    assert_eq!(drain(&mut g, now), ["last", "\u{1f}x4002 done"]);
    g.handle_data(now, 1);
    g.handle_packet(now, &Packet::parse("x1000 bye").unwrap()).unwrap();
    assert_eq!(events(&mut g), [], "the unit before it was not taken");
    g.handle_consumed(now, 1);
    assert_eq!(events(&mut g), [GatewayEvent::Close { code: CloseCode::NORMAL, reason: "bye".into() }]);
    assert_eq!(drain(&mut g, now), ["\u{1f}a2"], "acked at once");
    g.handle_packet(now, &Packet::Ack(2)).unwrap();
    assert_eq!(events(&mut g), [GatewayEvent::Finished]);
}

#[test]
fn heartbeat_ping_suspicion() {
    let (now, mut g) = first_contact(config());
    let at = g.poll_timeout().unwrap();
    assert_eq!(at, now + 25 * S);
    g.handle_timeout(at);
    assert_eq!(drain(&mut g, at), ["\u{1f}h"]);
    assert_eq!(events(&mut g), [GatewayEvent::SendPing]);
    g.handle_timeout(at + 25 * S);
    assert_eq!(events(&mut g), [GatewayEvent::SuspectDead, GatewayEvent::SendPing]);
    g.handle_traffic(at + 26 * S);
    g.handle_timeout(g.poll_timeout().unwrap());
    assert!(!events(&mut g).contains(&GatewayEvent::SuspectDead));
}

#[test]
fn time_to_live_depends_on_what_is_known() {
    let ttl = |confirm: bool, page: Option<PageState>| {
        let (now, mut g) = first_contact(config());
        if confirm {
            g.handle_packet(now, &Packet::ProbeReply("x".into())).unwrap();
        }
        if let Some(page) = page {
            g.handle_packet(now, &Packet::Page(page)).unwrap();
        }
        events(&mut g);
        g.detach(now);
        let at = g.poll_timeout().unwrap();
        g.handle_timeout(at);
        assert_eq!(events(&mut g), [GatewayEvent::Expired]);
        assert_eq!(g.attach(at, 9, Some(0)), Err(Refusal::Over));
        at - now
    };
    assert_eq!(ttl(true, None), 120 * S);
    assert_eq!(ttl(true, Some(PageState::Hidden)), 120 * S);
    assert_eq!(ttl(true, Some(PageState::Unload)), 10 * S);
    assert_eq!(ttl(false, None), 30 * S);
}

/// A client that has nothing to say keeps its session for as long as it was promised.
#[test]
fn a_pong_or_a_proof_confirms() {
    let (now, mut g) = first_contact(config());
    g.handle_pong();
    assert!(!g.is_confirmed(), "there was no Ping");
    g.handle_timeout(now + 25 * S);
    assert!(events(&mut g).contains(&GatewayEvent::SendPing));
    g.handle_pong();
    assert!(g.is_confirmed());
    let (now, mut g) = first_contact(config());
    g.attach(now, 2, Some(0)).unwrap();
    assert!(g.is_confirmed());
    g.detach(now);
    assert_eq!(g.poll_timeout(), Some(now + 120 * S));
}

#[test]
fn link_age_and_drain() {
    let (now, mut g) =
        gateway(GatewayConfig { link_max_age: Some(100 * S), heartbeat: 1000 * S, ..config() });
    g.attach(now, 1, None).unwrap();
    let at = g.poll_timeout().unwrap();
    assert!((now + 80 * S..=now + 120 * S).contains(&at));
    g.handle_timeout(at);
    assert_eq!(events(&mut g), [GatewayEvent::LinkTooOld]);
    drain(&mut g, at);
    g.drain(at, GoAway { wait: 10, slot: 20, until: 5000, why: "age".into() });
    assert_eq!(drain(&mut g, at), ["\u{1f}g{\"in\":10,\"slot\":20,\"until\":5000,\"why\":\"age\"}"]);
    g.handle_timeout(at + 5 * S);
    assert_eq!(events(&mut g), [GatewayEvent::DrainOver]);
}

#[test]
fn a_new_session_in_place_of_a_lost_one() {
    let (now, mut g) = gateway(config());
    let loss = Loss { why: LossReason::NodeLost, acc: 7, lost: Some((3, 4)) };
    g.attach_lost(now, 12, loss).unwrap();
    let out = drain(&mut g, now);
    let Ok(Packet::Lost(lost)) = Packet::parse(&out[0][1..]) else { panic!("{out:?}") };
    assert_eq!(
        (lost.why, lost.acc, lost.lost, lost.session.att),
        (LossReason::NodeLost, 7, Some((3, 4)), 12)
    );
    g.attach_lost(now, 13, loss).unwrap();
    g.handle_data(now, 1);
    assert_eq!(g.attach_lost(now, 14, loss), Err(Refusal::Stale), "the client has it");
}

#[test]
fn packets_of_the_wrong_direction_and_floods() {
    let (now, mut g) = first_contact(config());
    for text in ["h", "m", "waway", r#"G{"from":1,"to":1,"policy":"p"}"#] {
        let packet = Packet::parse(text).unwrap();
        let letter = text.chars().next().unwrap();
        assert_eq!(g.handle_packet(now, &packet), Err(Misbehaviour::UnexpectedPacket(letter)));
    }
    let flood = (0..10_000).find_map(|_| g.handle_packet(now, &Packet::Probe("n".into())).err());
    assert_eq!(flood, Some(Misbehaviour::ControlFlood));
    assert_eq!(Misbehaviour::ControlFlood.close_code(), CloseCode::POLICY_VIOLATION);
    assert_eq!(Misbehaviour::MalformedPacket.close_code(), CloseCode::PROTOCOL_ERROR);
    for _ in 0..10_000 {
        g.queue_control_frame(&[0x8a, 0]);
    }
    assert!(g.heap() < 200_000);
}

#[test]
fn idle_session_is_small() {
    let (now, mut g) = first_contact(config());
    for _ in 0..100 {
        unit(&mut g, &"x".repeat(100));
        drain(&mut g, now);
        g.handle_data(now, 100);
        g.handle_consumed(now, 1);
    }
    drain(&mut g, now);
    g.handle_packet(now, &Packet::Ack(100)).unwrap();
    g.handle_packet(now, &Packet::Credentials("{}".into())).unwrap();
    events(&mut g);
    g.release_idle_memory();
    let (own, heap) = (size_of::<Gateway>(), g.heap());
    assert!(heap <= g.sid().as_str().len() + "chat".len(), "{heap} bytes of heap");
    // What an idle session costs per connection; docs/performance.md counts on it.
    assert!(own + heap <= 500, "{own} bytes + {heap} bytes of heap");
}

#[test]
fn table_of_transitions() {
    type Step = (&'static str, fn(&mut Gateway, Instant) -> String);
    let states: [Step; 5] = [
        ("detached, unconfirmed", |_, _| String::new()),
        ("attached", |g, now| {
            g.attach(now, 1, None).unwrap();
            g.handle_data(now, 1);
            String::new()
        }),
        ("detached", |g, now| {
            g.attach(now, 1, None).unwrap();
            g.handle_data(now, 1);
            g.detach(now);
            String::new()
        }),
        ("overflowed", |g, now| {
            g.attach(now, 1, None).unwrap();
            g.handle_data(now, 1);
            for _ in 0..30 {
                unit(g, &"x".repeat(120));
            }
            String::new()
        }),
        ("over", |g, now| {
            g.attach(now, 1, None).unwrap();
            g.handle_data(now, 1);
            g.detach(now);
            g.handle_timeout(now + 1000 * S);
            String::new()
        }),
    ];
    let inputs: [Step; 11] = [
        ("first contact, n newer", |g, now| format!("{:?}", g.attach(now, 2, None))),
        ("resume, n newer", |g, now| format!("{:?}", g.attach(now, 2, Some(0)))),
        ("resume, n stale", |g, now| format!("{:?}", g.attach(now, 0, Some(0)))),
        ("resume, rx too high", |g, now| format!("{:?}", g.attach(now, 2, Some(99)))),
        ("link lost", |g, now| {
            g.detach(now);
            String::new()
        }),
        ("data", |g, now| format!("{:?}", g.handle_data(now, 1))),
        ("x of the client", |g, now| {
            g.handle_consumed(now, u64::from(g.progress().received > 0));
            format!("{:?}", g.handle_packet(now, &Packet::parse("x1000").unwrap()))
        }),
        ("unit of the backend", |g, _| {
            unit(g, "u");
            String::new()
        }),
        ("close of the backend", |g, _| {
            g.close(CloseCode::NORMAL, "");
            String::new()
        }),
        ("buffer overflows", |g, _| {
            for _ in 0..30 {
                unit(g, &"x".repeat(120));
            }
            String::new()
        }),
        ("an hour passes", |g, now| {
            g.handle_timeout(now + 3600 * S);
            String::new()
        }),
    ];
    let mut table = String::new();
    for (state, reach) in states {
        writeln!(table, "{state}").unwrap();
        for (input, act) in inputs {
            let (now, mut g) = gateway(GatewayConfig { overflow: Overflow::End, ..config() });
            reach(&mut g, now);
            drain(&mut g, now);
            events(&mut g);
            let answer = act(&mut g, now);
            let out: String = drain(&mut g, now + 3600 * S)
                .iter()
                .map(|text| text.strip_prefix('\u{1f}').map_or("D", |packet| &packet[..1]).to_owned())
                .collect();
            let state = format!("{g:?}");
            let at = state.find(" state: ").unwrap() + 8;
            let state = &state[at..at + state[at..].find(',').unwrap()];
            let answer = answer.replace("Ok(())", "");
            let events = events(&mut g);
            let line = format!("  {input:<24} → {state:<10} out {out:<3} {answer} {events:?}");
            writeln!(table, "{}", line.trim_end_matches("[]").trim_end()).unwrap();
        }
    }
    insta::assert_snapshot!("gateway_transitions", table);
}
