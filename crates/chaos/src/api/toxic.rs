//! The toxics of toxiproxy, translated to faults.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use undrop_fault::{Bandwidth, CloseManner, Distribution, Latency, SlowClose};
use undrop_text::duration::from_seconds_or_longest;

use super::response::ApiError;
use crate::direction::Direction;
use crate::kind::{CutFault, CutPoint, FaultKind, SlicesFault, StallFault};
use crate::spec::FaultSpec;

/// A toxic as clients request it.
#[derive(Debug, Deserialize)]
pub(super) struct ToxicRequest {
    #[serde(default)]
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    stream: Option<String>,
    toxicity: Option<f64>,
    #[serde(default)]
    attributes: Map<String, Value>,
}

/// A validated toxic, as clients read it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Toxic {
    pub(super) name: String,
    #[serde(rename = "type")]
    kind: ToxicKind,
    stream: ToxicStream,
    toxicity: f64,
    /// Numbers, one for each attribute of the kind.
    attributes: Map<String, Value>,
}

/// The type of a toxic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ToxicKind {
    Latency,
    Bandwidth,
    SlowClose,
    Timeout,
    ResetPeer,
    Slicer,
    LimitData,
}

/// The direction of a toxic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum ToxicStream {
    Upstream,
    Downstream,
}

impl ToxicKind {
    fn parse(name: &str) -> Option<ToxicKind> {
        Some(match name {
            "latency" => ToxicKind::Latency,
            "bandwidth" => ToxicKind::Bandwidth,
            "slow_close" => ToxicKind::SlowClose,
            "timeout" => ToxicKind::Timeout,
            "reset_peer" => ToxicKind::ResetPeer,
            "slicer" => ToxicKind::Slicer,
            "limit_data" => ToxicKind::LimitData,
            _ => return None,
        })
    }

    fn attributes(self) -> &'static [&'static str] {
        match self {
            ToxicKind::Latency => &["latency", "jitter"],
            ToxicKind::Bandwidth => &["rate"],
            ToxicKind::SlowClose => &["delay"],
            ToxicKind::Timeout | ToxicKind::ResetPeer => &["timeout"],
            ToxicKind::Slicer => &["average_size", "size_variation", "delay"],
            ToxicKind::LimitData => &["bytes"],
        }
    }
}

impl TryFrom<ToxicRequest> for Toxic {
    type Error = ApiError;

    fn try_from(request: ToxicRequest) -> Result<Toxic, ApiError> {
        let ToxicRequest { mut name, kind: kind_name, stream, toxicity, attributes } = request;
        let kind = ToxicKind::parse(&kind_name)
            .ok_or_else(|| ApiError::bad_request(format!("invalid toxic type `{kind_name}`")))?;
        let stream_name = stream.as_deref().unwrap_or("downstream");
        let stream = match stream_name {
            "upstream" => ToxicStream::Upstream,
            "downstream" => ToxicStream::Downstream,
            _ => {
                let message = "stream was invalid, can be either upstream or downstream";
                return Err(ApiError::bad_request(message));
            }
        };
        if name.is_empty() {
            name = format!("{kind_name}_{stream_name}");
        }
        Toxic { name, kind, stream, toxicity: toxicity.unwrap_or(1.0), attributes }.validated()
    }
}

impl Toxic {
    /// Returns the toxic with the toxicity and the attributes that `body` contains.
    pub(super) fn changed(&self, body: &Value) -> Result<Toxic, ApiError> {
        let mut toxic = self.clone();
        if let Some(toxicity) = body.get("toxicity").and_then(Value::as_f64) {
            toxic.toxicity = toxicity;
        }
        if let Some(Value::Object(attributes)) = body.get("attributes") {
            toxic.attributes.extend(attributes.clone());
        }
        toxic.validated()
    }

    /// Returns the faults with the effect of the toxic.
    pub(super) fn specs(&self) -> Vec<FaultSpec> {
        let direction = match self.stream {
            ToxicStream::Upstream => Direction::Up,
            ToxicStream::Downstream => Direction::Down,
        };
        let milliseconds = |key| from_seconds_or_longest(self.number(key) / 1e3);
        let cut = |when, how| FaultKind::from(CutFault { when, spread: 0.0, how });
        let stall = FaultKind::from(StallFault { after: Duration::ZERO, lasts: None });
        let kinds = match self.kind {
            // From latency - jitter to latency + jitter.
            ToxicKind::Latency => {
                let (latency, jitter) = (milliseconds("latency"), milliseconds("jitter"));
                let base = latency.saturating_sub(jitter);
                let jitter = latency.saturating_add(jitter).saturating_sub(base);
                vec![Latency { base, jitter, distribution: Distribution::Uniform }.into()]
            }
            // In kilobytes per second; 0 blocks all data.
            ToxicKind::Bandwidth => match (self.number("rate") * 1e3) as u64 {
                0 => vec![stall],
                rate => vec![Bandwidth { bytes_per_second: rate }.into()],
            },
            ToxicKind::SlowClose => vec![SlowClose { delay: milliseconds("delay") }.into()],
            // No data passes. After the timeout, the connection is closed, unless the timeout is 0.
            ToxicKind::Timeout => match milliseconds("timeout") {
                Duration::ZERO => vec![stall],
                timeout => vec![stall, cut(CutPoint::Age(timeout), CloseManner::Fin)],
            },
            ToxicKind::ResetPeer => {
                vec![cut(CutPoint::Age(milliseconds("timeout")), CloseManner::Rst)]
            }
            // The delay is in microseconds.
            ToxicKind::Slicer => vec![
                SlicesFault {
                    size: (self.number("average_size") as u64).max(1),
                    gap: from_seconds_or_longest(self.number("delay") / 1e6),
                }
                .into(),
            ],
            ToxicKind::LimitData => {
                vec![cut(CutPoint::Bytes(self.number("bytes") as u64), CloseManner::Fin)]
            }
        };
        let spec = |kind: FaultKind| FaultSpec::new(kind).direction(direction).share(self.toxicity);
        kinds.into_iter().map(spec).collect()
    }

    /// Returns the name of the faults of the toxic on the proxy.
    pub(super) fn fault_name(&self) -> String {
        format!("toxic:{}", self.name)
    }

    /// Checks the toxicity and the attributes, and adds missing attributes with the value 0.
    fn validated(mut self) -> Result<Toxic, ApiError> {
        if !(0.0..=1.0).contains(&self.toxicity) {
            return Err(ApiError::bad_request("toxicity must be between 0 and 1"));
        }
        let known = self.kind.attributes();
        for (key, value) in &self.attributes {
            if !known.contains(&key.as_str()) {
                return Err(ApiError::bad_request(format!("unknown attribute `{key}`")));
            }
            if !value.as_f64().is_some_and(|number| number >= 0.0) {
                let message = format!("attribute `{key}` must be a number that is not negative, not {value}");
                return Err(ApiError::bad_request(message));
            }
        }
        for key in known {
            self.attributes.entry(*key).or_insert_with(|| 0.into());
        }
        Ok(self)
    }

    fn number(&self, key: &str) -> f64 {
        self.attributes.get(key).and_then(Value::as_f64).unwrap_or_default()
    }
}
