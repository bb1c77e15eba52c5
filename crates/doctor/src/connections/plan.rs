//! Plans the watched connections.

use std::time::Duration;

use crate::Options;
use crate::connections::watcher::{Activity, ConnectionScript, ProbeMethod};
use undrop_diagnosis::observations::{Traffic, WatchedConnection};

/// The idle times before probes, in seconds: below and above known timers.
const IDLE_TIMES_S: [u64; 21] = [
    10, 20, 30, 45, 55, 62, 90, 105, 125, 185, 235, 245, 305, 355, 365, 605, 905, 1_205, 1_805, 3_605, 7_205,
];

/// The idle times for short horizons, as parts of the horizon.
const SHORT: [f64; 6] = [0.15, 0.3, 0.45, 0.6, 0.75, 0.9];

/// The maximum number of connections to a target on another machine that the user did not confirm to own.
pub(super) const PUBLIC_MOST: usize = 24;

/// The number of staggered connections.
const STAGGERED: u32 = 6;

/// The number of probes that narrow down a silent drop.
const REFINED: u32 = 6;

/// The interval at which Chrome runs the timers of a background page after five minutes.
const HIDDEN_TAB: Duration = Duration::from_secs(60);

/// A connection to be opened and watched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlannedConnection {
    /// The time of its opening since the start of the watch.
    pub(crate) opens_after: Duration,
    pub(crate) script: ConnectionScript,
}

/// The capabilities of the server that the stages found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// The server replies to messages.
    pub(crate) echoes: bool,
    /// The server accepts messages: it does not close after one.
    pub(crate) takes_messages: bool,
    /// The server answers Pings.
    pub(crate) pongs: bool,
}

impl Capabilities {
    pub(crate) fn probe_method(self) -> ProbeMethod {
        match self {
            Capabilities { pongs: true, .. } => ProbeMethod::Ping,
            Capabilities { echoes: true, .. } => ProbeMethod::Message,
            _ => ProbeMethod::None,
        }
    }
}

/// Returns the connections to one endpoint.
pub(crate) fn plan(options: &Options, known: Capabilities, limited: bool) -> Vec<PlannedConnection> {
    let horizon = options.horizon;
    let script = |traffic: Traffic, activity: Option<Activity>| ConnectionScript {
        activity: activity.map(|activity| (activity, options.every)),
        message: options.message.clone(),
        ..ConnectionScript::quiet(traffic, horizon, known.probe_method(), options.patience)
    };
    let mut scripts = vec![
        script(Traffic::Silent, None),
        script(Traffic::TcpKeepalive, None),
        script(Traffic::Ping, Some(Activity::Ping)),
        script(Traffic::Pong, Some(Activity::Pong)),
    ];
    if known.takes_messages {
        if known.echoes {
            scripts.push(script(Traffic::Data, Some(Activity::Message)));
            scripts.push(script(Traffic::OneWay, Some(Activity::Fragment)));
        } else {
            scripts.push(script(Traffic::OneWay, Some(Activity::Message)));
        }
    }
    if options.subscribe.is_some() {
        scripts
            .push(ConnectionScript { subscribe: options.subscribe.clone(), ..script(Traffic::Push, None) });
    }
    scripts.push(ConnectionScript { answers_pings: false, ..script(Traffic::NoPongs, None) });
    let mut planned: Vec<PlannedConnection> =
        scripts.into_iter().map(|script| PlannedConnection { opens_after: Duration::ZERO, script }).collect();
    for quiet in idle_times(horizon) {
        let traffic = Traffic::IdleProbe { quiet_s: quiet.as_secs_f64() };
        let script = ConnectionScript { asks_after: quiet, ..script(traffic, None) };
        planned.push(PlannedConnection { opens_after: Duration::ZERO, script });
    }
    let busy = if known.takes_messages && known.echoes { Activity::PingAndMessage } else { Activity::Ping };
    for i in 1..=STAGGERED {
        // The distances are unequal, so that no periodic event can coincide with them.
        let opens_after = horizon.mul_f64(0.4 * f64::from(i * i) / f64::from(STAGGERED * STAGGERED));
        let script =
            ConnectionScript { asks_after: horizon - opens_after, ..script(Traffic::Staggered, Some(busy)) };
        planned.push(PlannedConnection { opens_after, script });
    }
    if known.takes_messages && horizon >= HIDDEN_TAB * 2 {
        let tab = ConnectionScript {
            activity: Some((Activity::Message, HIDDEN_TAB)),
            ..script(Traffic::HiddenTab, None)
        };
        planned.push(PlannedConnection { opens_after: Duration::ZERO, script: tab });
    }
    let sleeps = [Duration::from_secs(30), Duration::from_secs(120)];
    for sleeps in sleeps.into_iter().filter(|sleeps| *sleeps + options.patience <= horizon) {
        let traffic = Traffic::Suspended { for_s: sleeps.as_secs_f64() };
        let script = ConnectionScript {
            sleeps: Some(sleeps),
            asks_after: sleeps + Duration::from_millis(500),
            ..script(traffic, None)
        };
        planned.push(PlannedConnection { opens_after: Duration::ZERO, script });
    }
    if limited {
        planned.truncate(PUBLIC_MOST);
    }
    planned
}

