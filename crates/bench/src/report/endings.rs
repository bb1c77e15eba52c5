//! Endings grouped by kind, and what the times of a group have in common.

use std::collections::BTreeMap;

use serde::Serialize;
use undrop_frame::Ending;

use undrop_text::number;

use crate::metrics::failure::ending_kind;
use crate::metrics::tally::EndingRecord;

/// The maximum number of ages that a report lists for each group.
const LISTED: usize = 1000;
/// The maximum number of groups. It bounds the report of a peer that violates the protocol in many ways.
const KINDS: usize = 32;
/// The name of the group of all further kinds.
pub(crate) const OTHERS: &str = "others";
/// The maximum number of close reasons listed for each group.
const REASONS: usize = 5;
/// The number of endings below which common times may be a coincidence.
const FEW: usize = 3;

/// Connections that ended in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndingGroup {
    /// The kind, in the shared vocabulary of endings: `RST`, `close 1011` and so on.
    pub ending: String,
    /// The number of endings.
    pub count: u64,
    /// The ages in seconds, ascending: all of them, or 1,000 evenly chosen ones if there are more.
    pub ages_s: Vec<f64>,
    /// The lowest age, in seconds.
    pub age_min_s: f64,
    /// The median of the ages, in seconds.
    pub age_median_s: f64,
    /// The highest age, in seconds.
    pub age_max_s: f64,
    /// The time of the first ending, in seconds since the start of the run.
    pub first_at_s: f64,
    /// The time of the last ending, in seconds since the start of the run.
    pub last_at_s: f64,
    /// The close code that a browser would report.
    pub browser: u16,
    /// The most frequent close reasons and their counts.
    pub reasons: BTreeMap<String, u64>,
    /// A hint at the cause, if the times have something in common.
    pub hint: Option<String>,
}

/// The properties of the load that a hint depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// The longest time without a message that the load itself causes; `None` if it sends none.
    pub(super) quiet_s: Option<f64>,
    /// Whether the run cuts the connections itself.
    pub(super) losses_wanted: bool,
}

/// Groups endings by kind, the largest group first.
pub(super) fn group(records: &[EndingRecord], load: Load) -> Vec<EndingGroup> {
    let mut kinds: BTreeMap<Ending, Vec<&EndingRecord>> = BTreeMap::new();
    let mut others = Vec::new();
    for record in records {
        let kind = ending_kind(&record.ending);
        if kinds.len() < KINDS || kinds.contains_key(&kind) {
            kinds.entry(kind).or_default().push(record);
        } else {
            others.push(record);
        }
    }
    let mut groups: Vec<EndingGroup> =
        kinds.into_iter().map(|(ending, records)| one(ending.to_string(), &records, load)).collect();
    if !others.is_empty() {
        groups.push(one(OTHERS.to_owned(), &others, load));
    }
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.ending.cmp(&b.ending)));
    groups
}

