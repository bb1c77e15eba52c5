//! Views of an [`Ending`] that several checks need.

use undrop_frame::Ending;

/// Returns the code of the received Close frame, if there was one.
pub(crate) fn close_code(ending: &Ending) -> Option<u16> {
    ending.close().map(|(code, _)| code.get())
}

/// Describes an ending: with its reason if it has one, and with the code that a browser reports if that says less.
pub(crate) fn described(ending: &Ending) -> String {
    match ending.close() {
        Some((_, reason)) if !reason.is_empty() => format!("{ending}, reason “{reason}”"),
        Some(_) => ending.to_string(),
        None => format!("{ending} (a browser reports {})", ending.browser_view().get()),
    }
}
