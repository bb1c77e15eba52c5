//! Changed handshakes, responses of the proxy, failing compression, and streams that cannot be read.

use undrop_fault::{CloseManner, Delivery, Side};
use undrop_frame::OpCode;

use super::{REQUEST, RESPONSE, Run, frame};

fn has(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(text)
}

#[test]
fn header_fields_are_set_and_removed() {
    let mut run = Run::new(&[
        "header name=upgrade remove=true",
        "header name=Origin set=\"https://evil.example\"",
        "header name=Sec-WebSocket-Accept set=wrong on=response",
    ]);
    // The head arrives in two pieces and is held back until it is complete.
    run.send(Side::A, &REQUEST[..50]);
    assert_eq!(run.bytes[1], b"");
    run.send(Side::A, &REQUEST[50..]);
    assert!(
        !has(&run.bytes[1], "Upgrade: websocket")
            && has(&run.bytes[1], "Origin: https://evil.example\r\n\r\n")
    );
    run.send(Side::B, RESPONSE);
    assert!(has(&run.bytes[0], "Sec-WebSocket-Accept: wrong\r\n") && !has(&run.bytes[0], "s3pPLMBi"));
    let log = run.log();
    assert_eq!(log.len(), 3);
    assert_eq!(log[0], ("header", "upgrade removed", 0));
}

#[test]
fn compression_is_stripped_from_the_request_the_response_or_both() {
    for (fault, offered, accepted) in [
        ("compression mode=strip direction=up", false, true),
        ("compression mode=strip direction=down", true, false),
        ("compression mode=strip", false, false),
    ] {
        let mut run = Run::new(&[fault]);
        run.send(Side::A, REQUEST);
        run.send(Side::B, RESPONSE);
        assert_eq!(has(&run.bytes[1], "permessage-deflate"), offered, "{fault}");
        assert_eq!(has(&run.bytes[0], "permessage-deflate"), accepted, "{fault}");
    }
}

#[test]
fn compressed_payloads_are_damaged_and_others_are_not() {
    let mut run = Run::open(&["compression mode=corrupt direction=down"]);
    let plain = frame(Side::B, OpCode::Text, &[b'a'; 2000]);
    let mut compressed = plain.clone();
    compressed[0] |= 0x40;
    run.send(Side::B, &plain);
    assert!(run.bytes[0] == plain);
    run.send(Side::B, &compressed);
    let got = &run.bytes[0][plain.len()..];
    assert_eq!(got.len(), compressed.len());
    assert_eq!(got[..4], compressed[..4], "the header is whole");
    assert!(got != &compressed[..]);
    assert_eq!(run.log().len(), 1);
}

#[test]
fn the_proxy_responds_itself() {
    let mut run = Run::new(&["status status=503 body=\"try later\" headers={\"Retry-After\":\"5\"}"]);
    assert!(run.tunnel.responds_itself(), "no upstream is needed");
    run.send(Side::A, REQUEST);
    let response = String::from_utf8(run.bytes[0].clone()).unwrap();
    assert!(response.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{response}");
    assert!(response.contains("Retry-After: 5\r\n") && response.ends_with("\r\n\r\ntry later"), "{response}");
    assert_eq!(run.ends[0], [(0, Delivery::Fin)]);
    assert_eq!(run.bytes[1], b"");
    assert_eq!(run.log(), [("status", "responded with 503", 0)]);
    assert!(run.tunnel.responds_itself());
}

#[test]
fn tls_passes_and_only_faults_on_bytes_apply() {
    let mut run = Run::new(&["status status=503", "drop-pings", "cut bytes=200 direction=up how=rst"]);
    let hello = [&[0x16, 3, 1, 2, 0][..], &[7; 150]].concat();
    run.send(Side::A, &hello);
    assert!(!run.tunnel.responds_itself(), "an upstream is needed after all");
    assert_eq!(run.bytes[1], hello);
    assert!(run.tunnel.unreadable().is_some_and(|why| why.starts_with("TLS")));
    run.send(Side::A, &[8; 100]);
    assert_eq!((run.bytes[1].len(), run.ends[1].len()), (200, 1));
}

#[test]
fn other_protocols_pass() {
    // The first is a protocol in which the server sends first, the second is HTTP without a WebSocket.
    let mut run = Run::new(&["idle-cut after=1s counts=data"]);
    run.send(Side::B, b"220 mail\r\n");
    run.send(Side::A, b"EHLO x\r\n");
    assert_eq!((&run.bytes[0][..], &run.bytes[1][..]), (&b"220 mail\r\n"[..], &b"EHLO x\r\n"[..]));
    run.until(900);
    run.send(Side::B, b"250\r\n");
    run.until(5000);
    assert_eq!(run.ends[0][0].0, 1900, "any byte is data then");

    let mut run = Run::new(&[]);
    run.send(Side::A, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    run.send(Side::B, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    run.send(Side::A, b"GET /2 HTTP/1.1\r\n\r\n");
    assert!(has(&run.bytes[0], "\r\n\r\nok") && has(&run.bytes[1], "GET /2"));
    assert_eq!(run.tunnel.unreadable(), None);
}

#[test]
fn an_interim_response_precedes_the_final_response() {
    let mut run = Run::new(&["drop-pings direction=down"]);
    run.send(Side::A, REQUEST);
    run.send(Side::B, b"HTTP/1.1 103 Early Hints\r\n\r\n");
    run.send(Side::B, RESPONSE);
    let before = run.bytes[0].len();
    run.send(Side::B, &frame(Side::B, OpCode::Ping, b"x"));
    assert_eq!(run.bytes[0].len(), before, "frames are read after it");
}

#[test]
fn a_refused_upgrade_is_plain_http() {
    let mut run = Run::new(&["drop-pings"]);
    run.send(Side::A, REQUEST);
    run.send(Side::B, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\n\x89\x00!");
    assert!(run.bytes[0].ends_with(b"\x89\x00!"));
}

#[test]
fn incomplete_data_passes_at_the_end_of_the_stream() {
    let mut run = Run::new(&[]);
    run.send(Side::A, &REQUEST[..30]);
    run.finish(Side::A, CloseManner::Fin);
    assert_eq!((&run.bytes[1][..], run.ends[1].len()), (&REQUEST[..30], 1));
    let mut run = Run::open(&[]);
    run.send(Side::B, &[0x81]);
    assert_eq!(run.bytes[0], b"", "half a header");
    run.finish(Side::B, CloseManner::Fin);
    assert_eq!((&run.bytes[0][..], run.ends[0].len()), (&[0x81][..], 1));
}

#[test]
fn invalid_frames_pass_to_the_endpoints() {
    let mut run = Run::open(&["drop-pings", "cut age=1s how=close"]);
    run.send(Side::B, &[0xff, 0xff, 0xff, 0xff]);
    run.send(Side::B, b"and on");
    assert_eq!(run.bytes[0], b"\xff\xff\xff\xffand on");
    assert!(run.tunnel.unreadable().is_some());
    run.until(2000);
    assert_eq!(run.ends[0], [(1000, Delivery::Fin)], "no Close frame can be inserted into invalid frames");
}

#[test]
fn a_head_without_end_passes_unread() {
    let mut run = Run::new(&["header name=X set=1"]);
    run.send(Side::A, b"GET / HTTP/1.1\r\nX-Long: ");
    for _ in 0..20 {
        run.send(Side::A, &[b'a'; 8000]);
    }
    assert_eq!(run.bytes[1].len(), 24 + 160_000);
}
