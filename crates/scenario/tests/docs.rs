//! The examples of docs/scenarios.md are read exactly as they are written.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::path::Path;

use undrop_scenario::{Dialect, Inputs};

use support::parse;

#[test]
fn the_examples_of_the_guide_work() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let examples = guide.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let read = examples.map(|example| {
        let scenario = parse(example, "tests/scenarios/x.yml".as_ref(), &Inputs::default());
        let scenario = scenario.unwrap_or_else(|error| panic!("{error} in\n{example}"));
        (scenario.dialect, scenario.notices.len(), scenario.arrivals(1).count())
    });
    assert_eq!(
        read.collect::<Vec<_>>(),
        [
            (Dialect::Native, 0, 315 + 2400),
            (Dialect::Native, 0, 1),
            (Dialect::Native, 0, 1),
            (Dialect::Artillery, 0, 630 + 6000),
            // No engine, a bare word, `expect`.
            (Dialect::Guide, 3, 600),
        ]
    );
}
