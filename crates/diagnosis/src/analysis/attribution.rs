//! Attributes a timer to a product. A product is named only if it was recognised, or if another endpoint shows on which side of
//! it the timer is. All other products with such a timer are candidates.

use std::time::Duration;

use undrop_infra::{Bound, ClosingManner, Intermediary, Occasion, Timer, TimerKind, timers_matching};
use undrop_report::{Confidence, Finding, Fix, Measure};
use undrop_text::duration;

use super::{Case, Product, close_code, products};
use crate::observations::{Endpoint, EndpointRole};
use undrop_frame::Ending;

/// The largest difference between a measured age and a known timer, as a part of the timer.
const TOLERANCE: f64 = 0.012;

/// The maximum number of listed candidates.
const LISTED: usize = 5;

/// The delay between the expiry of a product's timer and the end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndDelay {
    /// The connection ends without a delay.
    Not,
    /// The delay is constant.
    By(Duration),
    /// The delay varies up to this value, since the product checks its timers periodically.
    AtMost(Duration),
}

/// The result of an attribution.
#[derive(Debug)]
pub(crate) struct Attribution {
    /// The recognised product with such a timer.
    pub(crate) culprit: Option<(&'static Intermediary, &'static Timer)>,
    /// The location of the timer, if other endpoints were compared.
    pub(crate) between: Option<String>,
    pub(crate) confidence: Confidence,
    /// The observations that support the attribution.
    pub(crate) evidence: Vec<String>,
    pub(crate) candidates: Vec<String>,
    /// The delay with which the client sees the expiry.
    pub(crate) late: EndDelay,
}

/// Attributes a timer of this kind that ends connections at `value` with these endings. `same_elsewhere` returns whether another
/// endpoint shows the same timer, `None` if that is not known.
pub(crate) fn attribute(
    case: &Case<'_>,
    value: &Measure,
    kind: TimerKind,
    ends: &[Ending],
    same_elsewhere: impl Fn(&Endpoint) -> Option<bool>,
) -> Attribution {
    let fits = |entry: &Intermediary| closes_like(entry, kind, ends);
    let near: Vec<(&'static Intermediary, &'static Timer)> = age(value)
        .map(|age| timers_matching(age, TOLERANCE))
        .unwrap_or_default()
        .into_iter()
        .filter(|near| near.timer.what == kind && fits(near.entry))
        .map(|near| (near.entry, near.timer))
        .collect();
    // A product that is also on the path of an endpoint without the timer is ruled out.
    let ruled_out: Vec<&str> = case
        .seen
        .others()
        .iter()
        .filter(|other| same_elsewhere(other) == Some(false))
        .flat_map(products)
        .filter(Product::is_seen)
        .map(|product| product.entry.id.as_str())
        .collect();
    // A product that is not on the path of an endpoint with the timer is ruled out as well.
    let present: Vec<Vec<Product>> = case
        .seen
        .others()
        .iter()
        .filter(|other| other.role != EndpointRole::Control && same_elsewhere(other) == Some(true))
        .map(products)
        .collect();
    let is_present = |id: &str| {
        present.iter().all(|there| there.iter().any(|product| product.is_seen() && product.entry.id == id))
    };
    let suspected = |product: &&Product| {
        let id = product.entry.id.as_str();
        product.is_seen() && !ruled_out.contains(&id) && is_present(id)
    };
    let seen: Vec<&Product> = case.products.iter().filter(suspected).collect();
    let at_default =
        seen.iter().find_map(|product| near.iter().find(|(entry, _)| entry.id == product.entry.id));
    let at_some_value =
        || seen.iter().find_map(|product| settable(product, kind, value).filter(|(e, _)| fits(e)));
    let mut evidence = Vec::new();
    let (culprit, mut confidence) = match at_default {
        Some(&(entry, timer)) => {
            let unsure = if timer.is_unsure() { "; this value is not certain" } else { "" };
            evidence.push(format!("{} has a timer of this length: {}{unsure}", entry.name, timer.name));
            (Some((entry, timer)), if timer.is_unsure() { Confidence::Medium } else { Confidence::High })
        }
        None => match at_some_value() {
            Some((entry, timer)) => {
                evidence.push(format!(
                    "{} has a timer that can be configured to this value: {}",
                    entry.name, timer.name
                ));
                (Some((entry, timer)), Confidence::Medium)
            }
            None => (None, Confidence::High),
        },
    };
    if let Some((entry, _)) = culprit {
        let product = seen.iter().find(|product| product.entry.id == entry.id);
        let traits = product.map_or_else(String::new, |product| product.traits.join(", "));
        evidence.push(format!("{} is on the path: {traits}", entry.name));
    }
    let (mut between, lines) = locate(case, same_elsewhere);
    if between.is_some() {
        confidence = Confidence::High;
    }
    evidence.extend(lines);
    // If several recognised products could have the timer, none of them is more than a candidate.
    let rivals: Vec<(&Intermediary, &Timer)> = seen
        .iter()
        .filter(|product| culprit.is_some_and(|(named, _)| named.id != product.entry.id))
        .filter_map(|product| settable(product, kind, value).filter(|(entry, _)| fits(entry)))
        .collect();
    if !rivals.is_empty() {
        // A matching default is stronger evidence than a configurable value.
        let known = near.iter().filter(|(entry, _)| seen.iter().any(|product| product.entry.id == entry.id));
        let ids: std::collections::BTreeSet<&str> = known.map(|(entry, _)| entry.id.as_str()).collect();
        confidence = confidence.min(if ids.len() == 1 { Confidence::Medium } else { Confidence::Low });
    }
    if let (None, None, Some(proxy)) = (&culprit, &between, &case.target.proxy) {
        between = Some(format!("the forward proxy {proxy}, or a hop after it"));
        confidence = Confidence::Medium;
        let hint =
            "the connections went through the forward proxy; a run without it shows whether it is the cause";
        evidence.push(hint.to_owned());
    }
    let candidates = candidates(culprit.map(|(entry, _)| entry), &rivals, &near);
    let late = culprit.map_or(EndDelay::Not, |(entry, timer)| end_delay(entry, timer, kind));
    Attribution { culprit, between, confidence, evidence, candidates, late }
}

