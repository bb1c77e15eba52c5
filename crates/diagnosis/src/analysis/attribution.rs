//! Whose timer it is. A product is only named when it was seen, or when another way in shows on which side of it the timer
//! is; everything else is a list of candidates.

use std::time::Duration;

use undrop_infra::{Bound, ClosingManner, Intermediary, Occasion, Timer, TimerKind, timers_matching};
use undrop_report::{Confidence, Finding, Fix, Measure};
use undrop_text::duration;

use super::{Case, Product, close_code, products};
use crate::observations::{Endpoint, EndpointRole};
use undrop_frame::Ending;

/// How far a measured age may be from a known timer, as a part of it.
const TOLERANCE: f64 = 0.012;

/// Candidates that are listed, at most.
const LISTED: usize = 5;

/// How much later than its timer a product shows the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndDelay {
    /// At once.
    Not,
    /// Always by this much.
    By(Duration),
    /// By up to this much, as it looks at its timers once in a while.
    AtMost(Duration),
}

/// Who may be at fault.
#[derive(Debug)]
pub(crate) struct Attribution {
    /// The product that was seen and has such a timer.
    pub(crate) culprit: Option<(&'static Intermediary, &'static Timer)>,
    /// The place between entries, when other ways in were tried.
    pub(crate) between: Option<String>,
    pub(crate) confidence: Confidence,
    /// What speaks for it.
    pub(crate) evidence: Vec<String>,
    pub(crate) candidates: Vec<String>,
    /// How much later than the timer the client sees the end.
    pub(crate) late: EndDelay,
}

