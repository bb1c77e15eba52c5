//! Reports, and how they are shown: on a terminal, as HTML, as Markdown and as JSON.
//!
//! A [`Report`] is the result of `undrop doctor` or `undrop explain --log`: a verdict in one sentence, [`Finding`]s with their
//! evidence and [`Fix`]es, tables and charts. It holds data without layout and can be written and read as JSON.
//!
//! Every report is shown through a [`Document`](document::Document), the view model that the renderers share. `undrop bench` has
//! a separate report and makes a document from it directly. Each renderer is a pure function of the document, so equal reports
//! give equal bytes. Text that comes from elsewhere is escaped, and invisible characters in it are made visible.
//!
//! ```
//! use undrop_report::{Confidence, Finding, Report, Severity, Style, terminal};
//!
//! let mut report = Report::new("ws://example.com/chat", "Quiet connections end after 60 s.");
//! report.add(Finding::new("idle-cut", Severity::Error, Confidence::High, "An idle timeout of 60 s ends quiet connections."));
//! assert!(terminal(&report, &Style::plain()).contains("An idle timeout of 60 s"));
//! ```

#![forbid(unsafe_code)]

mod chart;
pub mod document;
mod finding;
mod html;
mod json;
pub mod layout;
mod markdown;
mod page;
pub mod plot;
mod report;
mod severity;
mod svg;
mod terminal;
mod view;

pub use chart::{Bin, Chart, Histogram, Lane, LaneState, Lanes};
pub use finding::{Finding, Fix, Measure};
pub use json::json;
pub use report::{Report, Table};
pub use severity::Severity;
pub use terminal::Style;
pub use undrop_infra::Confidence;
pub use view::{html, markdown, terminal};
