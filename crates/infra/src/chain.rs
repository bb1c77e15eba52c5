//! The timeout budget of a chain of intermediaries: how long a connection may be idle, and how old it may become.

use std::time::Duration;

use crate::{Activity, Heartbeat, Intermediary, Timer, TimerKind, Tristate, UnknownName};

/// The intermediaries between a client and its server, in any order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chain {
    hops: Vec<Hop>,
}

/// An intermediary in a chain, with the timers that apply to connections through it.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    name: String,
    entry: Option<&'static Intermediary>,
    timers: Vec<TimerSetting>,
}

/// A timer with its value in a chain.
#[derive(Debug, Clone, PartialEq)]
struct TimerSetting {
    timer: Timer,
    value: Option<Duration>,
    origin: Origin,
}

/// The origin of the value of a timer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The caller supplied the value.
    Given,
    /// The value is the default of the product.
    Default,
    /// The product has no default; the value is common in the named place.
    Common(String),
}

/// A timer that limits connections through a chain.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChainTimer {
    /// The name of the hop.
    pub hop: String,
    /// The name of the timer.
    pub timer: String,
    /// The value of the timer.
    pub value: Duration,
    /// The origin of the value.
    pub origin: Origin,
    /// Whether the value is from memory or from a single report.
    pub unsure: bool,
}

/// The time limits that a chain imposes on a connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Budget {
    /// The idle timeouts, the shortest first.
    pub idle: Vec<ChainTimer>,
    /// The maximum connection ages, the lowest first. Only a planned reconnect helps against these.
    pub lifetimes: Vec<ChainTimer>,
    /// The hops with an idle timeout of unknown value, which may be shorter than all in `idle`.
    pub unknown: Vec<String>,
    /// The longest recommended interval of heartbeats: at most half of the shortest idle timeout, rounded down to a round number. `None`
    /// without an idle timeout.
    pub heartbeat: Option<Duration>,
    /// Every heartbeat, with whether it re-arms all idle timeouts of the chain.
    pub carriers: Vec<(Heartbeat, Tristate)>,
}

impl Hop {
    /// Creates a hop with the default timers of an intermediary, or with common values for timers without a default.
    pub fn of(entry: &'static Intermediary) -> Self {
        let mut timers = Vec::new();
        for timer in &entry.timers {
            if matches!(timer.what, TimerKind::Idle | TimerKind::Lifetime) && !timer.special {
                let origin = match (timer.default, timer.also.first()) {
                    (None, Some(other)) => Origin::Common(other.place.clone()),
                    _ => Origin::Default,
                };
                timers.push(TimerSetting { timer: timer.clone(), value: timer.expected(), origin });
            }
        }
        Self { name: entry.id.clone(), entry: Some(entry), timers }
    }

    /// Creates a hop that is not in the knowledge base, without timers.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), entry: None, timers: Vec::new() }
    }

    /// Sets a timer of the intermediary, or disables it with `None`.
    ///
    /// # Errors
    /// Returns an error with the most similar name if the intermediary has no such timer.
    pub fn set(mut self, name: &str, value: Option<Duration>) -> Result<Self, UnknownName> {
        let Some(timer) = self.entry.and_then(|entry| entry.timer(name)) else {
            let known = self.entry.into_iter().flat_map(|entry| &entry.timers);
            return Err(UnknownName::new("timer", name, known.map(|timer| timer.name.as_str())));
        };
        self.timers.retain(|set| set.timer.name != name);
        self.timers.push(TimerSetting { timer: timer.clone(), value, origin: Origin::Given });
        Ok(self)
    }

    /// Adds an idle timeout that frames in either direction re-arm and TCP keepalive does not, as in most proxies.
    #[must_use]
    pub fn idle(self, name: impl Into<String>, value: Duration) -> Self {
        use Activity as A;
        let mut timer = Timer::named(name, TimerKind::Idle);
        timer.rearmed_by = vec![A::PingUp, A::PingDown, A::PongUp, A::PongDown, A::DataUp, A::DataDown];
        timer.not_by = vec![A::TcpKeepalive];
        self.with(timer, value)
    }

    /// Adds a maximum connection age.
    #[must_use]
    pub fn lifetime(self, name: impl Into<String>, value: Duration) -> Self {
        self.with(Timer::named(name, TimerKind::Lifetime), value)
    }

    /// Adds a timer of any kind, for example a measured one.
    #[must_use]
    pub fn with(mut self, timer: Timer, value: Duration) -> Self {
        self.timers.push(TimerSetting { timer, value: Some(value), origin: Origin::Given });
        self
    }

    /// Returns the timers that apply, without those that others replace.
    fn counting(&self) -> impl Iterator<Item = &TimerSetting> {
        self.timers.iter().filter(|set| !self.is_replaced(set) && !self.is_outgrown(set))
    }

    fn is_replaced(&self, set: &TimerSetting) -> bool {
        let mut running = self.timers.iter().filter(|other| other.value.is_some());
        running.any(|other| other.timer.replaces.contains(&set.timer.name))
    }

    /// Returns whether another timer applies instead because only the larger of the two does.
    fn is_outgrown(&self, set: &TimerSetting) -> bool {
        self.timers.iter().any(|other| {
            let tied = other.timer.larger_of.as_ref() == Some(&set.timer.name)
                || set.timer.larger_of.as_ref() == Some(&other.timer.name);
            tied && other.value > set.value
        })
    }
}

