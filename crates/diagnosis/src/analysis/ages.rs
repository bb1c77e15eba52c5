//! Which ends belong together: at one moment, at one age, after one silence, or without a sign.

use crate::observations::{Arm, Endpoint, Life};

/// Ends of the same kind differ by at most this part of the figure …
const PART: f64 = 0.03;

/// … or by this, seconds: timers that run on whole seconds are up to one late.
const SLACK_S: f64 = 1.2;

/// The drops of one endpoint, sorted by what they have in common. Every ended life is in one list only.
#[derive(Debug, Default)]
pub(crate) struct Drops<'a> {
    /// Ended at one moment, whatever their age and whatever they did.
    pub(crate) aligned: Option<Alignment<'a>>,
    /// Ended at one age although they were busy.
    pub(crate) capped: Vec<&'a Life>,
    /// Ended visibly after one silence, while busy ones lived on.
    pub(crate) idle: Vec<&'a Life>,
    /// Asked after a silence, and were gone.
    pub(crate) silent: Vec<&'a Life>,
    /// Ended in ways that fit nothing above.
    pub(crate) other: Vec<&'a Life>,
}

/// Connections that ended at one moment.
#[derive(Debug)]
pub(crate) struct Alignment<'a> {
    /// The moment, since the start of the run.
    pub(crate) at_s: f64,
    pub(crate) lives: Vec<&'a Life>,
}

impl<'a> Drops<'a> {
    pub(crate) fn of(endpoint: &'a Endpoint) -> Drops<'a> {
        let mut drops = Drops::default();
        let mut ended: Vec<&Life> = endpoint.lives.iter().filter(|life| life.end.is_some()).collect();
        // What is silent by nature first: its age says nothing about when it was dropped.
        take(&mut ended, &mut drops.silent, |life| life.arm.is_quiet() && life.asked_in_vain());
        drops.aligned = aligned(&mut ended, endpoint);
        drops.capped = capped(&mut ended);
        drops.idle = idle(&mut ended);
        // One that happened to ask while a timer was ending it found what the timer did.
        if let Some(shortest) = drops.idle.iter().map(|life| life.quiet_s()).min_by(f64::total_cmp) {
            let asked = |life: &&Life| life.question.as_ref().map_or(0.0, |question| question.asked_s);
            drops.silent.retain(|life| asked(life) < shortest - SLACK_S);
        }
        if let Some(oldest) = drops.capped.iter().map(|life| life.age_s).max_by(f64::total_cmp) {
            let asked = |life: &&Life| life.question.as_ref().map_or(0.0, |question| question.asked_s);
            drops.silent.retain(|life| asked(life) < oldest - 2.0 * SLACK_S);
        }
        drops.other = ended;
        drops
    }

    /// The silences after which quiet connections were ended, seconds.
    pub(crate) fn idle_s(&self) -> Vec<f64> {
        self.idle.iter().map(|life| life.quiet_s()).collect()
    }

    /// The ages at which busy connections were ended, seconds.
    pub(crate) fn capped_s(&self) -> Vec<f64> {
        self.capped.iter().map(|life| life.age_s).collect()
    }
}

fn take<'a>(from: &mut Vec<&'a Life>, to: &mut Vec<&'a Life>, wanted: impl Fn(&Life) -> bool) {
    from.retain(|life| {
        let fits = wanted(life);
        if fits {
            to.push(life);
        }
        !fits
    });
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= (a.abs().max(b.abs()) * PART).max(SLACK_S)
}

/// At least three connections that were opened at clearly different times ended at the same moment, busy ones among
/// them, and none that was open then lived on unless it was opened later.
fn aligned<'a>(ended: &mut Vec<&'a Life>, endpoint: &Endpoint) -> Option<Alignment<'a>> {
    let moment = |life: &Life| life.at_s + life.age_s;
    let busy = ended.iter().filter(|life| life.arm.is_busy() && life.ended_visibly());
    for candidate in busy {
        let at_s = moment(candidate);
        let same: Vec<&Life> =
            ended.iter().copied().filter(|life| (moment(life) - at_s).abs() <= SLACK_S).collect();
        let opened = same.iter().filter(|life| life.arm.is_busy()).map(|life| life.at_s);
        let (first, last) = opened.fold((f64::MAX, f64::MIN), |(a, b), at| (a.min(at), b.max(at)));
        // Opened at the same time, an equal age is an equal moment and says nothing.
        if same.len() < 3 || last - first <= 2.0 * SLACK_S {
            continue;
        }
        let survivors = endpoint
            .lives
            .iter()
            .filter(|life| life.arm.is_busy() && life.opened() && life.at_s < at_s - SLACK_S)
            .filter(|life| moment(life) > at_s + SLACK_S)
            .count();
        let busy_ones = same.iter().filter(|life| life.arm.is_busy()).count();
        if busy_ones > 2 * survivors {
            ended.retain(|life| (moment(life) - at_s).abs() > SLACK_S);
            return Some(Alignment { at_s, lives: same });
        }
    }
    None
}

