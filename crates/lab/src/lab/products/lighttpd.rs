//! The cases of lighttpd.

use std::process::Command;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};

const UPGRADE: &str = "proxy.header = ( \"upgrade\" => \"enable\" )";

pub(super) fn cases() -> Vec<LabCase> {
    let one = |name, truth, text: &'static str, server: &'static str| {
        LabCase::new("lighttpd", name, truth, move |bench| {
            let to = bench.backends.echo;
            serve(bench, text, server, to)
        })
    };
    let behind = |name, which: fn(&CaseEnvironment<'_>) -> std::net::SocketAddr| {
        LabCase::new(
            "lighttpd",
            name,
            finding("backend-unreachable", "the backend of lighttpd"),
            move |bench| {
                let to = which(bench);
                serve(bench, UPGRADE, ", \"read-timeout\" => 3", to)
            },
        )
    };
    vec![
        one("as delivered, with upgrade", Truth::Healthy, UPGRADE, ""),
        one(
            "server.max-read-idle 6",
            idle("lighttpd", 6.0),
            "proxy.header = ( \"upgrade\" => \"enable\" )\nserver.max-read-idle = 6",
            "",
        ),
        one(
            "server.max-read-idle 9",
            idle("lighttpd", 9.0),
            "proxy.header = ( \"upgrade\" => \"enable\" )\nserver.max-read-idle = 9",
            "",
        ),
        one("no upgrade", finding("upgrade-stripped", "lighttpd"), "", ""),
        behind("backend refuses", |bench| bench.backends.refuses),
        behind("backend ends the connection", |bench| bench.backends.dies),
        behind("backend hangs, read-timeout 3", |bench| bench.backends.hangs),
        one("stopped in the middle", finding("all-at-once", ""), UPGRADE, "")
            .event(|bench| bench.signal("TERM")),
    ]
}

fn serve(
    bench: &mut CaseEnvironment<'_>,
    more: &str,
    server: &str,
    to: std::net::SocketAddr,
) -> anyhow::Result<CaseTarget> {
    let folder = bench.folder.display();
    let text = format!(
        "server.document-root = \"{folder}\"\nserver.bind = \"127.0.0.1\"\nserver.port = {}\n\
         server.errorlog = \"{folder}/error.log\"\nserver.modules = ( \"mod_proxy\" )\n\
         proxy.server = ( \"\" => (( \"host\" => \"{}\", \"port\" => {}{server} )) )\n{more}\n",
        bench.port,
        to.ip(),
        to.port()
    );
    let config = bench.write("lighttpd.conf", &text)?;
    bench.start(Command::new("lighttpd").arg("-D").arg("-f").arg(config))?;
    Ok(CaseTarget::at(format!("ws://127.0.0.1:{}/echo", bench.port)))
}
