//! Toxics of toxiproxy, as faults of ours.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use undrop_fault::Distribution;

use super::Refusal;
use crate::spec::{Direction, How, Kind, Spec, When};

/// A toxic as its clients write and read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Toxic {
    #[serde(default)]
    pub(super) name: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default = "downstream")]
    pub(super) stream: String,
    #[serde(default = "always")]
    pub(super) toxicity: f64,
    #[serde(default)]
    pub(super) attributes: Map<String, Value>,
}

fn downstream() -> String {
    "downstream".into()
}

fn always() -> f64 {
    1.0
}

/// The attributes of each type.
const TYPES: &[(&str, &[&str])] = &[
    ("latency", &["latency", "jitter"]),
    ("bandwidth", &["rate"]),
    ("slow_close", &["delay"]),
    ("timeout", &["timeout"]),
    ("reset_peer", &["timeout"]),
    ("slicer", &["average_size", "size_variation", "delay"]),
    ("limit_data", &["bytes"]),
];

impl Toxic {
    /// Fills in what its client left out, and judges it.
    pub(super) fn complete(mut self) -> Result<Toxic, Refusal> {
        let Some((_, keys)) = TYPES.iter().find(|(name, _)| *name == self.kind) else {
            return Err(Refusal::new(400, format!("invalid toxic type `{}`", self.kind)));
        };
        if !matches!(self.stream.as_str(), "upstream" | "downstream") {
            return Err(Refusal::new(400, "stream was invalid, can be either upstream or downstream"));
        }
        if !(0.0..=1.0).contains(&self.toxicity) {
            return Err(Refusal::new(400, "toxicity goes from 0 to 1"));
        }
        if self.name.is_empty() {
            self.name = format!("{}_{}", self.kind, self.stream);
        }
        for (key, value) in &self.attributes {
            let good = keys.contains(&key.as_str()) && value.as_f64().is_some_and(|n| n >= 0.0);
            if !good {
                return Err(Refusal::new(400, format!("attribute `{key}` of `{}`: {value}", self.kind)));
            }
        }
        for key in *keys {
            self.attributes.entry(*key).or_insert_with(|| 0.into());
        }
        Ok(self)
    }

    /// Changes what `body` names.
    pub(super) fn change(&mut self, body: &Value) {
        if let Some(toxicity) = body.get("toxicity").and_then(Value::as_f64) {
            self.toxicity = toxicity;
        }
        if let Some(Value::Object(attributes)) = body.get("attributes") {
            self.attributes.extend(attributes.clone());
        }
    }

    /// The faults that do what it says.
    pub(super) fn specs(&self) -> Vec<Spec> {
        let direction = if self.stream == "upstream" { Direction::Up } else { Direction::Down };
        let ms = |key| Duration::try_from_secs_f64(self.number(key) / 1e3).unwrap_or(Duration::MAX);
        let cut = |when, how| Kind::Cut { when, spread: 0.0, how };
        let stall = Kind::Stall { after: Duration::ZERO, lasts: None };
        let kinds = match self.kind.as_str() {
            // From latency - jitter to latency + jitter.
            "latency" => {
                let (latency, jitter) = (ms("latency"), ms("jitter"));
                let base = latency.saturating_sub(jitter);
                let jitter = latency.saturating_add(jitter).saturating_sub(base);
                vec![Kind::Latency { base, jitter, distribution: Distribution::Uniform }]
            }
            // Kilobytes per second; 0 lets nothing pass.
            "bandwidth" => match (self.number("rate") * 1e3) as u64 {
                0 => vec![stall],
                rate => vec![Kind::Bandwidth { rate }],
            },
            "slow_close" => vec![Kind::SlowClose { delay: ms("delay") }],
            // No data passes; after the timeout the connection is closed, unless it is 0.
            "timeout" => match ms("timeout") {
                Duration::ZERO => vec![stall],
                timeout => vec![stall, cut(When::Age(timeout), How::Fin)],
            },
            "reset_peer" => vec![cut(When::Age(ms("timeout")), How::Rst)],
            // The delay is in microseconds.
            "slicer" => vec![Kind::Slices {
                size: (self.number("average_size") as usize).max(1),
                gap: Duration::try_from_secs_f64(self.number("delay") / 1e6).unwrap_or(Duration::MAX),
            }],
            _ => vec![cut(When::Bytes(self.number("bytes") as u64), How::Fin)],
        };
        kinds.into_iter().map(|kind| Spec::new(kind).direction(direction).share(self.toxicity)).collect()
    }

    /// The name of its faults on the proxy.
    pub(super) fn fault(&self) -> String {
        format!("toxic:{}", self.name)
    }

    fn number(&self, key: &str) -> f64 {
        self.attributes.get(key).and_then(Value::as_f64).unwrap_or_default()
    }
}
