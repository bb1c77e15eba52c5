//! The ending for an I/O error that may wrap an error of this crate.

use std::io;

use undrop_frame::Ending;

use crate::connect::ConnectError;
use crate::dial::DialError;
use crate::io_ending::io_ending;
use crate::proxy::ProxyError;
use crate::tls::TlsError;
use crate::upgrade::UpgradeError;

/// Returns the ending that an I/O error stands for.
///
/// If the error wraps an [`Ending`] or a typed error of this crate or of `undrop_frame`, the result keeps that type, so
/// `io::Error::other(ending)` carries an ending through an interface that knows only I/O errors.
pub fn ending_of(error: &io::Error) -> Ending {
    let Some(inner) = error.get_ref() else { return io_ending(error) };
    if let Some(error) = inner.downcast_ref::<DialError>() {
        return error.ending();
    }
    if let Some(error) = inner.downcast_ref::<ConnectError>() {
        return error.ending();
    }
    if let Some(error) = inner.downcast_ref::<UpgradeError>() {
        return error.ending();
    }
    if let Some(error) = inner.downcast_ref::<ProxyError>() {
        return error.ending();
    }
    if let Some(error) = inner.downcast_ref::<TlsError>() {
        return error.ending();
    }
    io_ending(error)
}

#[cfg(test)]
mod tests {
    use undrop_frame::{FrameError, LocalFault, ProxyFault, TlsFault};

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
