//! The report of a run: an object for programs, and a terminal text, a page and a histogram log that are made from it.
//!
//! | file | purpose |
//! |---|---|
//! | `model`, `sections`, `endings`, `proof`, `distribution` | the figures |
//! | `conditions` | conditions on the figures, such as `p99<50ms` |
//! | `view` | the document that a terminal or a page shows |
//! | `hdr` | the histogram log |
//! | `url` | URLs without their secrets |

pub mod conditions;
mod distribution;
mod endings;
mod hdr;
mod model;
mod proof;
mod sections;
mod url;
mod view;

pub use distribution::TimeDistribution;
pub use endings::EndingGroup;
pub use hdr::hdr_log;
pub use model::{
    Bytes, ConditionResult, Connections, FULL_RATE, FailureGroup, LoadReport, Messages, ModeName, Pings, Rate,
};
pub use proof::{DirectionCounts, MessageDirection, Proof};
pub use sections::{
    BroadcastReport, ChurnReport, Cost, HandshakeTimes, RampReport, Resumes, StormReport, UsersReport,
};
pub use url::shown_url;
pub use view::{html, text};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
