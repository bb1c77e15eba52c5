//! The end of a link, as the machine sees it.

use std::time::Duration;

use undrop_frame::{CloseCode, Retry};

/// The maximum of a delay that the peer names, so that no peer keeps a client away for good.
const LONGEST_HINT: Duration = Duration::from_secs(24 * 60 * 60);

/// The end of a link or of an attempt, reduced to the facts that the machine acts on. The driver reports the full
/// [`Ending`](undrop_frame::Ending).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkEnd {
    /// The code and the reason of a received Close frame.
    pub close: Option<(CloseCode, String)>,
    /// The status of a refused handshake.
    pub status: Option<u16>,
    /// The field `Retry-After` of a refused handshake.
    pub retry_after: Option<Duration>,
    /// No attempt can ever succeed, for example because the URL is invalid.
    pub fatal: bool,
}

impl LinkEnd {
    /// Returns the delay that the peer named, at most a day: `Retry-After`, or `retry=<ms>` in the reason of 1012 and 1013.
    pub fn hint(&self) -> Option<Duration> {
        let hint = self.retry_after.or_else(|| {
            let (_, reason) = self.close.as_ref().filter(|(code, _)| code.retry() == Retry::AfterHint)?;
            retry_hint(reason)
        });
        hint.map(|hint| hint.min(LONGEST_HINT))
    }

    /// Returns whether another attempt would end the same way.
    pub(super) fn is_final(&self) -> bool {
        let refused = self
            .status
            .is_some_and(|status| (300..500).contains(&status) && !matches!(status, 408 | 425 | 429));
        self.fatal || refused
    }
}

/// Parses `retry=<ms>` at any position in the reason of a close.
pub fn retry_hint(reason: &str) -> Option<Duration> {
    let (_, digits) = reason.split_once("retry=")?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints() {
        assert_eq!(retry_hint("retry=1500"), Some(Duration::from_millis(1500)));
        assert_eq!(retry_hint("drain; retry=20, bye"), Some(Duration::from_millis(20)));
        assert_eq!(retry_hint("retry=x"), None);
        assert_eq!(retry_hint(""), None);
        let end = |code, reason: &str| LinkEnd {
            close: Some((CloseCode::new(code), reason.to_owned())),
            ..LinkEnd::default()
        };
        assert_eq!(end(1013, "retry=7").hint(), Some(Duration::from_millis(7)));
        assert_eq!(end(1001, "retry=7").hint(), None);
        let away = Duration::from_secs(u64::MAX);
        assert_eq!(LinkEnd { retry_after: Some(away), ..LinkEnd::default() }.hint(), Some(LONGEST_HINT));
        assert_eq!(end(1013, "retry=18446744073709551615").hint(), Some(LONGEST_HINT));
    }
}
