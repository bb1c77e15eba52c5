//! The subprotocol tokens (`Sec-WebSocket-Protocol`, RFC 6455 §11.3.4) that offer and accept a session.

use crate::hello::{Hello, InvalidHello};

/// The token that names this protocol; with an application subprotocol `P` it is `undrop.1+P`.
pub const SESSION_PROTOCOL: &str = "undrop.1";
const HELLO_PREFIX: &str = "undrop.hello.";

/// The parsed offer of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The hello, if there was one. Two hellos count as an invalid one.
    pub hello: Option<Result<Hello, InvalidHello>>,
    /// Session tokens in the client's order; `None` is the bare one, without an application subprotocol.
    pub session: Vec<Option<String>>,
    /// All other tokens in the client's order, which are offered to the backend.
    pub plain: Vec<String>,
}

/// Returns the tokens that a client sends: session tokens, the hello, then the plain subprotocols.
pub fn offer(app_protocols: &[String], hello: &Hello) -> Vec<String> {
    let mut tokens = Vec::with_capacity(app_protocols.len() * 2 + 2);
    if app_protocols.is_empty() {
        tokens.push(SESSION_PROTOCOL.to_owned());
    }
    tokens.extend(app_protocols.iter().map(|protocol| format!("{SESSION_PROTOCOL}+{protocol}")));
    tokens.push(format!("{HELLO_PREFIX}{}", hello.encode()));
    tokens.extend(app_protocols.iter().cloned());
    tokens
}

/// Parses the tokens of a client. Unknown tokens that start with `undrop.` are dropped: they belong to another version,
/// never to a backend.
pub fn parse_offer(tokens: &[String]) -> Offer {
    let mut offer = Offer { hello: None, session: Vec::new(), plain: Vec::new() };
    for token in tokens {
        if let Some(hello) = token.strip_prefix(HELLO_PREFIX) {
            let only = offer.hello.is_none();
            offer.hello = Some(if only { Hello::decode(hello) } else { Err(InvalidHello) });
        } else if token == SESSION_PROTOCOL {
            offer.session.push(None);
        } else if let Some(protocol) = token.strip_prefix(SESSION_PROTOCOL).and_then(|t| t.strip_prefix('+'))
        {
            offer.session.push(Some(protocol.to_owned()));
        } else if !token.starts_with("undrop.") {
            offer.plain.push(token.clone());
        }
    }
    offer
}

impl Offer {
    /// Returns whether the client requests a session with a valid hello.
    pub fn wants_session(&self) -> bool {
        !self.session.is_empty() && matches!(self.hello, Some(Ok(_)))
    }

    /// Returns whether the client offered this application subprotocol (or none) inside a session.
    pub fn allows(&self, protocol: Option<&str>) -> bool {
        self.session.iter().any(|offered| offered.as_deref() == protocol)
    }
}

/// Returns the token that accepts a session: `undrop.1+P` for the subprotocol `P` that the backend chose, when the client
/// offered that one; otherwise the bare token or, when that was not offered, the first one that was (the backend
/// chose no subprotocol, which `S.protocol` shows, and a browser accepts only a token that it offered).
pub fn response_protocol(offer: &Offer, backend_protocol: Option<&str>) -> String {
    let chosen = backend_protocol.filter(|protocol| offer.allows(Some(protocol)));
    match (chosen, offer.session.first()) {
        (Some(protocol), _) => format!("{SESSION_PROTOCOL}+{protocol}"),
        (None, Some(Some(first))) if !offer.allows(None) => format!("{SESSION_PROTOCOL}+{first}"),
        (None, _) => SESSION_PROTOCOL.to_owned(),
    }
}

/// Returns whether the subprotocol in the server's response opens a session; otherwise it is a plain one.
pub fn is_session_protocol(protocol: &str) -> bool {
    protocol.strip_prefix(SESSION_PROTOCOL).is_some_and(|rest| rest.is_empty() || rest.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello::First { cid: "0123456789abcdef".into(), n: 1 }
    }

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn offer_is_read_back() {
        let tokens = offer(&strings(&["chat", "v2"]), &hello());
        assert_eq!(tokens[0], "undrop.1+chat");
        assert_eq!(tokens[1], "undrop.1+v2");
        assert!(tokens[2].starts_with("undrop.hello."));
        assert_eq!(tokens[3..], strings(&["chat", "v2"]));
        let read = parse_offer(&tokens);
        assert_eq!(read.hello, Some(Ok(hello())));
        assert_eq!(read.session, [Some("chat".into()), Some("v2".into())]);
        assert_eq!(read.plain, strings(&["chat", "v2"]));
        assert!(read.wants_session());
    }

    #[test]
    fn responses() {
        let two = parse_offer(&offer(&strings(&["chat", "v2"]), &hello()));
        assert_eq!(response_protocol(&two, Some("v2")), "undrop.1+v2");
        assert_eq!(response_protocol(&two, None), "undrop.1+chat");
        assert_eq!(response_protocol(&two, Some("other")), "undrop.1+chat");
        let bare = parse_offer(&offer(&[], &hello()));
        assert_eq!(response_protocol(&bare, None), "undrop.1");
        for (text, session) in
            [("undrop.1", true), ("undrop.1+x", true), ("undrop.10", false), ("chat", false), ("", false)]
        {
            assert_eq!(is_session_protocol(text), session, "{text}");
        }
    }

    #[test]
    fn strangers_and_doubles() {
        let token = format!("undrop.hello.{}", hello().encode());
        let read = parse_offer(&strings(&["undrop.2", "undrop.2+chat", "undropped", &token, &token, "chat"]));
        assert_eq!(read.hello, Some(Err(InvalidHello)));
        assert!(read.session.is_empty() && !read.wants_session());
        assert_eq!(read.plain, strings(&["undropped", "chat"]));
    }
}
