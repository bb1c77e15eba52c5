//! The plan of the lanes.

use std::time::Duration;

use crate::Options;
use crate::lanes::lane::{Beat, Means, Script};
use undrop_diagnosis::observations::{Arm, Life};

/// Quiet times of the comb, seconds: before and behind the timers that are known.
const TEETH: [u64; 21] = [
    10, 20, 30, 45, 55, 62, 90, 105, 125, 185, 235, 245, 305, 355, 365, 605, 905, 1_205, 1_805, 3_605, 7_205,
];

/// For short horizons, as parts of them.
const SHORT: [f64; 6] = [0.15, 0.3, 0.45, 0.6, 0.75, 0.9];

/// Lanes of a public target that nobody said to own, at most.
pub(super) const POLITE: usize = 24;

/// Connections of the fleet.
const FLEET: u32 = 6;

/// Teeth that narrow down a silent drop.
const REFINED: u32 = 6;

/// How often a page in the background may run its timers (Chrome, after five minutes).
const HIDDEN_TAB: Duration = Duration::from_secs(60);

/// One place among the lanes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seat {
    /// When it is opened, since the lanes began.
    pub(crate) opens_after: Duration,
    pub(crate) script: Script,
}

/// What the stages before found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Messages come back.
    pub(crate) echoes: bool,
    /// Messages are taken: the server does not close for one.
    pub(crate) takes_messages: bool,
    /// Pings are answered.
    pub(crate) pongs: bool,
}

impl Known {
    pub(crate) fn means(self) -> Means {
        match self {
            Known { pongs: true, .. } => Means::Ping,
            Known { echoes: true, .. } => Means::Message,
            _ => Means::None,
        }
    }
}

/// All lanes for one endpoint.
pub(crate) fn seats(options: &Options, known: Known, polite: bool) -> Vec<Seat> {
    let horizon = options.horizon;
    let script = |arm: Arm, beat: Option<Beat>| Script {
        beat: beat.map(|beat| (beat, options.every)),
        message: options.message.clone(),
        ..Script::quiet(arm, horizon, known.means(), options.patience)
    };
    let mut scripts = vec![
        script(Arm::Silent, None),
        script(Arm::TcpKeepalive, None),
        script(Arm::Ping, Some(Beat::Ping)),
        script(Arm::Pong, Some(Beat::Pong)),
    ];
    if known.takes_messages {
        if known.echoes {
            scripts.push(script(Arm::Data, Some(Beat::Message)));
            scripts.push(script(Arm::OneWay, Some(Beat::Fragment)));
        } else {
            scripts.push(script(Arm::OneWay, Some(Beat::Message)));
        }
    }
    if options.subscribe.is_some() {
        scripts.push(Script { subscribe: options.subscribe.clone(), ..script(Arm::Push, None) });
    }
    scripts.push(Script { answers_pings: false, ..script(Arm::Withheld, None) });
    let mut seats: Vec<Seat> =
        scripts.into_iter().map(|script| Seat { opens_after: Duration::ZERO, script }).collect();
    for quiet in teeth(horizon) {
        let arm = Arm::Tooth { quiet_s: quiet.as_secs_f64() };
        let script = Script { asks_after: quiet, ..script(arm, None) };
        seats.push(Seat { opens_after: Duration::ZERO, script });
    }
    let busy = if known.takes_messages && known.echoes { Beat::Both } else { Beat::Ping };
    for i in 1..=FLEET {
        // Not at equal distances: a timer that strikes every so often could keep step with them.
        let opens_after = horizon.mul_f64(0.4 * f64::from(i * i) / f64::from(FLEET * FLEET));
        let script = Script { asks_after: horizon - opens_after, ..script(Arm::Fleet, Some(busy)) };
        seats.push(Seat { opens_after, script });
    }
    if known.takes_messages && horizon >= HIDDEN_TAB * 2 {
        let tab = Script { beat: Some((Beat::Message, HIDDEN_TAB)), ..script(Arm::HiddenTab, None) };
        seats.push(Seat { opens_after: Duration::ZERO, script: tab });
    }
    let sleeps = [Duration::from_secs(30), Duration::from_secs(120)];
    for sleeps in sleeps.into_iter().filter(|sleeps| *sleeps + options.patience <= horizon) {
        let arm = Arm::Suspended { for_s: sleeps.as_secs_f64() };
        let script = Script {
            sleeps: Some(sleeps),
            asks_after: sleeps + Duration::from_millis(500),
            ..script(arm, None)
        };
        seats.push(Seat { opens_after: Duration::ZERO, script });
    }
    if polite {
        seats.truncate(POLITE);
    }
    seats
}

