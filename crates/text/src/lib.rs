//! The vocabulary that every part of undrop shares when it reads text from people or writes text for them.
//!
//! | module | purpose |
//! |---|---|
//! | [`duration`] | parse and write durations: `100ms`, `1.5s`, `5 minutes` |
//! | [`size`] | parse sizes in bytes: `64KiB`, `1.5MB`, `4k` |
//! | [`number`] | format counts, rates, percentages, times and byte sizes for reports |
//! | [`suggest`] | find the known name closest to a mistyped one |
//! | [`printable`] | make text from elsewhere safe for a terminal, a log, HTML and Markdown |
//!
//! There is one grammar for durations and one for sizes, so a value that one command accepts is accepted by all of them, with
//! the same meaning.

mod decimal;

pub mod duration;
pub mod number;
pub mod printable;
pub mod size;
pub mod suggest;
