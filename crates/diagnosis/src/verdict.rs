//! The outcome in one sentence.

use undrop_report::{Finding, Severity};

use crate::analysis::{Case, seconds};

/// The cause of the worst finding, or what was survived. Never more than was seen.
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
        return "No WebSocket could be opened, and no check knows why; the stages below show how far it got."
            .to_owned();
    }
    let watched = case.target.connections.iter().filter(|connection| connection.opened());
    let longest = watched.clone().map(|connection| connection.age_s).fold(0.0, f64::max);
    let count = watched.clone().count();
    let ended = watched.filter(|connection| connection.end.is_some()).count();
    let stopped = if case.seen.interrupted { " The run was stopped early." } else { "" };
    if count == 0 {
        return format!(
            "Nothing wrong was found in the handshake and the first messages.{stopped} Nothing was watched over time."
        );
    }
    if ended > 0 {
        return format!(
            "{ended} of {count} connections ended within {}, and no check knows why; the lanes below show when.{stopped}",
            seconds(longest)
        );
    }
    // Where the server itself speaks all the time, no idle timer was put to the test.
    let quiet = case
        .target
        .connections
        .iter()
        .filter(|connection| connection.alive())
        .map(|connection| connection.quiet_s())
        .fold(0.0, f64::max);
    let silence = if quiet * 2.0 >= longest {
        ", the quiet ones too".to_owned()
    } else {
        format!("; none was quiet for longer than {}", seconds(quiet))
    };
    format!(
        "Nothing wrong was found: {count} connections lived for up to {}{silence}.{stopped}",
        seconds(longest)
    )
}
