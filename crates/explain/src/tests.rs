#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn known(query: &str) -> Vec<Explanation> {
    match explain(query) {
        Lookup::Known(found) => found,
        Lookup::Unknown { nearest } => panic!("{query:?} is unknown; nearest {nearest:?}"),
    }
}

fn ids(query: &str) -> Vec<String> {
    known(query).into_iter().map(|one| one.id).collect()
}

#[test]
fn every_close_code_is_explained() {
    for code in (1000..=4999).chain(0..100).chain(600..1000) {
        let query = if code == 0 { "close 0".to_owned() } else { code.to_string() };
        let found = known(&query);
        assert_eq!((found.len(), found[0].family), (1, Family::CloseCode), "{code}");
        let one = &found[0];
        assert!(one.sender.is_some() && one.retry.is_some() && !one.meaning.is_empty(), "{code}");
        assert!(!one.causes.is_empty() && !one.fix.is_empty(), "{code}");
    }
    for beyond in ["5000", "65536", "4294967296", "99999999999999999999"] {
        assert!(matches!(explain(beyond), Lookup::Unknown { .. }), "{beyond}");
    }
}

#[test]
fn codes_say_who_sends_them_and_whether_to_retry() {
    for (code, sender, retry) in [
        ("1000", "client or server", "no"),
        ("1001", "client or server", "yes"),
        ("1006", "no peer", "yes"),
        ("1010", "clients only", "no"),
        ("1012", "servers only", "yes, after the delay"),
        ("1015", "no peer", "yes"),
        ("2000", "no peer: it must not", "yes"),
        ("4401", "client or server", "no"),
    ] {
        let one = known(code).remove(0);
        assert!(one.sender.as_ref().unwrap().starts_with(sender), "{code}: {:?}", one.sender);
        assert!(one.retry.as_ref().unwrap().starts_with(retry), "{code}: {:?}", one.retry);
    }
}

#[test]
fn statuses_name_the_products_that_answer_so() {
    for status in [
        0, 101, 200, 204, 301, 302, 307, 308, 400, 401, 403, 404, 405, 408, 421, 426, 429, 431, 460, 464, 499,
    ] {
        assert_eq!(known(&status.to_string())[0].family, Family::HttpStatus, "{status}");
    }
    for (status, product) in [
        ("502", "nginx (proxy_pass)"),
        ("503", "HAProxy"),
        ("504", "nginx (proxy_pass)"),
        ("426", "nginx (proxy_pass)"),
    ] {
        let one = known(status).remove(0);
        assert!(one.parts.iter().any(|(name, _)| name == product), "{status}: {:?}", one.parts);
    }
    assert_eq!(ids("HTTP 502"), ["502"]);
    assert_eq!(ids("status 426"), ["426"]);
    assert_eq!(ids("HTTP/1.1 426"), ["426"]);
    assert!(matches!(explain("299"), Lookup::Unknown { .. }));
}

#[test]
fn a_pasted_head_names_who_made_it() {
    let head = "HTTP/1.1 502 Bad Gateway\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\n\r\n<html><hr><center>nginx/1.22.1</center>";
    let one = known(head).remove(0);
    assert!(
        one.parts.iter().any(|(name, said)| name.contains("nginx") && said.contains("is on the path")),
        "{:?}",
        one.parts
    );
    let head = "HTTP/1.1 301 Moved Permanently\nLocation: https://example.com/ws/\n\n";
    assert!(known(head)[0].parts.contains(&("Location".to_owned(), "https://example.com/ws/".to_owned())));
    let one = known("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\n").remove(0);
    assert!(one.parts.iter().any(|(name, said)| name == "connection" && said.contains("missing")));
    for odd in ["HTTP/1.1", "HTTP/1.1 abc", "HTTP/1.1 99", "HTTP/\u{0}\u{0}", "HTTP/1.1 99999"] {
        assert!(matches!(explain(odd), Lookup::Unknown { .. }), "{odd}");
    }
    assert_eq!(known("HTTP/1.1 777 Strange")[0].id, "777");
}

#[test]
fn every_state_of_haproxy_is_explained() {
    for first in "CSPLRIDUKcs-".chars() {
        for second in "RQCHDLT-".chars() {
            for rest in ["", "--", "NI", "VN"] {
                let state = format!("{first}{second}{rest}");
                let found = match explain(&format!("haproxy {state}")) {
                    Lookup::Known(found) => found,
                    Lookup::Unknown { .. } => panic!("{state}"),
                };
                assert_eq!(
                    (found[0].family, found[0].parts.len()),
                    (Family::Haproxy, state.len()),
                    "{state}"
                );
            }
        }
    }
    for wrong in ["haproxy xD--", "haproxy cD-", "haproxy cDzz", "haproxy cX"] {
        assert!(matches!(explain(wrong), Lookup::Unknown { .. }), "{wrong}");
    }
    let one = known("cD--").remove(0);
    assert!(one.meaning.contains("timeout client") && one.example.is_some(), "{}", one.meaning);
    assert_eq!(ids("sD"), ["sD"]);
}

