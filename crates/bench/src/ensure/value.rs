//! Metrics, their units, and where a report has them.

use super::METRICS;
use crate::Times;
use crate::report::{Report, is_supported, number};

/// What a condition is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Time(Source, Aggregate),
    /// One of [`METRICS`] that is no time of a histogram.
    Plain(&'static str),
}

/// A histogram of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
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
    /// Part of 1.
    Quantile(f64),
}

/// What a limit is given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Ratio,
    PerSecond,
    Count,
    Bytes,
}

/// What the report says.
pub(super) enum Found {
    Value(f64),
    /// A value, and what is to be known about it.
    Weak(f64, String),
    Nothing(String),
}

const SOURCES: [(&str, Source); 8] = [
    ("latency_", Source::Latency),
    ("uncorrected_", Source::Uncorrected),
    ("lag_", Source::Lag),
    ("handshake_", Source::Handshake),
    ("connect_", Source::Connect),
    ("tls_", Source::Tls),
    ("upgrade_", Source::Upgrade),
    ("resume_", Source::Resume),
];

/// Units of time, in milliseconds.
const TIMES: [(&str, f64); 8] = [
    ("us", 1e-3),
    ("µs", 1e-3),
    ("μs", 1e-3),
    ("ms", 1.0),
    ("s", 1e3),
    ("min", 60e3),
    ("m", 60e3),
    ("h", 3600e3),
];

/// Units of size, in bytes.
const SIZES: [(&str, f64); 7] = [
    ("b", 1.0),
    ("kb", 1e3),
    ("kib", 1024.0),
    ("mb", 1e6),
    ("mib", 1_048_576.0),
    ("gb", 1e9),
    ("gib", 1_073_741_824.0),
];

impl Metric {
    pub(super) fn named(text: &str) -> Option<Metric> {
        let name = text.trim().to_ascii_lowercase().replace('-', "_");
        let (source, rest) = SOURCES
            .into_iter()
            .find_map(|(prefix, source)| Some((source, name.strip_prefix(prefix)?)))
            .unwrap_or((Source::Latency, &name));
        if let Some(aggregate) = Aggregate::named(rest) {
            return Some(Metric { kind: Kind::Time(source, aggregate), name });
        }
        let plain = METRICS.iter().map(|(known, ..)| *known).find(|known| *known == name)?;
        Some(Metric { kind: Kind::Plain(plain), name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The limit in the unit that fits the metric.
    pub(super) fn limit(&self, text: &str) -> Result<(f64, Unit), String> {
        let text = text.trim();
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',' || c == '_'))
            .unwrap_or(text.len());
        let (digits, unit) = (&text[..end], text[end..].trim().to_lowercase());
        let example = METRICS
            .iter()
            .find(|(name, ..)| *name == self.name)
            .map_or("p99<50ms", |(_, example, _)| example);
        let value: f64 = digits
            .replace([',', '_'], "")
            .parse()
            .map_err(|_| format!("`{}` is no limit; write it as in `{example}`", super::shortened(text)))?;
        let wrong = || {
            let said = super::shortened(&unit);
            format!("`{said}` is no unit of {}; write it as in `{example}`", self.name)
        };
        let percent = unit == "%";
        match self.unit() {
            Unit::Milliseconds if unit.is_empty() && value == 0.0 => Ok((0.0, Unit::Milliseconds)),
            Unit::Milliseconds if unit.is_empty() => {
                Err(format!("{text} of what? Write `{text}ms` or `{text}s`"))
            }
            Unit::Milliseconds => {
                let (_, factor) = TIMES.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
                Ok((value * factor, Unit::Milliseconds))
            }
            Unit::Bytes if unit.is_empty() => Ok((value, Unit::Bytes)),
            Unit::Bytes => {
                let (_, factor) = SIZES.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
                Ok((value * factor, Unit::Bytes))
            }
            Unit::PerSecond if unit.is_empty() || unit == "/s" => Ok((value, Unit::PerSecond)),
            Unit::Ratio if percent => Ok((value / 100.0, Unit::Ratio)),
            Unit::Ratio if unit.is_empty() => {
                Err(format!("{} is a part of a whole: write it in percent, as in `{example}`", self.name))
            }
            Unit::Count if percent && self.has_a_whole() => Ok((value / 100.0, Unit::Ratio)),
            Unit::Count if unit.is_empty() => Ok((value, Unit::Count)),
            Unit::PerSecond | Unit::Ratio | Unit::Count => Err(wrong()),
        }
    }

    /// What is found in a report; counts become ratios where the limit is one.
    pub(super) fn find(&self, report: &Report, unit: Unit) -> Found {
        match self.kind {
            Kind::Time(source, aggregate) => time(report, source, aggregate),
            Kind::Plain(name) if unit == Unit::Ratio => match part(name, report) {
                Ok((_, 0)) => Found::Nothing("there is nothing it would be a part of".to_owned()),
                Ok((part, whole)) => Found::Value(part as f64 / whole as f64),
                Err(why) => Found::Nothing(why.to_owned()),
            },
            Kind::Plain(name) => plain(name, report),
        }
    }

    /// The unit of its limits; counts may be in percent too when they are a part of something.
    fn unit(&self) -> Unit {
        match self.kind {
            Kind::Time(..) | Kind::Plain("last_back" | "cpu") => Unit::Milliseconds,
            Kind::Plain("survival" | "rate" | "errors" | "completeness") => Unit::Ratio,
            Kind::Plain("send_rate" | "receive_rate") => Unit::PerSecond,
            Kind::Plain("memory") => Unit::Bytes,
            Kind::Plain(_) => Unit::Count,
        }
    }

    fn has_a_whole(&self) -> bool {
        !matches!(self.kind, Kind::Plain("resumes" | "gaps" | "users"))
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

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Unit::Milliseconds => "ms",
            Unit::Ratio => "ratio",
            Unit::PerSecond => "per second",
            Unit::Count => "count",
            Unit::Bytes => "bytes",
        }
    }

