//! Tests of watched connections against a scripted server, in virtual time.
#![allow(clippy::unwrap_used)]

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;
use undrop_frame::{CloseCode, Decoder, Encoder, Ending, Incoming, Limits, OpCode, Role};

use super::*;
use tokio_util::sync::CancellationToken;

const S: fn(u64) -> Duration = Duration::from_secs;

/// The behaviour of the server.
#[derive(Clone, Copy, Default)]
struct Server {
    /// Whether it answers Pings.
    pongs: bool,
    /// The number of messages that it returns.
    echoes: usize,
    /// The idle time after which it closes the stream.
    idle: Option<Duration>,
    /// The age at which it stops to react.
    dies: Option<Duration>,
    /// The interval of its Pings.
    pings: Option<Duration>,
    /// The age at which it sends a Close.
    closes: Option<Duration>,
}

impl Server {
    async fn serve(self, mut stream: DuplexStream) {
        let start = Instant::now();
        let far = start + S(1_000_000);
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        let encoder = &mut Encoder::new(Role::Server);
        let mut echoes = self.echoes;
        let mut heard = start;
        let mut ping = self.pings.map(|every| start + every);
        let mut buffer = [0; 4096];
        loop {
            let mut out = Vec::new();
            tokio::select! {
                read = stream.read(&mut buffer) => {
                    let n = read.unwrap();
                    if n == 0 {
                        return;
                    }
                    heard = Instant::now();
                    if self.dies.is_some_and(|at| start.elapsed() >= at) {
                        continue;
                    }
                    let mut input = &mut buffer[..n];
                    while let Some(incoming) = decoder.decode(&mut input).unwrap() {
                        match incoming {
                            Incoming::Ping(payload) if self.pongs => {
                                encoder.control(OpCode::Pong, &payload.into_vec(), [0; 4], &mut out);
                            }
                            Incoming::Text(payload) if echoes > 0 => {
                                echoes -= 1;
                                encoder.message(OpCode::Text, &payload.into_vec(), [0; 4], &mut out);
                            }
                            _ => {}
                        }
                    }
                }
                () = tokio::time::sleep_until(self.idle.map_or(far, |idle| heard + idle)) => return,
                () = tokio::time::sleep_until(ping.unwrap_or(far)) => {
                    encoder.control(OpCode::Ping, b"", [0; 4], &mut out);
                    ping = ping.zip(self.pings).map(|(at, every)| at + every);
                }
                () = tokio::time::sleep_until(self.closes.map_or(far, |at| start + at)) => {
                    encoder.close(Some(CloseCode::GOING_AWAY), "bye", [0; 4], &mut out);
                    stream.write_all(&out).await.unwrap();
                    return;
                }
            }
            stream.write_all(&out).await.unwrap();
        }
    }
}

fn script(traffic: Traffic, activity: Option<Activity>, asks_after: u64) -> ConnectionScript {
    ConnectionScript {
        activity: activity.map(|activity| (activity, S(2))),
        message: "m".to_owned(),
        ..ConnectionScript::quiet(traffic, S(asks_after), ProbeMethod::Ping, S(5))
    }
}

async fn connection(server: Server, script: ConnectionScript) -> WatchedConnection {
    let (near, far) = duplex(1 << 16);
    let serving = tokio::spawn(server.serve(far));
    let stop = CancellationToken::new();
    let connection = watch(FrameSocket::new(near.into(), Vec::new(), None), &script, 0.0, &stop).await;
    serving.abort();
    connection
}

#[tokio::test(start_paused = true)]
async fn a_silent_lane_sees_the_end_at_its_time() {
    let server = Server { pongs: true, idle: Some(S(60)), ..Server::default() };
    let seen = connection(server, script(Traffic::Silent, None, 130)).await;
    assert_eq!((seen.end, seen.age_s, seen.last_byte_s), (Some(Ending::Fin), 60.0, 0.0));
    let seen = connection(server, script(Traffic::Ping, Some(Activity::Ping), 130)).await;
    assert!(seen.alive() && seen.age_s == 130.0, "{seen:?}");
    assert_eq!((seen.sent, seen.pongs), (64, 65));
}

#[tokio::test(start_paused = true)]
async fn a_tooth_asks_once_and_finds_a_hole() {
    let server = Server { pongs: true, dies: Some(S(50)), ..Server::default() };
    let seen = connection(server, script(Traffic::IdleProbe { quiet_s: 45.0 }, None, 45)).await;
    assert!(seen.alive(), "{seen:?}");
    let probe = seen.probe.unwrap();
    assert_eq!((probe.sent_s, probe.reply_after_s), (45.0, Some(0.0)));
    let seen = connection(server, script(Traffic::IdleProbe { quiet_s: 55.0 }, None, 55)).await;
    assert!(seen.probe_failed() && seen.end == Some(Ending::BlackHole), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_busy_lane_notices_a_hole_and_dates_it_by_the_last_byte() {
    let server = Server { pongs: true, dies: Some(S(51)), ..Server::default() };
    let seen = connection(server, script(Traffic::Ping, Some(Activity::Ping), 130)).await;
    assert_eq!((seen.end, seen.age_s), (Some(Ending::BlackHole), 50.0));
}

#[tokio::test(start_paused = true)]
async fn replies_that_stop_on_a_living_connection_are_a_stall() {
    let server = Server { pongs: true, echoes: 10, ..Server::default() };
    let seen = connection(server, script(Traffic::Data, Some(Activity::Message), 130)).await;
    assert!(seen.alive(), "{seen:?}");
    assert_eq!((seen.received, seen.stalled_s), (10, Some(20.0)));
}

#[tokio::test(start_paused = true)]
async fn pings_of_the_server_are_noted_and_the_close_is_read() {
    let server = Server { pings: Some(S(20)), closes: Some(S(70)), ..Server::default() };
    let seen = connection(server, script(Traffic::Silent, None, 130)).await;
    assert_eq!(seen.server_pings_s, [20.0, 40.0, 60.0]);
    assert_eq!(seen.end, Some(Ending::Close { code: CloseCode::new(1001), reason: "bye".to_owned() }));
    assert_eq!((seen.age_s, seen.quiet_s()), (70.0, 10.0));
}

#[tokio::test(start_paused = true)]
async fn a_sleeper_learns_of_the_end_when_it_wakes() {
    let server = Server { pongs: true, idle: Some(S(10)), ..Server::default() };
    let script =
        ConnectionScript { sleeps: Some(S(30)), ..script(Traffic::Suspended { for_s: 30.0 }, None, 31) };
    let seen = connection(server, script).await;
    assert_eq!((seen.end, seen.age_s), (Some(Ending::Fin), 30.0));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_run_lets_go_of_what_is_alive() {
    let (near, far) = duplex(1 << 16);
    let serving = tokio::spawn(Server::default().serve(far));
    let stop = CancellationToken::new();
    let script = script(Traffic::Silent, None, 130);
    let (seen, ()) =
        tokio::join!(watch(FrameSocket::new(near.into(), Vec::new(), None), &script, 3.0, &stop), async {
            sleep(S(7)).await;
            stop.cancel();
        });
    serving.abort();
    assert!(seen.alive() && seen.age_s == 7.0 && seen.at_s == 3.0, "{seen:?}");
}
