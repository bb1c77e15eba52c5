//! Timelines: faults that are added and removed at given times, from a TOML file.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::parameters::{read_duration, scale};
use crate::spec::FaultSpec;
use crate::spec_error::FaultSpecError;

/// Faults over time. All times count from the start of the proxy.
///
/// ```
/// let timeline: undrop_chaos::Timeline = r#"
///     seed = 7
///     [[fault]]           # affects existing and new connections while it is active
///     kind = "latency"
///     base = "40ms"
///     from = "10s"        # default: 0
///     until = "20s"       # default: permanent
///     [[at]]              # once, for the connections that are open at that time
///     time = "30s"
///     kind = "cut"
///     age = 0
/// "#.parse()?;
/// # Ok::<(), undrop_chaos::TimelineError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// The seed of all random draws, if the file sets one.
    pub seed: Option<u64>,
    pub(crate) entries: Vec<TimelineEntry>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimelineEntry {
    pub(crate) id: Option<String>,
    pub(crate) from: Duration,
    pub(crate) until: Option<Duration>,
    pub(crate) open_only: bool,
    pub(crate) spec: FaultSpec,
}

/// The reason why a timeline is invalid, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TimelineError {
    /// The number of the line, counted from 1.
    pub line: usize,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimelineFile {
    seed: Option<u64>,
    #[serde(default)]
    fault: Vec<toml::Spanned<Map<String, Value>>>,
    #[serde(default)]
    at: Vec<toml::Spanned<Map<String, Value>>>,
}

impl std::str::FromStr for Timeline {
    type Err = TimelineError;

    fn from_str(text: &str) -> Result<Timeline, TimelineError> {
        let file: TimelineFile = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line(text, span.start));
            TimelineError { line, reason: error.message().trim().replace('\n', "; ") }
        })?;
        let mut entries = Vec::new();
        for (tables, once) in [(file.fault, false), (file.at, true)] {
            for table in tables {
                let start = table.span().start;
                entries.push(entry(table.into_inner(), once).map_err(|error| {
                    let line = line_of_key(text, start, error.key.as_deref());
                    TimelineError { line, reason: error.to_string() }
                })?);
            }
        }
        // In the order of time, and as written for equal times: names and draws depend on the order.
        entries.sort_by_key(|entry| entry.from);
        Ok(Timeline { seed: file.seed, entries })
    }
}

impl Timeline {
    /// Returns the timeline with every duration divided by `speed`.
    pub(crate) fn faster(&self, speed: f64) -> Timeline {
        let entry = |entry: &TimelineEntry| TimelineEntry {
            from: scale(entry.from, speed),
            until: entry.until.map(|until| scale(until, speed)),
            spec: entry.spec.faster(speed),
            ..entry.clone()
        };
        Timeline { seed: self.seed, entries: self.entries.iter().map(entry).collect() }
    }
}

fn entry(mut table: Map<String, Value>, once: bool) -> Result<TimelineEntry, FaultSpecError> {
    let mut time = |key: &str| match table.remove(key) {
        None => Ok(None),
        Some(value) => read_duration(&value)
            .map(Some)
            .map_err(|reason| FaultSpecError::at(key, format!("`{key}`: {reason}"))),
    };
    let (from, until) = if once {
        (time("time")?.ok_or_else(|| FaultSpecError::new("`[[at]]` needs `time`"))?, None)
    } else {
        (time("from")?.unwrap_or_default(), time("until")?)
    };
    if until.is_some_and(|until| until <= from) {
        return Err(FaultSpecError::at("until", "`until` must be later than `from`"));
    }
    let id = match table.remove("id") {
        None => None,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Err(FaultSpecError::at("id", "`id` must be a string")),
    };
    let spec = FaultSpec::try_from(table)?;
    if once && spec.fault.behavior().concerns_opening_only() {
        let kind = spec.kind();
        let message =
            format!("`{kind}` affects new connections, but `[[at]]` only open ones; use `[[fault]]` instead");
        return Err(FaultSpecError::at("kind", message));
    }
    Ok(TimelineEntry { id, from, until, open_only: once, spec })
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Returns the line of a key in the table that starts at `start`, or the line of the table.
fn line_of_key(text: &str, start: usize, key: Option<&str>) -> usize {
    let first = line(text, start);
    let Some(key) = key else { return first };
    let is_key = |line: &str| {
        line.split_once('=').is_some_and(|(name, _)| name.trim().trim_matches(['"', '\'']) == key)
    };
    text.lines()
        .enumerate()
        .skip(first - 1)
        .take_while(|(number, line)| number + 1 == first || !line.trim_start().starts_with("[["))
        .find(|(_, line)| is_key(line))
        .map_or(first, |(number, _)| number + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn errors_name_the_line_the_key_and_a_suggestion() {
        for (text, expected) in [
            (
                "[[fault]]\nkind = \"latency\"\nbsae = 1\n",
                "line 3: `latency` has no key `bsae`; did you mean `base`?",
            ),
            ("[[fault]]\nkind = \"latncy\"\n", "line 2: unknown fault `latncy`; did you mean `latency`?"),
            ("\n[[fault]]\nkind = \"cut\"\nfrom = \"soon\"\n", "line 4: `from`: `soon` is not a duration"),
            (
                "[[fault]]\nkind = \"cut\"\n[[fault]]\nkind = \"cut\"\nage = 1\n",
                "line 1: `cut` needs one of `age`, `bytes`",
            ),
            ("[[at]]\nkind = \"cut\"\nage = 0\n", "line 1: `[[at]]` needs `time`"),
            (
                "[[fault]]\nkind=\"cut\"\nage=1\nfrom=5\nuntil=5\n",
                "line 5: `until` must be later than `from`",
            ),
            ("[[at]]\ntime=1\nkind=\"refuse\"\n", "line 3: `refuse` affects new connections"),
            ("sede = 1\n", "line 1: unknown field `sede`"),
            ("seed = \n", "line 1: "),
        ] {
            let error = text.parse::<Timeline>().expect_err(text).to_string();
            assert!(error.starts_with(expected), "{error}\n{expected}");
        }
    }

    #[test]
    fn times_are_scaled_with_the_durations_of_the_faults() {
        let timeline: Timeline =
            "[[fault]]\nkind = \"idle-cut\"\nafter = 60\nfrom = \"10s\"\nuntil = \"1m\"\n"
                .parse()
                .expect("valid");
        let [entry] = &timeline.faster(10.0).entries[..] else { panic!("one entry") };
        assert_eq!((entry.from, entry.until), (Duration::from_secs(1), Some(Duration::from_secs(6))));
        assert_eq!(entry.spec.to_string(), "idle-cut after=6s how=fin");
    }
}
