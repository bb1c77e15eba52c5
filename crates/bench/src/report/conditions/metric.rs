//! Metrics: their units, and their values in a report.

use undrop_text::printable::excerpt;
use undrop_text::{duration, number, size};

use crate::metrics::histogram::Times;
use crate::report::distribution::is_supported;
use crate::report::model::LoadReport;

/// The metrics of conditions, each with an example and its meaning.
pub const METRICS: &[(&str, &str, &str)] = &[
    ("p99", "p99<50ms", "a percentile of latency, p0.1 to p99.999; corrected if the load has a schedule"),
    ("min", "min<1ms", "the lowest latency"),
    ("mean", "mean<20ms", "the mean latency"),
    ("max", "max<1s", "the highest latency"),
    ("uncorrected_p99", "uncorrected_p99<50ms", "the same (p…, min, mean, max) for uncorrected latency"),
    ("lag_p99", "lag_p99<5ms", "the same for the delay of sending against the schedule"),
    (
        "handshake_p99",
        "handshake_p99<500ms",
        "the same for whole handshakes; also connect_, tls_ and upgrade_ for their phases",
    ),
    (
        "resume_p99",
        "resume_p99<2s",
        "the same for the time from the loss of a link until messages can be sent again",
    ),
    ("survival", "survival>=99.9%", "connections alive at the end, as a part of those opened"),
    ("opened", "opened>=100%", "connections opened: their number, or their part of those requested"),
    ("alive", "alive>=1000", "connections alive at the end: their number, or their part of those requested"),
    ("ended", "ended=0", "unplanned endings: their number, or their part of the connections opened"),
    ("failed", "failed=0", "failed handshakes (in a scenario: users): their number, or their part of all"),
    (
        "errors",
        "errors<1%",
        "failed handshakes and unplanned endings, as a part of the connections requested (in a scenario: failed users)",
    ),
    ("rate", "rate>=99%", "messages sent, as a part of those due by the schedule"),
    ("sent", "sent>=100000", "messages sent: their number, or their part of those due by the schedule"),
    ("received", "received>=99.9%", "messages received: their number, or their part of those sent"),
    ("send_rate", "send_rate>=1000/s", "messages sent per second"),
    ("receive_rate", "receive_rate>=1000/s", "messages received per second"),
    (
        "lost",
        "lost=0",
        "messages lost: their number, or their part of those sent; requires --verify, as do the next three",
    ),
    ("doubled", "doubled=0", "messages that were duplicated"),
    ("reordered", "reordered=0", "messages that arrived after a later one"),
    ("corrupted", "corrupted=0", "messages that were changed on the way"),
    ("resumes", "resumes>=1", "lost links that were restored"),
    ("gaps", "gaps=0", "sessions that reported a gap"),
    ("users", "users>=100", "users of a scenario that arrived"),
    (
        "completed",
        "completed>=99%",
        "users that completed their flow: their number, or their part of those that arrived",
    ),
    ("skipped", "skipped=0", "users that were skipped because as many as allowed were active"),
    (
        "completeness",
        "completeness>=100%",
        "copies of broadcast messages that arrived, as a part of those expected",
    ),
    ("last_back", "last_back<10s", "in a storm, the time until the last connection was restored"),
    ("cpu", "cpu<10us", "CPU time of the load generator per message"),
    ("memory", "memory<6KiB", "memory of the load generator per connection"),
];

/// The metric of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    name: String,
    source: MetricSource,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum MetricSource {
    /// A figure of a histogram.
    Time(HistogramSource, Aggregate),
    /// One of [`METRICS`] that is not a figure of a histogram.
    Plain(&'static str),
}

/// A histogram of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HistogramSource {
    Latency,
    Uncorrected,
    Lag,
    Handshake,
    Connect,
    Tls,
    Upgrade,
    Resume,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Aggregate {
    Min,
    Mean,
    Max,
    /// A quantile, from 0 to 1.
    Quantile(f64),
}

/// The unit of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricUnit {
    Milliseconds,
    Ratio,
    PerSecond,
    Count,
    Bytes,
}

