//! A run: the stages of every endpoint, then the watched connections.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep, sleep_until};
use url::{Host, Url};

use crate::Options;
use crate::clock::{Clock, seconds};
use crate::connections::{self, Capabilities};
use crate::events::{RunEvent, RunListener};
use crate::prober::Prober;
use crate::probes;
use tokio_util::sync::CancellationToken;
use undrop_diagnosis::observations::{
    Endpoint, EndpointRole, HttpOutcome, MessageOutcome, Observations, RunPlan, micros,
};

/// The maximum message size for a target on another machine that the user did not confirm to own.
const POLITE_SIZE: u64 = (64 << 10) + 1;

/// Probes and watches the endpoint of a URL and the endpoints for comparison. Returns the observations, even if they are incomplete.
pub async fn examine(
    url: &Url,
    options: &Options,
    stop: &CancellationToken,
    listener: &dyn RunListener,
) -> Observations {
    let clock = Clock::start();
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut held_back = Vec::new();
    let mut endpoints = Vec::new();
    let mut places = vec![(EndpointRole::Target, url.clone())];
    places.extend(options.control.clone().map(|url| (EndpointRole::Control, url)));
    places.extend(options.via.iter().map(|(name, url)| (EndpointRole::Via(name.clone()), url.clone())));
    places.extend(options.direct.clone().map(|url| (EndpointRole::Direct, url)));
    for (role, url) in places {
        let prober = Prober { url, options, clock };
        endpoints.push(stages(&prober, role, stop, listener, &mut held_back).await);
    }
    let mut lag = Duration::ZERO;
    if !options.horizon.is_zero() {
        let watching = watch(&mut endpoints, options, clock, stop, listener, &mut held_back);
        tokio::select! {
            () = watching => {}
            () = measure_lag(&mut lag) => {}
        }
    }
    held_back.dedup();
    let facts = RunFacts {
        started_unix_s: started.as_secs_f64(),
        took_s: clock.now_s(),
        horizon_s: seconds(options.horizon),
        lag_s: seconds(lag),
        interrupted: stop.is_cancelled(),
        held_back,
    };
    observations(url, options, facts, endpoints)
}

/// Facts about a run that are known at its end.
pub(crate) struct RunFacts {
    /// The time of day at the start of the run, in seconds since 1970.
    pub(crate) started_unix_s: f64,
    pub(crate) took_s: f64,
    pub(crate) horizon_s: f64,
    /// The largest delay of this program's own timers, in seconds.
    pub(crate) lag_s: f64,
    pub(crate) interrupted: bool,
    pub(crate) held_back: Vec<String>,
}

/// Puts the observations of a run together.
pub(crate) fn observations(
    url: &Url,
    options: &Options,
    facts: RunFacts,
    endpoints: Vec<Endpoint>,
) -> Observations {
    Observations {
        version: Observations::VERSION,
        plan: RunPlan {
            url: url.to_string(),
            horizon_s: facts.horizon_s,
            every_s: seconds(options.every),
            patience_s: seconds(options.patience),
            expect_alive_s: options.expect_alive.map(seconds),
            page: options.page.as_ref().map(Url::to_string),
            protocols: options.protocols.clone(),
            held_back: facts.held_back,
        },
        started_unix_s: micros(facts.started_unix_s),
        took_s: facts.took_s,
        lag_s: facts.lag_s,
        interrupted: facts.interrupted,
        endpoints,
        local: probes::local(),
    }
}

/// Runs the stages of one endpoint; each runs only if the previous one succeeded.
pub(crate) async fn stages(
    prober: &Prober<'_>,
    role: EndpointRole,
    stop: &CancellationToken,
    listener: &dyn RunListener,
    held_back: &mut Vec<String>,
) -> Endpoint {
    let mut seen = Endpoint {
        url: prober.url.to_string(),
        host: prober.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
        port: prober.url.port_or_known_default().unwrap_or(0),
        secure: matches!(prober.url.scheme(), "wss" | "https"),
        public: !is_loopback(&prober.url),
        proxy: prober.options.dial.proxy.for_url(&prober.url).map(ToString::to_string),
        role,
        ..Endpoint::default()
    };
    tokio::select! {
        () = ladder(prober, &mut seen, stop, listener, held_back) => {}
        () = stop.cancelled() => {}
        () = sleep(prober.options.stages_within) => seen.incomplete = true,
    }
    seen
}

