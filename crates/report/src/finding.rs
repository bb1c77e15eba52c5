//! One finding.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Confidence, Severity};

/// One thing that is wrong, or worth knowing, with everything that speaks for it and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The check or rule that found it, in kebab case.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// What is the matter, in one sentence.
    pub cause: String,
    /// Where it is: a product, a named hop, this machine. `None`: not known.
    pub hop: Option<String>,
    /// The figure it is about.
    pub value: Option<Measure>,
    /// What was seen, one sentence or less each.
    pub evidence: Vec<String>,
    /// What would prove it wrong.
    pub refuted_by: Vec<String>,
    /// What else would look like this, the likeliest first.
    pub candidates: Vec<String>,
    /// What to change.
    pub fixes: Vec<Fix>,
    /// The lint rule that finds it in a configuration.
    pub rule: Option<String>,
    /// The chaos preset or fault that reproduces it.
    pub preset: Option<String>,
}

/// A block to paste, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// The block.
    pub text: String,
    /// Its language, as Markdown names it; `text` for plain words.
    pub language: String,
    /// What it achieves.
    pub reason: String,
    /// The command that accepts or rejects it.
    pub validator: Option<String>,
}

/// A measured figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The median.
    pub value: f64,
    /// Half of the distance between the smallest and the largest sample, or of the bracket it lies in.
    pub spread: f64,
    /// Its unit, such as `s` or `bytes`.
    pub unit: String,
    /// How often it was measured.
    pub samples: u32,
}

impl Finding {
    /// A finding without evidence yet.
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
            rule: None,
            preset: None,
        }
    }

    /// With the place.
    #[must_use]
    pub fn at(mut self, hop: impl Into<String>) -> Finding {
        self.hop = Some(hop.into());
        self
    }

    /// With the figure.
    #[must_use]
    pub fn value(mut self, measure: Measure) -> Finding {
        self.value = Some(measure);
        self
    }

    /// With one more piece of evidence.
    #[must_use]
    pub fn evidence(mut self, text: impl Into<String>) -> Finding {
        self.evidence.push(text.into());
        self
    }

    /// With one more way to prove it wrong.
    #[must_use]
    pub fn refuted_by(mut self, text: impl Into<String>) -> Finding {
        self.refuted_by.push(text.into());
        self
    }

    /// With one more explanation that would fit.
    #[must_use]
    pub fn candidate(mut self, text: impl Into<String>) -> Finding {
        self.candidates.push(text.into());
        self
    }

    /// With one more fix.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Finding {
        self.fixes.push(fix);
        self
    }

    /// With the lint rule that finds it in a configuration.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Finding {
        self.rule = Some(rule.into());
        self
    }

    /// With the chaos preset that reproduces it.
    #[must_use]
    pub fn preset(mut self, preset: impl Into<String>) -> Finding {
        self.preset = Some(preset.into());
        self
    }
}

impl Fix {
    /// A block in some language.
    pub fn block(language: impl Into<String>, text: impl Into<String>, reason: impl Into<String>) -> Fix {
        Fix { text: text.into(), language: language.into(), reason: reason.into(), validator: None }
    }

    /// Advice in plain words.
    pub fn words(text: impl Into<String>) -> Fix {
        Fix { text: text.into(), language: "text".to_owned(), reason: String::new(), validator: None }
    }

    /// With the command that accepts or rejects it.
    #[must_use]
    pub fn validator(mut self, command: impl Into<String>) -> Fix {
        self.validator = Some(command.into());
        self
    }
}

impl Measure {
    /// Median and spread of samples. `None` without any, or when one is not a number.
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

    /// A figure that lies between two bounds.
    pub fn between(low: f64, high: f64, unit: impl Into<String>, samples: u32) -> Measure {
        Measure { value: (low + high) / 2.0, spread: (high - low) / 2.0, unit: unit.into(), samples }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.unit == "s" { 1 } else { 0 };
        write!(f, "{:.digits$} {}", self.value, self.unit)?;
        // What rounds to nothing is said to be below the last digit shown, not to be nothing.
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
