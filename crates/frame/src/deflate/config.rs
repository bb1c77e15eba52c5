//! The settings of permessage-deflate, their negotiation, and the agreed parameters (RFC 7692 §7.1).

use super::extension::{self, Extension};
use super::{MAX_BITS, MIN_DEFLATE_BITS};
use crate::handshake::HandshakeError;

const NAME: &str = "permessage-deflate";

/// The settings of permessage-deflate that one end asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The client compresses each message on its own.
    pub client_no_context_takeover: bool,
    /// The server compresses each message on its own.
    pub server_no_context_takeover: bool,
    /// Largest window of the client's compressor, as a power of two: 9 to 15.
    pub client_max_window_bits: u8,
    /// Largest window of the server's compressor, as a power of two: 9 to 15.
    pub server_max_window_bits: u8,
    /// Messages below this size, in bytes, are sent as they are.
    pub threshold: usize,
    /// Compression level, 1 (fast) to 9 (small).
    pub level: u8,
}

/// The agreed parameters, the same at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The client compresses each message on its own.
    pub client_no_context_takeover: bool,
    /// The server compresses each message on its own.
    pub server_no_context_takeover: bool,
    /// Window of the client's compressor, as a power of two: 8 to 15.
    pub client_max_window_bits: u8,
    /// Window of the server's compressor, as a power of two: 8 to 15.
    pub server_max_window_bits: u8,
}

impl Default for Config {
    /// No context takeover, full windows, from 128 bytes up, level 2: it makes small JSON 30 % smaller than level 1
    /// does, and higher levels gain 3 % more for up to twice its time.
    fn default() -> Self {
        Self {
            client_no_context_takeover: true,
            server_no_context_takeover: true,
            client_max_window_bits: MAX_BITS,
            server_max_window_bits: MAX_BITS,
            threshold: 128,
            level: 2,
        }
    }
}

impl Default for Params {
    /// The parameters of an extension that is accepted without any.
    fn default() -> Self {
        Self {
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            client_max_window_bits: MAX_BITS,
            server_max_window_bits: MAX_BITS,
        }
    }
}

/// The parameters of one element, as written.
#[derive(Default)]
struct Written {
    client_no_context_takeover: bool,
    server_no_context_takeover: bool,
    /// `Some(None)`: named without a value, allowed in an offer only.
    client_max_window_bits: Option<Option<u8>>,
    server_max_window_bits: Option<u8>,
}

