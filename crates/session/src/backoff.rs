//! The delay before the next connection attempt.

use std::time::Duration;

/// A backoff policy. Each delay is drawn at random for its attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    initial: Duration,
    factor: f64,
    max: Duration,
    jitter: Jitter,
    /// The longest delay of the first attempt after a link was lost.
    first: Duration,
    max_tries: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Jitter {
    /// A uniform value between zero and the ceiling.
    Full,
    /// The ceiling, plus or minus this share of it.
    Around(f64),
}

impl Default for Backoff {
    fn default() -> Self {
        Self::full_jitter()
    }
}

impl Backoff {
    /// Returns the default policy, `full-jitter`: up to 300 ms, then a random delay below min(30 s, 1 s · 2^k). It never
    /// gives up.
    pub fn full_jitter() -> Self {
        Self {
            initial: Duration::from_secs(1),
            factor: 2.0,
            max: Duration::from_secs(30),
            jitter: Jitter::Full,
            first: Duration::from_millis(300),
            max_tries: None,
        }
    }

    /// Returns the policy `classic`: 1 s, doubled each time, at most 30 s, ± 25 %. It gives up after 10 tries.
    pub fn classic() -> Self {
        Self {
            jitter: Jitter::Around(0.25),
            first: Duration::ZERO,
            max_tries: Some(10),
            ..Self::full_jitter()
        }
    }

    /// Returns the policy with this name: `full-jitter` or `classic`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "full-jitter" => Some(Self::full_jitter()),
            "classic" => Some(Self::classic()),
            _ => None,
        }
    }

    /// The same policy with another first delay and another limit.
    pub fn with_range(self, initial: Duration, max: Duration) -> Self {
        Self { initial, max: max.max(initial), ..self }
    }

    /// The same policy, giving up after so many failed tries; `None`: never.
    pub fn with_max_tries(self, tries: Option<u32>) -> Self {
        Self { max_tries: tries, ..self }
    }

    /// The delay before try `tries + 1` after `tries` failed ones, without its random part. Try 1 of full jitter is the
    /// immediate one and has its own ceiling.
    pub fn ceiling(&self, tries: u32) -> Duration {
        let doubled = match self.jitter {
            Jitter::Full if tries == 0 => return self.first,
            Jitter::Full => tries - 1,
            Jitter::Around(_) => tries,
        };
        let exponent = i32::try_from(doubled.min(1000)).unwrap_or(1000);
        let seconds = self.initial.as_secs_f64() * self.factor.powi(exponent);
        Duration::try_from_secs_f64(seconds).map_or(self.max, |delay| delay.min(self.max))
    }

    /// The delay before the next try after `tries` failed ones; `None`: give up. `random` lies in 0..1.
    pub fn delay(&self, tries: u32, random: f64) -> Option<Duration> {
        if self.max_tries.is_some_and(|max| tries >= max) {
            return None;
        }
        let random = random.clamp(0.0, 1.0);
        let share = match self.jitter {
            Jitter::Full => random,
            Jitter::Around(spread) => 1.0 - spread + 2.0 * spread * random,
        };
        Some(self.ceiling(tries).mul_f64(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ceilings(backoff: &Backoff, tries: u32) -> Vec<u128> {
        (0..tries).map(|k| backoff.ceiling(k).as_millis()).collect()
    }

    #[test]
    fn full_jitter_begins_at_once_and_never_gives_up() {
        let backoff = Backoff::by_name("full-jitter").expect("known");
        assert_eq!(backoff, Backoff::default());
        assert_eq!(ceilings(&backoff, 8), [300, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.delay(3, 0.0), Some(Duration::ZERO));
        assert_eq!(backoff.delay(3, 0.5), Some(Duration::from_secs(2)));
        assert_eq!(backoff.delay(1_000_000, 1.0), Some(Duration::from_secs(30)));
    }

    #[test]
    fn classic_stays_near_its_ceiling_and_gives_up() {
        let backoff = Backoff::by_name("classic").expect("known");
        assert_eq!(ceilings(&backoff, 7), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.delay(0, 0.0), Some(Duration::from_millis(750)));
        assert_eq!(backoff.delay(0, 1.0), Some(Duration::from_millis(1250)));
        assert_eq!(backoff.delay(9, 0.5), Some(Duration::from_secs(30)));
        assert_eq!(backoff.delay(10, 0.5), None);
        assert_eq!(Backoff::by_name("none"), None);
    }
}
