//! A fault as it is written: in a timeline file, in a preset, on a command line, or in a request to the API.
//!
//! Every form is one table with a `kind`. [`FaultSpec`] is the validated table: unknown keys, values out of range and
//! contradictions are rejected with an error that names the key.

mod inline;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use undrop_text::suggest;

use crate::declaration::{ClosedPeriod, FaultAdmission};
use crate::direction::Direction;
use crate::kind::FaultKind;
use crate::parameters::{FRACTION, Parameters};
use crate::spec_error::FaultSpecError;

/// A fault, its direction, and the share of the connections that it affects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct FaultSpec {
    /// The kind of the fault, with its parameters.
    pub fault: FaultKind,
    /// The affected direction, for kinds that have one.
    pub direction: Direction,
    /// The affected fraction of the connections, from 0 to 1. Each connection is affected with this probability.
    pub share: f64,
}

impl FaultSpec {
    /// Creates a fault that affects every connection, in both directions.
    pub fn new(fault: impl Into<FaultKind>) -> FaultSpec {
        FaultSpec { fault: fault.into(), direction: Direction::Both, share: 1.0 }
    }

    /// Sets the affected direction.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> FaultSpec {
        self.direction = direction;
        self
    }

    /// Sets the affected fraction of the connections; values outside 0 to 1 are clamped.
    #[must_use]
    pub fn share(mut self, share: f64) -> FaultSpec {
        self.share = share.clamp(0.0, 1.0);
        self
    }

    /// Returns the `kind` by which the fault is selected, in kebab case.
    pub fn kind(&self) -> &'static str {
        self.fault.name()
    }

    /// Returns the fault with every duration divided by `speed`, so that hours can be tested in minutes. Rates, sizes and
    /// counts do not change.
    #[must_use]
    pub fn faster(&self, speed: f64) -> FaultSpec {
        let mut spec = self.clone();
        // Scaling reads nothing, so it cannot fail.
        let _ = spec.parameters(&mut Parameters::scale(self.kind(), speed));
        spec
    }

    /// Returns the periods around `now` in which the fault, added at `since`, closes the listener. A fault that resets
    /// connections one by one does not close it.
    pub(crate) fn closed_periods(&self, since: Instant, now: Instant) -> [Option<ClosedPeriod>; 2] {
        let behavior = self.fault.behavior();
        match behavior.admission(Duration::ZERO) {
            FaultAdmission::Reset if self.share < 1.0 => [None, None],
            FaultAdmission::Accept | FaultAdmission::Delay(_) | FaultAdmission::Reset => {
                behavior.closed_periods(since, now)
            }
        }
    }

    /// Declares the parameters of the fault, and those that every fault has.
    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        self.fault.behavior_mut().parameters(parameters)?;
        let directions = [("both", Direction::Both), ("up", Direction::Up), ("down", Direction::Down)];
        parameters.choice("direction", &mut self.direction, &directions)?;
        parameters.with_default("share", &FRACTION, &mut self.share, 1.0)
    }
}

impl TryFrom<Map<String, Value>> for FaultSpec {
    type Error = FaultSpecError;

    fn try_from(table: Map<String, Value>) -> Result<FaultSpec, FaultSpecError> {
        let Some(kind) = table.get("kind") else {
            return Err(FaultSpecError::new("a fault needs a `kind`, such as kind = \"idle-cut\""));
        };
        let Some(fault) = kind.as_str().and_then(FaultKind::prototype) else {
            let text = kind.as_str().map_or_else(|| kind.to_string(), str::to_owned);
            let hint = suggest::hint(&text, FaultKind::names());
            return Err(FaultSpecError::at("kind", format!("unknown fault `{text}`{hint}")));
        };
        let mut spec = FaultSpec::new(fault);
        let kind = spec.kind();
        let mut known = Vec::new();
        spec.parameters(&mut Parameters::list(kind, &mut known))?;
        let mut keys = known.iter().map(|parameter| parameter.key).chain(["kind"]);
        if let Some(unknown) = table.keys().find(|key| !keys.clone().any(|known| known == key.as_str())) {
            let hint = suggest::hint(unknown, &mut keys);
            return Err(FaultSpecError::at(unknown, format!("`{kind}` has no key `{unknown}`{hint}")));
        }
        spec.parameters(&mut Parameters::read(kind, &table))?;
        Ok(spec)
    }
}

impl From<FaultSpec> for Map<String, Value> {
    fn from(mut spec: FaultSpec) -> Map<String, Value> {
        let kind = spec.kind();
        let mut table = Map::new();
        table.insert("kind".to_owned(), kind.into());
        // Writing reads nothing, so it cannot fail.
        let _ = spec.parameters(&mut Parameters::write(kind, &mut table));
        table
    }
}

impl FromStr for FaultSpec {
    type Err = FaultSpecError;

    /// Parses the form of the command line: `idle-cut after=5s how=rst`.
    fn from_str(text: &str) -> Result<FaultSpec, FaultSpecError> {
        FaultSpec::try_from(inline::table(text)?)
    }
}

impl fmt::Display for FaultSpec {
    /// Writes the form of the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        inline::write(&self.clone().into(), f)
    }
}
