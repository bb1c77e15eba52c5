//! The vectors of `spec/vectors`, which every implementation of the protocol runs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::Value;
use undrop_frame::{CloseCode, Retry};
use undrop_session::{
    Backoff, Hello, Packet, SessionId, SessionKey, TextKind, escape, is_session_protocol, offer, parse_offer,
    response_protocol, retry_hint,
};

macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../spec/vectors/", $name, ".json")))
            .unwrap()
    };
}

fn list<'v>(vectors: &'v Value, name: &str) -> &'v [Value] {
    let list = vectors[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_owned()).collect()
}

#[test]
fn packets() {
    let vectors = vectors!("packets");
    let mut letters = String::new();
    for case in list(&vectors, "good") {
        let text = case["text"].as_str().unwrap();
        let packet = Packet::parse(&text[1..]).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(packet.letter().to_string(), case["packet"].as_str().unwrap());
        assert_eq!(packet.encode(), text);
        letters.push(packet.letter());
        let body = &case["body"];
        match packet {
            Packet::Ack(number) => assert_eq!(Some(number), body["number"].as_u64()),
            Packet::Probe(nonce) | Packet::ProbeReply(nonce) => {
                assert_eq!(Some(&nonce[..]), body["nonce"].as_str())
            }
            Packet::Close(close) => {
                assert_eq!(Some(u64::from(close.code.get())), body["code"].as_u64());
                assert_eq!(Some(&close.reason[..]), body["reason"].as_str());
            }
            _ => {}
        }
    }
    for letter in "SRLarhPpgmGxtwq".chars() {
        assert!(letters.contains(letter), "no vector for {letter}");
    }
    for case in list(&vectors, "bad") {
        let text = case.as_str().unwrap();
        assert!(Packet::parse(&text[1..]).is_err(), "{text:?}");
    }
}

#[test]
fn hello_and_mac() {
    let vectors = vectors!("hello");
    for case in list(&vectors, "macs") {
        let key = SessionKey::decode(case["key"].as_str().unwrap()).unwrap();
        let sid = SessionId::parse(case["sid"].as_str().unwrap()).unwrap();
        let (n, rx) = (case["n"].as_u64().unwrap(), case["rx"].as_u64().unwrap());
        let mac = case["mac"].as_str().unwrap();
        assert_eq!(key.mac(&sid, n, rx), mac);
        assert!(key.verify(&sid, n, rx, mac));
    }
    for case in list(&vectors, "hellos") {
        let token = case["token"].as_str().unwrap();
        let hello = Hello::decode(token).unwrap();
        let said = &case["hello"];
        assert_eq!(Some(hello.attempt()), said["n"].as_u64());
        match &hello {
            Hello::First { cid, .. } => assert_eq!(Some(&cid[..]), said["cid"].as_str()),
            Hello::Resume { sid, rx, mac, .. } => {
                assert_eq!(Some(sid.as_str()), said["sid"].as_str());
                assert_eq!(Some(*rx), said["rx"].as_u64());
                assert_eq!(Some(&mac[..]), said["mac"].as_str());
            }
        }
        assert_eq!(hello.encode(), token);
    }
    for case in list(&vectors, "bad") {
        assert!(Hello::decode(case.as_str().unwrap()).is_err(), "{case}");
    }
}

#[test]
fn escaping() {
    let vectors = vectors!("escape");
    for case in list(&vectors, "texts") {
        let (data, wire) = (case["data"].as_str().unwrap(), case["wire"].as_str().unwrap());
        assert_eq!(&*escape(data.as_bytes()), wire.as_bytes());
        let back = match TextKind::of(wire.as_bytes(), true) {
            Some(TextKind::Data) => wire,
            Some(TextKind::EscapedData) => &wire[1..],
            other => panic!("{other:?}"),
        };
        assert_eq!(back, data);
    }
}

#[test]
fn negotiation() {
    let vectors = vectors!("negotiation");
    for case in list(&vectors, "offers") {
        let hello = Hello::decode(case["hello"].as_str().unwrap()).unwrap();
        assert_eq!(offer(&strings(&case["app"]), &hello), strings(&case["tokens"]));
    }
    for case in list(&vectors, "answers") {
        let offer = parse_offer(&strings(&case["tokens"]));
        assert_eq!(offer.plain, strings(&case["plain"]), "{case}");
        assert_eq!(Some(offer.wants_session()), case["session"].as_bool(), "{case}");
        if let Some(expected) = case["answer"].as_str() {
            assert_eq!(response_protocol(&offer, case["backend"].as_str()), expected);
            assert!(is_session_protocol(expected));
        }
    }
}

#[test]
fn backoff() {
    let vectors = vectors!("backoff");
    let policy = |case: &Value| Backoff::by_name(case["policy"].as_str().unwrap()).unwrap();
    for case in list(&vectors, "ceilings") {
        for (tries, ceiling) in (0..).zip(list(case, "ceilings")) {
            assert_eq!(policy(case).ceiling(tries).as_millis(), u128::from(ceiling.as_u64().unwrap()));
        }
    }
    for case in list(&vectors, "delays") {
        let tries = u32::try_from(case["tries"].as_u64().unwrap()).unwrap();
        let delay = policy(case).delay(tries, case["random"].as_f64().unwrap());
        assert_eq!(delay, case["delay"].as_u64().map(Duration::from_millis), "{case}");
    }
}

#[test]
fn close_codes() {
    let vectors = vectors!("close-codes");
    let code = |case: &Value| CloseCode::new(u16::try_from(case["code"].as_u64().unwrap()).unwrap());
    for case in list(&vectors, "retry") {
        let rule = match code(case).retry() {
            Retry::Final => "final",
            Retry::Retry => "retry",
            Retry::AfterHint => "after-hint",
        };
        assert_eq!(Some(rule), case["rule"].as_str(), "{case}");
    }
    for case in list(&vectors, "wire") {
        assert_eq!(Some(code(case).is_valid_on_wire()), case["valid"].as_bool(), "{case}");
    }
    for case in list(&vectors, "hints") {
        let delay = retry_hint(case["reason"].as_str().unwrap());
        assert_eq!(delay, case["delay"].as_u64().map(Duration::from_millis), "{case}");
    }
}
