//! The opening handshake: what is taken, what is refused and with which status.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use undrop_frame::handshake::{
    Accepted, HandshakeError, Headers, accept_key, check_response, check_upgrade, key, parse_request,
    parse_response, request, response_101, response_plain,
};

const LIMIT: usize = 16 * 1024;
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const GOOD: &[(&str, &str)] = &[
    ("Host", "example.com:8080"),
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
];

/// A request with one field replaced (`Some`) or left out (`None`), and others added.
fn head(line: &str, replace: &[(&str, Option<&str>)], add: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{line}\r\n");
    for (name, value) in GOOD {
        match replace.iter().find(|(n, _)| n == name) {
            Some((_, Some(value))) => text.push_str(&format!("{name}: {value}\r\n")),
            Some((_, None)) => {}
            None => text.push_str(&format!("{name}: {value}\r\n")),
        }
    }
    for (name, value) in add {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

fn verdict(bytes: &[u8]) -> Result<undrop_frame::handshake::UpgradeRequest, HandshakeError> {
    let (head, used) = parse_request(bytes, LIMIT)?.expect("a complete head");
    assert_eq!(used, bytes.len());
    check_upgrade(&head)
}

fn with(replace: &[(&str, Option<&str>)], add: &[(&str, &str)]) -> Result<u16, u16> {
    verdict(&head("GET /chat?x=1 HTTP/1.1", replace, add)).map(|_| 101).map_err(|error| error.status())
}

#[test]
fn a_good_request() {
    let add = [
        ("Origin", "https://example.com"),
        ("Sec-WebSocket-Protocol", "undrop.1+chat, undrop.hello.eyJ9"),
        ("sec-websocket-protocol", "chat"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("Sec-WebSocket-Extensions", "foo"),
    ];
    let upgrade = verdict(&head("GET /chat?x=1 HTTP/1.1", &[], &add)).unwrap();
    assert_eq!(upgrade.key, KEY);
    assert_eq!(upgrade.host, "example.com:8080");
    assert_eq!(upgrade.origin.as_deref(), Some("https://example.com"));
    assert_eq!(upgrade.protocols, ["undrop.1+chat", "undrop.hello.eyJ9", "chat"]);
    assert_eq!(upgrade.extensions.as_deref(), Some("permessage-deflate; client_max_window_bits, foo"));
    assert_eq!(with(&[("Upgrade", Some("h2c, WebSocket")), ("Connection", Some("UPGRADE"))], &[]), Ok(101));
    assert_eq!(with(&[("Host", Some("[::1]:80"))], &[("Content-Length", "0")]), Ok(101));
}

/// RFC 6455 §4.2.1, RFC 9112 §3.2, §6.1
#[test]
fn bad_fields_are_400() {
    for name in ["Host", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
        assert_eq!(with(&[(name, None)], &[]), Err(400), "{name} missing");
    }
    for (name, value) in [
        ("Host", ""),
        ("Host", "a b"),
        ("Host", "a,b"),
        ("Host", "user@a"),
        ("Host", "a/b"),
        ("Connection", "close"),
        ("Sec-WebSocket-Key", "short"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZS4="),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=!"),
    ] {
        assert_eq!(with(&[(name, Some(value))], &[]), Err(400), "{name}: {value}");
    }
    for (name, value) in [
        ("Host", "other"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "5"),
        ("Sec-WebSocket-Protocol", "a b"),
        ("Sec-WebSocket-Protocol", "a, a"),
        ("Sec-WebSocket-Protocol", "é"),
    ] {
        assert_eq!(with(&[], &[(name, value)]), Err(400), "{name}: {value} added");
    }
    assert_eq!(with(&[], &[("Origin", "a"), ("Origin", "b")]), Err(400));
}

#[test]
fn other_refusals() {
    assert_eq!(with(&[("Upgrade", None)], &[]), Err(426));
    assert_eq!(with(&[("Upgrade", Some("h2c"))], &[]), Err(426));
    assert_eq!(with(&[("Sec-WebSocket-Version", Some("8"))], &[]), Err(426));
    let status = |line: &str| verdict(&head(line, &[], &[])).map(|_| 101).map_err(|error| error.status());
    assert_eq!(status("POST / HTTP/1.1"), Err(405));
    assert_eq!(status("GET / HTTP/1.0"), Err(505));
    assert_eq!(status("GET ws://example.com/chat HTTP/1.1"), Ok(101));
    for line in ["GET * HTTP/1.1", "GET example.com:80 HTTP/1.1", "GET /a#b HTTP/1.1", "GET /a b HTTP/1.1"] {
        assert_eq!(status(line), Err(400), "{line}");
    }
    let error = verdict(&head("GET / HTTP/1.1", &[("Sec-WebSocket-Version", Some("14"))], &[])).unwrap_err();
    assert_eq!(error.headers(), [("Sec-WebSocket-Version", "13")]);
    let error = verdict(&head("PUT / HTTP/1.1", &[], &[])).unwrap_err();
    assert_eq!(error.headers(), [("Allow", "GET")]);
}

/// RFC 9112 §2.2, §5.2: forms in which two readers could see different heads.
#[test]
fn ambiguous_heads_are_refused() {
    for bytes in [
        &b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let verdict = parse_request(bytes, LIMIT).map(|head| head.map(|(_, used)| used));
        assert_eq!(verdict.unwrap_err().status(), 400, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn heads_are_bounded() {
    let many: Vec<(String, String)> = (0..96).map(|i| (format!("X-{i}"), "v".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(with(&[], &many), Err(431));
    assert_eq!(with(&[], &many[..95]), Ok(101));
    let long = head("GET / HTTP/1.1", &[], &[("X", &"v".repeat(LIMIT))]);
    assert_eq!(parse_request(&long, LIMIT).unwrap_err().status(), 431);
    assert_eq!(parse_request(&long[..LIMIT], LIMIT).unwrap_err().status(), 431);
    assert_eq!(parse_request(&long[..LIMIT - 1], LIMIT), Ok(None));
    let small = head("GET / HTTP/1.1", &[], &[]);
    assert!(parse_request(&small, small.len()).unwrap().is_some());
    assert_eq!(parse_request(&small, small.len() - 1).unwrap_err().status(), 431);
}

#[test]
fn a_head_that_comes_in_pieces() {
    let mut bytes = head("GET / HTTP/1.1", &[], &[]);
    let whole = bytes.len();
    bytes.extend_from_slice(b"\x81\x80....");
    for cut in 0..whole {
        assert_eq!(parse_request(&bytes[..cut], LIMIT), Ok(None), "{cut}");
    }
    assert_eq!(parse_request(&bytes, LIMIT).unwrap().unwrap().1, whole);
}

fn answer(fields: &str) -> Result<Accepted, HandshakeError> {
    let text = format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n");
    let (head, _) = parse_response(text.as_bytes(), LIMIT).unwrap().unwrap();
    check_response(&head, KEY, &["chat".to_owned(), "superchat".to_owned()], true)
}

/// RFC 6455 §4.1, the client's checks.
#[test]
fn responses() {
    let accept = accept_key(KEY);
    let good = format!("Upgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n");
    assert_eq!(answer(&good), Ok(Accepted { protocol: None, extensions: None }));
    let both = format!(
        "{good}Sec-WebSocket-Protocol: superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
    );
    let expected = Accepted {
        protocol: Some("superchat".to_owned()),
        extensions: Some("permessage-deflate".to_owned()),
    };
    assert_eq!(answer(&both), Ok(expected));
    for (fields, error) in [
        (good.replace("WebSocket\r", "h2c\r"), HandshakeError::ResponseField("Upgrade".into())),
        (
            good.replace("Connection: Upgrade", "Connection: close"),
            HandshakeError::ResponseField("Connection".into()),
        ),
        (good.replace(&accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="), HandshakeError::AcceptMismatch),
        (good.replace("Accept", "Except"), HandshakeError::ResponseField("Sec-WebSocket-Accept".into())),
        (
            format!("{good}Sec-WebSocket-Protocol: Chat\r\n"),
            HandshakeError::ProtocolNotOffered("Chat".to_owned()),
        ),
        (
            format!("{good}Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n"),
            HandshakeError::ResponseField("Sec-WebSocket-Protocol".into()),
        ),
    ] {
        assert_eq!(answer(&fields), Err(error), "{fields}");
    }
    let (head, _) =
        parse_response(format!("HTTP/1.1 101 \r\n{both}\r\n").as_bytes(), LIMIT).unwrap().unwrap();
    let refused = check_response(&head, KEY, &["superchat".to_owned()], false);
    assert_eq!(refused, Err(HandshakeError::ExtensionNotOffered("permessage-deflate".to_owned())));
    let plain = response_plain(503, &[("Retry-After", "5")], "busy");
    let (head, used) = parse_response(&plain, LIMIT).unwrap().unwrap();
    assert_eq!(&plain[used..], b"busy");
    assert_eq!(head.headers.get_str("retry-after"), Some("5"));
    assert_eq!(head.headers.get_str("Content-Length"), Some("4"));
    assert_eq!(check_response(&head, KEY, &[], false), Err(HandshakeError::Refused(503)));
}

#[test]
fn nothing_of_the_caller_begins_a_line_of_its_own() {
    let evil = "x\r\nInjected: yes";
    let mut extra = Headers::new();
    extra.append("X-A", evil);
    extra.append(evil, "v");
    extra.append("Sec-WebSocket-Key", "other");
    extra.append("X-B", "fine");
    for bytes in [
        request(evil, evil, KEY, &[evil.to_owned()], Some(evil), &extra),
        response_101(KEY, Some(evil), Some(evil), &[("X-A", evil), (evil, "v"), ("X-B", "fine")]),
        response_plain(400, &[("X-A", evil), (evil, "v"), ("X-B", "fine")], ""),
    ] {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("\nInjected"), "{text}");
        assert!(text.contains("X-B: fine\r\n"));
        assert!(!text.contains("other"));
    }
}

#[test]
fn headers() {
    let mut headers = Headers::new();
    headers.append("Accept", "a, b");
    headers.append("accept", " ,c,");
    assert_eq!(headers.tokens("ACCEPT").collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(headers.joined("Accept").as_deref(), Some("a, b,  ,c,"));
    assert!(headers.has_token("Accept", "B") && !headers.has_token("Accept", "d"));
    headers.insert("Accept", "z");
    assert_eq!(headers.len(), 1);
    assert_eq!(headers.get("accept"), Some(&b"z"[..]));
    headers.append("X", vec![0xff]);
    assert_eq!((headers.get_str("X"), headers.joined("X")), (None, None));
    assert!(headers.remove("ACCEPT") && !headers.remove("ACCEPT"));
    assert_eq!(headers.iter().collect::<Vec<_>>(), [("X", &[0xff][..])]);
}

proptest! {
    /// Each end parses what the other one writes.
    #[test]
    fn both_ends_together(
        random in any::<[u8; 16]>(),
        protocols in proptest::collection::btree_set("[a-zA-Z0-9.+_-]{1,20}", 0..4),
        path in "/[a-z0-9/?&=%.~-]{0,30}",
    ) {
        let key = key(random);
        let protocols: Vec<String> = protocols.into_iter().collect();
        let sent = request("host:1", &path, &key, &protocols, Some("permessage-deflate"), &Headers::new());
        let (head, used) = parse_request(&sent, LIMIT).unwrap().unwrap();
        prop_assert_eq!((used, &head.target), (sent.len(), &path));
        let upgrade = check_upgrade(&head).unwrap();
        prop_assert_eq!(&upgrade.protocols, &protocols);
        let chosen = protocols.last().map(String::as_str);
        let answer = response_101(&upgrade.key, chosen, upgrade.extensions.as_deref(), &[]);
        let (head, used) = parse_response(&answer, LIMIT).unwrap().unwrap();
        prop_assert_eq!(used, answer.len());
        let accepted = check_response(&head, &key, &protocols, true).unwrap();
        prop_assert_eq!(accepted.protocol.as_deref(), chosen);
        prop_assert_eq!(accepted.extensions.as_deref(), Some("permessage-deflate"));
    }

    #[test]
    fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut request = b"GET / HTTP/1.1\r\n".to_vec();
        request.extend_from_slice(&bytes);
        request.extend_from_slice(b"\r\n\r\n");
        for bytes in [&bytes, &request] {
            if let Ok(Some((head, _))) = parse_request(bytes, LIMIT) {
                let _ = check_upgrade(&head);
            }
            let _ = parse_response(bytes, LIMIT);
        }
    }
}
