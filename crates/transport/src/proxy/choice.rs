//! The selection of a proxy for a target: a fixed one, or from the environment.

use std::net::IpAddr;

use url::Url;

use super::{Proxy, ProxyError};
use crate::Net;
use crate::url::UrlEndpoint;

/// The forward proxy that a client uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// Direct connections without a proxy.
    #[default]
    Direct,
    /// The same proxy for every target.
    Fixed(Proxy),
    /// The proxies of the environment; see [`Proxies::from_env`].
    Environment(Proxies),
}

impl ProxyChoice {
    /// Returns the proxy for a `ws`, `wss`, `http` or `https` URL.
    pub fn for_url(&self, url: &Url) -> Option<&Proxy> {
        let target = UrlEndpoint::of(url).ok()?;
        self.for_target(target.secure, &target.host, target.port)
    }

    /// Returns the proxy for a target.
    pub(crate) fn for_target(&self, secure: bool, host: &str, port: u16) -> Option<&Proxy> {
        match self {
            ProxyChoice::Direct => None,
            ProxyChoice::Fixed(proxy) => Some(proxy),
            ProxyChoice::Environment(proxies) => proxies.for_target(secure, host, port),
        }
    }
}

/// The proxies that environment variables select.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    secure: Option<Proxy>,
    plain: Option<Proxy>,
    exceptions: Vec<Exception>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    host: Pattern,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Any,
    Net(Net),
    /// A name in lower case, without a leading dot.
    Name {
        name: String,
        /// Covers only names below this one, not the name itself.
        below_only: bool,
    },
}

impl Proxies {
    /// Reads the usual environment variables with the function `variable`.
    ///
    /// `wss` and `https` targets: `HTTPS_PROXY`, then `ALL_PROXY`; `ws` and `http`: `HTTP_PROXY`, then `ALL_PROXY`;
    /// each in lower case first. `HTTP_PROXY` in upper case is ignored where `REQUEST_METHOD` is set: in a CGI program
    /// its value comes from a request header.  `NO_PROXY`: comma-separated names (with all names below them; with a
    /// leading dot only those), addresses, networks, each with an optional port, or `*`. A loopback target is always
    /// reached directly, because the loopback interface of a proxy is a different one.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Proxies, ProxyError> {
        let first = |names: &[&str]| -> Result<Option<Proxy>, ProxyError> {
            let found = names.iter().find_map(|name| variable(name).filter(|value| !value.trim().is_empty()));
            found.map(|value| value.trim().parse()).transpose()
        };
        let in_cgi = variable("REQUEST_METHOD").is_some();
        let plain: &[&str] = if in_cgi {
            &["http_proxy", "all_proxy", "ALL_PROXY"]
        } else {
            &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        };
        let list = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
        Ok(Proxies {
            secure: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            plain: first(plain)?,
            exceptions: list.split([',', ' ']).filter_map(Exception::parse).collect(),
        })
    }

    fn for_target(&self, secure: bool, host: &str, port: u16) -> Option<&Proxy> {
        let address: Option<IpAddr> = host.parse().ok();
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") || address.is_some_and(|ip| ip.is_loopback()) {
            return None;
        }
        if self.exceptions.iter().any(|exception| exception.covers(&name, address, port)) {
            return None;
        }
        if secure { self.secure.as_ref() } else { self.plain.as_ref() }
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Exception> {
        let entry = entry.trim();
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Exception { host: Pattern::Any, port: None });
        }
        if let Ok(net) = entry.trim_matches(['[', ']']).parse() {
            return Some(Exception { host: Pattern::Net(net), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (entry, None),
        };
        if let Ok(net) = host.trim_matches(['[', ']']).parse() {
            return Some(Exception { host: Pattern::Net(net), port });
        }
        let bare = host.strip_prefix("*.").or_else(|| host.strip_prefix('.'));
        let name = bare.unwrap_or(host).trim_end_matches('.').to_ascii_lowercase();
        Some(Exception { host: Pattern::Name { name, below_only: bare.is_some() }, port })
    }

    fn covers(&self, name: &str, address: Option<IpAddr>, port: u16) -> bool {
        if self.port.is_some_and(|wanted| wanted != port) {
            return false;
        }
        match &self.host {
            Pattern::Any => true,
            Pattern::Net(net) => address.is_some_and(|address| net.contains(address)),
            Pattern::Name { name: wanted, below_only } => {
                let below = name.strip_suffix(wanted.as_str()).is_some_and(|rest| rest.ends_with('.'));
                below || (!below_only && name == wanted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn proxies(environment: &[(&str, &str)]) -> Proxies {
        let lookup = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Proxies::from_env(lookup).unwrap()
    }

    fn chosen(environment: &[(&str, &str)], secure: bool, host: &str, port: u16) -> Option<String> {
        proxies(environment).for_target(secure, host, port).map(|proxy| proxy.host.clone())
    }

    #[test]
    fn variables_by_scheme() {
        let all = [
            ("HTTPS_PROXY", "http://s:1"),
            ("http_proxy", "p:1"),
            ("HTTP_PROXY", "q:1"),
            ("ALL_PROXY", "a:1"),
        ];
        assert_eq!(chosen(&all, true, "x.example", 443).as_deref(), Some("s"));
        assert_eq!(chosen(&all, false, "x.example", 80).as_deref(), Some("p"));
        assert_eq!(chosen(&all[3..], true, "x.example", 443).as_deref(), Some("a"));
        assert_eq!(chosen(&all[2..3], false, "x.example", 80).as_deref(), Some("q"));
        assert_eq!(chosen(&all[..1], false, "x.example", 80), None);
        assert_eq!(chosen(&[("https_proxy", ""), ("all_proxy", "a:1")], true, "x", 1).as_deref(), Some("a"));
        let cgi = [("HTTP_PROXY", "evil:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(chosen(&cgi, false, "x.example", 80), None);
        assert!(Proxies::from_env(|_| Some("ftp://x".to_owned())).is_err());
    }

    #[test]
    fn exceptions() {
        let list = "example.org, .below.test,10.0.0.0/8,[2001:db8::]/32, host:8080,192.0.2.7:1,::5";
        let environment = [("ALL_PROXY", "p:1"), ("NO_PROXY", list)];
        for (host, port, direct) in [
            ("example.org", 443, true),
            ("EXAMPLE.org.", 443, true),
            ("a.b.example.org", 443, true),
            ("notexample.org", 443, false),
            ("example.org.evil", 443, false),
            ("below.test", 443, false),
            ("x.below.test", 443, true),
            ("10.9.8.7", 443, true),
            ("11.9.8.7", 443, false),
            ("host", 8080, true),
            ("host", 8081, false),
            ("192.0.2.7", 1, true),
            ("192.0.2.7", 2, false),
            ("::5", 443, true),
            ("localhost", 443, true),
            ("127.9.9.9", 443, true),
            ("::1", 443, true),
        ] {
            assert_eq!(chosen(&environment, true, host, port).is_none(), direct, "{host}:{port}");
        }
        assert_eq!(chosen(&[("all_proxy", "p:1"), ("no_proxy", "*")], true, "x.example", 1), None);
    }
}
