//! Faults between real sockets, as each side of a connection sees them. Every wait is for an event, with a generous limit.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use undrop_chaos::{Builder, Chaos, Event, Replay, Timeline};

const PATIENCE: Duration = Duration::from_secs(20);
/// A wait that is long enough to show that nothing arrives.
const NOTHING: Duration = Duration::from_millis(300);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// The end of a stream as its receiver sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    Fin,
    Rst,
    Nothing,
}

async fn rest(stream: &mut TcpStream, patience: Duration) -> (Vec<u8>, Seen) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match timeout(patience, stream.read(&mut buffer)).await {
            Err(_) => return (bytes, Seen::Nothing),
            Ok(Ok(0)) => return (bytes, Seen::Fin),
            Ok(Ok(n)) => bytes.extend_from_slice(&buffer[..n]),
            Ok(Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return (bytes, Seen::Rst);
            }
        }
    }
}

struct Setup {
    chaos: Chaos,
    listener: TcpListener,
    events: Arc<Mutex<Vec<Event>>>,
}

async fn setup(with: impl FnOnce(Builder) -> Builder) -> Setup {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let recorded = events.clone();
    let builder = Chaos::start(listener.local_addr().unwrap())
        .observe(move |event| recorded.lock().unwrap().push(event.clone()));
    Setup { chaos: with(builder).await.unwrap(), listener, events }
}

