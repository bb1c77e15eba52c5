//! Findings, the report that holds them, and how both are shown: terminal, JSON, HTML, Markdown.
//!
//! A [`Report`] is data without any look: a verdict in one sentence, [`Finding`]s with their evidence and [`Fix`]es, tables,
//! charts. Every renderer is a pure function of it, so the same report always gives the same bytes.
//!
//! ```
//! use undrop_report::{Confidence, Finding, Report, Severity, Style, terminal};
//!
//! let mut report = Report::new("ws://example.com/chat", "Quiet connections end after 60 s.");
//! report.add(Finding::new("idle-cut", Severity::Error, Confidence::High, "An idle timer of 60 s ends quiet connections."));
//! assert!(terminal(&report, &Style::plain()).contains("An idle timer of 60 s"));
//! ```

#![forbid(unsafe_code)]

mod chart;
mod finding;
mod html;
mod infra;
mod json;
mod markdown;
mod report;
mod severity;
mod svg;
mod terminal;
mod wrap;

pub use chart::{Bin, Chart, Histogram, Lane, LaneState, Lanes};
pub use finding::{Finding, Fix, Measure};
pub use html::html;
pub use json::json;
pub use markdown::markdown;
pub use report::{Report, Table};
pub use severity::{Confidence, Severity};
pub use terminal::{Style, terminal};
