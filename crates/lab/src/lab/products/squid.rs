//! Squid, as the forward proxy that the client goes through by CONNECT.

use std::process::Command;

use undrop_transport::ProxyChoice;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};

pub(super) fn cases() -> Vec<LabCase> {
    let one = |name, truth, text: &'static str| {
        LabCase::new("squid", name, truth, move |bench| {
            let to = bench.backends.echo;
            serve(bench, text, to)
        })
    };
    vec![
        one("as delivered", Truth::Healthy, "http_access allow all"),
        one("read_timeout 6 seconds", idle("Squid", 6.0), "http_access allow all\nread_timeout 6 seconds"),
        one("read_timeout 9 seconds", idle("Squid", 9.0), "http_access allow all\nread_timeout 9 seconds"),
        one(
            "client_lifetime 8 seconds (tunnels outlive it)",
            Truth::Healthy,
            "http_access allow all\nclient_lifetime 8 seconds",
        ),
        one(
            "http_access deny all",
            finding("forward-proxy-refuses", "forward proxy"),
            "http_access deny all",
        ),
        LabCase::new("squid", "target refuses", finding("forward-proxy-refuses", "forward proxy"), |bench| {
            let to = bench.backends.refuses;
            serve(bench, "http_access allow all", to)
        }),
    ]
}

fn serve(
    bench: &mut CaseEnvironment<'_>,
    more: &str,
    to: std::net::SocketAddr,
) -> anyhow::Result<CaseTarget> {
    let folder = bench.folder.display();
    let text = format!(
        "http_port 127.0.0.1:{}\npid_filename none\ncache deny all\naccess_log none\ncache_log /dev/null\n\
         coredump_dir {folder}\nvisible_hostname lab\nshutdown_lifetime 1 seconds\npinger_enable off\nlogfile_rotate 0\n{more}\n",
        bench.port
    );
    let config = bench.write("squid.conf", &text)?;
    let service = format!("lab{}", bench.port);
    bench.start(Command::new("squid").args(["-N", "-n", &service, "-f"]).arg(config))?;
    let proxy = ProxyChoice::Fixed(format!("http://127.0.0.1:{}", bench.port).parse()?);
    Ok(CaseTarget { proxy, ..CaseTarget::at(format!("ws://{to}/echo")) })
}
