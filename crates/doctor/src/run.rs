//! One run: every endpoint, stage by stage, then the lanes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep, sleep_until};
use url::{Host, Url};

use crate::Options;
use crate::caller::Caller;
use crate::clock::{Clock, seconds};
use crate::events::{Listener, News};
use crate::lanes::{self, Known};
use crate::probes;
use crate::stop::Stop;
use undrop_diagnosis::observations::{Endpoint, Observations, Outcome, Place, Plan, Trip, micros};

/// Largest message that a public target gets unless somebody says that it is theirs.
const POLITE_SIZE: u64 = (64 << 10) + 1;

/// Asks and watches the endpoint of a URL, and what it is to be compared with. Always returns what was seen, however little.
pub async fn examine(url: &Url, options: &Options, stop: &Stop, listener: &dyn Listener) -> Observations {
    let clock = Clock::start();
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut held_back = Vec::new();
    let mut endpoints = Vec::new();
    let mut places = vec![(Place::Target, url.clone())];
    places.extend(options.control.clone().map(|url| (Place::Control, url)));
    places.extend(options.via.iter().map(|(name, url)| (Place::Via(name.clone()), url.clone())));
    places.extend(options.direct.clone().map(|url| (Place::Direct, url)));
    for (place, url) in places {
        let caller = Caller { url, options, clock };
        endpoints.push(stages(&caller, place, stop, listener, &mut held_back).await);
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
    Observations {
        version: Observations::VERSION,
        plan: Plan {
            url: url.to_string(),
            horizon_s: seconds(options.horizon),
            every_s: seconds(options.every),
            patience_s: seconds(options.patience),
            expect_alive_s: options.expect_alive.map(seconds),
            page: options.page.as_ref().map(Url::to_string),
            protocols: options.protocols.clone(),
            held_back,
        },
        started_unix_s: micros(started.as_secs_f64()),
        took_s: clock.now_s(),
        lag_s: seconds(lag),
        interrupted: stop.is_set(),
        endpoints,
        local: probes::local(),
    }
}

/// The stages of one endpoint, each only when the one before let it.
pub(crate) async fn stages(
    caller: &Caller<'_>,
    place: Place,
    stop: &Stop,
    listener: &dyn Listener,
    held_back: &mut Vec<String>,
) -> Endpoint {
    let mut seen = Endpoint {
        url: caller.url.to_string(),
        host: caller.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
        port: caller.url.port_or_known_default().unwrap_or(0),
        secure: matches!(caller.url.scheme(), "wss" | "https"),
        public: !is_loopback(&caller.url),
        proxy: caller.options.dial.proxy.for_url(&caller.url).map(ToString::to_string),
        place,
        ..Endpoint::default()
    };
    tokio::select! {
        () = ladder(caller, &mut seen, stop, listener, held_back) => {}
        () = stop.stopped() => {}
        () = sleep(caller.options.stages_within) => seen.cut_short = true,
    }
    seen
}

async fn ladder(
    caller: &Caller<'_>,
    seen: &mut Endpoint,
    stop: &Stop,
    listener: &dyn Listener,
    held_back: &mut Vec<String>,
) {
    let name = seen.place.name().to_owned();
    let begin = |stage| listener.hear(News::Stage { endpoint: &name, stage });
    let done = |stage, good, outcome: &str| listener.hear(News::Done { stage, outcome, good });
    // A forward proxy looks up the name and connects by itself.
    if seen.proxy.is_none() {
        begin("DNS");
        let dns = seen.dns.insert(probes::dns(caller).await).clone();
        done("DNS", dns.error.is_none(), dns.error.as_deref().unwrap_or(&list(&dns.addresses)));
        if dns.addresses.is_empty() {
            return;
        }
        begin("TCP");
        seen.connects = probes::connect(caller, &dns.addresses).await;
        let good = seen.connects.iter().filter(|connect| connect.failed.is_none()).count();
        done("TCP", good > 0, &format!("{good} of {} addresses", seen.connects.len()));
        if good == 0 {
            return;
        }
    }
    if seen.secure {
        begin("TLS");
        let tls = seen.tls.insert(probes::tls(caller).await);
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
    seen.answers = probes::handshake(caller).await;
    let outcome = seen.asked().map_or_else(String::new, said);
    done("upgrade", seen.opens(), &outcome);
    begin("variants");
    probes::variants(caller, seen, stop).await;
    done("variants", true, &format!("{} requests", seen.answers.len()));
    if seen.opens() {
        talk(caller, seen, stop, listener, held_back).await;
    }
}

/// The stages on an open WebSocket.
async fn talk(
    caller: &Caller<'_>,
    seen: &mut Endpoint,
    stop: &Stop,
    listener: &dyn Listener,
    held_back: &mut Vec<String>,
) {
    let name = seen.place.name().to_owned();
    let begin = |stage| listener.hear(News::Stage { endpoint: &name, stage });
    let done = |stage, good, outcome: &str| listener.hear(News::Done { stage, outcome, good });
    begin("messages");
    let (echo, pings) = probes::conversation(caller).await;
    let pong = pings.as_ref().is_some_and(|pings| !pings.pongs_s.is_empty());
    done("messages", echo.trip.arrived(), if pong { "pings are answered" } else { "pings are not answered" });
    let arrives = echo.trip.arrived();
    (seen.echo, seen.pings) = (Some(echo), pings);
    let polite = seen.public && !caller.options.own;
    if arrives {
        let wanted = caller.options.largest;
        let limit = if polite { wanted.min(POLITE_SIZE) } else { wanted };
        if limit < wanted {
            held_back.push(format!("messages larger than {limit} bytes"));
        }
        begin("compression");
        seen.compression = probes::compression(caller, limit as usize, stop).await;
        done("compression", seen.compression.iter().all(|one| one.trip.arrived()), "");
        begin("sizes");
        seen.sizes = probes::size(caller, limit, if polite { 6 } else { 12 }, stop).await;
        let largest = seen.sizes.iter().filter(|one| one.trip.arrived()).map(|one| one.size).max();
        done("sizes", true, &format!("up to {} bytes", largest.unwrap_or(0)));
    }
    begin("close");
    seen.close = probes::close(caller).await;
    let outcome = seen.close.as_ref().map_or_else(String::new, |close| close.end.to_string());
    done("close", seen.close.as_ref().is_some_and(|close| close.end.close().is_some()), &outcome);
}

/// All lanes of all endpoints at the same time, then one more round where a silent drop is to be narrowed down.
async fn watch(
    endpoints: &mut [Endpoint],
    options: &Options,
    clock: Clock,
    stop: &Stop,
    listener: &dyn Listener,
    held_back: &mut Vec<String>,
) {
    let callers: Vec<Option<Caller<'_>>> = endpoints
        .iter()
        .map(|seen| {
            let url = Url::parse(&seen.url).ok().filter(|_| seen.opens())?;
            Some(Caller { url, options, clock })
        })
        .collect();
    let mut first = 0;
    let mut rounds = Vec::new();
    for seen in endpoints.iter() {
        let polite = seen.public && !options.own;
        let seats = lanes::seats(options, known(seen), polite);
        if polite && seats.len() < lanes::seats(options, known(seen), false).len() {
            held_back.push("some of the connections that are watched".to_owned());
        }
        first += seats.len();
        rounds.push((first - seats.len(), seats));
    }
    if callers.iter().all(Option::is_none) {
        return;
    }
    listener.hear(News::Watching { lanes: first, until_s: seconds(options.horizon) });
    round(endpoints, &callers, &rounds, stop, listener).await;
    if stop.is_set() {
        return;
    }
    let mut refined = Vec::new();
    for seen in endpoints.iter() {
        let seats = lanes::refined(options, known(seen), &seen.lives);
        first += seats.len();
        refined.push((first - seats.len(), seats));
    }
    let more: usize = refined.iter().map(|(_, seats)| seats.len()).sum();
    if more > 0 {
        let longest = refined.iter().flat_map(|(_, seats)| seats).map(|seat| seat.script.asks_after).max();
        listener.hear(News::Watching { lanes: more, until_s: seconds(longest.unwrap_or(Duration::ZERO)) });
        round(endpoints, &callers, &refined, stop, listener).await;
    }
}

/// How late this program came to its own timers, at most: on a machine that is too busy, answers are late through no fault of
/// the other end.
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
    callers: &[Option<Caller<'_>>],
    rounds: &[(usize, Vec<lanes::Seat>)],
    stop: &Stop,
    listener: &dyn Listener,
) {
    let running = callers.iter().zip(rounds).map(|(caller, (first, seats))| async move {
        match caller {
            Some(caller) => lanes::run(caller, seats, *first, stop, listener).await,
            None => Vec::new(),
        }
    });
    let lives = futures_util::future::join_all(running).await;
    for (seen, lives) in endpoints.iter_mut().zip(lives) {
        seen.lives.extend(lives);
    }
}

/// What the stages found out for the lanes.
pub(crate) fn known(seen: &Endpoint) -> Known {
    let trip = seen.echo.as_ref().map(|echo| &echo.trip);
    Known {
        echoes: seen.echoes(),
        takes_messages: trip.is_some_and(|trip| !matches!(trip, Trip::Ended { .. } | Trip::NotOpened(_))),
        pongs: seen.pings.as_ref().is_some_and(|pings| !pings.pongs_s.is_empty()),
    }
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered { status, flaws, .. } => match flaws.first() {
            Some(flaw) => format!("{status}, but {flaw}"),
            None => status.to_string(),
        },
        Outcome::NotHttp { fault, .. } => fault.to_string(),
        Outcome::Http2 { status, .. } => format!("HTTP/2 {status:?}"),
        Outcome::OtherProtocol(_) => "another protocol".to_owned(),
        Outcome::Failed(end) => end.to_string(),
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
