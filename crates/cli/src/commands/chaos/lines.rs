//! Formats the events of the proxy as lines for people.

use undrop_chaos::{Direction, Event};

/// Formats one event as one or two lines.
pub(super) fn line(event: &Event) -> String {
    match event {
        Event::Listening { address, upstream, seed, .. } => {
            format!("listening on ws://{address}\nforwarding to {upstream}, seed {seed}")
        }
        Event::FaultAdded { time, fault, faults, .. } => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!("{} fault {fault}: {}", at(*time), faults.join(" + "))
        }
        Event::FaultRemoved { time, fault, .. } => format!("{} fault {fault} removed", at(*time)),
        Event::Refusing { time, .. } => format!("{} refusing connections", at(*time)),
        Event::Accepting { time, .. } => format!("{} accepting connections", at(*time)),
        Event::Opened { time, connection, peer, .. } => {
            format!("{} #{connection} opened by {peer}", at(*time))
        }
        Event::Injected { time, connection, fault, kind, direction, offset, age, what, .. } => {
            let arrow = match direction {
                Direction::Up => " ↑",
                Direction::Down => " ↓",
                Direction::Both => "",
            };
            format!(
                "{} #{connection} {kind} ({fault}){arrow}: {what}; age {age:.3} s, byte {offset}",
                at(*time)
            )
        }
        Event::Note { time, connection, note, .. } => format!("{} #{connection} {note}", at(*time)),
        Event::Closed { time, connection, age, up, down, by, .. } => {
            format!("{} #{connection} closed by {by}; age {age:.3} s, {up} B up, {down} B down", at(*time))
        }
        Event::Summary { proxy, time, counts } => {
            let mut injected: Vec<String> =
                counts.injected.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            if injected.is_empty() {
                injected.push("none".to_owned());
            }
            format!(
                "{proxy}: {} connections in {time:.1} s, {} open at the end, {} cut by faults\nfaults injected: {}",
                counts.opened,
                counts.open,
                counts.cut,
                injected.join(", ")
            )
        }
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

fn at(time: f64) -> String {
    format!("{time:9.3} s")
}
