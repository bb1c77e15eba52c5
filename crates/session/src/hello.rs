//! The hello, with which a client identifies itself or its session inside the handshake.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::identity::{SessionId, SessionKey};
use crate::number::COUNTER_LIMIT;

/// The maximum size of a hello, in bytes of base64url.
pub const MAX_HELLO: usize = 1024;

/// The content of a hello: a first contact, or a resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// A first contact. Repeating `cid` returns the same session.
    First {
        /// The client id: 16–64 characters of `[A-Za-z0-9_-]` that hold 128 random bits.
        cid: String,
        /// The attempt number, from 1.
        n: u64,
    },
    /// The resume of a session.
    Resume {
        /// The id of the session.
        sid: SessionId,
        /// The attempt number, above every earlier one.
        n: u64,
        /// The last server unit that the application consumed.
        rx: u64,
        /// The proof; see [`SessionKey::mac`].
        mac: String,
    },
}

/// The error for a hello that is not base64url of valid JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed undrop hello")]
pub struct InvalidHello;

#[derive(Serialize, Deserialize)]
struct HelloFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rx: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

/// Returns whether a client id has the right form: 16–64 characters of `[A-Za-z0-9_-]`.
pub fn is_client_id(cid: &str) -> bool {
    (16..=64).contains(&cid.len()) && cid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl Hello {
    /// Creates a resume hello with its proof.
    pub fn resume(sid: &SessionId, key: &SessionKey, n: u64, rx: u64) -> Self {
        Self::Resume { sid: sid.clone(), n, rx, mac: key.mac(sid, n, rx) }
    }

    /// Returns the attempt number.
    pub const fn attempt(&self) -> u64 {
        match self {
            Self::First { n, .. } | Self::Resume { n, .. } => *n,
        }
    }

    /// Returns compact JSON in base64url without padding, the tail of the token `undrop.hello.<…>`.
    pub fn encode(&self) -> String {
        let wire = match self.clone() {
            // The first attempt is the default and is not written.
            Self::First { cid, n } => {
                HelloFields { cid: Some(cid), sid: None, n: (n != 1).then_some(n), rx: None, mac: None }
            }
            Self::Resume { sid, n, rx, mac } => {
                HelloFields { cid: None, sid: Some(sid), n: Some(n), rx: Some(rx), mac: Some(mac) }
            }
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&wire).unwrap_or_default())
    }

    /// Parses the result of [`encode`](Self::encode).
    ///
    /// # Errors
    /// The text is not base64url or not JSON, a field is missing or out of bounds, or the fields of both kinds are present.
    pub fn decode(text: &str) -> Result<Self, InvalidHello> {
        if text.len() > MAX_HELLO {
            return Err(InvalidHello);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidHello)?;
        let wire: HelloFields = serde_json::from_slice(&bytes).map_err(|_| InvalidHello)?;
        let counted = |value: &u64| *value < COUNTER_LIMIT;
        match wire {
            HelloFields { cid: Some(cid), sid: None, n, rx: None, mac: None } => {
                let n = n.unwrap_or(1);
                let sane = is_client_id(&cid) && n >= 1 && counted(&n);
                if sane { Ok(Self::First { cid, n }) } else { Err(InvalidHello) }
            }
            HelloFields { cid: None, sid: Some(sid), n: Some(n), rx: Some(rx), mac: Some(mac) } => {
                let sane = n >= 1 && counted(&n) && counted(&rx) && mac.len() == 43;
                if sane { Ok(Self::Resume { sid, n, rx, mac }) } else { Err(InvalidHello) }
            }
            _ => Err(InvalidHello),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    #[test]
    fn round_trips() {
        let sid = SessionId::parse("n1.q").expect("valid");
        let hellos = [
            Hello::First { cid: "0123456789abcdef".into(), n: 1 },
            Hello::First { cid: "0123456789abcdef".into(), n: 7 },
            Hello::resume(&sid, &SessionKey::new([0; 32]), 2, 5),
        ];
        for hello in hellos {
            assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
        }
    }

    #[test]
    fn refuses() {
        let mac = "A".repeat(43);
        let bad = [
            token(r#"{"cid":"short"}"#),
            token(r#"{"cid":"0123456789abcde "}"#),
            token(r#"{"cid":"0123456789abcdef","n":0}"#),
            token(r#"{"cid":"0123456789abcdef","rx":0}"#),
            token(r#"{"sid":"n1.q","n":2,"rx":5}"#),
            token(&format!(r#"{{"sid":"n1 q","n":2,"rx":5,"mac":"{mac}"}}"#)),
            token(&format!(r#"{{"sid":"n1.q","n":0,"rx":5,"mac":"{mac}"}}"#)),
            token(&format!(r#"{{"sid":"n1.q","n":9007199254740992,"rx":5,"mac":"{mac}"}}"#)),
            token(&format!(r#"{{"sid":"n1.q","n":-2,"rx":5,"mac":"{mac}"}}"#)),
            token("{}"),
            token("[]"),
            "!".into(),
            "A".repeat(MAX_HELLO + 4),
        ];
        for text in bad {
            assert_eq!(Hello::decode(&text), Err(InvalidHello), "{text}");
        }
    }
}
