//! Finds permessage-deflate that is negotiated and does not work.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::{Case, described};
use crate::observations::{CompressionTest, MessageOutcome};

pub(super) const CHECK: Check = Check {
    id: "compression-broken",
    doc: "
# Compression is negotiated but does not work

The handshake negotiates permessage-deflate, and compressed messages are then rejected or lost: one side, or an intermediary
that parses frames, does not support it. Many libraries compress only messages of 1 KiB and more, so small messages work and
the first large one ends the connection with “RSV1 must be clear” or “invalid opcode”.

The same messages arrive if compression is not offered.
",
    cases: &[39],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let broken = |one: &&CompressionTest| one.offered && one.agreed.is_some() && is_bad(&one.result);
    let Some(bad) = case.target.compression.iter().find(broken) else { return Vec::new() };
    let plain = case.target.compression.iter().find(|one| {
        !one.offered && one.size == bad.size && one.compressible == bad.compressible && one.result.arrived()
    });
    if plain.is_none() {
        return Vec::new();
    }
    let what = match &bad.result {
        MessageOutcome::Ended { end, .. } => format!("ends the connection: {}", described(end)),
        MessageOutcome::Other { .. } => "comes back changed".to_owned(),
        _ => "gets no reply".to_owned(),
    };
    let agreed = bad.agreed.as_deref().unwrap_or_default();
    vec![
        Finding::new(
            CHECK.id,
            Severity::Error,
            Confidence::High,
            format!("permessage-deflate is negotiated but does not work: a compressed message of {} bytes {what}.", bad.size),
        )
        .at("the server, or a hop that parses frames")
        .evidence(format!("with compression ({agreed}), {} bytes: {what}", bad.size))
        .evidence(format!("without compression, {} bytes: arrive", bad.size))
        .refuted_by("compressed messages that arrive directly at the server (--direct URL; then a hop in between is the cause)")
        .fix(Fix::words(
            "Disable permessage-deflate in the server (ws: perMessageDeflate: false; Python websockets: compression=None), or \
             correct the side that does not support it.",
        )),
    ]
}

fn is_bad(result: &MessageOutcome) -> bool {
    matches!(result, MessageOutcome::Ended { .. } | MessageOutcome::Silent { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};
    use crate::observations::Observations;
    use undrop_frame::{CloseCode, Ending};

    fn matrix(compressed: MessageOutcome, plain: MessageOutcome) -> Observations {
        let one = |offered: bool, result: MessageOutcome| CompressionTest {
            offered,
            agreed: offered.then(|| "no context takeover".to_owned()),
            size: 2048,
            compressible: true,
            result,
        };
        with(|target| target.compression = vec![one(false, plain), one(true, compressed)])
    }

    #[test]
    fn only_what_works_without_compression_is_blamed_on_it() {
        let ended = || MessageOutcome::Ended {
            end: Ending::Close { code: CloseCode::new(1002), reason: "RSV1".to_owned() },
            after_s: 0.1,
        };
        let fine = || MessageOutcome::Returned { rtt_s: 0.1 };
        let found = fires(&CHECK, &matrix(ended(), fine()));
        assert!(found.cause.contains("close 1002"), "{}", found.cause);
        silent(&CHECK, &matrix(fine(), fine()));
        silent(&CHECK, &matrix(ended(), ended()));
        silent(&CHECK, &healthy());
    }
}
