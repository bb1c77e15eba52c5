//! A few connections kept open for days: each that ends is told, and opened again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::sleep;
use url::Url;

use crate::Options;
use crate::caller::Caller;
use crate::clock::{Clock, seconds};
use crate::events::Listener;
use crate::lanes::Known;
use crate::lanes::lane::{Beat, Script, watch};
use crate::probes;
use crate::run::{known, stages};
use crate::stop::Stop;
use undrop_diagnosis::observations::{Arm, Life, Observations, Place, Plan, micros};
use undrop_frame::Ending;

/// Ended connections that are kept for the report; the oldest make room.
const KEPT: usize = 1_000;

/// Longest wait before a connection is opened again; the wait is drawn between nothing and a limit that doubles up to this.
const BACKOFF: Duration = Duration::from_secs(30);

/// Something that happened to a sentinel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// When, seconds since 1970.
    pub unix_s: f64,
    /// What the connection did: `silent`, `ping`, `data with reply`.
    pub sentinel: String,
    /// What happened.
    pub what: What,
    /// Its age, seconds; 0 unless it ended.
    pub age_s: f64,
    /// How long no byte had gone, seconds; 0 unless it ended.
    pub quiet_s: f64,
    /// How it ended, or why it was not opened, in the shared words.
    pub ending: Option<String>,
    /// The code that a browser shows for this end.
    pub browser: Option<u16>,
}

/// What happened to a sentinel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It was opened.
    Opened,
    /// It ended.
    Dropped,
    /// It could not be opened.
    Failed,
}

/// Keeps sentinels open until the run is stopped, or until `limit` of them were dropped, and returns what was seen, so that
/// it can be diagnosed. `told` hears of every incident. When the handshake fails at the start, nothing is watched.
pub async fn keep_watch(
    url: &Url,
    options: &Options,
    limit: Option<u64>,
    stop: &Stop,
    listener: &dyn Listener,
    told: &dyn Fn(&Incident),
) -> Observations {
    let clock = Clock::start();
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let caller = Caller { url: url.clone(), options, clock };
    let mut held_back = Vec::new();
    let mut target = stages(&caller, Place::Target, stop, listener, &mut held_back).await;
    if target.opens() && !stop.is_set() {
        let post = Post {
            caller,
            stop,
            told,
            started_s: started.as_secs_f64(),
            dropped: Cell::new(0),
            limit: limit.unwrap_or(u64::MAX),
            lives: RefCell::new(VecDeque::new()),
            full: tokio::sync::Notify::new(),
        };
        let watching = scripts(options, known(&target)).into_iter().map(|script| post.sentinel(script));
        tokio::select! {
            _ = join_all(watching) => {}
            () = post.full.notified() => {}
        }
        target.lives = post.lives.into_inner().into();
    }
    Observations {
        version: Observations::VERSION,
        plan: Plan {
            url: url.to_string(),
            horizon_s: clock.now_s(),
            every_s: seconds(options.every),
            patience_s: seconds(options.patience),
            expect_alive_s: None,
            page: None,
            protocols: options.protocols.clone(),
            held_back,
        },
        started_unix_s: micros(started.as_secs_f64()),
        took_s: clock.now_s(),
        lag_s: 0.0,
        interrupted: false,
        endpoints: vec![target],
        local: probes::local(),
    }
}

/// What every sentinel does: nothing, Pings, and messages where they are answered.
fn scripts(options: &Options, known: Known) -> Vec<Script> {
    // Longer than any run: a sentinel is never done.
    let for_ever = Duration::from_secs(100 * 365 * 86_400);
    let script = |arm: Arm, beat: Option<Beat>| Script {
        beat: beat.map(|beat| (beat, options.every)),
        message: options.message.clone(),
        ..Script::quiet(arm, for_ever, known.means(), options.patience)
    };
    let mut scripts = vec![script(Arm::Silent, None), script(Arm::Ping, Some(Beat::Ping))];
    if known.echoes {
        scripts.push(script(Arm::Data, Some(Beat::Message)));
    }
    scripts
}

/// A connection that ended younger than this counts as a failure to keep one, seconds.
const SHORT_S: f64 = 10.0;

