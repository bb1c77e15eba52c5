//! Findings: what a check concluded, from which evidence, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use undrop_infra::Confidence;

use crate::severity::Severity;

/// The language of a fix that is advice in a sentence.
const ADVICE: &str = "text";

/// A problem, or a fact worth knowing, with the evidence for it and the fixes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The identifier of the check that found it, in kebab case.
    pub id: String,
    /// The severity of the problem.
    pub severity: Severity,
    /// The confidence in the conclusion.
    pub confidence: Confidence,
    /// The cause in one sentence.
    pub cause: String,
    /// The place of the problem: a product, a named hop or this machine; `None` if it is unknown.
    pub hop: Option<String>,
    /// The measured value that the finding is about.
    pub value: Option<Measure>,
    /// The observations that support it, at most a sentence each.
    pub evidence: Vec<String>,
    /// Observations that would refute it.
    pub refuted_by: Vec<String>,
    /// Other causes that would look the same, the most likely first.
    pub candidates: Vec<String>,
    /// The changes that solve the problem.
    pub fixes: Vec<Fix>,
    /// The preset of `undrop chaos` that reproduces it.
    pub preset: Option<String>,
}

/// Advice, or a block of configuration or code to copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// The advice or the block.
    pub text: String,
    /// The language of the block, as Markdown names it; `text` for advice in a sentence.
    pub language: String,
    /// The purpose of the block; may be empty.
    pub reason: String,
    /// The command that validates the result.
    pub validator: Option<String>,
}

/// A measured value with its spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The median of the samples.
    pub value: f64,
    /// Half of the distance between the smallest and the largest sample, or half of the bracket that contains the value.
    pub spread: f64,
    /// The unit, such as `s` or `bytes`.
    pub unit: String,
    /// The number of samples.
    pub samples: u32,
}

impl Finding {
    /// Creates a finding without evidence.
    pub fn new(
        id: impl Into<String>,
        severity: Severity,
        confidence: Confidence,
        cause: impl Into<String>,
    ) -> Finding {
        Finding {
            id: id.into(),
            severity,
            confidence,
            cause: cause.into(),
            hop: None,
            value: None,
            evidence: Vec::new(),
            refuted_by: Vec::new(),
            candidates: Vec::new(),
            fixes: Vec::new(),
            preset: None,
        }
    }

    /// Sets the place of the problem.
    #[must_use]
    pub fn at(mut self, hop: impl Into<String>) -> Finding {
        self.hop = Some(hop.into());
        self
    }

    /// Sets the measured value.
    #[must_use]
    pub fn value(mut self, measure: Measure) -> Finding {
        self.value = Some(measure);
        self
    }

    /// Adds an observation that supports the finding.
    #[must_use]
    pub fn evidence(mut self, text: impl Into<String>) -> Finding {
        self.evidence.push(text.into());
        self
    }

    /// Adds an observation that would refute the finding.
    #[must_use]
    pub fn refuted_by(mut self, text: impl Into<String>) -> Finding {
        self.refuted_by.push(text.into());
        self
    }

    /// Adds another cause that would look the same.
    #[must_use]
    pub fn candidate(mut self, text: impl Into<String>) -> Finding {
        self.candidates.push(text.into());
        self
    }

    /// Adds a fix after those that are there.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Finding {
        self.fixes.push(fix);
        self
    }

    /// Sets the preset of `undrop chaos` that reproduces the problem.
    #[must_use]
    pub fn preset(mut self, preset: impl Into<String>) -> Finding {
        self.preset = Some(preset.into());
        self
    }
}

impl Fix {
    /// Creates a fix that is a block to copy.
    pub fn block(language: impl Into<String>, text: impl Into<String>, reason: impl Into<String>) -> Fix {
        Fix { text: text.into(), language: language.into(), reason: reason.into(), validator: None }
    }

    /// Creates a fix that is advice in a sentence.
    pub fn words(text: impl Into<String>) -> Fix {
        Fix { text: text.into(), language: ADVICE.to_owned(), reason: String::new(), validator: None }
    }

    /// Returns whether the fix is advice in a sentence and not a block to copy.
    pub(crate) fn is_advice(&self) -> bool {
        self.language == ADVICE
    }

    /// Sets the command that validates the result.
    #[must_use]
    pub fn validator(mut self, command: impl Into<String>) -> Fix {
        self.validator = Some(command.into());
        self
    }
}

impl From<&undrop_infra::ProductFix> for Fix {
    fn from(known: &undrop_infra::ProductFix) -> Fix {
        let fix = Fix::block(known.language.clone(), known.text.clone(), known.reason.clone());
        Fix { validator: known.validator.clone(), ..fix }
    }
}

impl Measure {
    /// Computes median and spread of samples. Returns `None` if there are none or if one is not finite.
    pub fn of(samples: &[f64], unit: impl Into<String>) -> Option<Measure> {
        if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
            return None;
        }
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let value =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        let spread = (sorted[sorted.len() - 1] - sorted[0]) / 2.0;
        Some(Measure {
            value,
            spread,
            unit: unit.into(),
            samples: u32::try_from(samples.len()).unwrap_or(u32::MAX),
        })
    }

    /// Creates a measure from two bounds between which the value lies.
    pub fn between(low: f64, high: f64, unit: impl Into<String>, samples: u32) -> Measure {
        Measure { value: (low + high) / 2.0, spread: (high - low) / 2.0, unit: unit.into(), samples }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.unit == "s" { 1 } else { 0 };
        write!(f, "{:.digits$} {}", self.value, self.unit)?;
        // A spread that would be rounded to zero is shown as one unit of the last digit.
        if self.samples > 1 || self.spread > 0.0 {
            write!(f, " ± {:.digits$} {}", self.spread.max(if digits == 1 { 0.1 } else { 0.0 }), self.unit)?;
        }
        if self.samples > 1 { write!(f, " ({} times)", self.samples) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn median_and_spread() {
        let measure = Measure::of(&[60.02, 59.98, 60.10], "s").unwrap();
        assert_eq!((measure.value, measure.samples), (60.02, 3));
        assert!((measure.spread - 0.06).abs() < 1e-9);
        assert_eq!(measure.to_string(), "60.0 s ± 0.1 s (3 times)");
        assert_eq!(Measure::of(&[1.0, 3.0], "s").unwrap().value, 2.0);
        assert_eq!(Measure::of(&[], "s"), None);
        assert_eq!(Measure::of(&[f64::NAN], "s"), None);
        assert_eq!(Measure::between(340.0, 360.0, "s", 1).to_string(), "350.0 s ± 10.0 s");
        assert_eq!(Measure::of(&[65536.0], "bytes").unwrap().to_string(), "65536 bytes");
    }
}
