//! The sections that belong to one mode.

use undrop_report::document::{Block, Section, Tone};
use undrop_text::number::{counted, percent, rate, seconds, thousands};
use undrop_text::printable::truncated;

use crate::report::model::LoadReport;
use crate::report::sections::{BroadcastReport, ChurnReport, RampReport, StormReport, UsersReport};

/// The maximum number of reasons for which users failed.
const REASONS: usize = 20;
/// The maximum length of such a reason, in characters.
const REASON_LENGTH: usize = 200;

/// Returns the section of the report's mode, if it has one.
pub(super) fn all(report: &LoadReport) -> impl Iterator<Item = Section> {
    let sections = [
        report.storm.as_ref().map(storm),
        report.ramp.as_ref().map(ramp),
        report.broadcast.as_ref().map(broadcast),
        report.churn.as_ref().map(|part| churn(part, report.connections.asked)),
        report.users.as_ref().map(users),
    ];
    sections.into_iter().flatten()
}

fn section(title: &str, complete: bool, text: String) -> Section {
    Section::new(title).with(Block::Text(if complete { Tone::Plain } else { Tone::Error }, text))
}

fn storm(storm: &StormReport) -> Section {
    let last = storm.last_back_s.map_or_else(|| "—".to_owned(), seconds);
    let text = format!(
        "{} lost, {} restored, the last one after {last} · {} ({} at most in one second) · policy {}",
        counted(storm.lost, "link"),
        thousands(storm.back),
        counted(storm.attempts, "handshake"),
        thousands(storm.peak_handshakes_per_s.round() as u64),
        storm.policy
    );
    section("Storm", storm.back >= storm.lost, text)
}

fn ramp(ramp: &RampReport) -> Section {
    let rate = format!("{} new connections per second", rate(ramp.opened_per_s));
    let text = match ramp.plateau {
        Some(plateau) => {
            format!("{} were open when the first one was refused, at {rate}", counted(plateau, "connection"))
        }
        None => format!("no connection was refused, at {rate}"),
    };
    section("Ramp", true, text)
}

fn broadcast(broadcast: &BroadcastReport) -> Section {
    let text = format!(
        "{} from {} to {}: {} of {} copies arrived ({})",
        counted(broadcast.sent, "message"),
        counted(u64::from(broadcast.senders), "sender"),
        counted(broadcast.receivers, "connection"),
        thousands(broadcast.copies),
        thousands(broadcast.copies_expected),
        broadcast.completeness.map_or_else(|| "—".to_owned(), percent)
    );
    section("Broadcast", broadcast.copies >= broadcast.copies_expected, text)
}

fn churn(churn: &ChurnReport, asked: u64) -> Section {
    let text = format!(
        "{} new connections per second intended, {} opened · lifetime of each {}",
        rate(churn.intended_per_s),
        churn.achieved_per_s.map_or_else(|| "—".to_owned(), rate),
        seconds(churn.lifetime_s)
    );
    let mut section = section("Churn", true, text);
    if churn.skipped > 0 {
        let text = format!(
            "{} of {} were not attempted, because as many as `-c` allows were open; use a larger `-c`",
            thousands(churn.skipped),
            counted(asked, "connection")
        );
        section.text(Tone::Error, text);
    }
    section
}

fn users(users: &UsersReport) -> Section {
    let mut text = format!("{} of {} completed", thousands(users.completed), thousands(users.arrived));
    if users.skipped > 0 {
        let skipped = thousands(users.skipped);
        text.push_str(&format!(", {skipped} skipped because as many as allowed were active"));
    }
    let mut section = section("Users", true, text);
    for (reason, count) in users.failed.iter().take(REASONS) {
        let reason = truncated(reason, REASON_LENGTH);
        section.text(Tone::Error, format!("{} failed: {reason}", thousands(*count)));
    }
    section
}
