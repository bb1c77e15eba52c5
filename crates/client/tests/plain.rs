//! Reconnecting to servers that do not support the session protocol or are unreachable. The clock is paused, so times are
//! exact.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use support::{pair, unreachable, until};
use tokio::time::Instant;
use undrop_client::{Backoff, CloseCode, ClosedBy, ConnectError, Event, PlainHeartbeat, SessionMode};

const S: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn classic_backoff_takes_ten_tries() {
    let (builder, mut tries) = unreachable();
    let connecting = tokio::spawn(builder.backoff(Backoff::classic()).connect());
    let mut last = tries.recv().await.unwrap();
    for k in 0..9 {
        let next = tries.recv().await.unwrap();
        let ceiling = Backoff::classic().ceiling(k + 1);
        let waited = next - last;
        let around = ceiling.mul_f64(0.75)..=ceiling.mul_f64(1.25) + Duration::from_millis(2);
        assert!(around.contains(&waited), "try {k}: {waited:?}, not around {ceiling:?}");
        last = next;
    }
    let Err(ConnectError::Closed(closed)) = connecting.await.unwrap() else { panic!("connected") };
    assert_eq!((closed.by, &closed.reason[..]), (ClosedBy::GaveUp, "gave up after 10 tries"));
    assert!(tries.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn full_jitter_stays_below_its_ceilings_and_goes_on() {
    let (builder, mut tries) = unreachable();
    let _client = builder.start().unwrap();
    let mut last = tries.recv().await.unwrap();
    let mut longest = Duration::ZERO;
    for k in 1..60 {
        let next = tries.recv().await.unwrap();
        let waited = next - last;
        assert!(waited <= Backoff::full_jitter().ceiling(k) + Duration::from_millis(2), "{waited:?}");
        longest = longest.max(waited);
        last = next;
    }
    assert!(longest > 20 * S, "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn text_heartbeat_asks_after_30_seconds_and_waits_10() {
    let text = Some(("ping".to_owned(), "pong".to_owned()));
    let heartbeat = PlainHeartbeat { text, ..PlainHeartbeat::default() };
    let (builder, mut server) = pair();
    let client = builder.session(SessionMode::Off).plain_heartbeat(Some(heartbeat)).start().unwrap();
    let mut events = client.events();
    let request = server.request().await;
    assert!(request.tokens.is_empty());
    let mut link = request.plain().await;
    until(&mut events, |event| matches!(event, Event::Open { session: false, .. }).then_some(())).await;
    let opened = Instant::now();
    assert_eq!(link.next().await, "ping");
    assert_eq!((Instant::now() - opened).as_secs(), 30);
    link.send("pong").await;
    assert_eq!(link.next().await, "ping");
    let asked = Instant::now();
    until(&mut events, |event| matches!(event, Event::Lost { .. }).then_some(())).await;
    assert_eq!((Instant::now() - asked).as_secs(), 10);
    server.request().await;
}

#[tokio::test(start_paused = true)]
async fn websocket_pings_keep_a_plain_link() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let mut events = client.events();
    let mut link = server.request().await.plain().await;
    for _ in 0..5 {
        // The server's end replies by itself.
        assert_eq!(link.next().await, "ping");
    }
    until(&mut events, |event| matches!(event, Event::Open { .. }).then_some(())).await;
    let next = tokio::time::timeout(15 * S, events.next()).await;
    assert!(next.is_err(), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn close_codes_decide_in_plain_mode() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let mut events = client.events();
    let mut link = server.request().await.plain().await;
    link.0.close(CloseCode::TRY_AGAIN_LATER, "busy; retry=7000").await;
    let ended = Instant::now();
    let request = server.request().await;
    let waited = request.at - ended;
    assert!((7 * S..9 * S).contains(&waited), "{waited:?}");
    let mut link = request.plain().await;
    link.0.close(CloseCode::new(4401), "who are you?").await;
    let end = until(&mut events, |event| match event {
        Event::Closed { code, by, .. } => Some((code.get(), by)),
        _ => None,
    });
    assert_eq!(end.await, (4401, ClosedBy::Refused));
}

#[tokio::test(start_paused = true)]
async fn refused_handshakes() {
    let (builder, mut server) = pair();
    let connecting = tokio::spawn(builder.connect());
    let request = server.request().await;
    let refused = Instant::now();
    request.refuse(503, &[("Retry-After", "4")]).await;
    let request = server.request().await;
    let waited = request.at - refused;
    assert!((4 * S..6 * S).contains(&waited), "{waited:?}");
    request.refuse(403, &[]).await;
    let Err(ConnectError::Closed(closed)) = connecting.await.unwrap() else { panic!("connected") };
    assert_eq!((closed.by, &closed.reason[..]), (ClosedBy::Refused, "the server answered 403"));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_names_every_connect_ending_and_retry() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let mut events = client.events();
    let mut link = server.request().await.plain().await;
    link.0.close(CloseCode::GOING_AWAY, "deploy").await;
    server.request().await.refuse(403, &[]).await;
    until(&mut events, |event| matches!(event, Event::Closed { .. }).then_some(())).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for part in [
        "connecting",
        "open",
        "going away 1001",
        "Going Away",
        "deploy",
        "reconnecting after a delay",
        "attempt failed",
        "403",
        "closed",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
