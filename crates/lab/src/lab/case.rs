//! A case and its truth.

use std::time::Duration;

use undrop_diagnosis::Conclusion;
use undrop_report::{Report, Severity};
use undrop_transport::ProxyChoice;
use url::Url;

use super::bench::CaseEnvironment;

/// The time of an event, counted from the start of the lanes.
pub(super) const EVENT_AFTER: Duration = Duration::from_secs(11);

/// The permitted relative error of a figure.
const TOLERANCE: f64 = 0.03;

/// One product with one fault.
pub(super) struct LabCase {
    pub(super) product: &'static str,
    pub(super) name: &'static str,
    pub(super) start: StartProduct,
    pub(super) event: Option<MidRunEvent>,
    pub(super) truth: Truth,
}

/// Starts what a case needs.
pub(super) type StartProduct = Box<dyn Fn(&mut CaseEnvironment<'_>) -> anyhow::Result<CaseTarget>>;

/// An action in the middle of a run, such as a reload.
pub(super) type MidRunEvent = Box<dyn Fn(&CaseEnvironment<'_>) -> anyhow::Result<()>>;

/// The endpoint that the doctor examines.
pub(super) struct CaseTarget {
    pub(super) url: String,
    pub(super) proxy: ProxyChoice,
    pub(super) via: Vec<(String, Url)>,
    pub(super) direct: Option<Url>,
    pub(super) subscribe: Option<String>,
}

impl CaseTarget {
    pub(super) fn at(url: String) -> CaseTarget {
        CaseTarget { url, proxy: ProxyChoice::Direct, via: Vec::new(), direct: None, subscribe: None }
    }
}

/// The fault that a case really has.
#[derive(Debug, Clone)]
pub(super) enum Truth {
    /// Nothing is wrong: neither an error nor a warning may be reported.
    Healthy,
    /// This is wrong, and it is the first that is reported.
    Finding {
        id: &'static str,
        /// A part of the name of the hop; empty if no product may be named.
        hop: &'static str,
        /// The expected figure, in seconds.
        value: Option<f64>,
    },
}

impl LabCase {
    pub(super) fn new(
        product: &'static str,
        name: &'static str,
        truth: Truth,
        start: impl Fn(&mut CaseEnvironment<'_>) -> anyhow::Result<CaseTarget> + 'static,
    ) -> LabCase {
        LabCase { product, name, start: Box::new(start), event: None, truth }
    }

    pub(super) fn event(
        mut self,
        event: impl Fn(&CaseEnvironment<'_>) -> anyhow::Result<()> + 'static,
    ) -> LabCase {
        self.event = Some(Box::new(event));
        self
    }
}

/// A finding that is to be reported.
pub(super) fn finding(id: &'static str, hop: &'static str) -> Truth {
    Truth::Finding { id, hop, value: None }
}

/// The truth of a case with an idle timer.
pub(super) fn idle(hop: &'static str, seconds: f64) -> Truth {
    Truth::Finding { id: "idle-cut", hop, value: Some(seconds) }
}

/// The result of a case.
pub(super) struct CaseResult {
    pub(super) product: &'static str,
    pub(super) name: &'static str,
    pub(super) truth: Truth,
    pub(super) verdict: String,
    pub(super) right: bool,
    pub(super) report: Option<Report>,
}

/// Whether a product of the knowledge base is named as the place.
fn names_a_product(place: &str) -> bool {
    undrop_infra::all().iter().any(|entry| place.contains(&entry.name))
}

impl CaseResult {
    pub(super) fn evaluate(case: &LabCase, report: Report, conclusion: Conclusion) -> CaseResult {
        let worst = report.findings.first().filter(|finding| finding.severity >= Severity::Warning);
        let right = match (&case.truth, worst) {
            (Truth::Healthy, None) => conclusion == Conclusion::Good,
            (Truth::Finding { id, hop, value }, Some(found)) => {
                let place = found.hop.as_deref().unwrap_or_default();
                let named = if hop.is_empty() { !names_a_product(place) } else { place.contains(hop) };
                let measured = found.value.as_ref();
                let close = value.is_none_or(|value| {
                    measured.is_some_and(|measured| {
                        (measured.value - value).abs() <= (value * TOLERANCE).max(measured.spread)
                    })
                });
                found.id == *id && named && close
            }
            _ => false,
        };
        let verdict = report.verdict.clone();
        CaseResult {
            product: case.product,
            name: case.name,
            truth: case.truth.clone(),
            verdict,
            right,
            report: Some(report),
        }
    }

    pub(super) fn failed(case: &LabCase, why: String) -> CaseResult {
        CaseResult {
            product: case.product,
            name: case.name,
            truth: case.truth.clone(),
            verdict: format!("the case could not be run: {why}"),
            right: false,
            report: None,
        }
    }
}

impl std::fmt::Display for Truth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Truth::Healthy => f.write_str("nothing is wrong"),
            Truth::Finding { id, hop, value } => {
                f.write_str(id)?;
                if let Some(value) = value {
                    write!(f, ", {value} s")?;
                }
                if hop.is_empty() { f.write_str(", no product named") } else { write!(f, ", {hop}") }
            }
        }
    }
}
