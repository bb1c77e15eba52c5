//! Finds the supported TLS versions and protocols, and reads the certificates.

use tokio::time::Instant;
use undrop_transport::tls::{Inspect, Inspection, TlsError, Versions, inspect};
use undrop_transport::{DialError, DialOptions, dial};
use url::Url;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::clock::between_s;
use crate::prober::Prober;
use undrop_diagnosis::observations::{Certificate, TlsAttempt, TlsFailure, TlsFailureKind, TlsResult};

/// The maximum number of certificates that are read from a chain.
const CHAIN: usize = 10;

/// Performs a handshake for each offer: like browsers, 1.2 only, 1.3 only, and HTTP/2.
pub(crate) async fn tls(prober: &Prober<'_>) -> TlsResult {
    let mut tls = TlsResult::default();
    let offers: [(Versions, &[&str]); 4] = [
        (Versions::All, &["http/1.1"]),
        (Versions::Only12, &["http/1.1"]),
        (Versions::Only13, &["http/1.1"]),
        (Versions::All, &["h2"]),
    ];
    for (versions, alpn) in offers {
        let (trial, seen) = trial(prober, versions, alpn).await;
        let first = tls.chain.is_empty();
        tls.trials.push(trial);
        if let Some(seen) = seen.filter(|_| first) {
            tls.chain = seen.chain.iter().take(CHAIN).filter_map(|der| certificate(der)).collect();
            tls.distrust = seen.verdict.err().map(|error| fault(&error));
        }
    }
    tls
}

/// Opens a TLS connection with this offer, with any certificate.
pub(crate) async fn secured(
    prober: &Prober<'_>,
    versions: Versions,
    alpn: &[&str],
) -> Result<Inspection, TlsError> {
    let plain = through(prober).await?;
    let host = prober.url.host_str().unwrap_or_default();
    let name = prober.options.dial.server_name.as_deref().unwrap_or(host);
    let offer = Inspect { name, alpn, versions, trust: &prober.options.trust };
    inspect(plain, &offer, Instant::now() + prober.options.timeout).await
}

async fn trial(prober: &Prober<'_>, versions: Versions, alpn: &[&str]) -> (TlsAttempt, Option<Inspection>) {
    let start = Instant::now();
    let seen = secured(prober, versions, alpn).await;
    let took_s = between_s(start, Instant::now());
    let only = match versions {
        Versions::All => None,
        Versions::Only12 => Some("1.2".to_owned()),
        Versions::Only13 => Some("1.3".to_owned()),
    };
    let mut trial = TlsAttempt {
        only,
        offered: alpn.iter().map(|&name| name.to_owned()).collect(),
        version: None,
        cipher: None,
        alpn: None,
        failed: None,
        took_s,
    };
    match seen {
        Ok(seen) => {
            if let Some(layer) = seen.stream.tls() {
                let number = |name: &str| name.trim_start_matches("TLSv").replace('_', ".");
                trial.version = layer.version().map(number);
                trial.cipher = layer.cipher_suite().map(str::to_owned);
                trial.alpn = layer.alpn().map(|name| String::from_utf8_lossy(name).into_owned());
            }
            (trial, Some(seen))
        }
        Err(error) => {
            trial.failed = Some(fault(&error));
            (trial, None)
        }
    }
}

/// Opens the TCP connection, through the forward proxy if there is one.
async fn through(prober: &Prober<'_>) -> Result<undrop_transport::Stream, TlsError> {
    let host = prober.url.host_str().unwrap_or_default();
    let port = prober.url.port_or_known_default().unwrap_or(443);
    let plain = Url::parse(&format!("ws://{host}:{port}/"))
        .map_err(|error| TlsError::Configuration(error.to_string()))?;
    let mut options: DialOptions = prober.http().dial_options(None);
    // The scheme of the endpoint selects the proxy, not the one of the plain connection.
    options.proxy = match options.proxy.for_url(&prober.url).cloned() {
        Some(proxy) => undrop_transport::ProxyChoice::Fixed(proxy),
        None => undrop_transport::ProxyChoice::Direct,
    };
    dial(&plain, &options).await.map_err(|error| match error {
        DialError::Tls(error) => error,
        other => TlsError::Configuration(other.to_string()),
    })
}

/// Classifies a TLS error.
pub(crate) fn fault(error: &TlsError) -> TlsFailure {
    use undrop_frame::TlsFault as Fault;
    let kind = match error {
        TlsError::Fault(Fault::Expired) => TlsFailureKind::Expired,
        TlsError::Fault(Fault::NotYetValid) => TlsFailureKind::NotYetValid,
        TlsError::Fault(Fault::WrongName { .. }) => TlsFailureKind::WrongName,
        TlsError::Fault(Fault::UnknownIssuer) => TlsFailureKind::UnknownIssuer,
        TlsError::Fault(Fault::Revoked | Fault::Certificate(_)) => TlsFailureKind::Certificate,
        TlsError::Fault(Fault::Alert(_) | Fault::ClientCertificateRequired) => TlsFailureKind::Alert,
        TlsError::Fault(Fault::NotTls) => TlsFailureKind::NotTls,
        TlsError::Fault(Fault::Protocol(_)) => TlsFailureKind::Protocol,
        TlsError::Closed | TlsError::Io(_) => TlsFailureKind::Ended,
        TlsError::Timeout => TlsFailureKind::Timeout,
        _ => TlsFailureKind::Local,
    };
    TlsFailure { kind, text: error.to_string() }
}

fn certificate(der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let names = match parsed.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.iter().filter_map(name).take(100).collect(),
        _ => Vec::new(),
    };
    Some(Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        names,
        not_before_unix_s: parsed.validity().not_before.timestamp(),
        not_after_unix_s: parsed.validity().not_after.timestamp(),
        authority: parsed.is_ca(),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