/// The value of a metric in a report.
pub(super) enum MetricValue {
    /// The value of the metric.
    Value(f64),
    /// The value, and a remark about it.
    Remarkable(f64, String),
    /// The reason why there is no value.
    Missing(String),
}

const SOURCES: [(&str, HistogramSource); 8] = [
    ("latency_", HistogramSource::Latency),
    ("uncorrected_", HistogramSource::Uncorrected),
    ("lag_", HistogramSource::Lag),
    ("handshake_", HistogramSource::Handshake),
    ("connect_", HistogramSource::Connect),
    ("tls_", HistogramSource::Tls),
    ("upgrade_", HistogramSource::Upgrade),
    ("resume_", HistogramSource::Resume),
];

impl Metric {
    pub(super) fn named(text: &str) -> Option<Metric> {
        let name = text.trim().to_ascii_lowercase().replace('-', "_");
        let (source, rest) = SOURCES
            .into_iter()
            .find_map(|(prefix, source)| Some((source, name.strip_prefix(prefix)?)))
            .unwrap_or((HistogramSource::Latency, &name));
        if let Some(aggregate) = Aggregate::named(rest) {
            return Some(Metric { source: MetricSource::Time(source, aggregate), name });
        }
        let plain = METRICS.iter().map(|(known, ..)| *known).find(|known| *known == name)?;
        Some(Metric { source: MetricSource::Plain(plain), name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Parses a limit of the metric. Times are returned in milliseconds, sizes in bytes and percentages as ratios.
    pub(super) fn limit(&self, text: &str) -> Result<(f64, MetricUnit), String> {
        let text = text.trim();
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',' || c == '_'))
            .unwrap_or(text.len());
        let (digits, unit) = (text[..end].replace([',', '_'], ""), text[end..].trim());
        let example = METRICS
            .iter()
            .find(|(name, ..)| *name == self.name)
            .map_or("p99<50ms", |(_, example, _)| example);
        let value: f64 = digits
            .parse()
            .map_err(|_| format!("`{}` is not a limit; write it as in `{example}`", excerpt(text)))?;
        let wrong = || {
            let shown = excerpt(unit);
            format!("`{shown}` is not a unit of {}; write the limit as in `{example}`", self.name)
        };
        let number = || format!("{digits}{unit}");
        let percent = unit == "%";
        match self.unit() {
            MetricUnit::Milliseconds if unit.is_empty() && value == 0.0 => {
                Ok((0.0, MetricUnit::Milliseconds))
            }
            MetricUnit::Milliseconds if unit.is_empty() => {
                Err(format!("`{text}` has no unit; write `{text}ms` or `{text}s`"))
            }
            MetricUnit::Milliseconds => {
                let time = duration::parse(&number()).map_err(|_| wrong())?;
                Ok((time.as_secs_f64() * 1e3, MetricUnit::Milliseconds))
            }
            MetricUnit::Bytes => {
                let bytes = size::parse(&number()).map_err(|_| wrong())?;
                Ok((bytes as f64, MetricUnit::Bytes))
            }
            MetricUnit::PerSecond if unit.is_empty() || unit == "/s" => Ok((value, MetricUnit::PerSecond)),
            MetricUnit::Ratio if percent => Ok((value / 100.0, MetricUnit::Ratio)),
            MetricUnit::Ratio if unit.is_empty() => {
                Err(format!("{} is a ratio; write it in percent, as in `{example}`", self.name))
            }
            MetricUnit::Count if percent && self.has_a_whole() => Ok((value / 100.0, MetricUnit::Ratio)),
            MetricUnit::Count if unit.is_empty() => Ok((value, MetricUnit::Count)),
            MetricUnit::PerSecond | MetricUnit::Ratio | MetricUnit::Count => Err(wrong()),
        }
    }

    /// Looks the value up in a report. A count becomes a ratio if the limit is one.
    pub(super) fn find(&self, report: &LoadReport, unit: MetricUnit) -> MetricValue {
        match self.source {
            MetricSource::Time(source, aggregate) => time(report, source, aggregate),
            MetricSource::Plain(name) if unit == MetricUnit::Ratio => match part(name, report) {
                Ok((_, 0)) => MetricValue::Missing("there is no whole that it is a part of".to_owned()),
                Ok((part, whole)) => MetricValue::Value(part as f64 / whole as f64),
                Err(why) => MetricValue::Missing(why.to_owned()),
            },
            MetricSource::Plain(name) => plain(name, report),
        }
    }

    /// Returns the unit of limits. Limits of counts may also be in percent if there is a whole.
    fn unit(&self) -> MetricUnit {
        match self.source {
            MetricSource::Time(..) | MetricSource::Plain("last_back" | "cpu") => MetricUnit::Milliseconds,
            MetricSource::Plain("survival" | "rate" | "errors" | "completeness") => MetricUnit::Ratio,
            MetricSource::Plain("send_rate" | "receive_rate") => MetricUnit::PerSecond,
            MetricSource::Plain("memory") => MetricUnit::Bytes,
            MetricSource::Plain(_) => MetricUnit::Count,
        }
    }

    fn has_a_whole(&self) -> bool {
        !matches!(self.source, MetricSource::Plain("resumes" | "gaps" | "users"))
    }
}

impl Aggregate {
    fn named(name: &str) -> Option<Aggregate> {
        Some(match name {
            "min" => Aggregate::Min,
            "mean" => Aggregate::Mean,
            "max" => Aggregate::Max,
            "median" => Aggregate::Quantile(0.5),
            // As other tools write p99.9 and p99.99.
            "p999" => Aggregate::Quantile(0.999),
            "p9999" => Aggregate::Quantile(0.9999),
            _ => {
                let digits =
                    name.strip_prefix('p').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))?;
                let percent: f64 = digits.parse().ok()?;
                (percent > 0.0 && percent < 100.0).then(|| Aggregate::Quantile(percent / 100.0))?
            }
        })
    }
}

