//! Conditions on a report: `p99<50ms`, `survival>=99.9%`, `lost=0`.
//!
//! A condition is a metric, a comparison (`<` `<=` `>` `>=` `=` `!=`) and a limit with its unit. [`METRICS`] lists the metrics.
//! A condition on something that was not measured is missed, with the reason: what nobody looked at has not been good.

mod value;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::report::Report;
use undrop_scenario::near;
use value::{Found, Metric, Unit};

/// What conditions can be about, with an example of each and what it means.
pub const METRICS: &[(&str, &str, &str)] = &[
    ("p99", "p99<50ms", "a percentile of latency, p0.1 to p99.999; corrected where the load has a schedule"),
    ("min", "min<1ms", "lowest latency"),
    ("mean", "mean<20ms", "mean latency"),
    ("max", "max<1s", "highest latency"),
    ("uncorrected_p99", "uncorrected_p99<50ms", "the same (p…, min, mean, max) of uncorrected latency"),
    ("lag_p99", "lag_p99<5ms", "the same of how late messages were sent"),
    (
        "handshake_p99",
        "handshake_p99<500ms",
        "the same of whole handshakes; also connect_, tls_ and upgrade_",
    ),
    ("resume_p99", "resume_p99<2s", "the same of the time from a lost link until messages flow again"),
    ("survival", "survival>=99.9%", "connections alive at the end, of those opened"),
    ("opened", "opened>=100%", "connections opened: of those asked for, or how many"),
    ("alive", "alive>=1000", "connections alive at the end: how many, or of those asked for"),
    ("ended", "ended=0", "endings against our will: how many, or of the connections opened"),
    ("failed", "failed=0", "handshakes (in a scenario: users) that failed: how many, or of all begun"),
    (
        "errors",
        "errors<1%",
        "failed handshakes and endings, of the connections asked for (in a scenario: failed users)",
    ),
    ("rate", "rate>=99%", "messages sent, of those the schedule wanted"),
    ("sent", "sent>=100000", "messages sent: how many, or of those the schedule wanted"),
    ("received", "received>=99.9%", "messages received: how many, or of those sent"),
    ("send_rate", "send_rate>=1000/s", "messages sent per second"),
    ("receive_rate", "receive_rate>=1000/s", "messages received per second"),
    ("lost", "lost=0", "messages lost: how many, or of those sent; needs --verify, as do the next three"),
    ("doubled", "doubled=0", "messages that came again"),
    ("reordered", "reordered=0", "messages that came behind a later one"),
    ("corrupted", "corrupted=0", "messages that were changed"),
    ("resumes", "resumes>=1", "lost links that came back"),
    ("gaps", "gaps=0", "sessions that stated a gap"),
    ("users", "users>=100", "users of a scenario that arrived"),
    ("completed", "completed>=99%", "users that did all their flow says: how many, or of those that arrived"),
    ("skipped", "skipped=0", "users that were turned away"),
    ("completeness", "completeness>=100%", "copies of broadcast messages that arrived"),
    ("last_back", "last_back<10s", "in a storm, when the last connection was back"),
    ("cpu", "cpu<10us", "processor time of the load per message"),
    ("memory", "memory<6KiB", "memory of the load per connection"),
];

/// A condition, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    metric: Metric,
    comparison: Comparison,
    limit: f64,
    unit: Unit,
}

/// A condition and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The condition: `p99 < 50ms`.
    pub condition: String,
    /// What it is about: `p99`.
    pub metric: String,
    /// It holds.
    pub passed: bool,
    /// What was found, in `unit`; `null` when nothing was measured.
    pub actual: Option<f64>,
    /// `ms`, `ratio` (1 is 100 %), `per second`, `bytes`, or `count`.
    pub unit: &'static str,
    /// What was found, in words.
    pub text: String,
    /// Why nothing was measured, or what else is to be known.
    pub reason: Option<String>,
}

/// Text that is no condition.
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

/// Longest first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Differs),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

/// Judges every condition.
pub fn check(conditions: &[Condition], report: &Report) -> Vec<Outcome> {
    conditions.iter().map(|condition| condition.judge(report)).collect()
}

impl Condition {
    /// What it is about: `p99`.
    pub fn metric(&self) -> &str {
        self.metric.name()
    }

    /// Whether it holds.
    pub fn judge(&self, report: &Report) -> Outcome {
        let found = self.metric.find(report, self.unit);
        let (actual, reason) = match found {
            Found::Value(value) => (Some(value), None),
            Found::Weak(value, why) => (Some(value), Some(why)),
            Found::Nothing(why) => (None, Some(why)),
        };
        Outcome {
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
        let error = |message: String| ConditionError { condition: shortened(text), message };
        let at = text.find(['<', '>', '=', '!']).ok_or_else(|| {
            error(
                "a condition is metric, comparison, limit, such as `p99<50ms` or `survival>=99.9%`"
                    .to_owned(),
            )
        })?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let (sign, comparison) = COMPARISONS
            .into_iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .ok_or_else(|| error("the comparison is one of < <= > >= = !=".to_owned()))?;
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

impl Outcome {
    /// What was found and what is to be known about it: `3.140 ms`, `not measured (no answer came)`.
    pub fn found(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{} ({reason})", self.text),
            None => self.text.clone(),
        }
    }
}

impl Comparison {
    fn holds(self, actual: f64, limit: f64) -> bool {
        // Percentages such as 99.9 have no exact binary form; figures of reports are coarser than this.
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
        return "the metric is missing before the comparison, such as in `p99<50ms`".to_owned();
    }
    let known: Vec<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
    let said = shortened(name);
    match near(name, &known) {
        Some(near) => format!("there is no metric `{said}`; did you mean `{near}`?"),
        None => format!("there is no metric `{said}`; there are {}", known.join(", ")),
    }
}

fn shortened(text: &str) -> String {
    crate::report::number::printable(text, 80)
}

#[cfg(test)]
mod tests;
