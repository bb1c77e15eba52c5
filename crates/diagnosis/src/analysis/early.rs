//! Connections that end as soon as they are open.

use undrop_frame::Ending;

use crate::observations::{Endpoint, MessageOutcome, WatchedConnection};

/// The age below which a connection was not ended by a timer, in seconds.
pub(crate) const EARLY_S: f64 = 0.5;

/// Returns how connections end if most of them end as soon as they are open.
pub(super) fn ended_at_once(target: &Endpoint) -> Option<&Ending> {
    let first = ended_before_sending(target);
    let opened = target.connections.iter().filter(|connection| connection.opened()).count();
    let mut early = target.connections.iter().filter(|connection| is_early(connection));
    let end = match (first, early.clone().count()) {
        // If several connections were watched later, most of them have to agree.
        (Some(end), early) if opened == 0 || early * 2 > opened => Some(end),
        (None, early_count) if early_count >= 3 && early_count * 2 > opened => {
            early.next().and_then(|connection| connection.end.as_ref())
        }
        _ => None,
    };
    end.filter(|end| !matches!(end, Ending::ProtocolError(_) | Ending::Local(_) | Ending::BlackHole))
}

/// Returns the ending of the first connection if it ended before anything was sent on it.
pub(crate) fn ended_before_sending(target: &Endpoint) -> Option<&Ending> {
    match target.echo.as_ref().map(|echo| &echo.result) {
        Some(MessageOutcome::Ended { end, after_s }) if *after_s == 0.0 => Some(end),
        _ => None,
    }
}

/// Returns whether a watched connection ended as soon as it was open.
pub(crate) fn is_early(connection: &WatchedConnection) -> bool {
    // A black hole does not count: its age is that of the last received byte.
    let ended = connection.end.as_ref().is_some_and(|end| *end != Ending::BlackHole);
    connection.opened() && ended && connection.age_s < EARLY_S
}
