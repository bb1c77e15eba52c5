//! Opens one TCP connection to each address, to find a family or a pool member that does not work.

use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;
use tokio::time::Instant;
use undrop_transport::{DialOptions, ProxyChoice, Resolve, dial};
use url::Url;

use crate::clock::between_s;
use crate::prober::Prober;
use undrop_diagnosis::observations::TcpConnect;
use undrop_frame::LocalFault;

/// The maximum number of addresses that are tried.
const MOST: usize = 8;

/// Connects to all addresses concurrently and closes the connections.
pub(crate) async fn connect(prober: &Prober<'_>, addresses: &[IpAddr]) -> Vec<TcpConnect> {
    join_all(addresses.iter().take(MOST).map(|address| one(prober, *address))).await
}

async fn one(prober: &Prober<'_>, address: IpAddr) -> TcpConnect {
    let host = prober.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = prober.url.port_or_known_default().unwrap_or(0);
    let pinned = Resolve { host: host.to_owned(), port: None, addresses: vec![address] };
    let options =
        DialOptions { proxy: ProxyChoice::Direct, resolve: vec![pinned], ..prober.http().dial_options(None) };
    let start = Instant::now();
    // The scheme `ws` avoids TLS.
    let failed = match plain(&prober.url, port) {
        Some(url) => dial(&url, &options).await.err().map(|error| error.ending()),
        None => Some(LocalFault::Url("the URL has no port".to_owned()).into()),
    };
    TcpConnect { address: SocketAddr::new(address, port), took_s: between_s(start, Instant::now()), failed }
}

fn plain(url: &Url, port: u16) -> Option<Url> {
    Url::parse(&format!("ws://{}:{port}/", url.host_str()?)).ok()
}