/// Teeth between the last quiet time that was survived and the first that was not, when it ended in silence.
pub(crate) fn refined(options: &Options, known: Known, lives: &[Life]) -> Vec<Seat> {
    let quiet = |life: &Life| life.question.as_ref().map(|question| question.asked_s);
    let teeth = || lives.iter().filter(|life| life.arm.is_quiet());
    let Some(bad) = teeth().filter(|life| life.asked_in_vain()).filter_map(quiet).min_by(f64::total_cmp)
    else {
        return Vec::new();
    };
    let survived = teeth().filter(|life| life.alive()).filter_map(quiet).filter(|quiet| *quiet < bad);
    let good = survived.max_by(f64::total_cmp).unwrap_or(0.0);
    // Narrow enough: what is left is below 3 % of the figure.
    if bad - good <= (bad * 0.03).max(0.5) {
        return Vec::new();
    }
    let step = (bad - good) / f64::from(REFINED + 1);
    let tooth = |quiet_s: f64| {
        let asks_after = Duration::from_secs_f64(quiet_s);
        let script = Script {
            message: options.message.clone(),
            ..Script::quiet(Arm::Tooth { quiet_s }, asks_after, known.means(), options.patience)
        };
        Seat { opens_after: Duration::ZERO, script }
    };
    (1..=REFINED).map(|i| tooth(good + step * f64::from(i))).collect()
}

fn teeth(horizon: Duration) -> Vec<Duration> {
    let first = Duration::from_secs(TEETH[0]);
    if horizon < first * 6 {
        return SHORT.iter().map(|part| horizon.mul_f64(*part)).collect();
    }
    TEETH.iter().map(|s| Duration::from_secs(*s)).filter(|tooth| *tooth < horizon).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use undrop_diagnosis::observations::Question;
    use undrop_frame::Ending;

    const KNOWN: Known = Known { echoes: true, takes_messages: true, pongs: true };

    #[test]
    fn the_default_plan_has_every_arm_and_fits_a_polite_cap() {
        let options = Options::default();
        let all = seats(&options, KNOWN, false);
        let polite = seats(&options, KNOWN, true);
        assert_eq!(polite.len(), POLITE);
        for arm in [Arm::Silent, Arm::TcpKeepalive, Arm::Ping, Arm::Pong, Arm::Data, Arm::OneWay] {
            assert!(polite.iter().any(|seat| seat.script.arm == arm), "{arm:?}");
        }
        for arm in [Arm::HiddenTab, Arm::Suspended { for_s: 30.0 }, Arm::Suspended { for_s: 120.0 }] {
            assert!(all.iter().any(|seat| seat.script.arm == arm), "{arm:?}");
        }
        let end = |seat: &Seat| seat.opens_after + seat.script.asks_after;
        assert!(all.iter().all(|seat| end(seat) <= options.horizon));
    }

    #[test]
    fn a_server_that_closes_for_a_message_gets_none() {
        let known = Known { echoes: false, takes_messages: false, pongs: true };
        for seat in seats(&Options::default(), known, false) {
            let beat = seat.script.beat.map(|(beat, _)| beat);
            assert!(
                !matches!(beat, Some(Beat::Message | Beat::Fragment | Beat::Both)),
                "{:?}",
                seat.script.arm
            );
        }
    }

    #[test]
    fn a_silent_drop_is_narrowed_down_between_the_teeth() {
        let tooth = |quiet_s: f64, answered: bool| Life {
            end: (!answered).then_some(Ending::BlackHole),
            question: Some(Question {
                asked_s: quiet_s,
                answered_after_s: answered.then_some(0.01),
                acked: None,
            }),
            ..Life::failed(Arm::Tooth { quiet_s }, 0.0, Ending::Fin)
        };
        let mut lives = vec![tooth(45.0, true), tooth(55.0, true), tooth(62.0, false), tooth(90.0, false)];
        for life in &mut lives {
            life.failed = None;
        }
        let seats = refined(&Options::default(), KNOWN, &lives);
        let quiet: Vec<u64> = seats.iter().map(|seat| seat.script.asks_after.as_secs()).collect();
        assert_eq!(quiet, [56, 57, 58, 59, 60, 61]);
        lives.truncate(2);
        assert!(refined(&Options::default(), KNOWN, &lives).is_empty());
    }
}
