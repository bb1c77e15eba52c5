//! The lookup of host names.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::DialError;

/// Fixed addresses for a name, written as `HOST:PORT:ADDRESS[,ADDRESS]…`, with `*` for any port. IPv6 addresses may be in
/// brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// The name of the host.
    pub host: String,
    /// The port for which the addresses are used; `None` for all ports.
    pub port: Option<u16>,
    /// The addresses, in order of preference.
    pub addresses: Vec<IpAddr>,
}

/// The text is not a [`Resolve`]. The error contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not HOST:PORT:ADDRESS")]
pub struct ResolveError(String);

impl FromStr for Resolve {
    type Err = ResolveError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (host, rest) = text.split_once(':')?;
            let (port, addresses) = rest.split_once(':')?;
            let port = if port == "*" { None } else { Some(port.parse().ok()?) };
            let addresses = addresses
                .split(',')
                .map(|address| address.trim_matches(['[', ']']).parse().ok())
                .collect::<Option<Vec<IpAddr>>>()?;
            (!host.is_empty()).then(|| Resolve { host: host.to_owned(), port, addresses })
        };
        parse().ok_or_else(|| ResolveError(text.to_owned()))
    }
}

impl fmt::Display for Resolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
        let port = self.port.map_or_else(|| "*".to_owned(), |port| port.to_string());
        write!(f, "{}:{port}:{}", self.host, addresses.join(","))
    }
}

/// Returns the addresses of a host: those that `given` contains for it, otherwise those of the system's resolver, in its
/// order. An IP address resolves to itself.
///
/// # Errors
/// The resolver has no address for the name.
pub async fn lookup(host: &str, port: u16, given: &[Resolve]) -> Result<Vec<SocketAddr>, DialError> {
    let fits = |known: &&Resolve| {
        known.host.eq_ignore_ascii_case(host) && known.port.is_none_or(|wanted| wanted == port)
    };
    if let Some(known) = given.iter().find(fits) {
        return Ok(known.addresses.iter().map(|address| SocketAddr::new(*address, port)).collect());
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    match tokio::net::lookup_host((host, port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(DialError::Resolve { host: host.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn overrides_as_written() {
        let given: Resolve = "example.org:443:127.0.0.1,[::1]".parse().unwrap();
        assert_eq!(given.to_string(), "example.org:443:127.0.0.1,::1");
        assert_eq!("x:*:::1".parse::<Resolve>().unwrap().addresses, ["::1".parse::<IpAddr>().unwrap()]);
        for text in
            ["", "example.org", "example.org:443", "example.org:443:", ":1:127.0.0.1", "x:y:127.0.0.1"]
        {
            assert!(text.parse::<Resolve>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn overrides_win_over_dns_and_only_for_their_port() {
        let given: Resolve = "no-such-host.invalid:80:192.0.2.1".parse().unwrap();
        let found = lookup("No-Such-Host.invalid", 80, std::slice::from_ref(&given)).await.unwrap();
        assert_eq!(found, ["192.0.2.1:80".parse().unwrap()]);
        assert!(lookup("no-such-host.invalid", 81, &[given]).await.is_err());
        assert_eq!(lookup("::1", 5, &[]).await.unwrap(), ["[::1]:5".parse().unwrap()]);
    }
}
