//! The deadlines of a session's task, with one runtime timer for all of them.

use std::task::Context;
use std::time::{Duration, Instant};

use undrop_transport::Alarm;

/// The time after a burst at which its buffers are freed.
pub(super) const TIDY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct DriverTimers {
    alarm: Alarm,
    /// When unused memory is freed, unless there was activity in the meantime.
    pub(super) tidy_at: Option<Instant>,
    /// The time of the last activity on either connection.
    pub(super) moved_at: Option<Instant>,
    /// When the wait for the backend's Close frame ends.
    pub(super) close_at: Option<Instant>,
}

impl DriverTimers {
    /// Arranges that the task is woken for the earliest of these deadlines and of `others`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, others: [Option<Instant>; 2]) {
        let own = [self.tidy_at, self.close_at];
        let next = own.into_iter().chain(others).flatten().min().map(tokio::time::Instant::from_std);
        if self.alarm.poll_earliest(cx, next, tokio::time::Instant::from_std(now)).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}
