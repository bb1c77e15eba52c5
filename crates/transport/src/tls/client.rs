//! The client side of TLS: trust and handshake.

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

/// The certificates that a client accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those signed by a root certificate of this machine.
    #[default]
    Native,
    /// Those signed by one of these certificates (PEM).
    Only(Vec<u8>),
    /// Those signed by a root certificate of this machine or by one of these certificates (PEM).
    NativeAnd(Vec<u8>),
    /// Any certificate: the connection is encrypted, but the peer is not authenticated.
    Insecure,
}

/// The TLS configuration of a client. Clones are cheap and share the session cache.
#[derive(Clone)]
pub struct ClientTls(TlsConnector);

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientTls")
    }
}

impl ClientTls {
    /// Returns a configuration for this trust.
    ///
    /// # Errors
    /// A certificate cannot be read, or this machine has no root certificates.
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

    /// Returns the configuration for [`Trust::Native`], which is created once per process.
    ///
    /// # Errors
    /// This machine has no root certificates.
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

/// Performs the TLS handshake as a client, by `deadline`. `name`: the host name or address that the certificate must be
/// valid for; a host name is also sent as SNI.
///
/// # Errors
/// The certificate is not accepted, the peer does not support TLS, or the handshake took too long.
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
            return Err(TlsError::Configuration("the CA file contains no certificate".to_owned()));
        }
    }
    if store.is_empty() {
        let hint = "this machine has no root certificates; install the package ca-certificates";
        return Err(TlsError::Configuration(hint.to_owned()));
    }
    Ok(store)
}

/// A verifier that accepts any certificate, but checks that the peer has its private key.
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
