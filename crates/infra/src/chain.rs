//! What a chain of intermediaries leaves to a connection: how long it may be silent, how long it may live.

use std::time::Duration;

use crate::{Activity, Answer, Entry, Heartbeat, Timer, TimerKind, UnknownName};

/// The intermediaries between a client and its server, in any order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chain {
    hops: Vec<Hop>,
}

/// One intermediary of a chain, with the timers that count there.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    name: String,
    entry: Option<&'static Entry>,
    timers: Vec<Set>,
}

/// A timer and how it stands.
#[derive(Debug, Clone, PartialEq)]
struct Set {
    timer: Timer,
    value: Option<Duration>,
    origin: Origin,
}

/// Where the value of a timer comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Somebody said so.
    Given,
    /// It is the default.
    Default,
    /// There is no default; this is common in the place named.
    Common(String),
}

/// One timer of a chain.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Cap {
    /// The name of the hop.
    pub hop: String,
    /// The name of the timer.
    pub timer: String,
    /// How long it runs.
    pub value: Duration,
    /// Where the value comes from.
    pub origin: Origin,
    /// Whether the value is from memory or a single report.
    pub unsure: bool,
}

/// What a chain leaves to a connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Budget {
    /// The idle timers, the shortest first.
    pub idle: Vec<Cap>,
    /// The caps of age, the shortest first. Against these only a planned reconnect helps.
    pub lifetimes: Vec<Cap>,
    /// Hops with an idle timer whose value nobody knows: they may be shorter than all in `idle`.
    pub unknown: Vec<String>,
    /// The longest interval of heartbeats that is advisable: at most half of the shortest idle timer, rounded down to
    /// what people write. `None` without any.
    pub heartbeat: Option<Duration>,
    /// Every way to carry the heartbeat, and whether all idle timers of the chain are re-armed by it.
    pub carriers: Vec<(Heartbeat, Answer)>,
}

impl Budget {
    /// The shortest silence that ends a connection.
    pub fn shortest_idle(&self) -> Option<&Cap> {
        self.idle.first()
    }

    /// The age that no connection exceeds.
    pub fn shortest_lifetime(&self) -> Option<&Cap> {
        self.lifetimes.first()
    }

    /// The way to carry the heartbeat that is easiest to have among those that are known to keep every idle timer.
    pub fn carrier(&self) -> Option<Heartbeat> {
        self.carriers.iter().find(|(_, answer)| *answer == Answer::Yes).map(|(heartbeat, _)| *heartbeat)
    }
}

impl Hop {
    /// An intermediary as it is delivered: its defaults, or what is common where it has none.
    pub fn of(entry: &'static Entry) -> Self {
        let mut timers = Vec::new();
        for timer in &entry.timers {
            if matches!(timer.what, TimerKind::Idle | TimerKind::Lifetime) && !timer.special {
                let origin = match (timer.default, timer.also.first()) {
                    (None, Some(other)) => Origin::Common(other.place.clone()),
                    _ => Origin::Default,
                };
                timers.push(Set { timer: timer.clone(), value: timer.expected(), origin });
            }
        }
        Self { name: entry.id.clone(), entry: Some(entry), timers }
    }