async fn ladder(
    prober: &Prober<'_>,
    seen: &mut Endpoint,
    stop: &CancellationToken,
    listener: &dyn RunListener,
    held_back: &mut Vec<String>,
) {
    let name = seen.role.name().to_owned();
    let begin = |stage| listener.on_event(RunEvent::Stage { endpoint: &name, stage });
    let done = |stage, good, outcome: &str| listener.on_event(RunEvent::Done { stage, outcome, good });
    // A forward proxy looks up the name and connects itself.
    if seen.proxy.is_none() {
        begin("DNS");
        let dns = seen.dns.insert(probes::dns(prober).await).clone();
        done("DNS", dns.error.is_none(), dns.error.as_deref().unwrap_or(&list(&dns.addresses)));
        if dns.addresses.is_empty() {
            return;
        }
        begin("TCP");
        seen.connects = probes::connect(prober, &dns.addresses).await;
        let good = seen.connects.iter().filter(|connect| connect.failed.is_none()).count();
        done("TCP", good > 0, &format!("{good} of {} addresses", seen.connects.len()));
        if good == 0 {
            return;
        }
    }
    if seen.secure {
        begin("TLS");
        let tls = seen.tls.insert(probes::tls(prober).await);
        let (good, outcome) = match (&tls.distrust, tls.speaks()) {
            (_, false) => (false, "no handshake"),
            (Some(fault), true) => (false, fault.text.as_str()),
            (None, true) => (true, "trusted"),
        };
        done("TLS", good, outcome);
        if !tls.speaks() {
            return;
        }
    }
    begin("upgrade");
    seen.attempts = probes::handshake(prober).await;
    let outcome = seen.handshake().map_or_else(String::new, said);
    done("upgrade", seen.opens(), &outcome);
    begin("variants");
    probes::variants(prober, seen, stop).await;
    done("variants", true, &format!("{} requests", seen.attempts.len()));
    if seen.opens() {
        talk(prober, seen, stop, listener, held_back).await;
    }
}

/// Runs the stages on an open WebSocket.
async fn talk(
    prober: &Prober<'_>,
    seen: &mut Endpoint,
    stop: &CancellationToken,
    listener: &dyn RunListener,
    held_back: &mut Vec<String>,
) {
    let name = seen.role.name().to_owned();
    let begin = |stage| listener.on_event(RunEvent::Stage { endpoint: &name, stage });
    let done = |stage, good, outcome: &str| listener.on_event(RunEvent::Done { stage, outcome, good });
    begin("messages");
    let (echo, pings) = probes::conversation(prober).await;
    let pong = pings.as_ref().is_some_and(|pings| !pings.pongs_s.is_empty());
    done(
        "messages",
        echo.result.arrived(),
        if pong { "Pings are answered" } else { "Pings are not answered" },
    );
    let arrives = echo.result.arrived();
    (seen.echo, seen.pings) = (Some(echo), pings);
    let limited = seen.public && !prober.options.own;
    if arrives {
        let wanted = prober.options.largest;
        let limit = if limited { wanted.min(POLITE_SIZE) } else { wanted };
        if limit < wanted {
            held_back.push(format!("messages larger than {limit} bytes"));
        }
        begin("compression");
        seen.compression = probes::compression(prober, limit as usize, stop).await;
        done("compression", seen.compression.iter().all(|one| one.result.arrived()), "");
        begin("sizes");
        seen.sizes = probes::size(prober, limit, if limited { 6 } else { 12 }, stop).await;
        let largest = seen.sizes.iter().filter(|one| one.result.arrived()).map(|one| one.size).max();
        done("sizes", true, &format!("up to {} bytes", largest.unwrap_or(0)));
    }
    begin("close");
    seen.close = probes::close(prober).await;
    let outcome = seen.close.as_ref().map_or_else(String::new, |close| close.end.to_string());
    done("close", seen.close.as_ref().is_some_and(|close| close.end.close().is_some()), &outcome);
}

