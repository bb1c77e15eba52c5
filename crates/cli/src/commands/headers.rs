//! Validation of the request headers and subprotocols that a user passes, before anything is sent.

use anyhow::{anyhow, bail};
use undrop_frame::handshake::{Headers, request};

/// Returns name and value of each `--header`, in order.
///
/// # Errors
/// A header that would not be sent, because HTTP does not allow it or because the handshake sets it.
pub(crate) fn headers(given: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    given.iter().map(|header| parse(header)).collect()
}

/// Checks that each `--subprotocol` is a token and appears once (RFC 6455 §4.1).
pub(crate) fn subprotocols(given: &[String]) -> anyhow::Result<()> {
    for (at, name) in given.iter().enumerate() {
        if !is_token(name) {
            bail!(
                "--subprotocol: `{}` is not a token; use letters, digits and !#$%&'*+-.^_`|~, and repeat the option for each name",
                name.escape_debug()
            );
        }
        if given[..at].contains(name) {
            bail!("--subprotocol: `{name}` is given twice");
        }
    }
    Ok(())
}

fn parse(header: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = header
        .split_once(':')
        .ok_or_else(|| anyhow!("--header: `{}` is not NAME: VALUE", header.escape_debug()))?;
    let (name, value) = (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
    if is_sent(name, value) {
        return Ok((name.to_owned(), value.to_owned()));
    }
    // A value may be a secret, so only the name is shown.
    let shown = name.escape_debug();
    if !is_token(name) {
        bail!("--header: `{shown}` is not the name of a header; use letters, digits and !#$%&'*+-.^_`|~");
    }
    if is_sent("x", value) {
        let instead = match name.to_ascii_lowercase().as_str() {
            "host" => "; it follows from the URL, and --resolve connects to another address",
            "sec-websocket-protocol" => "; use --subprotocol",
            "sec-websocket-extensions" => "; use --compress",
            _ => "",
        };
        bail!("--header: `{shown}` is part of the handshake and cannot be set{instead}");
    }
    bail!("--header: the value of `{shown}` contains a line break or another control character");
}

/// Returns `true` if the handshake sends this header. The request itself is built, so this check cannot differ from it.
fn is_sent(name: &str, value: &str) -> bool {
    let mut one = Headers::new();
    one.append(name, value);
    let length = |headers: &Headers| request("h", "/", "", &[], None, headers).len();
    length(&one) > length(&Headers::new())
}

/// Returns `true` for a token of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_would_not_be_sent_is_refused() {
        for (header, says) in [
            ("nonsense", "`nonsense` is not NAME: VALUE"),
            ("bad header: x", "`bad header` is not the name of a header"),
            (": x", "`` is not the name"),
            ("X-A: b\r\nX-Evil: c", "the value of `X-A` contains a line break"),
            ("X-A: b\n", "the value of `X-A` contains a line break"),
            ("host: evil", "`host` is part of the handshake and cannot be set; it follows from the URL"),
            ("Sec-WebSocket-Protocol: chat", "use --subprotocol"),
            ("Upgrade: h2c", "is part of the handshake"),
        ] {
            let error = headers(&[header.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(says), "{header:?}: {error}");
        }
        let good = ["Authorization: Bearer a:b".to_owned(), "Origin:https://example.com".to_owned()];
        let all = headers(&good).unwrap();
        assert_eq!(all[0], ("Authorization".to_owned(), "Bearer a:b".to_owned()));
        assert_eq!(all[1], ("Origin".to_owned(), "https://example.com".to_owned()));
    }

    #[test]
    fn secrets_in_values_are_not_shown() {
        let error = headers(&["Authorization: Bearer hush\u{7}".to_owned()]).unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn subprotocols_are_tokens_and_each_is_given_once() {
        let all =
            |names: &[&str]| subprotocols(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        all(&["chat", "graphql-transport-ws", "v1.bearer"]).unwrap();
        for (names, says) in [
            (&["a b"][..], "`a b` is not a token"),
            (&["a,b"], "`a,b` is not a token"),
            (&[""], "`` is not a token"),
            (&["chat", "chat"], "`chat` is given twice"),
        ] {
            let error = all(names).unwrap_err().to_string();
            assert!(error.contains(says), "{names:?}: {error}");
        }
    }
}
