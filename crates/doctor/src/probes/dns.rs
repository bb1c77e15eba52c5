//! Looks up the addresses of a name, of both families.

use tokio::time::{Instant, timeout};
use undrop_transport::lookup;

use crate::clock::between_s;
use crate::prober::Prober;
use undrop_diagnosis::observations::DnsLookup;

/// Looks up the host of the URL.
pub(crate) async fn dns(prober: &Prober<'_>) -> DnsLookup {
    let start = Instant::now();
    let host = prober.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = prober.url.port_or_known_default().unwrap_or(0);
    let found = timeout(prober.options.timeout, lookup(host, port, &prober.options.dial.resolve)).await;
    let took_s = between_s(start, Instant::now());
    let (addresses, error) = match found {
        Ok(Ok(found)) => {
            let mut addresses: Vec<_> = found.into_iter().map(|address| address.ip()).collect();
            addresses.dedup();
            (addresses, None)
        }
        Ok(Err(error)) => (Vec::new(), Some(error.to_string())),
        Err(_) => (Vec::new(), Some("the resolver did not respond in time".to_owned())),
    };
    DnsLookup { took_s, addresses, error }
}
