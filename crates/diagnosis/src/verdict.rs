//! The verdict of a report in one sentence.

use undrop_report::{Finding, Severity};

use crate::analysis::{Case, seconds};

/// Returns the cause of the worst finding, or what the connections survived. It never claims more than was observed.
pub(super) fn verdict(case: &Case<'_>, findings: &[Finding]) -> String {
    let worst = findings.first();
    if let Some(worst) = worst.filter(|worst| worst.severity >= Severity::Warning) {
        let more = findings.iter().filter(|finding| finding.severity >= Severity::Warning).count() - 1;
        return match more {
            0 => worst.cause.clone(),
            1 => format!("{} One more finding below.", worst.cause),
            more => format!("{} {more} more findings below.", worst.cause),
        };
    }
    if !case.target.opens() {
        return "No WebSocket could be opened, for an unknown reason; the stages below show how far the run got."
            .to_owned();
    }
    let watched = case.target.connections.iter().filter(|connection| connection.opened());
    let longest = watched.clone().map(|connection| connection.age_s).fold(0.0, f64::max);
    let count = watched.clone().count();
    let ended = watched.filter(|connection| connection.end.is_some()).count();
    let stopped = if case.seen.interrupted { " The run was stopped early." } else { "" };
    if count == 0 {
        return format!(
            "Nothing wrong was found in the handshake and the first messages.{stopped} No connection was watched over time."
        );
    }
    if ended > 0 {
        return format!(
            "{ended} of {count} connections ended within {}, for an unknown reason; the chart below shows when.{stopped}",
            seconds(longest)
        );
    }
    // If the server sends data all the time, no idle timeout was tested.
    let quiet = case
        .target
        .connections
        .iter()
        .filter(|connection| connection.alive())
        .map(|connection| connection.quiet_s())
        .fold(0.0, f64::max);
    let silence = if quiet * 2.0 >= longest {
        ", including the quiet ones".to_owned()
    } else {
        format!("; none was quiet for longer than {}", seconds(quiet))
    };
    format!(
        "Nothing wrong was found: {count} connections lived for up to {}{silence}.{stopped}",
        seconds(longest)
    )
}
