//! Conversion of I/O errors to [`Ending`].

use std::io;

use undrop_frame::handshake::HandshakeError;
use undrop_frame::{Ending, FrameError, LocalFault, ProtocolFault, ProxyFault, TlsFault};

use crate::tls::TlsError;
use crate::{ConnectError, DialError, ProxyError, UpgradeError};

/// Returns the ending that an I/O error stands for.
///
/// If the error wraps an [`Ending`] or a typed error of this crate or of `undrop_frame`, the result keeps that type, so
/// `io::Error::other(ending)` carries an ending through an interface that knows only I/O errors.
pub fn ending_of(error: &io::Error) -> Ending {
    use io::ErrorKind as Kind;
    if let Some(ending) = typed(error) {
        return ending;
    }
    match error.kind() {
        Kind::UnexpectedEof => Ending::Fin,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::NotConnected => {
            Ending::Reset
        }
        Kind::TimedOut | Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
            Ending::BlackHole
        }
        Kind::ConnectionRefused => Ending::Refused,
        Kind::InvalidData => ProtocolFault::InvalidData(error.to_string()).into(),
        _ => local_fault(error).into(),
    }
}

/// Returns the ending for the typed error inside of `error`, if there is one.
fn typed(error: &io::Error) -> Option<Ending> {
    let inner = error.get_ref()?;
    if let Some(ending) = inner.downcast_ref::<Ending>() {
        return Some(ending.clone());
    }
    if let Some(error) = inner.downcast_ref::<DialError>() {
        return Some(error.ending());
    }
    if let Some(error) = inner.downcast_ref::<ConnectError>() {
        return Some(error.ending());
    }
    if let Some(error) = inner.downcast_ref::<UpgradeError>() {
        return Some(error.ending());
    }
    if let Some(error) = inner.downcast_ref::<ProxyError>() {
        return Some(error.ending());
    }
    if let Some(error) = inner.downcast_ref::<TlsError>() {
        return Some(error.ending());
    }
    if let Some(error) = inner.downcast_ref::<rustls::Error>() {
        return Some(TlsError::from_rustls(error, "").ending());
    }
    if let Some(fault) = inner.downcast_ref::<ProtocolFault>() {
        return Some(fault.clone().into());
    }
    if let Some(fault) = inner.downcast_ref::<LocalFault>() {
        return Some(fault.clone().into());
    }
    if let Some(fault) = inner.downcast_ref::<TlsFault>() {
        return Some(fault.clone().into());
    }
    if let Some(fault) = inner.downcast_ref::<ProxyFault>() {
        return Some(fault.clone().into());
    }
    if let Some(error) = inner.downcast_ref::<FrameError>() {
        return Some((*error).into());
    }
    inner.downcast_ref::<HandshakeError>().map(|error| error.clone().into())
}

/// Returns the fault for an I/O error with a cause on this machine.
fn local_fault(error: &io::Error) -> LocalFault {
    match (error.raw_os_error(), error.kind()) {
        (Some(libc::EMFILE | libc::ENFILE), _) => LocalFault::TooManyOpenFiles,
        (Some(libc::ENOMEM | libc::ENOBUFS), _) | (_, io::ErrorKind::OutOfMemory) => LocalFault::NoMemory,
        (_, io::ErrorKind::PermissionDenied) => LocalFault::NoPermission,
        (code, _) => LocalFault::Io { code, message: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_are_sorted() {
        use io::ErrorKind as Kind;
        for (kind, ending) in [
            (Kind::UnexpectedEof, Ending::Fin),
            (Kind::ConnectionReset, Ending::Reset),
            (Kind::BrokenPipe, Ending::Reset),
            (Kind::TimedOut, Ending::BlackHole),
            (Kind::HostUnreachable, Ending::BlackHole),
            (Kind::ConnectionRefused, Ending::Refused),
        ] {
            assert_eq!(ending_of(&io::Error::from(kind)), ending);
        }
        for (errno, fault) in [
            (libc::EMFILE, LocalFault::TooManyOpenFiles),
            (libc::ENOBUFS, LocalFault::NoMemory),
            (libc::EPERM, LocalFault::NoPermission),
        ] {
            assert_eq!(ending_of(&io::Error::from_raw_os_error(errno)), fault.into());
        }
        let other = ending_of(&io::Error::from_raw_os_error(libc::EADDRNOTAVAIL));
        assert!(matches!(other, Ending::Local(LocalFault::Io { code: Some(libc::EADDRNOTAVAIL), .. })));
    }

    #[test]
    fn a_typed_error_comes_out_of_an_io_error_as_it_went_in() {
        let status = Ending::from(ProxyFault::Status(407));
        assert_eq!(ending_of(&io::Error::other(status.clone())), status);
        let dial = DialError::Proxy(ProxyError::Fault(ProxyFault::Status(407)));
        assert_eq!(ending_of(&io::Error::other(dial)), status);
        let limit = FrameError::MessageTooBig { limit: 7 };
        assert_eq!(ending_of(&io::Error::new(io::ErrorKind::InvalidData, limit)), limit.into());
        // TLS 1.3 reports a missing client certificate in the first read after the handshake.
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let ending = ending_of(&io::Error::new(io::ErrorKind::InvalidData, alert));
        assert_eq!(ending, TlsFault::ClientCertificateRequired.into());
    }
}