impl Chain {
    /// Creates a chain without hops.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a hop; the order of hops does not matter.
    pub fn push(&mut self, hop: Hop) {
        self.hops.push(hop);
    }

    /// Computes the time limits of a connection through all hops.
    pub fn budget(&self) -> Budget {
        let idle = self.timers(TimerKind::Idle);
        let heartbeat = idle.first().map(|cap| half(cap.value));
        let carriers = Heartbeat::ALL.map(|heartbeat| (heartbeat, self.kept_by(heartbeat))).to_vec();
        Budget {
            heartbeat,
            carriers,
            idle,
            lifetimes: self.timers(TimerKind::Lifetime),
            unknown: self.unknown(),
        }
    }

    fn timers(&self, what: TimerKind) -> Vec<ChainTimer> {
        let mut timers = Vec::new();
        for hop in &self.hops {
            for TimerSetting { timer, value, origin } in hop.counting().filter(|set| set.timer.what == what) {
                if let Some(value) = *value {
                    let unsure = timer.is_unsure() && *origin != Origin::Given;
                    let (hop, timer) = (hop.name.clone(), timer.name.clone());
                    timers.push(ChainTimer { hop, timer, value, origin: origin.clone(), unsure });
                }
            }
        }
        timers.sort_by_key(|timer| timer.value);
        timers
    }

    fn unknown(&self) -> Vec<String> {
        let unknown = |set: &TimerSetting| {
            set.timer.what == TimerKind::Idle
                && set.origin != Origin::Given
                && set.value.is_none()
                && set.timer.default.is_none()
        };
        self.hops.iter().filter(|hop| hop.counting().any(unknown)).map(|hop| hop.name.clone()).collect()
    }

    fn kept_by(&self, heartbeat: Heartbeat) -> Tristate {
        let running = self.hops.iter().flat_map(Hop::counting);
        let idle = running.filter(|set| set.timer.what == TimerKind::Idle && set.value.is_some());
        idle.fold(Tristate::Yes, |so_far, set| match (so_far, set.timer.kept_by(heartbeat)) {
            (Tristate::No, _) | (_, Tristate::No) => Tristate::No,
            (Tristate::Unknown, _) | (_, Tristate::Unknown) => Tristate::Unknown,
            (Tristate::Yes, Tristate::Yes) => Tristate::Yes,
        })
    }
}

