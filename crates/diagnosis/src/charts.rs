//! The lanes of a run, as a picture.

use undrop_report::{Chart, Lane, LaneState, Lanes};

use crate::analysis::Case;
use crate::observations::{Endpoint, Life};

/// One chart for each endpoint that was watched.
pub(super) fn lanes(case: &Case<'_>) -> Vec<Chart> {
    case.seen.endpoints.iter().filter_map(chart).collect()
}

fn chart(endpoint: &Endpoint) -> Option<Chart> {
    if endpoint.lives.is_empty() {
        return None;
    }
    let begin = endpoint.lives.iter().map(|life| life.at_s).fold(f64::MAX, f64::min);
    let lanes: Vec<Lane> = endpoint.lives.iter().map(|life| lane(life, begin)).collect();
    let until_s = lanes.iter().map(|lane| lane.to_s).fold(1.0, f64::max);
    let title = format!("Connections to the {} over time", endpoint.place.name());
    Some(Chart::Lanes(Lanes { title, until_s, lanes }))
}

fn lane(life: &Life, begin: f64) -> Lane {
    let from_s = life.at_s - begin;
    // A hole is dated by the last byte; that it was there is known only later.
    let asked = life.question.as_ref().map_or(0.0, |question| question.asked_s);
    let (state, ending) = match (&life.failed, &life.end) {
        (Some(failed), _) => (LaneState::Failed, Some(failed.to_string())),
        (None, Some(end)) => (LaneState::Ended, Some(end.to_string())),
        (None, None) => (LaneState::Alive, None),
    };
    Lane { name: life.arm.name(), from_s, to_s: from_s + life.age_s.max(asked), state, ending }
}
