//! Buffers that belong to the thread and are used only between two awaits, so that an idle connection owns none.

use std::cell::Cell;

/// Large enough that one read empties a default socket buffer's worth of small messages.
const READ: usize = 128 * 1024;
/// A write buffer that grew beyond this is given back to the allocator.
const KEEP: usize = 256 * 1024;

thread_local! {
    static READ_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WRITE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's read buffer (128 KiB, content unspecified). A nested call gets a fresh one.
pub fn with<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = READ_BUFFER.take();
    if buffer.is_empty() {
        buffer = vec![0; READ];
    }
    let result = f(&mut buffer);
    READ_BUFFER.set(buffer);
    result
}

/// Lends the thread's write buffer, empty. What is left in it afterwards is discarded.
pub(crate) fn with_write<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = WRITE_BUFFER.take();
    buffer.clear();
    let result = f(&mut buffer);
    if buffer.capacity() <= KEEP {
        WRITE_BUFFER.set(buffer);
    }
    result
}