impl MetricUnit {
    pub(super) fn name(self) -> &'static str {
        match self {
            MetricUnit::Milliseconds => "ms",
            MetricUnit::Ratio => "ratio",
            MetricUnit::PerSecond => "per second",
            MetricUnit::Count => "count",
            MetricUnit::Bytes => "bytes",
        }
    }

    pub(super) fn show(self, value: f64) -> String {
        match self {
            MetricUnit::Milliseconds => number::milliseconds(value),
            MetricUnit::Ratio => number::percent(value),
            MetricUnit::PerSecond => format!("{}/s", number::rate(value)),
            MetricUnit::Count => number::thousands(value as u64),
            MetricUnit::Bytes => number::bytes(value),
        }
    }
}

fn time(report: &LoadReport, source: HistogramSource, aggregate: Aggregate) -> MetricValue {
    let raw = &report.raw;
    let (times, why): (&Times, _) = match source {
        HistogramSource::Latency => (&raw.latency, "no reply was received"),
        HistogramSource::Uncorrected => (&raw.uncorrected, "no reply was received"),
        HistogramSource::Lag => (&raw.lag, "no message was sent by a schedule"),
        HistogramSource::Handshake => (&raw.handshake, "no handshake was completed"),
        HistogramSource::Connect => (&raw.connect, "no connection was timed by phase"),
        HistogramSource::Tls => (&raw.tls, "no TLS handshake was timed"),
        HistogramSource::Upgrade => (&raw.upgrade, "no connection was timed by phase"),
        HistogramSource::Resume => (&raw.away, "no lost link was restored"),
    };
    let value = match aggregate {
        Aggregate::Min => times.min(),
        Aggregate::Mean => times.mean(),
        Aggregate::Max => times.max(),
        Aggregate::Quantile(part) => times.quantile(part),
    };
    let Some(value) = value else { return MetricValue::Missing(why.to_owned()) };
    let ms = value.as_secs_f64() * 1e3;
    match aggregate {
        Aggregate::Quantile(part) if !is_supported(times.len(), part) => {
            let values = number::counted(times.len(), "value");
            MetricValue::Remarkable(ms, format!("the highest of {values}"))
        }
        _ => MetricValue::Value(ms),
    }
}

