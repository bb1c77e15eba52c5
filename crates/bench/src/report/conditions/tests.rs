#![allow(clippy::unwrap_used)]

use super::*;
use crate::report::samples;

fn outcome(condition: &str, sample: (crate::Plan, crate::Tally)) -> ConditionResult {
    let condition: Condition = condition.parse().unwrap();
    condition.evaluate(&LoadReport::new(&sample.0, &sample.1))
}

#[test]
fn every_metric_has_an_example_that_is_understood() {
    for (name, example, _) in METRICS {
        let condition: Condition = example.parse().unwrap();
        assert_eq!(condition.metric(), *name);
    }
}

#[test]
fn conditions_hold_or_not() {
    for (condition, holds) in [
        ("p99<50ms", true),
        ("p99 < 50us", false),
        ("p99.9<=1s", true),
        ("p99.99 < 1ms", false),
        ("max<1s", true),
        ("mean < 0.1 ms", false),
        ("p97.5<50ms", true),
        ("survival>=99.9%", false),
        ("survival>=99.8%", true),
        ("opened>=100%", true),
        ("opened>=1000", true),
        ("opened>1,000", false),
        ("rate>=99%", true),
        ("errors<1%", true),
        ("errors<0.1%", false),
        ("ended=2", true),
        ("ended==0", false),
        ("ended!=0", true),
        ("received>=100%", true),
        ("received>=600000", true),
        ("send-rate>=10000/s", true),
        ("receive-rate>20000", false),
        ("handshake_p99<500ms", true),
        ("connect_max<1ms", true),
        ("uncorrected_p99<lag_p99", false),
        ("cpu<10us", true),
        ("memory<=6KiB", true),
        ("failed=0", true),
    ] {
        if condition.contains("<lag") {
            assert!(condition.parse::<Condition>().is_err());
            continue;
        }
        let outcome = outcome(condition, samples::run());
        assert_eq!(outcome.passed, holds, "{outcome:?}");
    }
}

#[test]
fn what_was_not_measured_is_missed_with_a_reason() {
    for (condition, reason) in [
        ("p99<50ms", "no reply was received"),
        ("lost=0", "without --verify"),
        ("lost<1%", "without --verify"),
        ("resume_p99<2s", "no lost link was restored"),
        ("rate>=99%", "no schedule"),
        ("tls_p99<1s", "no TLS handshake"),
        ("send_rate>=0", "no message was sent"),
        ("completed>=99%", "not scenario"),
        ("completeness>=99%", "not broadcast"),
        ("last_back<10s", "no storm"),
        ("received>=0%", "no whole that it is a part of"),
    ] {
        let outcome = outcome(condition, samples::quiet(2));
        assert!(!outcome.passed && outcome.actual.is_none(), "{outcome:?}");
        assert!(outcome.reason.as_ref().unwrap().contains(reason), "{outcome:?}");
        assert!(outcome.found().starts_with("not measured ("));
    }
    let none = outcome("survival>=0%", samples::refused());
    assert_eq!((none.passed, none.reason.as_deref()), (false, Some("no connection was opened")));
    let opened = outcome("opened>=1%", samples::refused());
    assert_eq!((opened.passed, opened.actual), (false, Some(0.0)));
}

#[test]
fn a_percentile_of_few_values_is_judged_by_the_highest() {
    let outcome = outcome("handshake_p99<1s", samples::quiet(2));
    assert!(outcome.passed);
    assert!(outcome.found().ends_with("(the highest of 2 values)"), "{}", outcome.found());
}

#[test]
fn proofs_and_users_are_judged() {
    for (condition, holds) in [
        ("lost=0", false),
        ("lost<=2", true),
        ("doubled=0", false),
        ("lost<0.1%", true),
        ("corrupted=0", true),
    ] {
        assert_eq!(outcome(condition, samples::sink()).passed, holds, "{condition}");
    }
    for (condition, holds) in [
        ("completed>=95%", false),
        ("completed>=49", true),
        ("failed<=1", true),
        ("errors<2%", true),
        ("users=52", true),
    ] {
        assert_eq!(outcome(condition, samples::scenario()).passed, holds, "{condition}");
    }
    assert!(outcome("last_back<10s", samples::storm()).passed);
    assert!(outcome("completeness>=99.9%", samples::broadcast()).passed);
    assert!(!outcome("completeness>=100%", samples::broadcast()).passed);
}

#[test]
fn mistakes_are_named() {
    for (condition, message) in [
        ("", "a condition consists of a metric, a comparison and a limit"),
        ("p99", "a condition consists of a metric, a comparison and a limit"),
        ("<5ms", "the metric before the comparison is missing"),
        ("survivl>=99%", "did you mean `survival`?"),
        ("reorderd=0", "did you mean `reordered`?"),
        ("foo=0", "the metrics are p99, min"),
        ("p100<5ms", "unknown metric `p100`"),
        ("p99<5", "`5` has no unit; write `5ms` or `5s`"),
        ("p99<5kg", "`kg` is not a unit of p99; write the limit as in `p99<50ms`"),
        ("p99<fast", "`fast` is not a limit"),
        ("p99<", "`` is not a limit"),
        ("survival>=0.99", "write it in percent"),
        ("lost=0ms", "`ms` is not a unit of lost"),
        ("gaps<1%", "`%` is not a unit of gaps"),
        ("p99!5ms", "the comparison must be one of"),
        ("lost=-1", "`-1` is not a limit"),
        ("lost=1.2.3", "`1.2.3` is not a limit"),
    ] {
        let error = condition.parse::<Condition>().unwrap_err().to_string();
        assert!(error.contains(message), "{condition}: {error}");
        assert!(error.starts_with(&format!("`{condition}`")), "{error}");
    }
}

#[test]
fn percentages_are_exact() {
    let (plan, mut tally) = samples::quiet(1000);
    tally.alive_at_end = 999;
    assert!(outcome("survival>=99.9%", (plan.clone(), tally.clone())).passed);
    assert!(!outcome("survival>99.9%", (plan.clone(), tally.clone())).passed);
    tally.alive_at_end = 998;
    assert!(!outcome("survival>=99.9%", (plan, tally)).passed);
}

#[test]
fn the_guide_has_every_metric_as_it_is() {
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bench.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    for (name, example, meaning) in METRICS {
        assert!(guide.contains(&format!("| `{name}` | `{example}` | {meaning} |\n")), "{name}");
    }
}
