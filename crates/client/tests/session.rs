//! The client in a session with a scripted server. The clock is paused, so times are exact.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use futures_util::StreamExt as _;
use support::{pair, until};
use tokio::time::{Instant, advance, timeout};
use undrop_client::{
    CloseCode, ClosedBy, ConnectError, Event, GapReason, LossReason, Message, SendError, SessionMode,
    Undelivered,
};
use undrop_session::Hello;

const S: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn receipts_resolve_when_the_gateway_acked_on_whatever_link() {
    let (builder, mut server) = pair();
    let client = builder.protocol("chat").start().unwrap();
    let receipt = client.send("one".into()).await.unwrap();
    let (_, mut link) = server.session().await;
    assert_eq!(link.next().await, "one");
    drop(link);
    let (hello, mut link) = server.request().await.upgrade().await;
    assert!(matches!(hello, Hello::Resume { n: 2, rx: 0, .. }), "{hello:?}");
    link.resumed(2, 0, 1).await;
    assert_eq!(link.next().await, "one");
    let mut receipt = Box::pin(receipt);
    assert!(timeout(S / 10, &mut receipt).await.is_err(), "sent is not acked");
    link.packet("a1").await;
    assert_eq!(receipt.await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn messages_are_a_stream_across_links_and_taking_them_acks() {
    let (builder, mut server) = pair();
    let mut client = builder.start().unwrap();
    let (_, mut link) = server.session().await;
    for text in ["a", "b", "c"] {
        link.send(text).await;
    }
    assert_eq!(client.next().await, Some("a".into()));
    assert_eq!(client.next().await, Some("b".into()));
    let read = Instant::now();
    assert_eq!(link.next().await, "|a2");
    assert!(Instant::now() - read <= S, "the delay is a second");
    drop(link);
    let (hello, mut link) = server.request().await.upgrade().await;
    assert!(matches!(hello, Hello::Resume { rx: 2, .. }));
    link.resumed(2, 0, 3).await;
    link.send("c").await;
    link.send("d").await;
    assert_eq!(client.next().await, Some("c".into()));
    assert_eq!(client.next().await, Some("d".into()));
    link.packet("x4002 done").await;
    assert_eq!(client.next().await, None);
    let closed = client.ended().unwrap();
    assert_eq!((closed.code.get(), &closed.reason[..], closed.by), (4002, "done", ClosedBy::Peer));
}

#[tokio::test(start_paused = true)]
async fn silence_opens_a_second_link_after_heartbeat_and_grace_and_keeps_the_first() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let mut events = client.events();
    let (_, mut first) = server.session().await;
    until(&mut events, |event| matches!(event, Event::Open { .. }).then_some(())).await;
    let opened = Instant::now();
    assert_eq!(first.next().await, "|P1");
    let waited = Instant::now() - opened;
    assert!((35 * S..36 * S).contains(&waited), "{waited:?}");
    let request = server.request().await;
    client.send("on the first".into()).await.unwrap();
    assert_eq!(first.next().await, "on the first");
    let (_, mut second) = request.upgrade().await;
    second.resumed(2, 1, 1).await;
    let seamless = until(&mut events, |event| match event {
        Event::Resumed { seamless, .. } => Some(seamless),
        Event::Lost { .. } => panic!("it was never lost"),
        _ => None,
    });
    assert!(seamless.await);
    assert_eq!(first.next().await, "close 1000");
}

#[tokio::test(start_paused = true)]
async fn a_silent_link_that_cannot_be_replaced_is_lost_after_one_more_grace() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let mut events = client.events();
    let (_, _first) = server.session().await;
    until(&mut events, |event| matches!(event, Event::Open { .. }).then_some(())).await;
    let opened = Instant::now();
    let _hanging = server.request().await;
    let ending = until(&mut events, |event| match event {
        Event::Lost { ending } => Some(ending),
        _ => None,
    });
    assert_eq!(ending.await.to_string(), "black hole");
    let waited = Instant::now() - opened;
    assert!((45 * S..46 * S).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_given_up() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let mut events = client.events();
    let began = Instant::now();
    let (_, _silent) = server.request().await.upgrade().await;
    until(&mut events, |event| matches!(event, Event::Failed { .. }).then_some(())).await;
    assert_eq!((Instant::now() - began).as_secs(), 10);
    let (hello, _link) = server.session().await;
    assert!(matches!(hello, Hello::First { n: 2, .. }), "{hello:?}");
    client.opened().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn wake_probes_at_once() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let (_, mut link) = server.session().await;
    client.opened().await.unwrap();
    let woken = Instant::now();
    client.sender().wake();
    assert_eq!(link.next().await, "|P1");
    let request = server.request().await;
    assert_eq!(request.at - woken, Duration::from_millis(1500));
}

#[tokio::test(start_paused = true)]
async fn a_message_expires_unsent() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let _hanging = server.request().await;
    let short = client.sender().send_for("short-lived".into(), Some(S)).await.unwrap();
    let kept = client.send("kept".into()).await.unwrap();
    let began = Instant::now();
    assert_eq!(short.await, Err(Undelivered::Expired));
    assert_eq!(Instant::now() - began, S);
    let (_, mut link) = server.session().await;
    assert_eq!(link.next().await, "kept");
    link.packet("a1").await;
    assert_eq!(kept.await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_senders_wait_until_something_is_acked() {
    let config = undrop_client::ClientConfig { queue_limit: 300, ..Default::default() };
    let (builder, mut server) = pair();
    let client = builder.config(config).start().unwrap();
    let sender = client.sender();
    sender.try_send(Message::Binary(vec![1; 200])).unwrap();
    assert!(matches!(sender.try_send(Message::Binary(vec![2; 200])), Err(SendError::Full(_))));
    let waiting = tokio::spawn(async move { sender.send(Message::Binary(vec![2; 200])).await.map(|_| ()) });
    let (_, mut link) = server.session().await;
    link.next().await;
    advance(S).await;
    assert!(!waiting.is_finished());
    link.packet("a1").await;
    assert_eq!(waiting.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_is_told_and_the_rest_goes_on() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let mut events = client.events();
    for text in ["a", "b"] {
        client.send(text.into()).await.unwrap();
    }
    let (_, mut link) = server.session().await;
    assert_eq!([link.next().await, link.next().await], ["a", "b"]);
    drop(link);
    let (_, mut link) = server.request().await.upgrade().await;
    let session = support::SESSION;
    link.packet(&format!(r#"L{{"why":"node-lost","acc":1,"sid":"n2.b","att":2,{session}"#)).await;
    assert_eq!(link.next().await, "b");
    let gap = until(&mut events, |event| match event {
        Event::Gap { reason, resent, .. } => Some((reason, resent)),
        _ => None,
    });
    assert_eq!(gap.await, (GapReason::Lost(LossReason::NodeLost), 1));
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_what_is_queued() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let receipt = client.send("last".into()).await.unwrap();
    let closing = tokio::spawn(client.close(CloseCode::new(4001), "bye"));
    let (_, mut link) = server.session().await;
    assert_eq!([link.next().await, link.next().await], ["last", "|x4001 bye"]);
    link.packet("a2").await;
    let closed = closing.await.unwrap();
    assert_eq!((closed.code.get(), closed.by, closed.unacked), (4001, ClosedBy::Local, 0));
    assert_eq!(receipt.await, Ok(()));
    assert_eq!([link.next().await, link.next().await], ["|a0", "close 1000"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_client_closes_1001() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let (_, mut link) = server.session().await;
    client.opened().await.unwrap();
    drop(client);
    assert_eq!(link.next().await, "|x1001");
}

#[tokio::test(start_paused = true)]
async fn a_required_session_is_required() {
    let (builder, mut server) = pair();
    let connecting = tokio::spawn(builder.session(SessionMode::Require).connect());
    let _link = server.request().await.plain().await;
    let Err(ConnectError::Closed(closed)) = connecting.await.unwrap() else { panic!("connected") };
    assert_eq!(closed.by, ClosedBy::Incompatible);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_breaks_the_protocol_is_told_1002_and_tried_again() {
    let (builder, mut server) = pair();
    let client = builder.start().unwrap();
    let (_, mut link) = server.session().await;
    client.opened().await.unwrap();
    link.packet("a7").await;
    assert_eq!(link.next().await, "close 1002 ack of unit 7, but only 0 were sent");
    let (hello, mut link) = server.request().await.upgrade().await;
    assert!(matches!(hello, Hello::Resume { .. }));
    link.resumed(2, 0, 1).await;
    client.send("on".into()).await.unwrap();
    assert_eq!(link.next().await, "on");
}