/// Looks for whose timer of this kind ends connections at `value` in this way.
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
    // A product that is still in the way where the timer is not has been acquitted.
    let acquitted: Vec<&str> = case
        .seen
        .others()
        .iter()
        .filter(|other| same_elsewhere(other) == Some(false))
        .flat_map(products)
        .filter(Product::is_seen)
        .map(|product| product.entry.id.as_str())
        .collect();
    // One that is not in the way where the timer still is has been acquitted as well.
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
        product.is_seen() && !acquitted.contains(&id) && is_present(id)
    };
    let seen: Vec<&Product> = case.products.iter().filter(suspected).collect();
    let at_default =
        seen.iter().find_map(|product| near.iter().find(|(entry, _)| entry.id == product.entry.id));
    let at_some_value =
        || seen.iter().find_map(|product| settable(product, kind, value).filter(|(e, _)| fits(e)));
    let mut evidence = Vec::new();
    let (culprit, mut confidence) = match at_default {
        Some(&(entry, timer)) => {
            let unsure = if timer.is_unsure() { "; this figure is not certain" } else { "" };
            evidence.push(format!("{} has a timer of this length: {}{unsure}", entry.name, timer.name));
            (Some((entry, timer)), if timer.is_unsure() { Confidence::Medium } else { Confidence::High })
        }
        None => match at_some_value() {
            Some((entry, timer)) => {
                evidence.push(format!(
                    "{} has such a timer, which can be set to this: {}",
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
        evidence.push(format!("{} is in the way: {traits}", entry.name));
    }
    let (mut between, told) = locate(case, same_elsewhere);
    if between.is_some() {
        confidence = Confidence::High;
    }
    evidence.extend(told);
    // Others that were seen and could have it as well: then none of them is more than a candidate.
    let rivals: Vec<String> = seen
        .iter()
        .filter(|product| culprit.is_some_and(|(named, _)| named.id != product.entry.id))
        .filter_map(|product| settable(product, kind, value).filter(|(entry, _)| fits(entry)))
        .map(|(entry, timer)| format!("{} ({}), which is in the way as well", entry.name, timer.name))
        .collect();
    if !rivals.is_empty() {
        // A default that fits still says more than a setting that might.
        let known = near.iter().filter(|(entry, _)| seen.iter().any(|product| product.entry.id == entry.id));
        let ids: std::collections::BTreeSet<&str> = known.map(|(entry, _)| entry.id.as_str()).collect();
        confidence = confidence.min(if ids.len() == 1 { Confidence::Medium } else { Confidence::Low });
    }
    if let (None, None, Some(proxy)) = (&culprit, &between, &case.target.proxy) {
        between = Some(format!("the forward proxy {proxy}, or behind it"));
        confidence = Confidence::Medium;
        let hint =
            "the connections went through the forward proxy; a run without it tells whether it is at fault";
        evidence.push(hint.to_owned());
    }
    let mut candidates = rivals;
    for (entry, timer) in &near {
        let listed = format!("{} ({})", entry.name, timer.name);
        let known = candidates.iter().any(|candidate| candidate.starts_with(&listed));
        if culprit.is_none_or(|(named, _)| named.id != entry.id) && !known {
            candidates.push(listed);
        }
    }
    candidates.truncate(LISTED);
    if culprit.is_some() {
        candidates.push("another hop that leaves no trace in its answers, or the server itself".to_owned());
    } else if candidates.is_empty() {
        candidates.push("no timer that is known has this length".to_owned());
    }
    let late = culprit.map_or(EndDelay::Not, |(entry, timer)| end_delay(entry, timer, kind));
    Attribution { culprit, between, confidence, evidence, candidates, late }
}

/// The timer of this kind that a seen product could have set to this value.
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

/// A product ends connections on such an occasion in the way that was seen, as far as is known.
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

/// Where it is, by the ways in that show the same and those that do not. Ways in are in the order from the client to the
/// origin.
fn locate(case: &Case<'_>, same: impl Fn(&Endpoint) -> Option<bool>) -> (Option<String>, Vec<String>) {
    let mut told = Vec::new();
    let mut last_same = "the target".to_owned();
    let mut between = None;
    for other in case.seen.others() {
        let name = match &other.role {
            EndpointRole::Control => "the control endpoint".to_owned(),
            EndpointRole::Direct => "the origin, reached directly,".to_owned(),
            role => format!("the entry {}", role.name()),
        };
        match same(other) {
            Some(true) => {
                told.push(format!("{name} shows the same"));
                last_same = match &other.role {
                    EndpointRole::Via(name) => name.clone(),
                    EndpointRole::Direct => "the origin".to_owned(),
                    _ => continue,
                };
                between = matches!(other.role, EndpointRole::Direct).then(|| "the origin itself".to_owned());
            }
            Some(false) => {
                told.push(format!("{name} does not show it"));
                between = between.or_else(|| {
                    Some(match &other.role {
                        EndpointRole::Via(next) if last_same == "the target" => format!("before {next}"),
                        EndpointRole::Via(next) => format!("{last_same} (before {next})"),
                        EndpointRole::Direct if last_same == "the target" => {
                            "between you and the origin".to_owned()
                        }
                        EndpointRole::Direct => format!("{last_same} (before the origin)"),
                        _ => "on the way that the control endpoint does not take".to_owned(),
                    })
                });
            }
            None => {}
        }
    }
    (between, told)
}

fn age(value: &Measure) -> Option<Duration> {
    Duration::try_from_secs_f64(value.value).ok()
}

impl Attribution {
    /// Where it is, to be put behind a noun.
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

    /// Fills in where it is, what speaks for it, what else it could be, and how to fix it.
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

/// The figure without what the product takes longer to show it.
pub(crate) fn without_end_delay(value: &Measure, late: EndDelay) -> (Measure, Option<String>) {
    let seen = value.value;
    match late {
        EndDelay::By(by) if seen > by.as_secs_f64() => {
            let set = ((seen - by.as_secs_f64()) * 1e6).round() / 1e6;
            let told = format!(
                "seen after {seen:.1} s; this product shows the end {} after the timer",
                duration::spell(by)
            );
            (Measure { value: set, ..value.clone() }, Some(told))
        }
        EndDelay::AtMost(at_most) => {
            let told = format!(
                "this product looks at its timers only once in {}, so the figure is not exact",
                duration::spell(at_most)
            );
            (Measure { spread: value.spread.max(at_most.as_secs_f64()), ..value.clone() }, Some(told))
        }
        _ => (value.clone(), None),
    }
}
