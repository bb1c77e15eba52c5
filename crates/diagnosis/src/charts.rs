//! Charts of the watched connections over time.

use undrop_report::{Chart, Lane, LaneState, Lanes};

use crate::analysis::Case;
use crate::observations::{Endpoint, WatchedConnection};

/// Returns one chart for each watched endpoint.
pub(super) fn lanes(case: &Case<'_>) -> Vec<Chart> {
    case.seen.endpoints.iter().filter_map(chart).collect()
}

fn chart(endpoint: &Endpoint) -> Option<Chart> {
    if endpoint.connections.is_empty() {
        return None;
    }
    let begin = endpoint.connections.iter().map(|connection| connection.at_s).fold(f64::MAX, f64::min);
    let lanes: Vec<Lane> = endpoint.connections.iter().map(|connection| lane(connection, begin)).collect();
    let until_s = lanes.iter().map(|lane| lane.to_s).fold(1.0, f64::max);
    let title = format!("Connections to the {} over time", endpoint.role.name());
    Some(Chart::Lanes(Lanes { title, until_s, lanes }))
}

fn lane(connection: &WatchedConnection, begin: f64) -> Lane {
    let from_s = connection.at_s - begin;
    // A black hole starts at the last received byte and is detected later.
    let asked = connection.probe.as_ref().map_or(0.0, |probe| probe.sent_s);
    let (state, ending) = match (&connection.failed, &connection.end) {
        (Some(failed), _) => (LaneState::Failed, Some(failed.to_string())),
        (None, Some(end)) => (LaneState::Ended, Some(end.to_string())),
        (None, None) => (LaneState::Alive, None),
    };
    Lane {
        name: connection.traffic.name(),
        from_s,
        to_s: from_s + connection.age_s.max(asked),
        state,
        ending,
    }
}