    pub(super) fn show(self, value: f64) -> String {
        match self {
            Unit::Milliseconds => number::milliseconds(value),
            Unit::Ratio => number::percent(value),
            Unit::PerSecond => format!("{}/s", number::rate(value)),
            Unit::Count => number::thousands(value as u64),
            Unit::Bytes => number::bytes(value),
        }
    }
}

fn time(report: &Report, source: Source, aggregate: Aggregate) -> Found {
    let raw = &report.raw;
    let (times, why): (&Times, _) = match source {
        Source::Latency => (&raw.latency, "no answer came"),
        Source::Uncorrected => (&raw.uncorrected, "no answer came"),
        Source::Lag => (&raw.lag, "no message was sent to a schedule"),
        Source::Handshake => (&raw.handshake, "no handshake was done"),
        Source::Connect => (&raw.connect, "no connection was timed by phase"),
        Source::Tls => (&raw.tls, "no TLS handshake was timed"),
        Source::Upgrade => (&raw.upgrade, "no connection was timed by phase"),
        Source::Resume => (&raw.away, "no lost link came back"),
    };
    let value = match aggregate {
        Aggregate::Min => times.min(),
        Aggregate::Mean => times.mean(),
        Aggregate::Max => times.max(),
        Aggregate::Quantile(part) => times.quantile(part),
    };
    let Some(value) = value else { return Found::Nothing(why.to_owned()) };
    let ms = value.as_secs_f64() * 1e3;
    match aggregate {
        Aggregate::Quantile(part) if !is_supported(times.len(), part) => {
            let values = if times.len() == 1 { "value" } else { "values" };
            Found::Weak(ms, format!("of {} {values}: the highest", number::thousands(times.len())))
        }
        _ => Found::Value(ms),
    }
}

const NOT_VERIFIED: &str = "nothing is known without --verify";

/// How many, and of how many.
fn part(name: &str, report: &Report) -> Result<(u64, u64), &'static str> {
    let connections = &report.connections;
    let messages = &report.messages;
    let proven = |count: Option<u64>| -> Result<(u64, u64), &'static str> {
        let proof = messages.proof.as_ref().ok_or(NOT_VERIFIED)?;
        let sent = proof.directions.iter().map(|direction| direction.sent).sum();
        Ok((count.ok_or(NOT_VERIFIED)?, sent))
    };
    let users = report.users.as_ref();
    let no_users = "there were no users: the mode is not scenario";
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
        _ => return Err("it is no count"),
    })
}

fn plain(name: &str, report: &Report) -> Found {
    let known =
        |value: Option<f64>, why: &str| value.map_or_else(|| Found::Nothing(why.to_owned()), Found::Value);
    match name {
        "send_rate" => known(report.rate.as_ref().map(|rate| rate.achieved_per_s), "no message was sent"),
        "receive_rate" => known(report.rate.as_ref().map(|rate| rate.received_per_s), "no message was sent"),
        "last_back" => {
            let last = report.storm.as_ref().and_then(|storm| storm.last_back_s);
            known(last.map(|seconds| seconds * 1e3), "no storm, or nothing came back")
        }
        "cpu" => known(report.cost.cpu_us_per_message.map(|us| us / 1e3), "too few messages to say"),
        "memory" => known(report.cost.memory_bytes_per_connection, "too few connections to say"),
        // A number of things may be zero, and yet be known.
        name => match part(name, report) {
            Ok((count, _)) => Found::Value(count as f64),
            Err(why) => Found::Nothing(why.to_owned()),
        },
    }
}
