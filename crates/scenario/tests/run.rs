//! Virtual users in virtual time: what they do, how long they wait, and what stops them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use undrop_frame::{CloseCode, Ending, Message};
use undrop_scenario::{Inputs, Scenario, UserAction, UserFailureKind, UserRun};

use support::{load, parse};

const SEED: u64 = 7;

/// A user with its clock.
struct User {
    scenario: Arc<Scenario>,
    run: UserRun,
    rng: fastrand::Rng,
    start: Instant,
    now: Instant,
}

impl User {
    fn new(scenario: Scenario, flow: usize, number: u64) -> Self {
        let scenario = Arc::new(scenario);
        let mut rng = scenario.rng(SEED, number);
        let run = UserRun::new(&scenario, flow, number, &mut rng);
        let now = Instant::now();
        Self { scenario, run, rng, start: now, now }
    }

    fn of(text: &str) -> Self {
        let scenario = parse(text, "x.yml".as_ref(), &Inputs::default()).unwrap_or_else(|e| panic!("{e}"));
        Self::new(scenario, 0, 0)
    }

    /// With the steps of one flow, from line 2 on; already connected.
    fn with(steps: &str) -> Self {
        let mut user = Self::of(&format!("target: ws://h/\nsteps:\n{steps}"));
        user.connect();
        user
    }

    /// With the steps of one scenario of Artillery, from line 6 on; already connected.
    fn artillery(steps: &str) -> Self {
        let mut user =
            Self::of(&format!("config:\n  target: ws://h/\nscenarios:\n  - engine: ws\n    flow:\n{steps}"));
        user.connect();
        user
    }

    fn connect(&mut self) {
        let UserAction::Connect(_) = self.next() else { panic!("does not connect first") };
        assert_eq!(self.next(), UserAction::Waiting);
        self.run.connected(self.now);
    }

    fn next(&mut self) -> UserAction {
        self.run.next(self.now, &mut self.rng)
    }

    fn sends(&mut self) -> String {
        match self.next() {
            UserAction::Send(Message::Text(text)) => text,
            other => panic!("sends nothing: {other:?}"),
        }
    }

    /// Waits until the deadline of the step at hand, which must be so far away.
    fn waits(&mut self, millis: u64) {
        let (UserAction::Think(until) | UserAction::Expect(until)) = self.next() else {
            panic!("does not wait")
        };
        assert_eq!((until - self.now).as_millis(), u128::from(millis));
        self.now = until;
    }

    fn after(&mut self, millis: u64) -> &mut Self {
        self.now += Duration::from_millis(millis);
        self
    }

    fn gets(&mut self, text: &str) -> bool {
        self.run.received(self.now, &Message::from(text))
    }

    fn fails(&mut self) -> (UserFailureKind, u32, String) {
        match self.next() {
            UserAction::Failed(failure) => (failure.kind, failure.line, failure.message),
            other => panic!("does not fail: {other:?}"),
        }
    }

    fn ends(&mut self) {
        assert_eq!(self.next(), UserAction::Close(CloseCode::NORMAL, String::new()));
        assert_eq!(self.next(), UserAction::Waiting);
        self.run.closed(self.now, &Ending::Close { code: CloseCode::NORMAL, reason: String::new() });
        assert_eq!(self.next(), UserAction::Done);
        assert_eq!(self.next(), UserAction::Done);
    }
}