/// Lists the timers other than the culprit's: those of recognised products first, then those of about this length.
fn candidates(
    culprit: Option<&Intermediary>,
    rivals: &[(&Intermediary, &Timer)],
    near: &[(&'static Intermediary, &'static Timer)],
) -> Vec<String> {
    let mut candidates: Vec<String> = rivals
        .iter()
        .map(|(entry, timer)| format!("{} ({}), which is on the path as well", entry.name, timer.name))
        .collect();
    let mut listed: Vec<(&str, &str)> =
        rivals.iter().map(|(entry, timer)| (entry.id.as_str(), timer.name.as_str())).collect();
    for (entry, timer) in near {
        let key = (entry.id.as_str(), timer.name.as_str());
        if culprit.is_none_or(|named| named.id != entry.id) && !listed.contains(&key) {
            candidates.push(format!("{} ({})", entry.name, timer.name));
            listed.push(key);
        }
    }
    candidates.truncate(LISTED);
    if culprit.is_some() {
        candidates.push("another hop that leaves no trace in responses, or the server itself".to_owned());
    } else if candidates.is_empty() {
        candidates.push("no known timer has this length".to_owned());
    }
    candidates
}

/// Returns the timer of this kind that a recognised product could have configured to this value.
fn settable(
    product: &Product,
    kind: TimerKind,
    value: &Measure,
) -> Option<(&'static Intermediary, &'static Timer)> {
    let age = age(value)?;
    let within = |timer: &Timer| {
        let low = timer.min.and_then(Bound::at).is_none_or(|min| min <= age + Duration::from_secs(1));
        let high = timer.max.is_none_or(|max| Bound::At(age.saturating_sub(Duration::from_secs(2))) <= max);
        timer.settable && low && high
    };
    let entry: &'static Intermediary = product.entry;
    let mut fitting = entry.timers_of(kind).filter(|timer| !timer.special && within(timer));
    fitting.next().map(|timer| (entry, timer))
}

/// Returns whether the product ends connections on such an occasion like this, as far as is known.
fn closes_like(entry: &Intermediary, kind: TimerKind, ends: &[Ending]) -> bool {
    let when = occasion(kind);
    let mut closings = entry.closings_on(when).peekable();
    if closings.peek().is_none() {
        return true;
    }
    closings.any(|closing| ends.iter().all(|end| looks_like(closing.how, closing.code, end)))
}

fn looks_like(how: ClosingManner, code: Option<u16>, end: &Ending) -> bool {
    match how {
        ClosingManner::Fin => matches!(end, Ending::Fin),
        ClosingManner::Rst => matches!(end, Ending::Reset),
        ClosingManner::CloseFrame => close_code(end).is_some_and(|seen| code.is_none_or(|code| code == seen)),
        ClosingManner::Silent => matches!(end, Ending::BlackHole),
        ClosingManner::SilentThenRst => matches!(end, Ending::Reset | Ending::BlackHole),
        ClosingManner::Ends => matches!(end, Ending::Fin | Ending::Reset),
        ClosingManner::Unknown => true,
        _ => false,
    }
}

fn occasion(kind: TimerKind) -> Occasion {
    if kind == TimerKind::Lifetime { Occasion::Lifetime } else { Occasion::Idle }
}