#[test]
fn every_flag_of_envoy_is_explained() {
    for flag in [
        "DC", "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "URX", "NR", "DI", "FI", "RL", "UAEX", "RLSE",
        "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR", "UDO",
    ] {
        assert_eq!(known(flag)[0].family, Family::Envoy, "{flag}");
    }
    assert_eq!(ids("UT,DC"), ["UT", "DC"]);
    assert!(matches!(explain("UT,ZZ"), Lookup::Unknown { .. }));
    // Both know this one.
    let families: Vec<Family> = known("LR").iter().map(|one| one.family).collect();
    assert_eq!(families, [Family::Envoy, Family::Haproxy]);
}

#[test]
fn lines_of_logs_and_consoles_are_recognised() {
    for (line, wanted) in [
        (
            "upstream prematurely closed connection while reading response header",
            "upstream prematurely closed connection",
        ),
        (
            "2026/05/01 12:00:00 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1",
            "111: Connection refused",
        ),
        ("110: Connection timed out", "110: Connection timed out"),
        (
            "2026/05/01 12:01:00 [info] 31#31: *7 upstream timed out (110: Connection timed out) while proxying upgraded connection, client: ::1",
            "upstream timed out while proxying upgraded connection",
        ),
        (
            "recv() failed (104: Connection reset by peer) while proxying upgraded connection",
            "104: Connection reset by peer while proxying upgraded connection",
        ),
        ("1024 worker_connections are not enough", "worker_connections are not enough"),
        ("accept4() failed (24: Too many open files)", "24: Too many open files"),
        (
            "WebSocket connection to 'ws://x/' failed: net::ERR_CONNECTION_REFUSED",
            "Chrome: net::ERR_CONNECTION_REFUSED",
        ),
        (
            "WebSocket connection to 'ws://x/' failed: WebSocket is closed before the connection is established.",
            "Chrome: closed before the connection is established",
        ),
        (
            "Firefox can’t establish a connection to the server at ws://localhost:1/.",
            "Firefox: can't establish a connection",
        ),
        (
            "WebSocket connection to 'wss://x/' failed: There was a bad response from the server.",
            "Safari: WebSocket connection failed",
        ),
        ("Invalid WebSocket frame: RSV1 must be clear", "ws: Invalid WebSocket frame"),
        ("websocket: bad handshake", "gorilla: bad handshake"),
        (
            "sent 1011 (internal error) keepalive ping timeout; no close frame received",
            "websockets: keepalive ping timeout",
        ),
        (
            "WebSocket protocol error: Connection reset without closing handshake",
            "tungstenite: Connection reset without closing handshake",
        ),
        ("Error: read ECONNRESET at TCP.onStreamRead", "Node: ECONNRESET"),
        ("curl: (52) Empty reply from server", "0"),
        ("Mixed Content: The page at 'https://a' was loaded over HTTPS", "Chrome: Mixed Content"),
    ] {
        assert_eq!(ids(line)[0], wanted, "{line}");
    }
}

#[test]
fn a_number_in_a_line_is_explained_too() {
    for (line, wanted) in [
        ("Error during WebSocket handshake: Unexpected response code: 502", "502"),
        ("Error: Unexpected server response: 403", "403"),
        ("server rejected WebSocket connection: HTTP 503", "503"),
        ("HTTP error: 400 Bad Request", "400"),
        ("websocket: close 1006 (abnormal closure): unexpected EOF", "1006"),
        ("websocket: close 1009 (message too big)", "1009"),
        ("received 1012 (service restart); then sent 1012 (service restart)", "1012"),
        ("connection closed with code 1013", "1013"),
        ("Handshake status 404 Not Found", "404"),
    ] {
        assert!(ids(line).iter().any(|id| id == wanted), "{line}: {:?}", ids(line));
    }
}

#[test]
fn what_is_not_known_is_said_to_be_unknown() {
    for (query, near) in [
        ("upstreem prematurely closed conection", "upstream prematurely closed connection"),
        ("err_conection_refused", "Chrome: net::ERR_CONNECTION_REFUSED"),
    ] {
        match explain(query) {
            Lookup::Unknown { nearest } => {
                assert_eq!(nearest.first().map(String::as_str), Some(near), "{query}: {nearest:?}")
            }
            Lookup::Known(found) => panic!("{query}: {:?}", found[0].id),
        }
    }
    for query in ["", "   ", "the cat sat on the mat", "zq"] {
        assert!(matches!(explain(query), Lookup::Unknown { .. }), "{query}");
    }
}

proptest! {
    #[test]
    fn no_query_panics(query in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        explain(&query);
        explain(&format!("HTTP/{query}"));
        explain(&format!("haproxy {query}"));
        explain(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_line_with_known_words_panics(before in "\\PC{0,20}", after in "[ 0-9:(){}…]{0,12}") {
        for words in ["unexpected response code: ", "websocket: close ", "timed out", "http error: "] {
            explain(&format!("{before}{words}{after}"));
        }
    }
}

#[test]
fn a_huge_query_is_cut() {
    explain(&"ä".repeat(1 << 20));
    explain(&format!("HTTP/1.1 502\n{}", "a: b\n".repeat(1 << 18)));
}

#[test]
fn every_cause_of_the_catalogue_has_a_query_that_is_known() {
    for cause in undrop_diagnosis::causes() {
        assert!(matches!(explain(&cause.explain), Lookup::Known(_)), "{}: {}", cause.number, cause.explain);
    }
}
