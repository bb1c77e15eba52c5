//! Arbitrary heads: no panic, no head over the limit, and no verdict on a prefix that the rest changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use undrop_frame::Role;
use undrop_frame::deflate::{Config, Deflater, Inflater};
use undrop_frame::handshake::{
    Headers, check_response, check_upgrade, parse_request, parse_response, request, response_101,
};

const LIMIT: usize = 4096;
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

// The first byte chooses request, response or extension list.
fuzz_target!(|data: &[u8]| {
    let &[choice, ref bytes @ ..] = data else { return };
    match choice % 3 {
        0 => client_says(bytes),
        1 => server_says(bytes),
        _ => extensions(bytes),
    }
});

fn client_says(bytes: &[u8]) {
    let Ok(Some((head, used))) = parse_request(bytes, LIMIT) else { return };
    assert!(used <= LIMIT.min(bytes.len()));
    for cut in [0, used / 3, used / 2, used - 1] {
        assert!(matches!(parse_request(&bytes[..cut], LIMIT), Ok(None)), "{cut} of {used}");
    }
    match check_upgrade(&head) {
        Err(error) => assert!((400..600).contains(&error.status())),
        Ok(upgrade) => {
            // What we would send for it says the same.
            let extensions = upgrade.extensions.as_deref();
            let sent =
                request(&upgrade.host, &head.target, &upgrade.key, &upgrade.protocols, extensions, &Headers::new());
            let (head, _) = parse_request(&sent, usize::MAX).expect("well-formed").expect("complete");
            let again = check_upgrade(&head).expect("a good request");
            assert_eq!((again.key, again.host, again.protocols), (upgrade.key, upgrade.host, upgrade.protocols));
        }
    }
}

fn server_says(bytes: &[u8]) {
    let Ok(Some((head, used))) = parse_response(bytes, LIMIT) else { return };
    assert!(used <= LIMIT.min(bytes.len()));
    let offered = ["chat".to_owned()];
    if let Ok(accepted) = check_response(&head, KEY, &offered, true) {
        assert!(accepted.protocol.is_none_or(|chosen| offered.contains(&chosen)));
        let _ = Config::default().accept(accepted.extensions.as_deref());
    }
}

fn extensions(bytes: &[u8]) {
    let Ok(list) = std::str::from_utf8(bytes) else { return };
    let lenient =
        Config { client_no_context_takeover: false, server_no_context_takeover: false, ..Config::default() };
    let _ = lenient.accept(Some(list));
    if let Some((params, answer)) = lenient.negotiate(list) {
        assert!((9..=15).contains(&params.server_max_window_bits));
        assert_eq!(Config::read_answer(&answer), Some(params), "{answer}");
        let response = response_101(KEY, None, Some(&answer), &[]);
        assert!(matches!(parse_response(&response, LIMIT), Ok(Some(_))));
        let mut compressed = Vec::new();
        if Deflater::new(params, Role::Server, 0, 1).deflate(&[b'a'; 100], &mut compressed) {
            let mut out = Vec::new();
            Inflater::new(params, Role::Client, 100).inflate(&compressed, &mut out).expect("our own");
            assert_eq!(out, [b'a'; 100]);
        }
    }
}