#[test]
fn a_whole_flow_of_our_own_format() {
    let scenario = load("tests/scenarios/own.yml".as_ref(), &Inputs::default()).unwrap();
    let mut user = User::new(scenario, 0, 4);
    let UserAction::Connect(connect) = user.next() else { panic!() };
    assert_eq!(connect.target, "wss://chat.example.com/ws?v=2");
    assert_eq!(connect.headers, [("Authorization".to_owned(), "Bearer t-002".to_owned())]);
    assert_eq!(connect.protocols, ["chat.v2", "chat.v1"]);
    user.run.connected(user.now);
    let join = user.sends();
    let room = ["red", "green", "blue"].into_iter().find(|room| join.contains(room)).unwrap();
    assert_eq!(join, format!(r#"{{"type":"join","room":"{room}","user":2}}"#));
    assert!(matches!(user.next(), UserAction::Expect(until) if until - user.now == Duration::from_secs(1)));
    assert!(!user.after(20).gets(r#"{"type":"welcome"}"#));
    assert!(user.after(30).gets(r#"{"type":"joined","seat":17,"members":[{"name":"Grace, Rear Admiral"}]}"#));
    assert_eq!(user.run.take_reply().unwrap().latency, Some(Duration::from_millis(50)));
    assert_eq!(user.run.take_reply(), None);
    for round in 0..3 {
        let text = format!("hello {round} from 17");
        assert_eq!(user.sends(), text);
        assert!(!user.gets(&text), "nothing waits for it before the step is reached");
        let UserAction::Think(until) = user.next() else { panic!() };
        let millis = (until - user.now).as_millis();
        assert!((800..=1200).contains(&millis), "{millis}");
        user.now = until;
    }
    let UserAction::Send(Message::Binary(filler)) = user.next() else { panic!() };
    assert_eq!(filler.len(), 2048);
    user.run.received(user.now, &Message::Binary(filler));
    assert_eq!(user.next(), UserAction::Log("Grace, Rear Admiral leaves".to_owned()));
    assert_eq!(user.next(), UserAction::Close(CloseCode::NORMAL, "bye".to_owned()));
    assert_eq!(user.next(), UserAction::Waiting);
    // The peer's way of ending after our Close frame is for the report, not for the flow.
    user.run.closed(user.now, &Ending::Fin);
    assert_eq!(user.next(), UserAction::Done);
}

#[test]
fn a_whole_flow_of_artillery() {
    let scenario = load("tests/scenarios/artillery.yml".as_ref(), &Inputs::default()).unwrap();
    let mut user = User::new(scenario, 0, 2);
    let UserAction::Connect(connect) = user.next() else { panic!() };
    assert_eq!(connect.target, "wss://echo.example.com/room/3");
    assert_eq!(connect.protocols, ["json", "soap", "wamp"]);
    assert!(
        matches!(connect.headers.as_slice(), [(name, team)] if name == "X-Team" && ["blue", "red"].contains(&team.as_str()))
    );
    user.run.connected(user.now);
    assert_eq!(user.sends(), "hello Edsger");
    assert_eq!(user.sends(), r#"{"type":"join","user":3,"tags":[1,"Edsger"]}"#);
    assert!(!user.gets(r#"{"op":"echo"}"#), "what comes before the send is no answer");
    let echo = user.sends();
    assert!(matches!(user.next(), UserAction::Expect(until) if until - user.now == Duration::from_secs(3)));
    assert!(!user.gets("something else"));
    assert!(user.after(9).gets(&echo));
    assert_eq!(user.run.take_reply().unwrap().latency, Some(Duration::from_millis(9)));
    let nonce = echo.split("\"nonce\":\"").nth(1).unwrap()[..8].to_owned();
    assert!(matches!(user.next(), UserAction::Expect(_)));
    assert!(user.gets("nothing of the kind"), "the match of this wait is not strict");
    let answer = user.run.take_reply().unwrap();
    assert_eq!(answer.mismatch.as_deref(), Some("expected /pushed/, got `nothing of the kind`"));
    user.waits(100);
    let UserAction::Think(until) = user.next() else { panic!() };
    assert!((1600..=2400).contains(&(until - user.now).as_millis()));
    user.now = until;
    for round in 0..3 {
        assert_eq!(user.sends(), format!("{round} {nonce}"));
        user.waits(1000);
    }
    assert_eq!((user.sends(), user.sends()), ("a".to_owned(), "b".to_owned()));
    assert_eq!(user.next(), UserAction::Log(format!("done {nonce}")));
    user.ends();
}

#[test]
fn the_flow_of_a_guide() {
    let scenario = load("tests/scenarios/guide.yml".as_ref(), &Inputs::default()).unwrap();
    let mut user = User::new(scenario, 0, 0);
    user.connect();
    assert_eq!(user.sends(), "ping");
    assert!(!user.gets("welcome"), "kept for the step that comes, which passes it over");
    assert!(!user.gets("pong"));
    user.waits(500);
    assert_eq!(user.sends(), r#"{"type":"ping"}"#);
    user.next();
    assert!(user.gets(r#"{"type":"pong","at":5}"#));
    user.ends();
}

#[test]
fn what_was_expected_and_what_came() {
    let mut user = User::with("  - send: ping\n  - expect: pong\n");
    assert_eq!(user.sends(), "ping");
    user.waits(10_000);
    assert_eq!(
        user.fails(),
        (UserFailureKind::Timeout, 4, "nothing came within 10 s; expected a message = \"pong\"".to_owned())
    );

    let mut user = User::with("  - send: ping\n  - expect: { text: pong, within: 250ms }\n");
    user.sends();
    user.next();
    user.gets("pang");
    user.waits(250);
    assert_eq!(
        user.fails(),
        (
            UserFailureKind::Mismatch,
            4,
            "no reply within 250 ms: expected a message = \"pong\", got `pang`".to_owned()
        )
    );

    let mut user = User::with("  - send: x\n  - expect: { json: { type: ack, $.n: 5 } }\n");
    user.sends();
    user.next();
    user.gets("hi");
    user.gets(r#"{"type":"ack","n":"5"}"#);
    user.after(10_000);
    assert_eq!(
        user.fails().2,
        r#"no reply within 10 s among 2 messages; of the last one: expected $.n = 5, got "5" in `{"type":"ack","n":"5"}`"#
    );

    let mut user = User::with("  - expect: { contains: ok, next: true }\n");
    user.next();
    user.gets(&"z".repeat(300));
    let (kind, line, message) = user.fails();
    assert_eq!((kind, line), (UserFailureKind::Mismatch, 3));
    assert!(
        message.starts_with("expected a message with \"ok\" in it, got `zzz")
            && message.ends_with("z… (300 bytes)`"),
        "{message}"
    );

    let mut user = User::artillery(
        "      - send: { payload: a, match: { json: $.x, value: 1 }, capture: { json: $.y, as: y } }\n      - send: '{{ y }}'",
    );
    user.sends();
    user.next();
    user.gets(r#"{"x":1}"#);
    user.after(10_000);
    assert_eq!(user.fails().2, r#"no reply within 10 s: expected $.y to capture, got `{"x":1}`"#);
}

#[test]
fn a_drop_is_seen_wherever_it_happens() {
    let dropped = |steps: &str, prepare: fn(&mut User)| {
        let mut user = User::with(steps);
        prepare(&mut user);
        user.run.closed(user.now, &Ending::Reset);
        user.fails()
    };
    assert_eq!(
        dropped("  - send: a\n  - expect: b\n", |user| {
            user.sends();
            user.next();
        }),
        (UserFailureKind::Dropped, 4, "RST while waiting for a message = \"b\"".to_owned())
    );
    assert_eq!(
        dropped("  - send: a\n  - think: 5\n", |user| {
            user.sends();
            user.next();
        }),
        (UserFailureKind::Dropped, 4, "RST while thinking".to_owned())
    );
    assert_eq!(dropped("  - send: a\n", |_| {}), (UserFailureKind::Dropped, 3, "RST".to_owned()));

    let mut user = User::of("target: ws://h/\nsteps:\n  - connect\n");
    user.next();
    user.run.closed(user.now, &Ending::Refused);
    assert_eq!(user.fails(), (UserFailureKind::Connect, 3, "cannot connect: refused".to_owned()));
    let mut user = User::of("target: ws://h/\nsteps:\n  - connect\n");
    user.next();
    user.run.refused(user.now, "HTTP 403");
    assert_eq!(user.fails(), (UserFailureKind::Connect, 3, "cannot connect: HTTP 403".to_owned()));
}

#[test]
fn an_end_can_be_what_is_waited_for() {
    let away = Ending::Close { code: CloseCode::GOING_AWAY, reason: String::new() };
    let mut user = User::with("  - expect-close: { code: 1001, within: 5s }\n  - connect: /again\n");
    assert!(matches!(user.next(), UserAction::Expect(_)));
    user.run.closed(user.now, &away);
    let UserAction::Connect(connect) = user.next() else { panic!() };
    assert_eq!(connect.target, "ws://h/again");

    let mut user = User::with("  - expect-close: 1000\n");
    user.next();
    user.run.closed(user.now, &away);
    assert_eq!(
        user.fails(),
        (UserFailureKind::Mismatch, 3, "expected close 1000, got going away 1001".to_owned())
    );

    let mut user = User::with("  - expect-close: { within: 2 }\n");
    user.waits(2000);
    assert_eq!(user.fails().0, UserFailureKind::Timeout);
}

#[test]
fn a_second_connect_replaces_the_connection() {
    let mut user = User::with("  - connect\n  - connect\n  - send: hi\n");
    assert_eq!(user.next(), UserAction::Close(CloseCode::NORMAL, String::new()));
    assert_eq!(user.next(), UserAction::Waiting);
    user.run.closed(user.now, &Ending::Fin);
    user.connect();
    assert_eq!(user.sends(), "hi");
}

#[test]
fn loops_of_all_kinds() {
    let mut user = User::with(
        "  - loop:\n      over: [x, y]\n      as: letter\n      index: i\n      steps:\n        - loop: { times: 2, steps: [send: '{{ letter }}{{ i }}{{ $loopCount }}'] }\n  - loop: { times: 0, steps: [send: never] }\n  - set: { n: 2 }\n  - loop: { times: '{{ n }}', steps: [send: 'n{{ $loopCount }}'] }\n  - loop: { for: 3s, steps: [send: tick, think: 1s] }\n",
    );
    let sent: Vec<_> = (0..6).map(|_| user.sends()).collect();
    assert_eq!(sent, ["x00", "x01", "y10", "y11", "n0", "n1"]);
    for _ in 0..3 {
        assert_eq!(user.sends(), "tick");
        user.waits(1000);
    }
    user.ends();

    let mut user = User::artillery(
        "      - loop: [send: 'r{{ $loopCount }}']\n        count: 2-4\n      - loop: [think: 1]",
    );
    assert_eq!((user.sends(), user.sends()), ("r2".to_owned(), "r3".to_owned()));
    for _ in 0..50 {
        user.waits(1000);
    }
}

#[test]
fn steps_that_cannot_be_done() {
    let failed = |steps: &str| {
        let (kind, line, message) = User::with(steps).fails();
        assert_eq!(kind, UserFailureKind::UserAction);
        (line, message)
    };
    assert_eq!(
        failed("  - send: '{{ late }}'\n  - capture: { late: $ }\n"),
        (3, "`late` has no value here, or not that field".to_owned())
    );
    assert_eq!(
        failed("  - set: { n: x }\n  - loop: { over: n, steps: [think: 1] }\n"),
        (4, "what the loop goes over is not a list".to_owned())
    );
    assert_eq!(
        failed("  - set: { n: x }\n  - loop: { times: '{{ n }}', steps: [think: 1] }\n"),
        (4, "`x` is not a number of rounds".to_owned())
    );
    assert_eq!(
        failed("  - set: { n: x }\n  - think: '{{ n }}'\n"),
        (4, "`x` is not a duration; write a number and a unit, such as 100ms, 1.5s or 2m".to_owned())
    );
    assert_eq!(
        failed("  - loop: { times: 1000000000, steps: [set: { a: 1 }] }\n"),
        (3, "a loop repeats without sending, waiting or pausing".to_owned())
    );
    let (line, message) =
        failed("  - set: { a: xxxxxxxx }\n  - loop: { times: 100, steps: [set: { a: '{{ a }}{{ a }}' }] }\n");
    assert_eq!(line, 4);
    assert!(message.contains("too large"), "{message}");

    let mut user = User::with("  - close\n  - send: x\n");
    user.next();
    user.run.closed(user.now, &Ending::Fin);
    assert_eq!(
        user.fails(),
        (
            UserFailureKind::UserAction,
            4,
            "there is no open connection at this step; a `connect` is missing".to_owned()
        )
    );
}

#[test]
fn early_messages_are_kept_within_bounds() {
    let mut user = User::with("  - send: a\n  - think: 1\n  - expect: first\n");
    user.sends();
    user.next();
    user.gets("first");
    for number in 0..64 {
        user.gets(&number.to_string());
    }
    user.waits(1000);
    user.waits(10_000);
    assert_eq!(
        user.fails().2,
        "no reply within 10 s among 64 messages; of the last one: expected a message = \"first\", got `63`; 1 earlier \
         messages did not fit the buffer of 64 and were dropped unseen"
    );

    // An answer that came during a think is taken when its step is reached, with the latency of its arrival.
    let mut user = User::with("  - send: a\n  - think: 1\n  - expect: b\n");
    user.sends();
    user.next();
    user.after(40).gets("b");
    user.now = user.start + Duration::from_secs(1);
    assert_eq!(user.next(), UserAction::Close(CloseCode::NORMAL, String::new()));
    assert_eq!(user.run.take_reply().unwrap().latency, Some(Duration::from_millis(40)));

    // Several at once, each with a separate reply; which message the first one answers is not known.
    let mut user =
        User::with("  - send: a\n  - think: 1\n  - send: b\n  - think: 1\n  - expect: a\n  - expect: b\n");
    user.sends();
    user.next();
    user.after(10).gets("a");
    user.now = user.start + Duration::from_secs(1);
    user.sends();
    user.next();
    user.after(20).gets("b");
    user.now = user.start + Duration::from_secs(2);
    user.next();
    let latencies: Vec<_> =
        std::iter::from_fn(|| user.run.take_reply()).map(|answer| answer.latency).collect();
    assert_eq!(latencies, [None, Some(Duration::from_millis(20))]);
}

#[test]
fn values_keep_their_type() {
    let mut user = User::with(
        "  - expect: { capture: { all: $, n: $.n, word: { regex: 'w(\\w+)', group: 1 }, raw: message } }\n  - send: { json: { n: '{{ n }}', t: 'n={{ n }}', deep: '{{ all.list[1].x }}', w: '{{ word }}' } }\n  - send: '{{ raw }}|{{ all.list }}'\n",
    );
    user.next();
    assert!(user.gets(r#"{"n":1.0,"list":[0,{"x":null}],"s":"word"}"#));
    assert_eq!(user.sends(), r#"{"n":1,"t":"n=1","deep":null,"w":"ord"}"#);
    assert_eq!(user.sends(), r#"{"n":1.0,"list":[0,{"x":null}],"s":"word"}|[0,{"x":null}]"#);
}

#[test]
fn users_differ_by_number_and_seed_only() {
    let text = "target: ws://h/\nvariables: { color: [a, b, c, d, e, f, g, h] }\nsteps:\n  - send: '{{ $user }} {{ $uuid }} {{ color }} {{ $randomNumber(1, 1000000) }} {{ $randomString(12) }}'\n";
    let sent = |number| {
        let scenario = parse(text, "x.yml".as_ref(), &Inputs::default()).unwrap();
        let mut user = User::new(scenario, 0, number);
        user.connect();
        user.sends()
    };
    assert_eq!(sent(3), sent(3));
    assert!(sent(3).starts_with("3 ") && sent(4).starts_with("4 "));
    assert_ne!(sent(3)[2..], sent(4)[2..]);
}

#[test]
fn arrivals_by_the_rate_s_integral() {
    let times = |phases: &str| {
        let text = format!("target: ws://h/\nsteps: [connect]\nphases:\n{phases}");
        let scenario = parse(&text, "x.yml".as_ref(), &Inputs::default()).unwrap();
        scenario.arrivals(SEED).map(|arrival| arrival.at.as_secs_f64()).collect::<Vec<_>>()
    };
    let near = |got: Vec<f64>, wanted: &[f64]| {
        assert_eq!(got.len(), wanted.len(), "{got:?}");
        assert!(got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-6), "{got:?}");
    };
    near(times("  - { rate: 2, duration: 2 }"), &[0.0, 0.5, 1.0, 1.5]);
    // 0 to 4 users/s in 4 s: N(t) = t²/2, so user k comes at √(2k).
    let ramp: Vec<f64> = (0..8).map(|k| f64::from(2 * k).sqrt()).collect();
    near(times("  - { rate: 0, ramp-to: 4, duration: 4 }"), &ramp);
    // And down again: the mirror, with 8 users as well.
    let down: Vec<f64> = (0..8).map(|k| 4.0 - f64::from(16 - 2 * k).sqrt()).collect();
    near(times("  - { rate: 4, ramp-to: 0, duration: 4 }"), &down);
    // Half a user is carried into the next phase.
    near(
        times("  - { rate: 0.5, duration: 1 }\n  - { pause: 10 }\n  - { rate: 0.5, duration: 3 }"),
        &[0.0, 12.0],
    );
    near(
        times("  - { pause: 1 }\n  - { count: 2 }\n  - { count: 3, duration: 3 }"),
        &[1.0, 1.0, 1.0, 2.0, 3.0],
    );
    near(times("  - { rate: 0, duration: 5 }"), &[]);
    let poisson = times("  - { rate: 100, duration: 100, spacing: poisson }").len();
    assert!((9_600..=10_400).contains(&poisson), "{poisson}");
}

#[test]
fn flows_are_picked_by_weight() {
    let text = "target: ws://h/\nphases: [{ count: 40000 }]\nflows:\n  - { weight: 3, steps: [connect] }\n  - { steps: [connect] }\n";
    let scenario = parse(text, "x.yml".as_ref(), &Inputs::default()).unwrap();
    let second = scenario.arrivals(SEED).filter(|arrival| arrival.flow == 1).count();
    assert!((9_500..=10_500).contains(&second), "{second}");
    assert!(scenario.arrivals(1).eq(scenario.arrivals(1)));
    assert!(scenario.arrivals(1).ne(scenario.arrivals(2)));
    // Without phases: one user.
    let one = parse("target: ws://h/\nsteps: [connect]", "x.yml".as_ref(), &Inputs::default()).unwrap();
    assert_eq!(one.arrivals(SEED).map(|a| (a.at, a.user)).collect::<Vec<_>>(), [(Duration::ZERO, 0)]);
}

#[test]
fn a_list_of_rows_can_be_gone_over() {
    let text = "config:\n  target: ws://h/\n  payload: { path: users.csv, fields: [id, name, token], skipHeader: true, loadAll: true, name: users }\nscenarios:\n  - engine: ws\n    flow:\n      - loop: [send: '{{ $loopElement.name }} {{ $loopElement.token }}']\n        over: users\n";
    let scenario = parse(text, "tests/scenarios/x.yml".as_ref(), &Inputs::default()).unwrap();
    let mut user = User::new(scenario, 0, 0);
    user.connect();
    let sent: Vec<_> = (0..3).map(|_| user.sends()).collect();
    assert_eq!(sent, ["Ada t-001", "Grace, Rear Admiral t-002", "Edsger 007"]);
    user.ends();
    assert_eq!(user.scenario.flows.len(), 1);
}