/// At least two busy connections ended at one age; quiet ones that ended at that age too belong to them.
fn capped<'a>(ended: &mut Vec<&'a Life>) -> Vec<&'a Life> {
    let mut best: Vec<&Life> = Vec::new();
    let busy: Vec<&Life> =
        ended.iter().copied().filter(|life| keeps(&life.arm) && life.ended_visibly()).collect();
    for candidate in &busy {
        let same: Vec<&Life> =
            busy.iter().copied().filter(|life| near(life.age_s, candidate.age_s)).collect();
        if same.len() > best.len() {
            best = same;
        }
    }
    let kinds = {
        let mut kinds: Vec<String> = best.iter().map(|life| life.arm.name()).collect();
        kinds.sort();
        kinds.dedup();
        kinds.len()
    };
    if kinds < 2 {
        return Vec::new();
    }
    let age = best.iter().map(|life| life.age_s).sum::<f64>() / best.len() as f64;
    let mut capped = Vec::new();
    take(ended, &mut capped, |life| life.ended_visibly() && near(life.age_s, age));
    capped
}

/// What keeps every idle timer that is known: frames both ways.
fn keeps(arm: &Arm) -> bool {
    matches!(arm, Arm::Data | Arm::Ping | Arm::Fleet)
}

/// Quiet connections that ended after the same silence.
fn idle<'a>(ended: &mut Vec<&'a Life>) -> Vec<&'a Life> {
    let quiet: Vec<&Life> =
        ended.iter().copied().filter(|life| life.arm.is_quiet() && life.ended_visibly()).collect();
    let mut best: Vec<&Life> = Vec::new();
    for candidate in &quiet {
        let same: Vec<&Life> =
            quiet.iter().copied().filter(|life| near(life.quiet_s(), candidate.quiet_s())).collect();
        if same.len() > best.len() {
            best = same;
        }
    }
    ended.retain(|life| !best.iter().any(|known| std::ptr::eq(*known, *life)));
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{dropped, endpoint, fleet, hole, lives};
    use undrop_frame::Ending;

    fn counts(drops: &Drops<'_>) -> (usize, usize, usize, usize, usize) {
        let aligned = drops.aligned.as_ref().map_or(0, |aligned| aligned.lives.len());
        (aligned, drops.capped.len(), drops.idle.len(), drops.silent.len(), drops.other.len())
    }

    #[test]
    fn a_healthy_endpoint_has_no_drops() {
        assert_eq!(counts(&Drops::of(&endpoint())), (0, 0, 0, 0, 0));
    }

    #[test]
    fn an_idle_timer_ends_quiet_ones_after_one_silence() {
        let seen = lives(|life| if life.arm.is_quiet() { dropped(life, 60.0, Ending::Fin) } else { life });
        let drops = Drops::of(&seen);
        assert!(drops.capped.is_empty() && drops.aligned.is_none() && drops.idle.len() >= 5, "{drops:?}");
    }

    #[test]
    fn a_cap_ends_all_at_one_age_and_a_reload_at_one_moment() {
        let capped = lives(|life| dropped(life, 30.0, Ending::Fin));
        let drops = Drops::of(&capped);
        assert!(drops.aligned.is_none() && drops.capped.len() >= 8 && drops.idle.is_empty(), "{drops:?}");
        let reloaded = lives(|life| {
            let age = 40.0 - life.at_s;
            dropped(life, age, Ending::Fin)
        });
        let drops = Drops::of(&reloaded);
        assert!(drops.aligned.is_some_and(|aligned| aligned.lives.len() >= 8 && aligned.at_s == 40.0));
    }

    #[test]
    fn a_hole_is_silent() {
        let seen = lives(|life| if life.arm.is_quiet() { hole(life, 60.0) } else { life });
        let drops = Drops::of(&seen);
        assert!(drops.silent.len() >= 3 && drops.idle.is_empty(), "{drops:?}");
        assert!(fleet(&seen).iter().all(|life| life.alive()));
    }
}
