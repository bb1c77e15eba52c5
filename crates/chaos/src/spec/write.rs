//! From a [`Spec`] to the table it is written as. Defaults are left out, so what comes back is short, and equal.

use std::time::Duration;

use serde_json::{Map, Value};
use undrop_fault::Distribution;

use super::{Counts, Direction, Forget, How, Kind, Mode, Schedule, Spec, When};

impl Kind {
    /// The `kind` that this is written with.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Latency { .. } => "latency",
            Kind::Bandwidth { .. } => "bandwidth",
            Kind::Slices { .. } => "slices",
            Kind::BlackHole { .. } => "black-hole",
            Kind::Stall { .. } => "stall",
            Kind::Suspend { .. } => "suspend",
            Kind::HalfOpen { .. } => "half-open",
            Kind::Cut { .. } => "cut",
            Kind::IdleCut { .. } => "idle-cut",
            Kind::SilentDrop { .. } => "silent-drop",
            Kind::Flapping { .. } => "flapping",
            Kind::SlowClose { .. } => "slow-close",
            Kind::Refuse { .. } => "refuse",
            Kind::AcceptDelay { .. } => "accept-delay",
            Kind::CloseFrame { .. } => "close-frame",
            Kind::DropPings => "drop-pings",
            Kind::DropPongs => "drop-pongs",
            Kind::Header { .. } => "header",
            Kind::Compression { .. } => "compression",
            Kind::Status { .. } => "status",
            Kind::Reload { .. } => "reload",
            Kind::Restart { .. } => "restart",
        }
    }
}

impl From<Spec> for Map<String, Value> {
    fn from(spec: Spec) -> Map<String, Value> {
        let mut table = Table(Map::new());
        table.put("kind", spec.fault.name());
        table.fault(&spec.fault);
        if spec.direction != Direction::Both {
            table.put("direction", spec.direction.name());
        }
        if spec.share < 1.0 {
            table.put("share", spec.share);
        }
        table.0
    }
}

struct Table(Map<String, Value>);

impl Table {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    fn time(&mut self, key: &str, duration: Duration) {
        self.put(key, undrop_text::duration::write(duration));
    }

    /// Left out when it is 0.
    fn more(&mut self, key: &str, duration: Duration) {
        if !duration.is_zero() {
            self.time(key, duration);
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.put(key, text);
        }
    }

    fn how(&mut self, how: &How) {
        let name = match how {
            How::Rst => "rst",
            How::Fin => "fin",
            How::Silent => "silent",
            How::Close { code, reason } => {
                self.put("code", *code);
                self.text("reason", reason);
                "close"
            }
        };
        self.put("how", name);
    }

    fn schedule(&mut self, schedule: Schedule) {
        match schedule {
            Schedule::Every(time) => self.time("every", time),
            Schedule::At(time) => self.time("at", time),
        }
    }

    fn fault(&mut self, fault: &Kind) {
        match fault {
            Kind::Latency { base, jitter, distribution } => {
                self.time("base", *base);
                self.more("jitter", *jitter);
                match distribution {
                    Distribution::Uniform => {}
                    Distribution::Normal => self.put("distribution", "normal"),
                    Distribution::Pareto => self.put("distribution", "pareto"),
                }
            }
            Kind::Bandwidth { rate } => self.put("rate", *rate),
            Kind::Slices { size, gap } => {
                self.put("size", *size as u64);
                self.more("gap", *gap);
            }
            Kind::BlackHole { after, lasts }
            | Kind::Stall { after, lasts }
            | Kind::Suspend { after, lasts } => {
                self.more("after", *after);
                lasts.iter().for_each(|lasts| self.time("lasts", *lasts));
            }
            Kind::HalfOpen { after } => self.time("after", *after),
            Kind::Cut { when, spread, how } => {
                match *when {
                    When::Age(age) => self.time("age", age),
                    When::Bytes(n) => self.put("bytes", n),
                    When::Frames(n) => self.put("frames", n),
                    When::MidFrame(n) => self.put("mid-frame", n),
                    When::MidMessage(n) => self.put("mid-message", n),
                }
                if *spread > 0.0 {
                    self.put("spread", *spread);
                }
                self.how(how);
            }
            Kind::IdleCut { after, how, counts } => {
                self.time("after", *after);
                self.how(how);
                match counts {
                    Counts::Any => {}
                    Counts::Data => self.put("counts", "data"),
                    Counts::Up => self.put("counts", "up"),
                    Counts::Down => self.put("counts", "down"),
                }
            }
            Kind::SilentDrop { when } => match *when {
                Forget::After(after) => self.time("after", after),
                Forget::Age(age) => self.time("age", age),
            },
            Kind::Flapping { up, down } => {
                self.time("up", *up);
                self.time("down", *down);
            }
            Kind::SlowClose { delay } | Kind::AcceptDelay { delay } => self.time("delay", *delay),
            Kind::Refuse { lasts } => lasts.iter().for_each(|lasts| self.time("lasts", *lasts)),
            Kind::CloseFrame { after, code, reason } => {
                self.time("after", *after);
                self.put("code", *code);
                self.text("reason", reason);
            }
            Kind::DropPings | Kind::DropPongs => {}
            Kind::Header { name, set, request } => {
                self.put("name", name.as_str());
                match set {
                    Some(value) => self.put("set", value.as_str()),
                    None => self.put("remove", true),
                }
                if !request {
                    self.put("on", "response");
                }
            }
            Kind::Compression { mode } => {
                self.put("mode", if *mode == Mode::Strip { "strip" } else { "corrupt" });
            }
            Kind::Status { status, headers, body } => {
                self.put("status", *status);
                if !headers.is_empty() {
                    let fields =
                        headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
                    self.put("headers", Value::Object(fields.collect()));
                }
                self.text("body", body);
            }
            Kind::Reload { when, grace, how } => {
                self.schedule(*when);
                self.more("grace", *grace);
                self.how(how);
            }
            Kind::Restart { when, down, how } => {
                self.schedule(*when);
                self.more("down", *down);
                self.how(how);
            }
        }
    }
}
