//! The conclusion of a run for scripts.

use undrop_report::{Report, Severity};

use crate::observations::Observations;

/// The conclusion of a run, from which the exit code follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// There is no finding, or only notes.
    Good,
    /// There are warnings or errors.
    Findings,
    /// No WebSocket could be opened.
    Handshake,
    /// TLS failed, or its certificate would not be accepted.
    Tls,
    /// A connection ended before the expected age.
    DroppedEarly,
}

impl Conclusion {
    /// Returns the conclusion of a run and its report.
    pub fn of(seen: &Observations, report: &Report) -> Conclusion {
        let Some(target) = seen.target() else { return Conclusion::Handshake };
        if target.tls.as_ref().is_some_and(|tls| !tls.speaks() || tls.distrust.is_some())
            || target.requires_client_certificate()
        {
            return Conclusion::Tls;
        }
        if !target.opens() {
            return Conclusion::Handshake;
        }
        if let Some(expected_s) = seen.plan.expect_alive_s
            && target
                .connections
                .iter()
                .any(|connection| connection.end.is_some() && connection.age_s < expected_s)
        {
            return Conclusion::DroppedEarly;
        }
        match report.worst() {
            Some(Severity::Warning | Severity::Error) => Conclusion::Findings,
            _ => Conclusion::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{connections, dropped, healthy, http, refused};
    use crate::diagnose;
    use crate::observations::TlsResult;
    use undrop_frame::Ending;

    fn of(seen: &Observations) -> Conclusion {
        Conclusion::of(seen, &diagnose(seen))
    }

    #[test]
    fn each_conclusion_has_its_run() {
        assert_eq!(of(&healthy()), Conclusion::Good);
        assert_eq!(of(&refused(http(502, &[], ""))), Conclusion::Handshake);
        let mut seen = healthy();
        seen.endpoints[0].tls = Some(TlsResult::default());
        assert_eq!(of(&seen), Conclusion::Tls);
        let mut seen = healthy();
        seen.endpoints = vec![connections(|connection| {
            if connection.traffic.is_quiet() { dropped(connection, 60.0, Ending::Fin) } else { connection }
        })];
        assert_eq!(of(&seen), Conclusion::Findings);
        seen.plan.expect_alive_s = Some(100.0);
        assert_eq!(of(&seen), Conclusion::DroppedEarly);
    }
}
