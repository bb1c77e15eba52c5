//! The server side of TLS: certificates from files, which can be reloaded without dropping connections.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::{TlsError, TlsStream, provider};
use crate::Stream;

/// The TLS configuration of a listener. Clones share the certificate, so a reload affects all of them.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    certificates: Arc<ReloadableCertificates>,
}

/// Returns the TLS configuration for a certificate chain and its private key, both in PEM files. It offers HTTP/1.1 with
/// ALPN.
///
/// # Errors
/// A file cannot be read, or the key does not belong to the certificate.
pub fn server_config(cert: &Path, key: &Path) -> Result<ServerTls, TlsError> {
    let certificates = Arc::new(ReloadableCertificates {
        cert: cert.to_owned(),
        key: key.to_owned(),
        current: RwLock::new(load(cert, key)?),
    });
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Configuration(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(certificates.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Each ticket costs memory of the idle connection, and a client needs only one to resume.
    config.send_tls13_tickets = 1;
    Ok(ServerTls { acceptor: TlsAcceptor::from(Arc::new(config)), certificates })
}

impl ServerTls {
    /// Reloads the files for new handshakes. Open connections are not affected.
    ///
    /// # Errors
    /// A file cannot be read, or the key does not belong to the certificate. The previous certificate remains in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = load(&self.certificates.cert, &self.certificates.key)?;
        let mut current = self.certificates.current.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        *current = fresh;
        Ok(())
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls").field("cert", &self.certificates.cert).finish_non_exhaustive()
    }
}

/// Performs the TLS handshake as a server, by `deadline`.
///
/// # Errors
/// The peer does not support TLS, refuses the certificate, or took too long.
pub async fn accept(stream: Stream, tls: &ServerTls, deadline: Instant) -> Result<Stream, TlsError> {
    match timeout_at(deadline, Box::pin(tls.acceptor.accept(stream))).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(TlsStream(stream.into())))),
        Ok(Err(error)) => Err(TlsError::from_handshake(error, "")),
        Err(_) => Err(TlsError::Timeout),
    }
}

struct ReloadableCertificates {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for ReloadableCertificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
    }
}

impl std::fmt::Debug for ReloadableCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReloadableCertificates").field("cert", &self.cert).finish_non_exhaustive()
    }
}

fn load(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let wrong = |path: &Path, what: String| TlsError::File { path: path.to_owned(), what };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(cert, "it contains no certificate".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let pair = CertifiedKey::from_der(chain, private, &provider())
        .map_err(|error| wrong(key, format!("does not belong to {}: {error}", cert.display())))?;
    Ok(Arc::new(pair))
}