impl Setup {
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let pair = async { tokio::join!(TcpStream::connect(self.chaos.address()), self.listener.accept()) };
        let (client, server) = timeout(PATIENCE, pair).await.expect("no connection");
        (client.unwrap(), server.unwrap().0)
    }

    /// Opens a WebSocket, as far as the proxy can see.
    async fn websocket(&self) -> (TcpStream, TcpStream) {
        let (mut client, mut server) = self.connect().await;
        client.write_all(REQUEST).await.unwrap();
        let mut buffer = [0; 1024];
        let n = timeout(PATIENCE, server.read(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..n], REQUEST);
        server.write_all(RESPONSE).await.unwrap();
        let n = timeout(PATIENCE, client.read(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..n], RESPONSE);
        (client, server)
    }

    /// Waits for an event that matches, and returns all events so far.
    async fn event(&self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let found = async {
            loop {
                let events = self.events.lock().unwrap().clone();
                if events.iter().any(&wanted) {
                    return events;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, found).await.expect("the event was not emitted")
    }
}

#[tokio::test]
async fn rst_and_fin_are_a_real_rst_and_fin() {
    for (how, expected) in [("rst", Seen::Rst), ("fin", Seen::Fin)] {
        let setup = setup(|builder| builder.inject(&format!("cut age=100ms how={how}"))).await;
        let (mut client, mut server) = setup.connect().await;
        assert_eq!(rest(&mut client, PATIENCE).await, (vec![], expected));
        assert_eq!(rest(&mut server, PATIENCE).await, (vec![], expected));
        assert_eq!((setup.chaos.opened(), setup.chaos.cut()), (1, 1));
    }
}

/// An end that goes on sending does not turn the FIN into a RST before it can be read.
#[tokio::test]
async fn a_fin_is_a_fin_under_traffic() {
    let setup = setup(|builder| builder.inject("cut age=200ms how=fin")).await;
    let (client, mut server) = setup.connect().await;
    let (mut read, mut write) = client.into_split();
    let writing = tokio::spawn(async move { while write.write_all(&[7; 100]).await.is_ok() {} });
    let mut buffer = [0; 16];
    let end = timeout(PATIENCE, read.read(&mut buffer)).await.unwrap();
    assert_eq!(end.unwrap(), 0);
    let (_, end) = rest(&mut server, PATIENCE).await;
    assert_eq!(end, Seen::Fin);
    timeout(PATIENCE, writing).await.expect("the socket is closed in the end").unwrap();
}

#[tokio::test]
async fn a_close_frame_comes_before_the_fin() {
    let setup = setup(|builder| builder.inject("cut age=300ms how=close code=1012")).await;
    let (mut client, mut server) = setup.websocket().await;
    assert_eq!(rest(&mut client, PATIENCE).await, (vec![0x88, 2, 0x03, 0xf4], Seen::Fin));
    let (bytes, end) = rest(&mut server, PATIENCE).await;
    assert_eq!((bytes.len(), bytes[0], bytes[1], end), (8, 0x88, 0x82, Seen::Fin));
}

#[tokio::test]
async fn a_black_hole_is_silent_even_when_the_other_end_goes() {
    for fault in ["black-hole after=200ms", "cut age=200ms how=silent"] {
        let setup = setup(|builder| builder.inject(fault)).await;
        let (mut client, server) = setup.websocket().await;
        setup.event(|event| matches!(event, Event::Injected { .. })).await;
        client.write_all(b"hello?").await.unwrap();
        socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
        drop(server);
        assert_eq!(rest(&mut client, NOTHING).await, (vec![], Seen::Nothing), "{fault}");
    }
}

#[tokio::test]
async fn a_black_hole_that_is_removed_delivers_the_held_data() {
    let setup = setup(|builder| builder.inject("black-hole")).await;
    let (mut client, mut server) = setup.connect().await;
    server.write_all(b"late").await.unwrap();
    assert_eq!(rest(&mut client, NOTHING).await, (vec![], Seen::Nothing));
    assert!(setup.chaos.remove("f1"));
    let mut got = [0; 4];
    timeout(PATIENCE, client.read_exact(&mut got)).await.unwrap().unwrap();
    assert_eq!(&got, b"late");
}

#[tokio::test]
async fn half_open_resets_one_side_without_notifying_the_other() {
    let setup = setup(|builder| builder.inject("half-open after=100ms")).await;
    let (mut client, mut server) = setup.connect().await;
    assert_eq!(rest(&mut server, PATIENCE).await, (vec![], Seen::Rst));
    client.write_all(b"still there?").await.unwrap();
    assert_eq!(rest(&mut client, NOTHING).await, (vec![], Seen::Nothing));
}

#[tokio::test]
async fn a_forgotten_flow_resets_only_the_sender() {
    let setup = setup(|builder| builder.silent_drop(Duration::from_millis(150))).await;
    let (mut client, mut server) = setup.connect().await;
    setup.event(|event| matches!(event, Event::Injected { kind, .. } if kind == "silent-drop")).await;
    server.write_all(b"hello?").await.unwrap();
    assert_eq!(rest(&mut server, PATIENCE).await, (vec![], Seen::Rst));
    assert_eq!(rest(&mut client, NOTHING).await, (vec![], Seen::Nothing));
    client.write_all(b"me!").await.unwrap();
    assert_eq!(rest(&mut client, PATIENCE).await, (vec![], Seen::Rst));
}

#[tokio::test]
async fn refused_connections_find_a_closed_port() {
    let setup = setup(|builder| builder).await;
    let (mut old, mut old_server) = setup.connect().await;
    let id = setup.chaos.add("refuse".parse().unwrap());
    setup.event(|event| matches!(event, Event::Refusing { .. })).await;
    let error = TcpStream::connect(setup.chaos.address()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    old.write_all(b"x").await.unwrap();
    let mut got = [0; 1];
    timeout(PATIENCE, old_server.read_exact(&mut got))
        .await
        .expect("open connections must not be affected")
        .unwrap();
    setup.chaos.remove(&id);
    setup.event(|event| matches!(event, Event::Accepting { .. })).await;
    setup.connect().await;
}

#[tokio::test]
async fn a_restart_cuts_refuses_and_accepts_again() {
    let setup = setup(|builder| builder.inject("restart at=200ms down=300ms")).await;
    let (mut client, _server) = setup.connect().await;
    assert_eq!(rest(&mut client, PATIENCE).await, (vec![], Seen::Rst));
    let events = setup.event(|event| matches!(event, Event::Accepting { .. })).await;
    assert!(events.iter().any(|event| matches!(event, Event::Refusing { .. })));
    setup.connect().await;
}

#[tokio::test]
async fn a_status_needs_no_upstream() {
    let chaos = Chaos::start("127.0.0.1:9").status(503).await.unwrap();
    let mut client = TcpStream::connect(chaos.address()).await.unwrap();
    client.write_all(REQUEST).await.unwrap();
    let (response, end) = rest(&mut client, PATIENCE).await;
    assert!(response.starts_with(b"HTTP/1.1 503 "));
    assert_eq!(end, Seen::Fin);
}

#[tokio::test]
async fn an_unreachable_upstream_is_logged_and_the_client_is_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unused = listener.local_addr().unwrap();
    drop(listener);
    let setup = setup(|builder| builder).await;
    setup.chaos.set_upstream(unused.into());
    let mut client = TcpStream::connect(setup.chaos.address()).await.unwrap();
    assert_eq!(rest(&mut client, PATIENCE).await, (vec![], Seen::Rst));
    let events = setup.event(|event| matches!(event, Event::Closed { .. })).await;
    let is_logged =
        |event: &Event| matches!(event, Event::Note { note, .. } if note.contains("cannot connect"));
    assert!(events.iter().any(is_logged), "{events:?}");
}

#[tokio::test]
async fn every_preset_starts_and_passes_messages() {
    for preset in undrop_chaos::preset::all() {
        let setup = setup(|builder| builder.preset(&preset.name)).await;
        let (mut client, mut server) = setup.websocket().await;
        client.write_all(&[0x81, 0x80, 1, 2, 3, 4]).await.unwrap();
        let mut got = [0; 6];
        timeout(PATIENCE, server.read_exact(&mut got)).await.expect("data must pass").unwrap();
    }
}

#[tokio::test]
async fn a_preset_behaves_like_its_product() {
    let setup = setup(|builder| builder.preset("nginx").speed(300.0)).await;
    let (mut client, mut server) = setup.websocket().await;
    assert_eq!(rest(&mut client, PATIENCE).await, (vec![], Seen::Fin));
    assert_eq!(rest(&mut server, PATIENCE).await, (vec![], Seen::Fin));
    assert_eq!(setup.chaos.counts().injected["idle-cut"], 1);
}

#[tokio::test]
async fn a_timeline_adds_and_removes_faults() {
    let timeline: Timeline = r#"
        [[fault]]
        id = "hole"
        kind = "black-hole"
        until = "400ms"
        [[at]]
        time = "600ms"
        kind = "cut"
        age = 0
        how = "fin"
    "#
    .parse()
    .unwrap();
    let setup = setup(|builder| builder.timeline(timeline)).await;
    let (mut client, mut server) = setup.connect().await;
    server.write_all(b"x").await.unwrap();
    assert_eq!(rest(&mut client, PATIENCE).await, (b"x".to_vec(), Seen::Fin));
    let events = setup.events.lock().unwrap().clone();
    let removed = |event: &Event| matches!(event, Event::FaultRemoved { fault, .. } if fault == "hole");
    assert!(events.iter().any(removed), "{events:?}");
    let (mut new, _server) = setup.connect().await;
    assert_eq!(rest(&mut new, NOTHING).await, (vec![], Seen::Nothing), "only open connections are affected");
}

/// Replaying the log of a run repeats it, connection by connection and byte by byte.
#[tokio::test]
async fn a_log_is_replayed() {
    async fn play(setup: &Setup) -> Vec<usize> {
        let mut seen = Vec::new();
        for _ in 0..6 {
            let (mut client, mut server) = setup.connect().await;
            let _ = server.write_all(&[7; 5000]).await;
            server.shutdown().await.ok();
            seen.push(rest(&mut client, PATIENCE).await.0.len());
        }
        seen
    }
    let first = setup(|builder| {
        builder.seed(11).inject("cut bytes=1234 direction=down share=0.5").inject("slices size=700 share=0.5")
    })
    .await;
    let seen = play(&first).await;
    assert!(seen.contains(&1234) && seen.contains(&5000), "some are affected, some are not: {seen:?}");
    let last = |event: &Event| matches!(event, Event::Closed { connection: 6, .. });
    let log: Vec<String> =
        first.event(last).await.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    let replay = Replay::read(&log.join("\n")).unwrap();
    assert_eq!(replay.seed(), Some(11));
    let second = setup(|builder| builder.replay(replay)).await;
    assert_eq!(play(&second).await, seen);
}

#[tokio::test]
async fn one_connection_can_be_reset() {
    let setup = setup(|builder| builder).await;
    let (mut one, _one) = setup.connect().await;
    let (mut two, _two) = setup.connect().await;
    assert!(setup.chaos.reset_connection(1) && !setup.chaos.reset_connection(9));
    assert_eq!(rest(&mut one, PATIENCE).await, (vec![], Seen::Rst));
    assert_eq!(rest(&mut two, NOTHING).await, (vec![], Seen::Nothing));
    drop(setup.chaos);
    assert_eq!(rest(&mut two, PATIENCE).await, (vec![], Seen::Rst), "the proxy was dropped");
}

#[tokio::test]
async fn a_thousand_connections_at_once() {
    let setup = setup(|builder| builder.latency(Duration::from_millis(5), Duration::from_millis(5))).await;
    let mut open = Vec::new();
    for _ in 0..1000 {
        open.push(setup.connect().await);
    }
    assert_eq!(setup.chaos.counts().open, 1000);
    for (client, _) in &mut open {
        client.write_all(b"ping").await.unwrap();
    }
    for (_, server) in &mut open {
        let mut got = [0; 4];
        timeout(PATIENCE, server.read_exact(&mut got)).await.expect("data must pass").unwrap();
    }
}

#[tokio::test]
async fn invalid_settings_are_reported_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    for (builder, expected) in [
        (
            Chaos::start("nowhere"),
            "`nowhere` is not a valid upstream; write an address such as 127.0.0.1:9000 or ws://127.0.0.1:9000".to_owned(),
        ),
        (Chaos::start(address).listen(address), format!("cannot listen on {address}")),
        (Chaos::start(address).inject("cut ag=1"), "`cut` has no key `ag`; did you mean `age`?".to_owned()),
        (Chaos::start(address).preset("alp"), "".to_owned()),
        (Chaos::start(address).speed(0.0), "the speed must be greater than 0, not 0".to_owned()),
    ] {
        let error = builder.await.unwrap_err().to_string();
        assert!(error.starts_with(&expected), "{error}");
    }
}