    /// An intermediary that is not in the knowledge base.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), entry: None, timers: Vec::new() }
    }

    /// With a timer of the entry set to a value, or switched off by `None`.
    ///
    /// # Errors
    /// The entry has no such timer; the error says which name is closest.
    pub fn set(mut self, name: &str, value: Option<Duration>) -> Result<Self, UnknownName> {
        let Some(timer) = self.entry.and_then(|entry| entry.timer(name)) else {
            let known = self.entry.into_iter().flat_map(|entry| &entry.timers);
            return Err(UnknownName::new("timer", name, known.map(|timer| timer.name.as_str())));
        };
        self.timers.retain(|set| set.timer.name != name);
        self.timers.push(Set { timer: timer.clone(), value, origin: Origin::Given });
        Ok(self)
    }

    /// With an idle timer that any frame re-arms, in either direction, and TCP keepalive does not: the rule among proxies.
    #[must_use]
    pub fn idle(self, name: impl Into<String>, value: Duration) -> Self {
        use Activity as A;
        let mut timer = Timer::named(name, TimerKind::Idle);
        timer.rearmed_by = vec![A::PingUp, A::PingDown, A::PongUp, A::PongDown, A::DataUp, A::DataDown];
        timer.not_by = vec![A::TcpKeepalive];
        self.with(timer, value)
    }

    /// With a cap of age.
    #[must_use]
    pub fn lifetime(self, name: impl Into<String>, value: Duration) -> Self {
        self.with(Timer::named(name, TimerKind::Lifetime), value)
    }

    /// With a timer of any kind, such as one that was measured.
    #[must_use]
    pub fn with(mut self, timer: Timer, value: Duration) -> Self {
        self.timers.push(Set { timer, value: Some(value), origin: Origin::Given });
        self
    }

    /// The timers that count, after those that others replace are left out.
    fn counting(&self) -> impl Iterator<Item = &Set> {
        self.timers.iter().filter(|set| !self.is_replaced(set) && !self.is_outgrown(set))
    }

    fn is_replaced(&self, set: &Set) -> bool {
        let mut running = self.timers.iter().filter(|other| other.value.is_some());
        running.any(|other| other.timer.replaces.contains(&set.timer.name))
    }

    /// Whether a timer of which only the larger counts is larger than this one.
    fn is_outgrown(&self, set: &Set) -> bool {
        self.timers.iter().any(|other| {
            let tied = other.timer.larger_of.as_ref() == Some(&set.timer.name)
                || set.timer.larger_of.as_ref() == Some(&other.timer.name);
            tied && other.value > set.value
        })
    }
}

impl Chain {
    /// A chain without hops.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a hop.
    pub fn push(&mut self, hop: Hop) {
        self.hops.push(hop);
    }

    /// What it leaves to a connection.
    pub fn budget(&self) -> Budget {
        let idle = self.caps(TimerKind::Idle);
        let heartbeat = idle.first().map(|cap| half(cap.value));
        let carriers = Heartbeat::ALL.map(|heartbeat| (heartbeat, self.kept_by(heartbeat))).to_vec();
        Budget {
            heartbeat,
            carriers,
            idle,
            lifetimes: self.caps(TimerKind::Lifetime),
            unknown: self.unknown(),
        }
    }

    fn caps(&self, what: TimerKind) -> Vec<Cap> {
        let mut caps = Vec::new();
        for hop in &self.hops {
            for Set { timer, value, origin } in hop.counting().filter(|set| set.timer.what == what) {
                if let Some(value) = *value {
                    let unsure = timer.is_unsure() && *origin != Origin::Given;
                    let (hop, timer) = (hop.name.clone(), timer.name.clone());
                    caps.push(Cap { hop, timer, value, origin: origin.clone(), unsure });
                }
            }
        }
        caps.sort_by_key(|cap| cap.value);
        caps
    }

    fn unknown(&self) -> Vec<String> {
        let unknown = |set: &Set| {
            set.timer.what == TimerKind::Idle
                && set.origin != Origin::Given
                && set.value.is_none()
                && set.timer.default.is_none()
        };
        self.hops.iter().filter(|hop| hop.counting().any(unknown)).map(|hop| hop.name.clone()).collect()
    }

    fn kept_by(&self, heartbeat: Heartbeat) -> Answer {
        let running = self.hops.iter().flat_map(Hop::counting);
        let idle = running.filter(|set| set.timer.what == TimerKind::Idle && set.value.is_some());
        idle.fold(Answer::Yes, |so_far, set| match (so_far, set.timer.kept_by(heartbeat)) {
            (Answer::No, _) | (_, Answer::No) => Answer::No,
            (Answer::Unknown, _) | (_, Answer::Unknown) => Answer::Unknown,
            (Answer::Yes, Answer::Yes) => Answer::Yes,
        })
    }
}