impl Config {
    /// As a client: returns the value of `Sec-WebSocket-Extensions` to offer.
    pub fn offer(&self) -> String {
        let mut offer = String::from(NAME);
        if self.server_no_context_takeover {
            offer.push_str("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            offer.push_str("; client_no_context_takeover");
        }
        push_bits(&mut offer, "server_max_window_bits", self.server_bits());
        // Named even when it is not limited: without the name the server may not respond with its own limit.
        offer.push_str("; client_max_window_bits");
        if self.client_bits() < MAX_BITS {
            offer.push_str(&format!("={}", self.client_bits()));
        }
        offer
    }

    /// As a client: checks the server's response to [`offer`](Self::offer). `None`: no compression.
    ///
    /// # Errors
    /// [`HandshakeError::ExtensionNotOffered`] for anything that the offer does not cover (RFC 7692 §5.1, §7.1).
    pub fn accept(&self, response: Option<&str>) -> Result<Option<Params>, HandshakeError> {
        let Some(response) = response else { return Ok(None) };
        let refuse = || HandshakeError::ExtensionNotOffered(response.to_owned());
        let list = extension::parse(response).ok_or_else(refuse)?;
        let [extension] = list.as_slice() else {
            return if list.is_empty() { Ok(None) } else { Err(refuse()) };
        };
        let written = Written::read(extension).ok_or_else(refuse)?;
        let client_max_window_bits = match written.client_max_window_bits {
            None => MAX_BITS,
            Some(Some(bits)) if bits <= self.client_bits() => bits,
            Some(_) => return Err(refuse()),
        };
        let server_max_window_bits = match written.server_max_window_bits {
            None if self.server_bits() < MAX_BITS => return Err(refuse()),
            None => MAX_BITS,
            Some(bits) if bits <= self.server_bits() => bits,
            Some(_) => return Err(refuse()),
        };
        if self.server_no_context_takeover && !written.server_no_context_takeover {
            return Err(refuse());
        }
        Ok(Some(Params {
            // The client may always do without its own context (RFC 7692 §7.1.1.2).
            client_no_context_takeover: written.client_no_context_takeover || self.client_no_context_takeover,
            server_no_context_takeover: written.server_no_context_takeover,
            client_max_window_bits: client_max_window_bits.min(self.client_bits()),
            server_max_window_bits,
        }))
    }

    /// As a server: picks the first offer of the client's list that can be met, and writes the answer for
    /// `Sec-WebSocket-Extensions`. `None`: no compression.
    ///
    /// An offer that limits our window to 2^8 is passed over: the compressor cannot keep to it.
    ///
    /// ```
    /// use undrop_frame::deflate::Config;
    /// let offers = "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits";
    /// let (params, answer) = Config::default().negotiate(offers).expect("the second one");
    /// assert_eq!(answer, "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    /// assert_eq!(params.server_max_window_bits, 15);
    /// ```
    pub fn negotiate(&self, offers: &str) -> Option<(Params, String)> {
        extension::parse(offers)?.iter().find_map(|offer| self.meet(offer))
    }

    /// As a relay that does not compress itself: what an accepted answer means. `None` when it is not one.
    pub fn read_answer(response: &str) -> Option<Params> {
        let list = extension::parse(response)?;
        let [extension] = list.as_slice() else { return None };
        let written = Written::read(extension)?;
        let client_max_window_bits = match written.client_max_window_bits {
            None => MAX_BITS,
            Some(bits) => bits?,
        };
        Some(Params {
            client_no_context_takeover: written.client_no_context_takeover,
            server_no_context_takeover: written.server_no_context_takeover,
            client_max_window_bits,
            server_max_window_bits: written.server_max_window_bits.unwrap_or(MAX_BITS),
        })
    }

    fn meet(&self, offer: &Extension<'_>) -> Option<(Params, String)> {
        let written = Written::read(offer)?;
        let server_max_window_bits =
            written.server_max_window_bits.unwrap_or(MAX_BITS).min(self.server_bits());
        if server_max_window_bits < MIN_DEFLATE_BITS {
            return None;
        }
        // Only a client that names the parameter understands a limit in the answer (RFC 7692 §7.1.2.2).
        let client_max_window_bits = match written.client_max_window_bits {
            None => MAX_BITS,
            Some(bits) => bits.unwrap_or(MAX_BITS).min(self.client_bits()),
        };
        let params = Params {
            client_no_context_takeover: self.client_no_context_takeover || written.client_no_context_takeover,
            server_no_context_takeover: self.server_no_context_takeover || written.server_no_context_takeover,
            client_max_window_bits,
            server_max_window_bits,
        };
        let mut answer = String::from(NAME);
        if params.server_no_context_takeover {
            answer.push_str("; server_no_context_takeover");
        }
        if params.client_no_context_takeover {
            answer.push_str("; client_no_context_takeover");
        }
        // An offered limit is accepted by repeating it, even 15 (RFC 7692 §7.1.2.1).
        if written.server_max_window_bits.is_some() || params.server_max_window_bits < MAX_BITS {
            answer.push_str(&format!("; server_max_window_bits={server_max_window_bits}"));
        }
        push_bits(&mut answer, "client_max_window_bits", client_max_window_bits);
        Some((params, answer))
    }

    fn client_bits(&self) -> u8 {
        self.client_max_window_bits.clamp(MIN_DEFLATE_BITS, MAX_BITS)
    }

    fn server_bits(&self) -> u8 {
        self.server_max_window_bits.clamp(MIN_DEFLATE_BITS, MAX_BITS)
    }
}

impl Written {
    /// `None` for another extension, an unknown or repeated parameter, or a value that does not fit.
    fn read(extension: &Extension<'_>) -> Option<Self> {
        if !extension.name.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let mut written = Self::default();
        for (at, (name, value)) in extension.params.iter().enumerate() {
            if extension.params.iter().take(at).any(|(earlier, _)| earlier == name) {
                return None;
            }
            match (*name, *value) {
                ("client_no_context_takeover", None) => written.client_no_context_takeover = true,
                ("server_no_context_takeover", None) => written.server_no_context_takeover = true,
                ("client_max_window_bits", None) => written.client_max_window_bits = Some(None),
                ("client_max_window_bits", Some(value)) => {
                    written.client_max_window_bits = Some(Some(bits(value)?));
                }
                ("server_max_window_bits", Some(value)) => {
                    written.server_max_window_bits = Some(bits(value)?)
                }
                _ => return None,
            }
        }
        Some(written)
    }
}

/// 8 to 15 in decimal, without leading zeros (RFC 7692 §7.1.2).
fn bits(value: &str) -> Option<u8> {
    match value {
        "8" => Some(8),
        "9" => Some(9),
        "10" => Some(10),
        "11" => Some(11),
        "12" => Some(12),
        "13" => Some(13),
        "14" => Some(14),
        "15" => Some(15),
        _ => None,
    }
}

fn push_bits(list: &mut String, name: &str, bits: u8) {
    if bits < MAX_BITS {
        list.push_str(&format!("; {name}={bits}"));
    }
}
