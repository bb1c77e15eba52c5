//! Logs that are replayed: which faults affected which connection, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use undrop_text::duration::from_seconds_or_longest;

use crate::event::Event;
use crate::spec::FaultSpec;

/// The recorded faults of a log. Connections are identified by their number, which is the order of acceptance.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    seed: Option<u64>,
    proxy: Option<String>,
    connections: BTreeMap<u64, Vec<RecordedFault>>,
    /// The periods in which the listener was closed.
    closed: Vec<(Duration, Option<Duration>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordedFault {
    pub(crate) name: Arc<str>,
    pub(crate) spec: Arc<FaultSpec>,
    /// The age of the connection at which the fault starts.
    pub(crate) from: Duration,
    pub(crate) seed: u64,
}

/// The reason why a log is invalid, with its line.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ReplayError {
    /// The number of the line, counted from 1.
    pub line: usize,
    reason: String,
}

impl Replay {
    /// Parses a log of one JSON object per line, as [`Event`]s are serialized. Only the first proxy of the log is
    /// replayed.
    ///
    /// # Errors
    /// A line is not an event, or the log does not contain the start of the proxy.
    pub fn read(log: &str) -> Result<Replay, ReplayError> {
        let mut replay = Replay::default();
        let lines = log.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        for (number, line) in lines {
            let event = serde_json::from_str(line).map_err(|error| ReplayError {
                line: number + 1,
                reason: format!("not an event: {error}"),
            })?;
            replay.record(event);
        }
        if replay.seed.is_none() {
            let reason = "the log has no line with \"event\":\"listening\"".to_owned();
            return Err(ReplayError { line: 1, reason });
        }
        Ok(replay)
    }

    /// Returns the seed of the recorded run.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Returns the number of faults that will be injected.
    pub fn faults(&self) -> usize {
        self.connections.values().map(Vec::len).sum()
    }

    pub(crate) fn of(&self, connection: u64) -> &[RecordedFault] {
        self.connections.get(&connection).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn closed(&self) -> &[(Duration, Option<Duration>)] {
        &self.closed
    }

    fn record(&mut self, event: Event) {
        match event {
            Event::Listening { proxy, seed, .. } if self.proxy.is_none() => {
                self.proxy = Some(proxy);
                self.seed = Some(seed);
            }
            Event::Refusing { proxy, time } if self.is(&proxy) => {
                self.closed.push((from_seconds_or_longest(time), None))
            }
            Event::Accepting { proxy, time } if self.is(&proxy) => {
                if let Some((_, until)) = self.closed.last_mut() {
                    *until = Some(from_seconds_or_longest(time));
                }
            }
            Event::Injected { proxy, connection, fault, replay, from, seed, .. } if self.is(&proxy) => {
                let spec = Arc::new(replay);
                let recorded =
                    RecordedFault { name: fault.into(), spec, from: from_seconds_or_longest(from), seed };
                let faults = self.connections.entry(connection).or_default();
                // A continuing fault is logged several times, but is added once.
                if !faults.contains(&recorded) {
                    faults.push(recorded);
                }
            }
            _ => {}
        }
    }

    fn is(&self, proxy: &str) -> bool {
        self.proxy.as_deref() == Some(proxy)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::Replay;

    const LOG: &str = r#"
{"event":"listening","proxy":"a","address":"127.0.0.1:1","upstream":"127.0.0.1:2","seed":18446744073709551615}
{"event":"api","address":"127.0.0.1:3"}
{"event":"injected","proxy":"a","time":1.0,"connection":3,"fault":"f1","kind":"drop-pings","direction":"up","offset":9,"age":0.5,"what":"Ping dropped","replay":{"kind":"drop-pings"},"from":0.0,"seed":5}
{"event":"injected","proxy":"a","time":1.5,"connection":3,"fault":"f1","kind":"drop-pings","direction":"up","offset":20,"age":1.0,"what":"Ping dropped","replay":{"kind":"drop-pings"},"from":0.0,"seed":5}
{"event":"injected","proxy":"b","time":1.5,"connection":3,"fault":"f1","kind":"drop-pings","direction":"up","offset":20,"age":1.0,"what":"Ping dropped","replay":{"kind":"drop-pongs"},"from":0.0,"seed":5}
{"event":"refusing","proxy":"a","time":2.0}
{"event":"accepting","proxy":"a","time":4.5}
{"event":"refusing","proxy":"a","time":7.0}
"#;

    #[test]
    fn the_first_proxy_is_replayed_and_unknown_events_are_skipped() {
        let replay = Replay::read(LOG).expect("valid");
        assert_eq!(replay.seed(), Some(u64::MAX));
        assert_eq!(replay.faults(), 1, "a continuing fault is added once");
        assert_eq!(replay.of(3)[0].spec.kind(), "drop-pings");
        let seconds: Vec<(u64, Option<u64>)> = replay
            .closed()
            .iter()
            .map(|(from, until)| (from.as_millis() as u64, until.map(|until| until.as_millis() as u64)))
            .collect();
        assert_eq!(seconds, [(2000, Some(4500)), (7000, None)]);
    }

    #[test]
    fn an_invalid_log_is_reported_with_its_line() {
        for (log, expected) in [
            ("", "line 1: the log has no line with \"event\":\"listening\""),
            ("\n{}\n", "line 2: not an event: "),
            ("listening on ws://127.0.0.1:1\n", "line 1: not an event: "),
        ] {
            let error = Replay::read(log).expect_err(log).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