fn end_delay(entry: &Intermediary, timer: &Timer, kind: TimerKind) -> EndDelay {
    let mut closings = entry.closings_on(occasion(kind)).chain(entry.closings_on(Occasion::Idle));
    match (closings.find_map(|closing| closing.after), timer.seen_after) {
        (Some(by), _) => EndDelay::By(by),
        (None, Some(at_most)) => EndDelay::AtMost(at_most),
        (None, None) => EndDelay::Not,
    }
}

/// Locates the timer by the endpoints that show it and those that do not, in the order from the client to the origin. Returns
/// the location and the evidence.
fn locate(case: &Case<'_>, same: impl Fn(&Endpoint) -> Option<bool>) -> (Option<String>, Vec<String>) {
    let mut lines = Vec::new();
    // The last hop towards the origin that still shows the timer; `None` for the target itself.
    let mut last_same: Option<String> = None;
    let mut between = None;
    for other in case.seen.others() {
        let name = match &other.role {
            EndpointRole::Control => "the control endpoint".to_owned(),
            EndpointRole::Direct => "the origin (directly)".to_owned(),
            role => format!("the endpoint {}", role.name()),
        };
        match same(other) {
            Some(true) => {
                lines.push(format!("{name} shows the same"));
                last_same = match &other.role {
                    EndpointRole::Via(name) => Some(name.clone()),
                    EndpointRole::Direct => Some("the origin".to_owned()),
                    _ => continue,
                };
                between = matches!(other.role, EndpointRole::Direct).then(|| "the origin itself".to_owned());
            }
            Some(false) => {
                lines.push(format!("{name} does not show it"));
                between = between.or_else(|| {
                    Some(match (&other.role, &last_same) {
                        (EndpointRole::Via(next), None) => format!("in front of {next}"),
                        (EndpointRole::Via(next), Some(last)) => format!("{last} (in front of {next})"),
                        (EndpointRole::Direct, None) => "between you and the origin".to_owned(),
                        (EndpointRole::Direct, Some(last)) => format!("{last} (in front of the origin)"),
                        _ => "on the path that the control endpoint does not use".to_owned(),
                    })
                });
            }
            None => {}
        }
    }
    (between, lines)
}

fn age(value: &Measure) -> Option<Duration> {
    Duration::try_from_secs_f64(value.value).ok()
}

impl Attribution {
    /// Returns the location as a phrase that follows a noun.
    pub(crate) fn place(&self) -> String {
        match (&self.culprit, &self.between) {
            (Some((entry, _)), _) if self.confidence == Confidence::High => format!(" on {}", entry.name),
            (Some((entry, _)), _) if self.confidence == Confidence::Low => {
                format!(", perhaps on {},", entry.name)
            }
            (Some((entry, _)), _) => format!(", most likely on {},", entry.name),
            (None, Some(between)) => format!(", {between},"),
            (None, None) => " somewhere between you and the origin".to_owned(),
        }
    }

    /// Adds location, evidence, candidates and fixes to a finding.
    pub(crate) fn complete(self, mut finding: Finding) -> Finding {
        finding.confidence = finding.confidence.min(self.confidence);
        finding.hop = match (&self.culprit, &self.between) {
            (Some((entry, timer)), Some(between)) => {
                Some(format!("{}, {}; {between}", entry.name, timer.name))
            }
            (Some((entry, timer)), None) => Some(format!("{}, {}", entry.name, timer.name)),
            (None, between) => between.clone(),
        };
        finding.evidence.extend(self.evidence);
        finding.candidates.extend(self.candidates);
        if let Some((entry, timer)) = self.culprit {
            let mut fixes: Vec<&undrop_infra::ProductFix> = entry.fixes_of(&timer.name).collect();
            if fixes.is_empty() {
                fixes = entry.fixes.iter().filter(|fix| fix.timers.is_empty()).collect();
            }
            finding.fixes.extend(fixes.into_iter().map(Fix::from));
            finding.preset = finding.preset.or_else(|| entry.first_preset().map(str::to_owned));
        }
        finding
    }
}

/// Returns the measured value without the delay of the product, and a sentence about the delay.
pub(crate) fn without_end_delay(value: &Measure, late: EndDelay) -> (Measure, Option<String>) {
    let seen = value.value;
    match late {
        EndDelay::By(by) if seen > by.as_secs_f64() => {
            let set = ((seen - by.as_secs_f64()) * 1e6).round() / 1e6;
            let lines = format!(
                "seen after {seen:.1} s; this product ends connections {} after the timer expires",
                duration::spell(by)
            );
            (Measure { value: set, ..value.clone() }, Some(lines))
        }
        EndDelay::AtMost(at_most) => {
            let lines = format!(
                "this product checks its timers only every {}, so the value is not exact",
                duration::spell(at_most)
            );
            (Measure { spread: value.spread.max(at_most.as_secs_f64()), ..value.clone() }, Some(lines))
        }
        _ => (value.clone(), None),
    }
}
