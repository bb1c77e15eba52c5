//! The cases of Varnish.

use std::process::Command;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};

const PIPE: &str = "sub vcl_recv { if (req.http.upgrade ~ \"(?i)websocket\") { return (pipe); } }\n\
                    sub vcl_pipe { if (req.http.upgrade) { set bereq.http.upgrade = req.http.upgrade; set bereq.http.connection = req.http.connection; } }\n";

pub(super) fn cases() -> Vec<LabCase> {
    let piped = |name, truth, parameter: &'static str| {
        LabCase::new("varnish", name, truth, move |bench| {
            let to = bench.backends.echo;
            serve(bench, PIPE, to, &[parameter])
        })
    };
    let behind = |name, which: fn(&CaseEnvironment<'_>) -> std::net::SocketAddr| {
        LabCase::new(
            "varnish",
            name,
            finding("backend-unreachable", "the backend of Varnish"),
            move |bench| {
                let to = which(bench);
                serve(bench, "", to, &["first_byte_timeout=3"])
            },
        )
    };
    vec![
        piped("pipe_timeout 6", idle("Varnish", 6.0), "pipe_timeout=6"),
        piped("pipe_timeout 9", idle("Varnish", 9.0), "pipe_timeout=9"),
        piped("pipe, as delivered", Truth::Healthy, "pipe_timeout=60"),
        LabCase::new("varnish", "no pipe", finding("upgrade-stripped", "Varnish"), |bench| {
            let to = bench.backends.echo;
            serve(bench, "", to, &[])
        }),
        behind("backend refuses", |bench| bench.backends.refuses),
        behind("backend ends the connection", |bench| bench.backends.dies),
        behind("backend hangs, first_byte_timeout 3", |bench| bench.backends.hangs),
    ]
}

fn serve(
    bench: &mut CaseEnvironment<'_>,
    vcl: &str,
    to: std::net::SocketAddr,
    parameters: &[&str],
) -> anyhow::Result<CaseTarget> {
    let text =
        format!("vcl 4.1;\nbackend default {{ .host = \"{}\"; .port = \"{}\"; }}\n{vcl}", to.ip(), to.port());
    let config = bench.write("default.vcl", &text)?;
    let mut command = Command::new("varnishd");
    command.args(["-F", "-j", "none", "-s", "malloc,8m", "-p", "thread_pool_min=10", "-p", "thread_pools=1"]);
    for parameter in parameters {
        command.args(["-p", parameter]);
    }
    command
        .args(["-a", &format!("127.0.0.1:{}", bench.port), "-n"])
        .arg(bench.folder.join("work"))
        .arg("-f")
        .arg(config);
    bench.start(&mut command)?;
    Ok(CaseTarget::at(format!("ws://127.0.0.1:{}/echo", bench.port)))
}
