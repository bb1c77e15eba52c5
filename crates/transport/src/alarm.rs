//! A timer that is moved more often than it fires.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer for a future that is polled by hand. It allocates nothing before it is first set, and a poll that finds
/// neither a new deadline nor an elapsed one costs no call into the runtime.
///
/// Always poll an alarm from the same task: it is registered with the waker of the first poll after it was set.
#[derive(Debug, Default)]
pub struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    state: AlarmState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum AlarmState {
    #[default]
    Off,
    /// Set, but not polled since: no waker is registered.
    Unregistered,
    /// The task is woken at the deadline.
    Registered,
}

impl Alarm {
    /// Returns an alarm that is off.
    pub const fn new() -> Alarm {
        Alarm { sleep: None, state: AlarmState::Off }
    }

    /// Sets the deadline, in place of an earlier setting. The next [`poll`](Self::poll) registers the task.
    pub fn set(&mut self, at: Instant) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
        self.state = AlarmState::Unregistered;
    }

    /// Returns `Ready` once per setting, when the deadline has passed. Never ready while the alarm is off.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        let worth_polling = match self.state {
            AlarmState::Off => false,
            AlarmState::Unregistered => true,
            AlarmState::Registered => sleep.is_elapsed(),
        };
        if worth_polling && sleep.as_mut().poll(cx).is_ready() {
            self.state = AlarmState::Off;
            return Poll::Ready(());
        }
        // Without budget, the timer wakes the task at once instead of registering it, and must be polled again then.
        if worth_polling && has_budget_remaining() {
            self.state = AlarmState::Registered;
        }
        Poll::Pending
    }

    /// Waits for the earliest of the caller's deadlines, which is `next`. `now`: the present time; everything due by
    /// then is already handled.
    ///
    /// The timer is moved to earlier deadlines only, so postponing a deadline costs nothing. When it then fires too
    /// early, the caller finds nothing due and calls again.
    pub fn poll_earliest(&mut self, cx: &mut Context<'_>, next: Option<Instant>, now: Instant) -> Poll<()> {
        let Some(next) = next else { return Poll::Pending };
        let armed = match (self.state, &self.sleep) {
            (AlarmState::Off, _) | (_, None) => None,
            (_, Some(sleep)) => Some(sleep.deadline()),
        };
        if armed.is_none_or(|armed| next < armed || armed <= now) {
            self.set(next);
        }
        self.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn fires_once_at_its_deadline_and_is_off_until_it_is_set_again() {
        let start = Instant::now();
        let mut alarm = Alarm::new();
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx).is_pending())).await);
        alarm.set(start + 2 * SECOND);
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed(), 2 * SECOND);
        assert!(poll_fn(|cx| Poll::Ready(alarm.poll(cx).is_pending())).await);
        alarm.set(start + 3 * SECOND);
        poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(start.elapsed(), 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_missed_when_it_was_polled_without_budget() {
        let start = Instant::now();
        let task = tokio::spawn(async move {
            let mut alarm = Alarm::new();
            let mut exhausted = false;
            poll_fn(|cx| {
                if !exhausted {
                    exhausted = true;
                    while has_budget_remaining() {
                        let unit = std::pin::pin!(tokio::task::coop::consume_budget());
                        let _ = unit.poll(cx);
                    }
                    alarm.set(start + SECOND);
                }
                alarm.poll(cx)
            })
            .await;
            start.elapsed()
        });
        let elapsed = tokio::time::timeout(60 * SECOND, task).await;
        assert!(matches!(elapsed, Ok(Ok(SECOND))), "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn is_moved_to_earlier_deadlines_only() {
        let start = Instant::now();
        let mut alarm = Alarm::new();
        for next in [5, 2, 9] {
            let next = Some(start + next * SECOND);
            assert!(poll_fn(|cx| Poll::Ready(alarm.poll_earliest(cx, next, start).is_pending())).await);
        }
        // The postponed deadline keeps the earlier timer.
        poll_fn(|cx| alarm.poll_earliest(cx, Some(start + 9 * SECOND), start)).await;
        assert_eq!(start.elapsed(), 2 * SECOND);
        poll_fn(|cx| alarm.poll_earliest(cx, Some(start + 9 * SECOND), start)).await;
        assert_eq!(start.elapsed(), 9 * SECOND);
    }
}
