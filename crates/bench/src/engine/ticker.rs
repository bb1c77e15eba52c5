//! The timer of a schedule. The timers of the runtime have a resolution of one millisecond and may be late by another one, which
//! would dominate the latency of a fast target; a timer of the kernel is precise.

use std::io;

use tokio::time::sleep_until;

use crate::clock::Clock;

/// A timer for times of the run.
#[derive(Debug)]
pub(crate) struct Ticker {
    clock: Clock,
    #[cfg(target_os = "linux")]
    timer: tokio::net::unix::pipe::Receiver,
}

impl Ticker {
    #[cfg(target_os = "linux")]
    pub(crate) fn new(clock: Clock) -> io::Result<Ticker> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // A timer is read like a pipe, and tokio's pipe type accepts any such file descriptor.
        Ok(Ticker { clock, timer: tokio::net::unix::pipe::Receiver::from_owned_fd_unchecked(timer)? })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new(clock: Clock) -> io::Result<Ticker> {
        Ok(Ticker { clock })
    }

    /// Waits until this time of the run; returns at once if it has passed.
    #[cfg(target_os = "linux")]
    pub(crate) async fn until(&self, at_us: u64) {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let left = at_us.saturating_sub(self.clock.now_us());
        if left == 0 {
            return;
        }
        let wait = Timespec {
            tv_sec: i64::try_from(left / 1_000_000).unwrap_or(i64::MAX),
            tv_nsec: (left % 1_000_000 * 1000) as _,
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: wait };
        if timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once).is_err() {
            return sleep_until(self.clock.instant(at_us)).await;
        }
        while self.clock.now_us() < at_us {
            if self.timer.readable().await.is_err() {
                return sleep_until(self.clock.instant(at_us)).await;
            }
            // The loop checks the clock, so a spurious wake-up is harmless.
            let _ = self.timer.try_read(&mut [0; 8]);
        }
    }

    /// Waits until this time of the run; returns at once if it has passed.
    #[cfg(not(target_os = "linux"))]
    pub(crate) async fn until(&self, at_us: u64) {
        sleep_until(self.clock.instant(at_us)).await;
    }
}