/// Returns at most half of a duration: a multiple of 5 s from 10 s on, whole seconds from 1 s on.
fn half(value: Duration) -> Duration {
    let half = value / 2;
    match half.as_secs() {
        0 => half,
        seconds @ 1..10 => Duration::from_secs(seconds),
        seconds => Duration::from_secs(seconds - seconds % 5),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::find;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn chain(ids: &[&str]) -> Chain {
        let mut chain = Chain::new();
        for id in ids {
            chain.push(Hop::of(find(id).unwrap()));
        }
        chain
    }

    fn re_arms(budget: &Budget, heartbeat: Heartbeat) -> Tristate {
        budget.carriers.iter().find(|(carrier, _)| *carrier == heartbeat).unwrap().1
    }

    #[test]
    fn the_shortest_timer_rules_and_a_ping_carries_the_heartbeat() {
        let budget = chain(&["cloudflare", "aws-alb", "nginx", "home-nat"]).budget();
        let shortest = &budget.idle[0];
        assert_eq!(shortest.value, S(60));
        assert_eq!(shortest.origin, Origin::Default);
        assert_eq!(budget.heartbeat, Some(S(30)));
        assert_eq!(re_arms(&budget, Heartbeat::ServerPing), Tristate::Yes);
        assert_eq!(re_arms(&budget, Heartbeat::TcpKeepalive), Tristate::No);
        assert_eq!((budget.lifetimes.len(), budget.unknown.len()), (0, 0));
    }

    #[test]
    fn maximum_ages_are_separate_from_idle_timeouts() {
        let budget = chain(&["azure-frontdoor", "gcp-external-alb", "nginx"]).budget();
        let ages: Vec<u64> = budget.lifetimes.iter().map(|cap| cap.value.as_secs()).collect();
        assert_eq!(ages, [30, 14_400]);
        assert_eq!(budget.lifetimes[0].hop, "gcp-external-alb");
        assert_eq!(budget.heartbeat, Some(S(30)));
    }

    #[test]
    fn where_only_messages_are_known_to_count_they_carry_the_heartbeat() {
        let budget = chain(&["aws-apigw-ws"]).budget();
        assert_eq!(re_arms(&budget, Heartbeat::ServerPing), Tristate::Unknown);
        assert_eq!(re_arms(&budget, Heartbeat::ClientMessageWithReply), Tristate::Yes);
        assert_eq!(budget.heartbeat, Some(S(300)));
    }

    #[test]
    fn a_hop_that_one_direction_re_arms_rules_out_the_other() {
        let budget = chain(&["aws-cloudfront", "lighttpd"]).budget();
        assert_eq!(re_arms(&budget, Heartbeat::ServerPing), Tristate::Yes);
        assert_eq!(re_arms(&budget, Heartbeat::ClientMessage), Tristate::No);
        assert_eq!(re_arms(&budget, Heartbeat::ServerMessage), Tristate::No);
    }

    #[test]
    fn tcp_keepalive_is_enough_for_hops_that_count_packets() {
        let budget = chain(&["aws-nlb", "aws-natgw", "linux-conntrack"]).budget();
        assert_eq!(re_arms(&budget, Heartbeat::TcpKeepalive), Tristate::Yes);
        assert_eq!(budget.heartbeat, Some(S(175)));
    }

    #[test]
    fn unknown_idle_timeouts_are_listed() {
        let budget = chain(&["fastly", "corp-proxy", "traefik"]).budget();
        assert_eq!(budget.unknown, ["fastly", "corp-proxy"]);
        assert_eq!(budget.heartbeat, None);
    }

    #[test]
    fn a_common_value_names_its_place() {
        let budget = chain(&["haproxy"]).budget();
        let origins: Vec<&Origin> = budget.idle.iter().map(|cap| &cap.origin).collect();
        assert_eq!(origins, [&Origin::Common("Debian's sample configuration".to_owned()); 2]);
        assert_eq!(budget.heartbeat, Some(S(25)));
    }

    #[test]
    fn a_timer_that_is_set_replaces_others() {
        let mut chain = Chain::new();
        chain.push(Hop::of(find("haproxy").unwrap()).set("timeout tunnel", Some(S(3600))).unwrap());
        let budget = chain.budget();
        assert_eq!(budget.idle.len(), 1);
        assert_eq!((budget.idle[0].value, &budget.idle[0].origin), (S(3600), &Origin::Given));
    }

    #[test]
    fn of_the_two_timers_of_apache_the_larger_applies() {
        let hop = || Hop::of(find("apache").unwrap());
        for (timeout, proxy, counts) in [(5, Some(10), 10), (10, Some(5), 10), (60, None, 60)] {
            let mut chain = Chain::new();
            let hop =
                hop().set("Timeout", Some(S(timeout))).unwrap().set("ProxyTimeout", proxy.map(S)).unwrap();
            chain.push(hop);
            let idle = chain.budget().idle;
            assert_eq!((idle.len(), idle[0].value), (1, S(counts)), "{timeout} {proxy:?}");
        }
    }

    #[test]
    fn unknown_hops_have_timers_too() {
        let mut chain = Chain::new();
        chain.push(Hop::named("edge").idle("measured", S(137)).lifetime("measured", S(900)));
        let budget = chain.budget();
        assert_eq!(budget.heartbeat, Some(S(65)));
        assert_eq!(budget.lifetimes[0].value, S(900));
        assert_eq!(re_arms(&budget, Heartbeat::ServerPing), Tristate::Yes);
    }

    #[test]
    fn an_unknown_timer_is_rejected_with_a_suggestion() {
        let error = Hop::of(find("nginx").unwrap()).set("proxy_read_timeot", None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no timer is called `proxy_read_timeot`; did you mean `proxy_read_timeout`?"
        );
        assert_eq!(Hop::named("edge").set("x", None).unwrap_err().nearest, None);
    }

    #[test]
    fn a_heartbeat_is_at_most_half() {
        for milliseconds in [1, 999, 2000, 9000, 20_000, 55_000, 60_000, 350_000, 432_000_000] {
            let value = Duration::from_millis(milliseconds);
            assert!(half(value) <= value / 2 && !half(value).is_zero(), "{value:?}");
        }
        assert_eq!(half(S(55)), S(25));
        assert_eq!(half(S(20)), S(10));
        assert_eq!(half(S(9)), S(4));
    }

    #[test]
    fn an_empty_chain_needs_no_heartbeat() {
        let budget = Chain::new().budget();
        assert_eq!((budget.heartbeat, budget.idle.len()), (None, 0));
    }
}
