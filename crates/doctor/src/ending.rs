//! How a connection ended, in the form in which a run is saved.

use undrop_diagnosis::observations::End;
use undrop_transport::Ending;

/// The ending of the transport as it is saved.
pub(crate) fn end(ending: Ending) -> End {
    match ending {
        Ending::Close { code, reason } => End::Close { code: code.get(), reason },
        Ending::Fin => End::Fin,
        Ending::Reset => End::Rst,
        Ending::BlackHole => End::BlackHole,
        Ending::Refused => End::Refused,
        Ending::ProtocolError(what) => End::ProtocolError(what.to_string()),
        Ending::Local(what) => End::Local(what.to_string()),
        other => End::Local(other.to_string()),
    }
}
