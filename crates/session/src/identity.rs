//! The identity of a session: its id, its secret, and the proof that a resume carries.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The maximum length of a session id, in bytes.
pub const MAX_SESSION_ID: usize = 96;

/// The id of a session: `<node>.<random>`. All of its characters are allowed in an HTTP token.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Box<str>);

/// The error for an invalid session id: an empty part, no dot, too long, or a character outside `[A-Za-z0-9_-]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session id is <node>.<random> in letters, digits, - and _, at most {MAX_SESSION_ID} bytes")]
pub struct InvalidSessionId;

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl SessionId {
    /// Creates an id from the owner's node id and 128 random bits.
    ///
    /// # Errors
    /// The node id has characters outside `[A-Za-z0-9_-]`, is empty, or longer than 64 bytes.
    pub fn new(node: &str, random: [u8; 16]) -> Result<Self, InvalidSessionId> {
        if !is_plain(node) || node.len() > 64 {
            return Err(InvalidSessionId);
        }
        Ok(Self(format!("{node}.{}", URL_SAFE_NO_PAD.encode(random)).into_boxed_str()))
    }

    /// Parses an id that a peer sent.
    ///
    /// # Errors
    /// The id is invalid.
    pub fn parse(text: &str) -> Result<Self, InvalidSessionId> {
        match text.split_once('.') {
            Some((node, random)) if text.len() <= MAX_SESSION_ID && is_plain(node) && is_plain(random) => {
                Ok(Self(text.into()))
            }
            _ => Err(InvalidSessionId),
        }
    }

    /// Returns the node that owns, or owned, the session.
    pub fn node(&self) -> &str {
        self.0.split_once('.').map_or("", |(node, _)| node)
    }

    /// Returns the whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", self.0)
    }
}

/// The 256-bit secret of a session, sent only in `S` and `L`. `Debug` does not print it, and `==` runs in constant time.
#[derive(Clone)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// Wraps 32 random bytes from the operating system.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the key as base64url without padding, as it is sent.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Parses the result of [`encode`](Self::encode); `None` unless it is exactly 32 bytes.
    pub fn decode(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Returns the proof for resume attempt `n` of a client that consumed `rx` units: base64url of HMAC-SHA-256 over
    /// `undrop.1|<sid>|<n>|<rx>`.
    pub fn mac(&self, sid: &SessionId, n: u64, rx: u64) -> String {
        URL_SAFE_NO_PAD.encode(self.keyed(sid, n, rx).finalize().into_bytes())
    }

    /// Returns whether `mac` is the proof of [`mac`](Self::mac). The comparison runs in constant time.
    pub fn verify(&self, sid: &SessionId, n: u64, rx: u64, mac: &str) -> bool {
        URL_SAFE_NO_PAD.decode(mac).is_ok_and(|mac| self.keyed(sid, n, rx).verify_slice(&mac).is_ok())
    }

    fn keyed(&self, sid: &SessionId, n: u64, rx: u64) -> Hmac<Sha256> {
        hmac_over(&self.0, format!("undrop.1|{sid}|{n}|{rx}").as_bytes())
    }
}

pub(crate) fn hmac_over(key: &[u8; 32], text: &[u8]) -> Hmac<Sha256> {
    // A key shorter than the block is padded with zeros (RFC 2104 section 2); 32 bytes always are.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(text);
    mac
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
    }
}

impl Eq for SessionKey {}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

impl serde::Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for SessionKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> serde::Deserialize<'de> for SessionKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::decode(&text).ok_or_else(|| serde::de::Error::custom("a key is 32 bytes in base64url"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_carries_the_node() {
        let sid = SessionId::new("n1", [0xff; 16]).expect("valid");
        assert_eq!(sid.node(), "n1");
        assert_eq!(SessionId::parse(sid.as_str()), Ok(sid));
        for bad in ["", "n1", ".x", "n1.", "n 1.x", "n1.x.y", "n1.ü", &format!("n.{}", "x".repeat(96))] {
            assert_eq!(SessionId::parse(bad), Err(InvalidSessionId), "{bad}");
        }
        assert!(SessionId::new("a.b", [0; 16]).is_err());
    }

    #[test]
    fn mac_binds_every_field() {
        let key = SessionKey::new([7; 32]);
        let sid = SessionId::parse("n1.abc").expect("valid");
        let other = SessionId::parse("n1.abd").expect("valid");
        let mac = key.mac(&sid, 2, 9);
        assert!(key.verify(&sid, 2, 9, &mac));
        assert!(!key.verify(&other, 2, 9, &mac));
        assert!(!key.verify(&sid, 3, 9, &mac));
        assert!(!key.verify(&sid, 2, 8, &mac));
        assert!(!SessionKey::new([8; 32]).verify(&sid, 2, 9, &mac));
        assert!(!key.verify(&sid, 2, 9, &mac[1..]));
        assert!(!key.verify(&sid, 2, 9, ""));
    }

    #[test]
    fn secret_is_never_shown() {
        let key = SessionKey::new([7; 32]);
        assert_eq!(format!("{key:?}"), "SessionKey(…)");
        assert_eq!(SessionKey::decode(&key.encode()), Some(key));
        assert_eq!(SessionKey::decode("AAAA"), None);
    }
}
