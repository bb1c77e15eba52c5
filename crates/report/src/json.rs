//! A report as JSON, for programs.

use crate::Report;

/// Renders the report as indented JSON that ends with a line feed.
///
/// Keys are in the order of the structure's fields, so equal reports give equal bytes.
pub fn json(report: &Report) -> String {
    // Serialization of a report cannot fail, since every map key is a field name. If that changes, the text shows the error.
    let mut text = serde_json::to_string_pretty(report)
        .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Confidence, Finding, Severity};

    #[test]
    fn a_report_that_was_written_can_be_read_again() {
        let mut report = Report::new("ws://x", "bad");
        report
            .add(Finding::new("idle-cut", Severity::Error, Confidence::High, "c").at("nginx").evidence("e"));
        let text = json(&report);
        assert!(text.contains("\"severity\": \"error\"") && text.starts_with("{\n  \"version\": 1,"));
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
