//! Conditions on a report: `p99<50ms`, `survival>=99.9%`, `lost=0`.
//!
//! A condition is a metric, a comparison (`<` `<=` `>` `>=` `=` `!=`) and a limit with its unit. [`METRICS`] lists the metrics.
//! A condition on a value that was not measured is not met; the result states the reason.

mod metric;

use std::fmt;
use std::str::FromStr;

use undrop_text::printable::excerpt;
use undrop_text::suggest;

use super::model::{ConditionResult, LoadReport};
use metric::{Metric, MetricUnit, MetricValue};

pub use metric::METRICS;

/// A condition on a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    metric: Metric,
    comparison: Comparison,
    limit: f64,
    unit: MetricUnit,
}

/// The reason why a text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{condition}`: {message}")]
pub struct ConditionError {
    condition: String,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Differs,
}

/// The comparisons; longer signs come first, so `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Differs),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

impl LoadReport {
    /// Evaluates the conditions and keeps the results in `thresholds`.
    pub fn check(&mut self, conditions: &[Condition]) {
        self.thresholds = conditions.iter().map(|condition| condition.evaluate(self)).collect();
    }
}

impl Condition {
    /// Returns the name of the metric, such as `p99`.
    pub fn metric(&self) -> &str {
        self.metric.name()
    }

    /// Evaluates the condition on a report.
    pub fn evaluate(&self, report: &LoadReport) -> ConditionResult {
        let found = self.metric.find(report, self.unit);
        let (actual, reason) = match found {
            MetricValue::Value(value) => (Some(value), None),
            MetricValue::Remarkable(value, remark) => (Some(value), Some(remark)),
            MetricValue::Missing(reason) => (None, Some(reason)),
        };
        ConditionResult {
            condition: self.text.clone(),
            metric: self.metric.name().to_owned(),
            passed: actual.is_some_and(|actual| self.comparison.holds(actual, self.limit)),
            actual,
            unit: self.unit.name(),
            text: actual.map_or_else(|| "not measured".to_owned(), |actual| self.unit.show(actual)),
            reason,
        }
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Condition, ConditionError> {
        let error = |message: String| ConditionError { condition: excerpt(text), message };
        let at = text.find(['<', '>', '=', '!']).ok_or_else(|| {
            error(
                "a condition consists of a metric, a comparison and a limit, such as `p99<50ms` or `survival>=99.9%`"
                    .to_owned(),
            )
        })?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let (sign, comparison) = COMPARISONS
            .into_iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .ok_or_else(|| error("the comparison must be one of < <= > >= = !=".to_owned()))?;
        let limit = rest[sign.len()..].trim();
        let metric = Metric::named(name).ok_or_else(|| error(unknown(name)))?;
        let (limit, unit) = metric.limit(limit).map_err(error)?;
        let text = format!("{} {sign} {}", metric.name(), rest[sign.len()..].trim());
        Ok(Condition { text, metric, comparison, limit, unit })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Comparison {
    fn holds(self, actual: f64, limit: f64) -> bool {
        // Percentages such as 99.9 have no exact binary representation; the figures of reports are coarser than this.
        let equal = (actual - limit).abs() <= limit.abs() * 1e-12;
        match self {
            Comparison::Less => actual < limit && !equal,
            Comparison::AtMost => actual <= limit || equal,
            Comparison::More => actual > limit && !equal,
            Comparison::AtLeast => actual >= limit || equal,
            Comparison::Equal => equal,
            Comparison::Differs => !equal,
        }
    }
}

fn unknown(name: &str) -> String {
    if name.is_empty() {
        return "the metric before the comparison is missing; write it as in `p99<50ms`".to_owned();
    }
    let known: Vec<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
    let shown = excerpt(name);
    match suggest::nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown metric `{shown}`; did you mean `{near}`?"),
        None => format!("unknown metric `{shown}`; the metrics are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests;