/// How many times in a row no connection could be kept: a server that opens and ends at once is not asked without a pause.
fn failed_in_a_row(before: u32, life: &Life) -> u32 {
    if life.end.is_some() && life.age_s < SHORT_S { before.saturating_add(1) } else { 0 }
}

struct Post<'a> {
    caller: Caller<'a>,
    stop: &'a Stop,
    told: &'a dyn Fn(&Incident),
    started_s: f64,
    dropped: Cell<u64>,
    limit: u64,
    lives: RefCell<VecDeque<Life>>,
    /// So many were dropped that it is enough.
    full: tokio::sync::Notify,
}

impl Post<'_> {
    async fn sentinel(&self, script: Script) {
        let mut failures = 0;
        let ask = self.caller.asked();
        while !self.stop.is_set() {
            let opened = tokio::select! {
                opened = self.caller.open(None, &ask) => opened,
                () = self.stop.stopped() => return,
            };
            let at_s = self.caller.clock.now_s();
            match opened {
                Ok(opened) => {
                    self.tell(&Life::failed(script.arm.clone(), at_s, Ending::Fin), What::Opened);
                    let life = watch(opened.wire(), &script, at_s, self.stop).await;
                    failures = failed_in_a_row(failures, &life);
                    if life.end.is_some() {
                        self.tell(&life, What::Dropped);
                        self.dropped.set(self.dropped.get() + 1);
                    }
                    self.keep(life);
                    if self.dropped.get() >= self.limit {
                        self.full.notify_one();
                        return;
                    }
                }
                Err(end) => {
                    failures = failures.saturating_add(1);
                    let life = Life::failed(script.arm.clone(), at_s, end);
                    self.tell(&life, What::Failed);
                    self.keep(life);
                }
            }
            let most = BACKOFF.min(Duration::from_secs(1 << failures.min(5)));
            tokio::select! {
                () = sleep(most.mul_f64(fastrand::f64())) => {}
                () = self.stop.stopped() => {}
            }
        }
    }

    fn keep(&self, life: Life) {
        let mut lives = self.lives.borrow_mut();
        if lives.len() == KEPT {
            lives.pop_front();
        }
        lives.push_back(life);
    }

    fn tell(&self, life: &Life, what: What) {
        let end = match what {
            What::Opened => None,
            What::Dropped => life.end.as_ref(),
            What::Failed => life.failed.as_ref(),
        };
        (self.told)(&Incident {
            unix_s: micros(self.started_s + self.caller.clock.now_s()),
            sentinel: life.arm.name(),
            what,
            age_s: if what == What::Dropped { life.age_s } else { 0.0 },
            quiet_s: if what == What::Dropped { micros(life.quiet_s()) } else { 0.0 },
            ending: end.map(ToString::to_string),
            browser: end.map(|end| end.browser_view().get()),
        });
    }
}

/// Sends a JSON text by POST to an `http` or `https` URL; the status of the answer.
///
/// # Errors
/// There was no answer, in words.
pub async fn post(url: &Url, text: &str, options: &Options) -> Result<u16, String> {
    let caller = Caller { url: url.clone(), options, clock: Clock::start() };
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        crate::caller::target(url),
        undrop_transport::host_header(url),
        text.len()
    );
    let answer = caller
        .send(undrop_diagnosis::observations::Variant::PlainGet, &[head.as_bytes(), text.as_bytes()].concat())
        .await;
    match answer.outcome.status() {
        Some(status) => Ok(status),
        None => Err(format!("no answer from {url}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use undrop_diagnosis::observations::Arm;

    #[test]
    fn what_is_opened_and_ended_at_once_is_asked_for_less_and_less_often() {
        let ended = |age_s| Life {
            age_s,
            end: Some(Ending::Fin),
            failed: None,
            ..Life::failed(Arm::Silent, 0.0, Ending::Fin)
        };
        let row = [0.0, 0.1, 9.0].into_iter().fold(0, |before, age_s| failed_in_a_row(before, &ended(age_s)));
        assert_eq!(row, 3);
        assert_eq!(failed_in_a_row(row, &ended(60.0)), 0);
        assert_eq!(failed_in_a_row(row, &Life { end: None, ..ended(1.0) }), 0);
    }
}
