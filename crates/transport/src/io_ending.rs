//! The ending for an I/O error of the operating system, of rustls or of the frame layer.

use std::io;

use undrop_frame::handshake::HandshakeError;
use undrop_frame::{Ending, FrameError, LocalFault, ProtocolFault, ProxyFault, TlsFault};

use crate::tls::fault::tls_fault;

/// Returns the ending that an I/O error of a stream stands for. A typed fault inside of the error is kept.
pub(crate) fn io_ending(error: &io::Error) -> Ending {
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

/// Returns the ending for the typed fault inside of an error, if there is one.
fn typed(error: &io::Error) -> Option<Ending> {
    let inner = error.get_ref()?;
    if let Some(ending) = inner.downcast_ref::<Ending>() {
        return Some(ending.clone());
    }
    if let Some(error) = inner.downcast_ref::<rustls::Error>() {
        return Some(tls_fault(error, "").into());
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
