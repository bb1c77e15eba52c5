//! Reports limits of this machine.

use undrop_report::{Confidence, Finding, Fix, Severity};

use super::Check;
use crate::analysis::Case;

pub(super) const CHECK: Check = Check {
    id: "local-limits",
    doc: "
# Limits of this machine

These are settings of the machine on which the run was made that matter for clients or servers on it: connection tracking that
forgets idle connections early, a limit of open files that a server reaches at about a thousand connections, and a forward
proxy from the environment through which the connections went.

They are notes: whether they apply depends on the programs on this machine.
",
    cases: &[51],
    evaluate,
};

fn evaluate(case: &Case<'_>) -> Vec<Finding> {
    let local = &case.seen.local;
    let mut found = Vec::new();
    if let Some(seconds) = local.conntrack_established_s.filter(|seconds| *seconds < 3_600) {
        let cause =
            format!("Connection tracking on this machine forgets idle connections after {seconds} s.");
        found.push(
            note(cause)
                .evidence(format!("net.netfilter.nf_conntrack_tcp_timeout_established is {seconds}"))
                .fix(Fix::block(
                    "sh",
                    "sysctl net.netfilter.nf_conntrack_tcp_timeout_established=432000",
                    "5 days, the default of Linux.",
                )),
        );
    }
    if let Some(files) = local.open_files.filter(|files| *files <= 1_024) {
        let cause = format!(
            "Programs on this machine can open {files} files: a proxy reaches the limit at about {} WebSockets.",
            files / 2
        );
        found.push(note(cause).evidence(format!("Max open files is {files}")).fix(Fix::block(
            "sh",
            "ulimit -n 65536",
            "For the shell that starts the server; LimitNOFILE=65536 for a systemd unit.",
        )));
    }
    if let Some(proxy) = &case.target.proxy {
        let cause =
            format!("The connections went through the forward proxy {proxy}, which can affect every result.");
        let names = local.proxy_variables.join(", ");
        found.push(
            note(cause)
                .evidence(if names.is_empty() {
                    "given by --proxy".to_owned()
                } else {
                    format!("set by {names}")
                })
                .fix(Fix::words("Compare with a run without the proxy: NO_PROXY=HOST undrop doctor …")),
        );
    }
    found
}

fn note(cause: String) -> Finding {
    Finding::new(CHECK.id, Severity::Note, Confidence::High, cause)
        .at("this machine")
        .refuted_by("a run from another machine with the same result")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{fires, healthy, silent, with};

    #[test]
    fn each_limit_is_a_note() {
        let mut seen = healthy();
        seen.local.conntrack_established_s = Some(300);
        assert!(fires(&CHECK, &seen).cause.contains("after 300 s"));
        let mut seen = healthy();
        seen.local.open_files = Some(1024);
        assert!(fires(&CHECK, &seen).cause.contains("at about 512"));
        let seen = with(|target| target.proxy = Some("http://proxy.example:3128".to_owned()));
        assert!(fires(&CHECK, &seen).cause.contains("proxy.example"));
        silent(&CHECK, &healthy());
    }
}
