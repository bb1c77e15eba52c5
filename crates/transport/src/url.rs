//! WebSocket URLs and the rules for them.

use std::fmt;
use std::str::FromStr;

use url::{Host, Position, Url};

/// A URL that a WebSocket connection can be opened to (RFC 6455 §3): the scheme is `ws` or `wss`, there is a host, and
/// there is no fragment. `http` and `https` are accepted and replaced by `ws` and `wss`.
///
/// ```
/// use undrop_transport::WsUrl;
/// let url: WsUrl = "wss://example.org/chat?room=1".parse()?;
/// assert_eq!((url.is_secure(), url.host(), url.port()), (true, "example.org", 443));
/// assert_eq!(url.request_target(), "/chat?room=1");
/// assert!("ftp://example.org".parse::<WsUrl>().is_err());
/// # Ok::<(), undrop_transport::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsUrl {
    url: Url,
    destination: UrlEndpoint,
}

/// The reason why a URL cannot be used for a WebSocket connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The text is not a URL.
    #[error("{0}")]
    Syntax(#[from] url::ParseError),
    /// The scheme is not one of `ws`, `wss`, `http` and `https`.
    #[error("the scheme is `{0}`, not ws or wss")]
    Scheme(String),
    /// The URL has no host.
    #[error("the host is missing")]
    NoHost,
    /// The URL has a fragment, which RFC 6455 §3 forbids because it is never sent to the server.
    #[error("it has a fragment, which is never sent to the server; remove it, or write `%23` for `#`")]
    Fragment,
}

impl WsUrl {
    /// Checks a parsed URL.
    ///
    /// # Errors
    /// The URL violates one of the rules of the [type](WsUrl).
    pub fn new(mut url: Url) -> Result<WsUrl, UrlError> {
        let destination = UrlEndpoint::of(&url)?;
        // Cannot fail between these schemes.
        let _ = url.set_scheme(if destination.secure { "wss" } else { "ws" });
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        Ok(WsUrl { url, destination })
    }

    /// Returns the whole URL.
    pub fn as_url(&self) -> &Url {
        &self.url
    }

    /// Returns `true` if the connection uses TLS.
    pub fn is_secure(&self) -> bool {
        self.destination.secure
    }

    /// Returns the host name or IP address, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.destination.host
    }

    /// Returns the port, which is that of the scheme (80 or 443) where the URL has none.
    pub fn port(&self) -> u16 {
        self.destination.port
    }

    /// Returns path and query, as they appear in the request line.
    pub fn request_target(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }

    pub(crate) fn destination(&self) -> &UrlEndpoint {
        &self.destination
    }
}

impl FromStr for WsUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        WsUrl::new(Url::parse(text)?)
    }
}

impl TryFrom<Url> for WsUrl {
    type Error = UrlError;

    fn try_from(url: Url) -> Result<Self, Self::Error> {
        WsUrl::new(url)
    }
}

impl fmt::Display for WsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// Returns the value of the Host header for a URL. The default port of the scheme is left out (RFC 9110 §4.2.3).
pub fn host_header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The endpoint that a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlEndpoint {
    pub(crate) secure: bool,
    /// The name or address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl UrlEndpoint {
    pub(crate) fn of(url: &Url) -> Result<UrlEndpoint, UrlError> {
        let secure = match url.scheme() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(UrlError::NoHost),
        };
        let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
        Ok(UrlEndpoint { secure, host, port })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn scheme_host_and_port_follow_from_the_url() {
        for (text, secure, host, port, header) in [
            ("ws://example.org/chat", false, "example.org", 80, "example.org"),
            ("wss://example.org", true, "example.org", 443, "example.org"),
            ("https://example.org:8443", true, "example.org", 8443, "example.org:8443"),
            ("ws://[::1]:9000/", false, "::1", 9000, "[::1]:9000"),
            ("http://127.0.0.1/", false, "127.0.0.1", 80, "127.0.0.1"),
        ] {
            let url: WsUrl = text.parse().unwrap();
            assert_eq!((url.is_secure(), url.host(), url.port()), (secure, host, port), "{text}");
            assert_eq!(host_header(url.as_url()), header);
            assert!(matches!(url.as_url().scheme(), "ws" | "wss"), "{url}");
        }
    }

    #[test]
    fn the_request_target_is_path_and_query() {
        let target = |text: &str| text.parse::<WsUrl>().unwrap().request_target().to_owned();
        assert_eq!(target("ws://user:secret@example.org"), "/");
        assert_eq!(target("ws://example.org/a/b?c=d"), "/a/b?c=d");
    }

    #[test]
    fn unusable_urls_are_refused_with_the_reason() {
        let error = |text: &str| text.parse::<WsUrl>().unwrap_err();
        assert_eq!(error("ftp://example.org"), UrlError::Scheme("ftp".to_owned()));
        assert_eq!(error("ws://example.org/#top"), UrlError::Fragment);
        assert!(matches!(error("example.org/chat"), UrlError::Syntax(_)));
        assert!(matches!(error("ws://"), UrlError::Syntax(_)));
    }
}