const NOT_VERIFIED: &str = "not known without --verify";

/// Returns a count, and the whole of which it is a part.
fn part(name: &str, report: &LoadReport) -> Result<(u64, u64), &'static str> {
    let connections = &report.connections;
    let messages = &report.messages;
    let proven = |count: Option<u64>| -> Result<(u64, u64), &'static str> {
        let proof = messages.proof.as_ref().ok_or(NOT_VERIFIED)?;
        let sent = proof.directions.iter().map(|direction| direction.sent).sum();
        Ok((count.ok_or(NOT_VERIFIED)?, sent))
    };
    let users = report.users.as_ref();
    let no_users = "there were no users, since the mode is not scenario";
    Ok(match name {
        "survival" if connections.opened == 0 => return Err("no connection was opened"),
        "survival" => (connections.alive_at_end, connections.opened),
        "opened" => (connections.opened, connections.asked),
        "alive" => (connections.alive_at_end, connections.asked),
        "ended" => (connections.ended, connections.opened),
        "failed" => match users {
            Some(users) => (users.failed_count(), users.arrived),
            None => (connections.failed, connections.attempts.max(connections.failed)),
        },
        "errors" => match users {
            Some(users) => (users.failed_count(), users.arrived),
            None => (connections.failed + connections.ended, connections.asked),
        },
        "rate" | "sent" => (messages.sent, messages.intended.ok_or("the mode has no schedule")?),
        "received" => (messages.received, messages.sent),
        "lost" => proven(messages.lost)?,
        "doubled" => proven(messages.doubled)?,
        "reordered" => proven(messages.reordered)?,
        "corrupted" => proven(messages.corrupted)?,
        "completed" => users.map(|users| (users.completed, users.arrived)).ok_or(no_users)?,
        "skipped" => users.map(|users| (users.skipped, users.arrived)).ok_or(no_users)?,
        "users" => users.map(|users| (users.arrived, users.arrived)).ok_or(no_users)?,
        "completeness" => {
            let broadcast = report.broadcast.as_ref().ok_or("the mode is not broadcast")?;
            (broadcast.copies, broadcast.copies_expected)
        }
        "resumes" => (report.resumes.count, connections.ended),
        "gaps" => (report.resumes.gaps, connections.ended),
        _ => return Err("the metric is not a count"),
    })
}

fn plain(name: &str, report: &LoadReport) -> MetricValue {
    let known = |value: Option<f64>, why: &str| {
        value.map_or_else(|| MetricValue::Missing(why.to_owned()), MetricValue::Value)
    };
    match name {
        "send_rate" => known(report.rate.as_ref().map(|rate| rate.achieved_per_s), "no message was sent"),
        "receive_rate" => known(report.rate.as_ref().map(|rate| rate.received_per_s), "no message was sent"),
        "last_back" => {
            let last = report.storm.as_ref().and_then(|storm| storm.last_back_s);
            known(last.map(|seconds| seconds * 1e3), "there was no storm, or no connection was restored")
        }
        "cpu" => known(report.cost.cpu_us_per_message.map(|us| us / 1e3), "too few messages were sent"),
        "memory" => known(report.cost.memory_bytes_per_connection, "too few connections were open"),
        // A count can be 0 without a whole.
        name => match part(name, report) {
            Ok((count, _)) => MetricValue::Value(count as f64),
            Err(why) => MetricValue::Missing(why.to_owned()),
        },
    }
}
