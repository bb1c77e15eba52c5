//! Code of the application that runs in the task of the client may use the client.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use support::{pair_with, until};
use tokio::io::duplex;
use tokio::time::Instant;
use undrop_client::{Client, ClientConfig, Event, Message, Sender, Stream};

/// Runs a test in a separate thread and fails if it does not end, because a deadlock would block the test for ever.
fn within_ten_seconds<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(10)).expect("the client deadlocked");
}

#[test]
fn a_connector_may_use_the_client_that_it_connects() {
    within_ten_seconds(|| async {
        let handle = Arc::new(OnceLock::<Sender>::new());
        let inside = handle.clone();
        let builder = Client::builder("ws://inside/").unwrap().connector(move || {
            let handle = inside.clone();
            async move {
                let sender = handle.get().unwrap();
                assert!(sender.queued_bytes() >= "first".len());
                sender.try_send("again".into()).unwrap();
                Err::<Stream, _>(io::ErrorKind::ConnectionRefused.into())
            }
        });
        let client = builder.start().unwrap();
        client.send("first".into()).await.unwrap();
        handle.set(client.sender()).unwrap();
        let mut events = client.events();
        until(&mut events, |event| matches!(event, Event::Failed { .. }).then_some(())).await;
        assert!(client.sender().queued_bytes() >= "first".len() + "again".len());
    });
}

#[derive(Clone)]
struct AskingLog(Arc<OnceLock<Sender>>);

impl io::Write for AskingLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(sender) = self.0.get() {
            sender.queued_bytes();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_subscriber_may_use_the_client_that_it_logs() {
    within_ten_seconds(|| async {
        let handle = Arc::new(OnceLock::<Sender>::new());
        let log = AskingLog(handle.clone());
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(move || log.clone())
            .finish();
        let _guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
        let (builder, mut server) = pair_with(|| duplex(64 * 1024));
        let client = builder.start().unwrap();
        handle.set(client.sender()).unwrap();
        let mut events = client.events();
        let (_, link) = server.session().await;
        until(&mut events, |event| matches!(event, Event::Open { .. }).then_some(())).await;
        drop(link);
        until(&mut events, |event| matches!(event, Event::Lost { .. }).then_some(())).await;
    });
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_read_can_still_send() {
    // Larger than the output buffer of a link, so one flush can empty that buffer.
    let (builder, mut server) = pair_with(|| duplex(1024 * 1024));
    let config = ClientConfig { inbox_limit: 1, queue_limit: 8 * 1024 * 1024, ..ClientConfig::default() };
    let client = builder.config(config).start().unwrap();
    let (_, mut link) = server.session().await;
    link.send("fills the inbox").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let start = Instant::now();
    for _ in 0..400 {
        client.send(Message::Binary(vec![7; 10_000])).await.unwrap();
    }
    for n in 0..400 {
        assert_eq!(link.next().await.len(), "[7, ".len() + 9_998 * 3 + "7]".len(), "message {n}");
    }
    assert!(start.elapsed() < Duration::from_secs(1), "the output stalled for {:?}", start.elapsed());
}
