//! Literal observations for the tests of checks.
#![allow(clippy::unwrap_used)]

use undrop_report::Finding;

use super::Check;
use crate::analysis::Case;
use crate::observations::{
    Answer, Arm, Close, Connect, Dns, Echo, Endpoint, Life, Local, Observations, Outcome, Pings, Plan,
    Question, Trip, Variant,
};
use undrop_frame::{CloseCode, Ending};

/// Everything works, for 130 s.
pub(crate) fn healthy() -> Observations {
    Observations {
        version: Observations::VERSION,
        plan: Plan {
            url: "ws://example.com/chat".to_owned(),
            horizon_s: 130.0,
            every_s: 2.0,
            patience_s: 5.0,
            expect_alive_s: None,
            page: None,
            protocols: Vec::new(),
            held_back: Vec::new(),
        },
        started_unix_s: 1_800_000_000.0,
        took_s: 135.0,
        lag_s: 0.002,
        interrupted: false,
        endpoints: vec![endpoint()],
        local: Local::default(),
    }
}

/// A healthy target.
pub(crate) fn endpoint() -> Endpoint {
    let address = "192.0.2.7:80".parse().unwrap();
    Endpoint {
        url: "ws://example.com/chat".to_owned(),
        host: "example.com".to_owned(),
        port: 80,
        public: true,
        dns: Some(Dns { took_s: 0.01, addresses: vec!["192.0.2.7".parse().unwrap()], error: None }),
        connects: vec![Connect { address, took_s: 0.02, failed: None }],
        answers: vec![answer(Variant::Asked, switched(&[])), answer(Variant::SecondKey, switched(&[]))],
        echo: Some(Echo {
            sent: "undrop doctor".to_owned(),
            trip: Trip::Returned { rtt_s: 0.02 },
            greetings: 0,
        }),
        close: Some(Close {
            end: Ending::Close { code: CloseCode::new(1000), reason: String::new() },
            took_s: 0.02,
        }),
        pings: Some(Pings {
            pongs_s: vec![0.02, 0.021, 0.02],
            unanswered: 0,
            echoes_s: vec![0.021, 0.02, 0.022],
            tcp_rtt_s: Some(0.02),
        }),
        lives: arms(),
        ..Endpoint::default()
    }
}

fn arms() -> Vec<Life> {
    let mut lives: Vec<Life> =
        [Arm::Silent, Arm::TcpKeepalive, Arm::Ping, Arm::Pong, Arm::Data, Arm::OneWay, Arm::Withheld]
            .into_iter()
            .map(|arm| alive(arm, 1.0, 130.0))
            .collect();
    for quiet_s in [30.0, 45.0, 62.0, 90.0, 125.0] {
        lives.push(alive(Arm::Tooth { quiet_s }, 1.0, quiet_s));
    }
    for i in 1..=5 {
        let at_s = 1.0 + f64::from(i) * 5.0;
        lives.push(alive(Arm::Fleet, at_s, 131.0 - at_s));
    }
    lives
}

/// A connection that lived.
pub(crate) fn alive(arm: Arm, at_s: f64, age_s: f64) -> Life {
    let busy = arm.is_busy();
    let question =
        (!busy).then_some(Question { asked_s: age_s, answered_after_s: Some(0.02), acked: Some(true) });
    Life {
        at_s,
        failed: None,
        age_s,
        last_byte_s: if busy { age_s } else { 0.0 },
        sent: if busy { (age_s / 2.0) as u32 } else { 0 },
        pongs: if arm == Arm::Ping { (age_s / 2.0) as u32 } else { 0 },
        received: if matches!(arm, Arm::Data | Arm::Fleet) { (age_s / 2.0) as u32 } else { 0 },
        question,
        ..Life::failed(arm, at_s, Ending::Fin)
    }
}

/// The same, ended at an age, if it got that old.
pub(crate) fn dropped(life: Life, age_s: f64, end: Ending) -> Life {
    if age_s > life.age_s {
        return life;
    }
    let last_byte_s = if life.arm.is_busy() { age_s - 1.0 } else { 0.0 };
    Life { age_s, end: Some(end), last_byte_s, question: None, ..life }
}

/// The same, gone without a sign after a silence; the question found it.
pub(crate) fn hole(life: Life, after_s: f64) -> Life {
    let asked_s = life.age_s;
    if asked_s < after_s {
        return life;
    }
    let question = Some(Question { asked_s, answered_after_s: None, acked: Some(false) });
    Life { age_s: 0.0, end: Some(Ending::BlackHole), question, ..life }
}

/// The target with its connections changed.
pub(crate) fn lives(change: impl Fn(Life) -> Life) -> Endpoint {
    let mut seen = endpoint();
    seen.lives = seen.lives.into_iter().map(change).collect();
    seen
}

/// The connections of the fleet.
pub(crate) fn fleet(seen: &Endpoint) -> Vec<&Life> {
    seen.lives.iter().filter(|life| life.arm == Arm::Fleet).collect()
}

/// Healthy but for what `change` does to the target.
pub(crate) fn with(change: impl FnOnce(&mut Endpoint)) -> Observations {
    let mut seen = healthy();
    change(&mut seen.endpoints[0]);
    seen
}

/// The handshake failed like this, so nothing came after it.
pub(crate) fn refused(outcome: Outcome) -> Observations {
    with(|target| {
        target.answers = vec![answer(Variant::Asked, outcome)];
        target.stop_at_handshake();
    })
}

impl Endpoint {
    /// Nothing behind the handshake was reached.
    pub(crate) fn stop_at_handshake(&mut self) {
        (self.echo, self.pings, self.close) = (None, None, None);
        self.lives.clear();
    }
}

/// A good 101 with more fields.
pub(crate) fn switched(headers: &[(&str, &str)]) -> Outcome {
    http(101, headers, "")
}

/// An answer.
pub(crate) fn http(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Outcome::Answered { status, headers, body: body.to_owned(), flaws: Vec::new() }
}

/// An answer to a variant.
pub(crate) fn answer(variant: Variant, outcome: Outcome) -> Answer {
    Answer { variant, at_s: 0.5, took_s: 0.03, outcome }
}

/// The one finding of a check.
#[track_caller]
pub(crate) fn fires(check: &Check, seen: &Observations) -> Finding {
    let mut found = check.judge(&Case::new(seen).unwrap());
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// The check finds nothing.
#[track_caller]
pub(crate) fn silent(check: &Check, seen: &Observations) {
    assert_eq!(check.judge(&Case::new(seen).unwrap()), []);
}
