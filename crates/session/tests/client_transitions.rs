//! Every input in every state of the client machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fmt::Write as _;

use support::{Bench, S, closed, lost, resumed, started};
use undrop_frame::CloseCode;
use undrop_session::{ClientConfig, LinkEnd, LinkMode};

#[test]
fn table_of_transitions() {
    type Step = (&'static str, fn(&mut Bench));
    let states: [Step; 5] = [
        ("opening", |b| {
            b.dial();
        }),
        ("open, session", |b| {
            b.dial();
            b.client.handle_link_up(b.now, 1, LinkMode::Session);
            b.packet(1, &started(1, "n1.a")).unwrap();
            b.now += 2 * S;
            b.client.offline(b.now);
            b.client.wake(b.now);
            b.client.handle_timeout(b.now + 2 * S);
            b.now += 2 * S;
            b.dial();
        }),
        ("open, plain", |b| {
            b.dial();
            b.client.handle_link_up(b.now, 1, LinkMode::Plain);
        }),
        ("resuming", |b| {
            b.dial();
            b.client.handle_link_up(b.now, 1, LinkMode::Session);
            b.packet(1, &started(1, "n1.a")).unwrap();
            b.client.handle_link_down(b.now, 1, LinkEnd::default());
            b.redial();
        }),
        ("closed", |b| b.client.close(b.now, CloseCode::NORMAL, "")),
    ];
    let inputs: [Step; 14] = [
        ("attempt answered S", |b| answer(b, &|n| started(n, "n1.a"))),
        ("attempt answered R", |b| answer(b, &|n| resumed(n, 0, 1))),
        ("attempt answered L", |b| answer(b, &|n| lost(n, "unknown", 0, ""))),
        ("attempt answered m", |b| {
            answer(b, &|_| "m".to_owned());
            let n = last(b);
            b.client.handle_link_down(b.now, n, closed(1000));
        }),
        ("attempt is plain", |b| {
            let n = last(b);
            b.client.handle_link_up(b.now, n, LinkMode::Plain);
        }),
        ("attempt fails", |b| {
            let n = last(b);
            b.client.handle_link_down(b.now, n, LinkEnd::default());
        }),
        ("attempt refused, 403", |b| {
            let n = last(b);
            b.client.handle_link_down(b.now, n, LinkEnd { status: Some(403), ..LinkEnd::default() });
        }),
        ("link lost", |b| b.client.handle_link_down(b.now, 1, closed(1011))),
        ("link closed 4400", |b| b.client.handle_link_down(b.now, 1, closed(4400))),
        ("data", |b| b.client.handle_message(b.now, 1, "d".into()).unwrap()),
        ("x", |b| {
            let _ = b.packet(1, "x4002");
            b.messages();
        }),
        ("m", |b| {
            let _ = b.packet(1, "m");
        }),
        ("close()", |b| b.client.close(b.now, CloseCode::NORMAL, "")),
        ("a minute of silence", |b| {
            let end = b.now + 60 * S;
            while b.client.poll_timeout().is_some_and(|at| at <= end) {
                b.pass_to_timeout();
            }
        }),
    ];
    let mut table = String::new();
    for (state, reach) in states {
        writeln!(table, "{state}").unwrap();
        for (input, act) in inputs {
            let mut b = Bench::new(ClientConfig::default());
            reach(&mut b);
            b.events();
            b.out();
            act(&mut b);
            let events: Vec<String> = b
                .events()
                .iter()
                .map(|event| {
                    let text = format!("{event:?}");
                    text.split([' ', '(']).next().unwrap().to_owned()
                })
                .collect();
            let state = format!("{:?}", b.client.state());
            writeln!(table, "{}", format!("  {input:<22} → {state:<9} {}", events.join(" ")).trim_end())
                .unwrap();
        }
    }
    insta::assert_snapshot!("client_transitions", table);
}

/// Number of the newest attempt of the table's states.
fn last(b: &Bench) -> u64 {
    b.client.link().map_or(if b.client.sid().is_some() { 2 } else { 1 }, |_| 2)
}

fn answer(b: &mut Bench, text: &dyn Fn(u64) -> String) {
    let n = last(b);
    b.client.handle_link_up(b.now, n, LinkMode::Session);
    if b.packet(n, &text(n)).is_err() {
        b.client.handle_link_down(b.now, n, LinkEnd::default());
    }
}
