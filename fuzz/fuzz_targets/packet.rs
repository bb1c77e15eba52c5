//! Any text as a packet, a hello, an offer or a session id: no panic, and parsed values are unchanged after encoding
//! and parsing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use undrop_session::{Hello, Packet, SessionId, escape, needs_escape, parse_offer, response_protocol};

fuzz_target!(|text: &str| {
    if let Ok(packet) = Packet::parse(text) {
        let wire = packet.encode();
        let body = wire.strip_prefix('\u{1f}').expect("a packet begins with U+001F");
        assert_eq!(Packet::parse(body).as_ref(), Ok(&packet), "{wire}");
    }
    if let Ok(hello) = Hello::decode(text) {
        assert_eq!(Hello::decode(&hello.encode()).as_ref(), Ok(&hello));
    }
    if let Ok(sid) = SessionId::parse(text) {
        assert_eq!(sid.as_str(), text);
    }
    let tokens: Vec<String> = text.split(',').map(|token| token.trim().to_owned()).collect();
    let offer = parse_offer(&tokens);
    assert!(
        offer.plain.iter().all(|token| !token.starts_with("undrop.")),
        "a token of ours reaches the backend"
    );
    let _ = response_protocol(&offer, offer.plain.first().map(String::as_str));
    let escaped = escape(text.as_bytes());
    assert_eq!(escaped.len(), text.len() + usize::from(needs_escape(text.as_bytes())));
});