fn one(ending: String, records: &[&EndingRecord], load: Load) -> EndingGroup {
    let ages = sorted(records.iter().map(|record| record.age_s));
    let instants = sorted(records.iter().map(|record| record.at_s));
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, reason) in records.iter().filter_map(|record| record.ending.close()) {
        if !reason.is_empty() {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let mut reasons: Vec<(&str, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    EndingGroup {
        ending,
        count: records.len() as u64,
        age_min_s: first(&ages),
        age_median_s: part(&ages, 0.5),
        age_max_s: part(&ages, 1.0),
        first_at_s: first(&instants),
        last_at_s: part(&instants, 1.0),
        browser: records.first().map_or(1006, |record| record.ending.browser_view().get()),
        reasons: reasons
            .into_iter()
            .take(REASONS)
            .map(|(reason, count)| (reason.to_owned(), count))
            .collect(),
        hint: if load.losses_wanted { None } else { hint(records, &ages, &instants, load) },
        ages_s: listed(ages),
    }
}

fn listed(ages: Vec<f64>) -> Vec<f64> {
    let ms = |age: f64| (age * 1e3).round() / 1e3;
    if ages.len() <= LISTED {
        return ages.into_iter().map(ms).collect();
    }
    let last = ages.len() - 1;
    (0..LISTED).map(|at| ms(ages[at * last / (LISTED - 1)])).collect()
}

/// Returns what the times of a group have in common: equal ages come from a timer that starts with each connection, equal times
/// from a single event. Both are hints; the report shows the figures as well.
fn hint(records: &[&EndingRecord], ages: &[f64], instants: &[f64], load: Load) -> Option<String> {
    if records.len() < FEW {
        return None;
    }
    let opened = sorted(records.iter().map(|record| record.at_s - record.age_s));
    let (age, at) = (part(ages, 0.5), part(instants, 0.5));
    if age < 0.5 {
        return None;
    }
    // The middle 90 %, since a few stragglers are irrelevant to the rest.
    let spread = |values: &[f64]| part(values, 0.95) - part(values, 0.05);
    let (age_spread, at_spread, opened_spread) = (spread(ages), spread(instants), spread(&opened));
    let allowed = |value: f64| (value * 0.01).max(0.2);
    let (equal_age, equal_at) = (age_spread <= allowed(age), at_spread <= allowed(at));
    let within =
        |s: f64| if s < 0.0995 { format!("{} ms", (s * 1e3).ceil().max(1.0)) } else { number::seconds(s) };
    match (equal_age, equal_at) {
        (true, true) if opened_spread <= allowed(age) => Some(format!(
            "The connections ended at the same age and at the same time, since all were opened within {}. The cause is a timer or \
             a single event such as a reload; `--ramp-up {}s` or more would tell which.",
            within(opened_spread),
            (age * 0.2).ceil().max(5.0),
        )),
        (true, _) => Some(format!(
            "The connections ended at the same age ({} within {}) although they were opened over {}. {}",
            within(age),
            within(age_spread),
            within(opened_spread),
            match load.quiet_s {
                Some(quiet) if quiet < age * 0.5 =>
                    "This looks like a maximum connection age, since messages were sent until the end.",
                _ =>
                    "This looks like an idle timeout or a maximum connection age. With messages (`--rate`), an idle timeout would \
                     not end them.",
            }
        )),
        (false, true) => Some(format!(
            "The connections ended at the same time ({} into the run, within {}) although their ages differ by {}. This looks like \
             a single event, such as a reload, a deployment or a restart.",
            within(at),
            within(at_spread),
            within(age_spread),
        )),
        (false, false) => None,
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn first(values: &[f64]) -> f64 {
    values.first().copied().unwrap_or_default()
}

/// Returns the value at this position (0 to 1) of a sorted list.
fn part(values: &[f64], part: f64) -> f64 {
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const QUIET: Load = Load { quiet_s: None, losses_wanted: false };
    const BUSY: Load = Load { quiet_s: Some(1.0), losses_wanted: false };

    fn record(ending: &str, opened: f64, age_s: f64) -> EndingRecord {
        crate::report::samples::ending(ending, age_s, opened + age_s)
    }

    fn hint_of(records: &[EndingRecord], load: Load) -> String {
        group(records, load)[0].hint.clone().unwrap_or_default()
    }

    #[test]
    fn ages_are_bounded_and_keep_their_shape() {
        let records: Vec<_> = (0..5000).map(|i| record("RST", 0.0, f64::from(i) / 100.0)).collect();
        let group = &group(&records, QUIET)[0];
        assert_eq!((group.count, group.ages_s.len()), (5000, 1000));
        assert_eq!((group.ages_s[0], group.ages_s[999]), (0.0, 49.99));
        assert!((group.ages_s[500] - 25.0).abs() < 0.1 && (group.age_median_s - 25.0).abs() < 0.1);
    }

    #[test]
    fn the_largest_group_comes_first_and_kinds_are_bounded() {
        let mut records = vec![record("close 1011", 0.0, 1.0)];
        records.extend((0..3).map(|_| record("RST", 0.0, 1.0)));
        records.extend((0..100).map(|i| record(&format!("protocol error ({i})"), 0.0, 1.0)));
        let groups = group(&records, QUIET);
        assert_eq!(groups[0].ending, "others");
        assert_eq!(groups[1].ending, "RST");
        assert_eq!(groups.len(), KINDS + 1);
        assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), 104);
    }

    #[test]
    fn equal_ages_hint_at_a_timer_and_equal_instants_at_an_event() {
        let timer: Vec<_> =
            (0..50).map(|i| record("RST", f64::from(i), 60.0 + f64::from(i % 3) * 0.05)).collect();
        assert!(
            hint_of(&timer, QUIET).contains("an idle timeout or a maximum connection age"),
            "{}",
            hint_of(&timer, QUIET)
        );
        assert!(hint_of(&timer, BUSY).contains("looks like a maximum connection age"));
        let event: Vec<_> = (0..50).map(|i| record("RST", f64::from(i), 90.0 - f64::from(i))).collect();
        assert!(
            hint_of(&event, BUSY).starts_with("The connections ended at the same time (90.0 s into the run"),
            "{}",
            hint_of(&event, BUSY)
        );
        let both: Vec<_> = (0..50).map(|_| record("RST", 0.0, 60.0)).collect();
        assert!(hint_of(&both, BUSY).contains("`--ramp-up 12s`"), "{}", hint_of(&both, BUSY));
    }

    #[test]
    fn what_has_nothing_in_common_gets_no_hint() {
        let mixed: Vec<_> = (0..50).map(|i| record("RST", f64::from(i % 7), f64::from(i) * 1.7)).collect();
        assert_eq!(hint_of(&mixed, BUSY), "");
        let few: Vec<_> = (0..2).map(|i| record("RST", f64::from(i), 60.0)).collect();
        assert_eq!(hint_of(&few, BUSY), "");
        let wanted = Load { losses_wanted: true, ..BUSY };
        let event: Vec<_> = (0..50).map(|i| record("RST", f64::from(i), 90.0 - f64::from(i))).collect();
        assert_eq!(hint_of(&event, wanted), "");
    }

    #[test]
    fn the_most_frequent_reasons_are_kept() {
        let mut records = Vec::new();
        for i in 0..10_usize {
            for _ in 0..=i {
                records.push(crate::report::samples::closed_with(1011, &format!("r{i}"), 1.0, 1.0));
            }
        }
        let reasons = &group(&records, QUIET)[0].reasons;
        assert_eq!(reasons.len(), REASONS);
        assert_eq!((reasons.get("r9"), reasons.get("r5"), reasons.get("r4")), (Some(&10), Some(&6), None));
    }
}
