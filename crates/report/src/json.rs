//! For programs.

use crate::Report;

/// The report as JSON, indented, with a line break at its end. Keys stand in the order of the structure's fields, so equal
/// reports give equal bytes.
pub fn json(report: &Report) -> String {
    // Every map key is a field name, so there is nothing that could fail; should that change, say so in the text.
    let mut text = serde_json::to_string_pretty(report)
        .unwrap_or_else(|error| format!("{{\"error\":{:?}}}", error.to_string()));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Confidence, Finding, Severity};

    #[test]
    fn written_and_read_again_it_is_the_same() {
        let mut report = Report::new("ws://x", "bad");
        report
            .add(Finding::new("idle-cut", Severity::Error, Confidence::High, "c").at("nginx").evidence("e"));
        let text = json(&report);
        assert!(text.contains("\"severity\": \"error\"") && text.starts_with("{\n  \"version\": 1,"));
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
