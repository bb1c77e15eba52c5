//! Helpers for state that tasks and threads share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Locks a mutex, even after a thread panicked while it held the lock. For data that every statement under the lock
/// leaves consistent.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores the waker of the current task, to be woken when the awaited change happens. Returns `false` when the stored
/// waker already wakes this task, so nothing was cloned.
pub fn register_waker(stored: &mut Option<Waker>, cx: &Context<'_>) -> bool {
    if stored.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        return false;
    }
    *stored = Some(cx.waker().clone());
    true
}