/// At most half, as people write it: whole multiples of 5 s from 10 s on, whole seconds from 1 s on.
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

    fn answer(budget: &Budget, heartbeat: Heartbeat) -> Answer {
        budget.carriers.iter().find(|(carrier, _)| *carrier == heartbeat).unwrap().1
    }

    #[test]
    fn the_shortest_timer_rules_and_a_ping_carries_the_heartbeat() {
        let budget = chain(&["cloudflare", "aws-alb", "nginx", "home-nat"]).budget();
        let shortest = budget.shortest_idle().unwrap();
        assert_eq!(shortest.value, S(60));
        assert_eq!(shortest.origin, Origin::Default);
        assert_eq!(budget.heartbeat, Some(S(30)));
        assert_eq!(budget.carrier(), Some(Heartbeat::ServerPing));
        assert_eq!(answer(&budget, Heartbeat::TcpKeepalive), Answer::No);
        assert_eq!((budget.lifetimes.len(), budget.unknown.len()), (0, 0));
    }

    #[test]
    fn caps_of_age_stand_beside_idle_timers() {
        let budget = chain(&["azure-frontdoor", "gcp-external-alb", "nginx"]).budget();
        let ages: Vec<u64> = budget.lifetimes.iter().map(|cap| cap.value.as_secs()).collect();
        assert_eq!(ages, [30, 14_400]);
        assert_eq!(budget.shortest_lifetime().unwrap().hop, "gcp-external-alb");
        assert_eq!(budget.heartbeat, Some(S(30)));
    }

    #[test]
    fn where_only_messages_are_known_to_count_they_carry_the_heartbeat() {
        let budget = chain(&["aws-apigw-ws"]).budget();
        assert_eq!(answer(&budget, Heartbeat::ServerPing), Answer::Unknown);
        assert_eq!(budget.carrier(), Some(Heartbeat::ClientMessageWithReply));
        assert_eq!(budget.heartbeat, Some(S(300)));
    }

    #[test]
    fn a_hop_that_hears_one_side_rules_out_the_other() {
        let budget = chain(&["aws-cloudfront", "lighttpd"]).budget();
        assert_eq!(answer(&budget, Heartbeat::ServerPing), Answer::Yes);
        assert_eq!(answer(&budget, Heartbeat::ClientMessage), Answer::No);
        assert_eq!(answer(&budget, Heartbeat::ServerMessage), Answer::No);
    }

    #[test]
    fn tcp_keepalive_is_enough_for_hops_that_count_packets() {
        let budget = chain(&["aws-nlb", "aws-natgw", "linux-conntrack"]).budget();
        assert_eq!(answer(&budget, Heartbeat::TcpKeepalive), Answer::Yes);
        assert_eq!(budget.heartbeat, Some(S(175)));
    }

    #[test]
    fn what_nobody_knows_is_said() {
        let budget = chain(&["fastly", "corp-proxy", "traefik"]).budget();
        assert_eq!(budget.unknown, ["fastly", "corp-proxy"]);
        assert_eq!(budget.heartbeat, None);
    }

    #[test]
    fn a_value_that_is_only_common_says_where() {
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
    fn of_the_two_timers_of_apache_the_larger_counts() {
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
    fn hops_that_nobody_knows_have_timers_too() {
        let mut chain = Chain::new();
        chain.push(Hop::named("edge").idle("measured", S(137)).lifetime("measured", S(900)));
        let budget = chain.budget();
        assert_eq!(budget.heartbeat, Some(S(65)));
        assert_eq!(budget.shortest_lifetime().unwrap().value, S(900));
        assert_eq!(budget.carrier(), Some(Heartbeat::ServerPing));
    }

    #[test]
    fn a_timer_that_an_entry_lacks_is_refused() {
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
    fn an_empty_chain_asks_for_nothing() {
        let budget = Chain::new().budget();
        assert_eq!((budget.heartbeat, budget.shortest_idle()), (None, None));
    }
}