/// Watches the connections of all endpoints concurrently, and narrows down silent drops in a second round.
async fn watch(
    endpoints: &mut [Endpoint],
    options: &Options,
    clock: Clock,
    stop: &CancellationToken,
    listener: &dyn RunListener,
    held_back: &mut Vec<String>,
) {
    let probers: Vec<Option<Prober<'_>>> = endpoints
        .iter()
        .map(|seen| {
            let url = Url::parse(&seen.url).ok().filter(|_| seen.opens())?;
            Some(Prober { url, options, clock })
        })
        .collect();
    let mut first = 0;
    let mut rounds = Vec::new();
    for seen in endpoints.iter() {
        let limited = seen.public && !options.own;
        let planned = connections::plan(options, known(seen), limited);
        if limited && planned.len() < connections::plan(options, known(seen), false).len() {
            held_back.push("some of the watched connections".to_owned());
        }
        first += planned.len();
        rounds.push((first - planned.len(), planned));
    }
    if probers.iter().all(Option::is_none) {
        return;
    }
    listener.on_event(RunEvent::Watching { connections: first, until_s: seconds(options.horizon) });
    round(endpoints, &probers, &rounds, stop, listener).await;
    if stop.is_cancelled() {
        return;
    }
    let mut refined = Vec::new();
    for seen in endpoints.iter() {
        let planned = connections::refined(options, known(seen), &seen.connections);
        first += planned.len();
        refined.push((first - planned.len(), planned));
    }
    let more: usize = refined.iter().map(|(_, planned)| planned.len()).sum();
    if more > 0 {
        let longest =
            refined.iter().flat_map(|(_, planned)| planned).map(|planned| planned.script.asks_after).max();
        listener.on_event(RunEvent::Watching {
            connections: more,
            until_s: seconds(longest.unwrap_or(Duration::ZERO)),
        });
        round(endpoints, &probers, &refined, stop, listener).await;
    }
}

/// Measures the largest delay of this program's own timers. On a machine that is too busy, replies seem late.
async fn measure_lag(worst: &mut Duration) {
    let every = Duration::from_millis(50);
    loop {
        let due = Instant::now() + every;
        sleep_until(due).await;
        *worst = (*worst).max(Instant::now().saturating_duration_since(due));
    }
}

async fn round(
    endpoints: &mut [Endpoint],
    probers: &[Option<Prober<'_>>],
    rounds: &[(usize, Vec<connections::PlannedConnection>)],
    stop: &CancellationToken,
    listener: &dyn RunListener,
) {
    let running = probers.iter().zip(rounds).map(|(prober, (first, planned))| async move {
        match prober {
            Some(prober) => connections::run(prober, planned, *first, stop, listener).await,
            None => Vec::new(),
        }
    });
    let connections = futures_util::future::join_all(running).await;
    for (seen, connections) in endpoints.iter_mut().zip(connections) {
        seen.connections.extend(connections);
    }
}

/// Returns the capabilities of the server that the stages found.
pub(crate) fn known(seen: &Endpoint) -> Capabilities {
    let result = seen.echo.as_ref().map(|echo| &echo.result);
    Capabilities {
        echoes: seen.echoes(),
        takes_messages: result.is_some_and(|result| {
            !matches!(result, MessageOutcome::Ended { .. } | MessageOutcome::NotOpened(_))
        }),
        pongs: seen.pings.as_ref().is_some_and(|pings| !pings.pongs_s.is_empty()),
    }
}

fn said(outcome: &HttpOutcome) -> String {
    match outcome {
        HttpOutcome::Response { status, flaws, .. } => match flaws.first() {
            Some(flaw) => format!("{status}, but {flaw}"),
            None => status.to_string(),
        },
        HttpOutcome::NotHttp { fault, .. } => fault.to_string(),
        HttpOutcome::Http2 { status, .. } => format!("HTTP/2 {status:?}"),
        HttpOutcome::OtherProtocol(_) => "another protocol".to_owned(),
        HttpOutcome::Failed(end) => end.to_string(),
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
