//! Many sessions on one worker lose their links at the same time, and all are resumed without loss.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::Ordering;

use support::session::Session;
use support::{Echo, Gate};

const SESSIONS: usize = 1000;

#[tokio::test]
async fn a_thousand_sessions_are_cut_and_come_back() {
    let echo = Echo::start().await;
    let gate = Gate::start(echo.address, "").await;
    let address = gate.address;
    let opened = (0..SESSIONS).map(|_| tokio::spawn(Session::open_at(address, "/")));
    let mut sessions = Vec::new();
    for task in opened.collect::<Vec<_>>() {
        sessions.push(task.await.unwrap());
    }
    assert_eq!(gate.gateway.sessions(), SESSIONS);
    for round in 0..3 {
        // Messages are in flight in both directions when the links are cut.
        for (at, session) in sessions.iter_mut().enumerate() {
            session.text(&format!("{at} {round} a")).await;
            session.text(&format!("{at} {round} b")).await;
        }
        for (at, session) in sessions.iter_mut().enumerate() {
            if at % 2 == 0 { session.cut() } else { session.fin() }
        }
        let back = sessions.into_iter().enumerate().map(|(at, mut session)| {
            tokio::spawn(async move {
                session.resume().await;
                for part in ["a", "b"] {
                    assert_eq!(session.read_text().await, format!("{at} {round} {part}"));
                }
                session.all_acked().await;
                session
            })
        });
        let back: Vec<_> = back.collect();
        sessions = Vec::new();
        for task in back {
            sessions.push(task.await.unwrap());
        }
    }
    assert_eq!(gate.gateway.sessions(), SESSIONS);
    assert_eq!(echo.opened.load(Ordering::SeqCst), SESSIONS, "each kept its backend connection");
}
