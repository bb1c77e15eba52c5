//! The client side: whom to trust.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::{TlsError, TlsStream, provider};
use crate::Stream;

/// Whose certificates a client accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// The root certificates of this machine.
    #[default]
    Native,
    /// These alone (PEM, one or more).
    Only(Vec<u8>),
    /// Those of this machine and these (PEM).
    NativeAnd(Vec<u8>),
    /// Anybody's. The connection is encrypted, but to whom is unknown.
    Insecure,
}

/// The TLS configuration of a client. Cheap to clone; clones share the session cache.
#[derive(Clone)]
pub struct ClientTls(TlsConnector);

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientTls")
    }
}

impl ClientTls {
    /// A configuration for this trust.
    pub fn new(trust: &Trust) -> Result<ClientTls, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Configuration(error.to_string()))?;
        let mut config = match trust {
            Trust::Insecure => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate::new(provider)))
                .with_no_client_auth(),
            trusted => builder.with_root_certificates(roots(trusted)?).with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(ClientTls(TlsConnector::from(Arc::new(config))))
    }

    /// The configuration for [`Trust::Native`], made once per process.
    pub fn native() -> Result<ClientTls, TlsError> {
        static NATIVE: OnceLock<ClientTls> = OnceLock::new();
        match NATIVE.get() {
            Some(tls) => Ok(tls.clone()),
            None => {
                let tls = ClientTls::new(&Trust::Native)?;
                Ok(NATIVE.get_or_init(|| tls).clone())
            }
        }
    }
}

/// The TLS handshake as client, done by `deadline` or not at all. `name`: the host name or address that the
/// certificate must be for; a host name is also sent as SNI.
pub async fn connect(
    stream: Stream,
    tls: &ClientTls,
    name: &str,
    deadline: Instant,
) -> Result<Stream, TlsError> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let server = ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::BadName(name.to_owned()))?;
    match timeout_at(deadline, Box::pin(tls.0.connect(server, stream))).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(TlsStream(stream.into())))),
        Ok(Err(error)) => Err(TlsError::from_handshake(error, name)),
        Err(_) => Err(TlsError::Timeout),
    }
}

pub(super) fn roots(trust: &Trust) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    if matches!(trust, Trust::Native | Trust::NativeAnd(_)) {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "a root certificate could not be read");
        }
        store.add_parsable_certificates(found.certs);
    }
    if let Trust::Only(pem) | Trust::NativeAnd(pem) = trust {
        let before = store.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let bad =
                |error: &dyn std::fmt::Display| TlsError::Configuration(format!("the CA file: {error}"));
            store.add(certificate.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
        }
        if store.len() == before {
            return Err(TlsError::Configuration("the CA file holds no certificate".to_owned()));
        }
    }
    if store.is_empty() {
        let hint = "no root certificates on this machine (the package ca-certificates has them)";
        return Err(TlsError::Configuration(hint.to_owned()));
    }
    Ok(store)
}

/// Accepts any certificate, but still checks that the peer holds its key.
#[derive(Debug)]
pub(super) struct AnyCertificate(Arc<CryptoProvider>);

impl AnyCertificate {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> AnyCertificate {
        AnyCertificate(provider)
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