/// Returns probes between the longest idle time that was survived and the shortest that was not, after a silent drop.
pub(crate) fn refined(
    options: &Options,
    known: Capabilities,
    connections: &[WatchedConnection],
) -> Vec<PlannedConnection> {
    let quiet = |connection: &WatchedConnection| connection.probe.as_ref().map(|probe| probe.sent_s);
    let idle_times = || connections.iter().filter(|connection| connection.traffic.is_quiet());
    let Some(bad) =
        idle_times().filter(|connection| connection.probe_failed()).filter_map(quiet).min_by(f64::total_cmp)
    else {
        return Vec::new();
    };
    let survived =
        idle_times().filter(|connection| connection.alive()).filter_map(quiet).filter(|quiet| *quiet < bad);
    let good = survived.max_by(f64::total_cmp).unwrap_or(0.0);
    // The bracket is narrow enough: it is below 3 % of the value.
    if bad - good <= (bad * 0.03).max(0.5) {
        return Vec::new();
    }
    let step = (bad - good) / f64::from(REFINED + 1);
    let idle_time = |quiet_s: f64| {
        let asks_after = Duration::from_secs_f64(quiet_s);
        let script = ConnectionScript {
            message: options.message.clone(),
            ..ConnectionScript::quiet(
                Traffic::IdleProbe { quiet_s },
                asks_after,
                known.probe_method(),
                options.patience,
            )
        };
        PlannedConnection { opens_after: Duration::ZERO, script }
    };
    (1..=REFINED).map(|i| idle_time(good + step * f64::from(i))).collect()
}

fn idle_times(horizon: Duration) -> Vec<Duration> {
    let first = Duration::from_secs(IDLE_TIMES_S[0]);
    if horizon < first * 6 {
        return SHORT.iter().map(|part| horizon.mul_f64(*part)).collect();
    }
    IDLE_TIMES_S.iter().map(|s| Duration::from_secs(*s)).filter(|idle_time| *idle_time < horizon).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use undrop_diagnosis::observations::AliveProbe;
    use undrop_frame::Ending;

    const ALL: Capabilities = Capabilities { echoes: true, takes_messages: true, pongs: true };

    #[test]
    fn the_default_plan_has_every_arm_and_fits_a_polite_cap() {
        let options = Options::default();
        let all = plan(&options, ALL, false);
        let limited = plan(&options, ALL, true);
        assert_eq!(limited.len(), PUBLIC_MOST);
        for traffic in [
            Traffic::Silent,
            Traffic::TcpKeepalive,
            Traffic::Ping,
            Traffic::Pong,
            Traffic::Data,
            Traffic::OneWay,
        ] {
            assert!(limited.iter().any(|planned| planned.script.traffic == traffic), "{traffic:?}");
        }
        for traffic in
            [Traffic::HiddenTab, Traffic::Suspended { for_s: 30.0 }, Traffic::Suspended { for_s: 120.0 }]
        {
            assert!(all.iter().any(|planned| planned.script.traffic == traffic), "{traffic:?}");
        }
        let end = |planned: &PlannedConnection| planned.opens_after + planned.script.asks_after;
        assert!(all.iter().all(|planned| end(planned) <= options.horizon));
    }

    #[test]
    fn a_server_that_closes_for_a_message_gets_none() {
        let known = Capabilities { echoes: false, takes_messages: false, pongs: true };
        for planned in plan(&Options::default(), known, false) {
            let activity = planned.script.activity.map(|(activity, _)| activity);
            assert!(
                !matches!(activity, Some(Activity::Message | Activity::Fragment | Activity::PingAndMessage)),
                "{:?}",
                planned.script.traffic
            );
        }
    }

    #[test]
    fn a_silent_drop_is_narrowed_down_between_the_teeth() {
        let idle_time = |quiet_s: f64, answered: bool| WatchedConnection {
            end: (!answered).then_some(Ending::BlackHole),
            probe: Some(AliveProbe { sent_s: quiet_s, reply_after_s: answered.then_some(0.01), acked: None }),
            ..WatchedConnection::failed(Traffic::IdleProbe { quiet_s }, 0.0, Ending::Fin)
        };
        let mut connections = vec![
            idle_time(45.0, true),
            idle_time(55.0, true),
            idle_time(62.0, false),
            idle_time(90.0, false),
        ];
        for connection in &mut connections {
            connection.failed = None;
        }
        let planned = refined(&Options::default(), ALL, &connections);
        let quiet: Vec<u64> = planned.iter().map(|planned| planned.script.asks_after.as_secs()).collect();
        assert_eq!(quiet, [56, 57, 58, 59, 60, 61]);
        connections.truncate(2);
        assert!(refined(&Options::default(), ALL, &connections).is_empty());
    }
}
