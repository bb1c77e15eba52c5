//! A TLS handshake that continues with an invalid certificate, to inspect the server.

use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, version};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::client::{AnyCertificate, Trust, roots};
use super::fault::tls_fault;
use super::{TlsError, TlsStream, provider};
use crate::Stream;

/// The options of [`inspect`].
#[derive(Debug, Clone)]
pub struct Inspect<'a> {
    /// The name that the certificate should be valid for; a host name is also sent as SNI.
    pub name: &'a str,
    /// The protocols to offer with ALPN; if empty, ALPN is not used.
    pub alpn: &'a [&'a str],
    /// The protocol versions to offer.
    pub versions: Versions,
    /// The trust by which the certificate is checked.
    pub trust: &'a Trust,
}

/// The TLS versions that a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// TLS 1.2 and TLS 1.3.
    #[default]
    All,
    /// TLS 1.2, without TLS 1.3.
    Only12,
    /// TLS 1.3, without TLS 1.2.
    Only13,
}

/// The result of [`inspect`].
#[derive(Debug)]
pub struct Inspection {
    /// The connection, which is usable even with an invalid certificate.
    pub stream: Stream,
    /// The certificates that the server sent, in DER form, its own one first.
    pub chain: Vec<Vec<u8>>,
    /// The result of checking the certificate for the name.
    pub verdict: Result<(), TlsError>,
}

/// Performs the TLS handshake as a client, by `deadline`. An invalid certificate does not end the handshake;
/// [`Inspection::verdict`] contains the result of the check.
///
/// # Errors
/// The handshake failed for another reason than the certificate.
pub async fn inspect(
    stream: Stream,
    inspect: &Inspect<'_>,
    deadline: Instant,
) -> Result<Inspection, TlsError> {
    let bare = inspect.name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(inspect.name);
    let server = ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::BadName(bare.to_owned()))?;
    let judge = Arc::new(Judge::new(inspect.trust)?);
    let versions: &[_] = match inspect.versions {
        Versions::All => &[&version::TLS12, &version::TLS13],
        Versions::Only12 => &[&version::TLS12],
        Versions::Only13 => &[&version::TLS13],
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Configuration(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(judge.clone())
        .with_no_client_auth();
    config.alpn_protocols = inspect.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    // In a resumed session, the server does not send its certificate.
    config.resumption = rustls::client::Resumption::disabled();
    let connector = TlsConnector::from(Arc::new(config));
    match timeout_at(deadline, Box::pin(connector.connect(server, stream))).await {
        Ok(Ok(stream)) => {
            let sent = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let chain = sent.iter().map(|certificate| certificate.as_ref().to_vec()).collect();
            Ok(Inspection {
                stream: Stream::Tls(Box::new(TlsStream(stream.into()))),
                chain,
                verdict: judge.verdict(inspect.name),
            })
        }
        Ok(Err(error)) => Err(TlsError::from_handshake(error, inspect.name)),
        Err(_) => Err(TlsError::Timeout),
    }
}

/// A verifier that stores the result of its check and accepts every certificate.
#[derive(Debug)]
struct Judge {
    /// The verifier to ask; `None` if every certificate is trusted.
    strict: Option<Arc<WebPkiServerVerifier>>,
    lenient: AnyCertificate,
    found: Mutex<Option<rustls::Error>>,
}

impl Judge {
    fn new(trust: &Trust) -> Result<Judge, TlsError> {
        let strict = match trust {
            Trust::Insecure => None,
            trusted => {
                let roots = Arc::new(roots(trusted)?);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
                Some(verifier.map_err(|error| TlsError::Configuration(error.to_string()))?)
            }
        };
        Ok(Judge { strict, lenient: AnyCertificate::new(provider()), found: Mutex::new(None) })
    }

    fn verdict(&self, name: &str) -> Result<(), TlsError> {
        let found = self.found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        found.as_ref().map_or(Ok(()), |error| Err(TlsError::Fault(tls_fault(error, name))))
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(strict) = &self.strict {
            let judged =
                strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
            *self.found.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = judged.err();
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.lenient.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.lenient.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.lenient.supported_verify_schemes()
    }
}
