//! The cases of HAProxy.

use std::process::Command;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};

const HAPROXY: &str = "HAProxy";

/// The part of the configuration that differs between the cases.
#[derive(Default, Clone, Copy)]
struct HaproxySetting {
    global: &'static str,
    defaults: &'static str,
    /// Follows the address in `bind`; `CERT` is replaced by the certificate.
    bind: &'static str,
    frontend: &'static str,
}

pub(super) fn cases() -> Vec<LabCase> {
    let one = |name, truth, setting: HaproxySetting| {
        LabCase::new(HAPROXY, name, truth, move |bench| {
            let echo = bench.backends.echo;
            serve(bench, setting, &echo.to_string())
        })
    };
    let timed = |name, seconds, defaults| {
        one(name, idle(HAPROXY, seconds), HaproxySetting { defaults, ..HaproxySetting::default() })
    };
    let behind = |name, which: fn(&CaseEnvironment<'_>) -> std::net::SocketAddr| {
        LabCase::new(HAPROXY, name, finding("backend-unreachable", "the backend of HAProxy"), move |bench| {
            let to = which(bench).to_string();
            serve(
                bench,
                HaproxySetting {
                    defaults: "timeout client 60s\n timeout server 3s",
                    ..HaproxySetting::default()
                },
                &to,
            )
        })
    };
    let long = "timeout client 5s\n timeout server 5s\n timeout tunnel 1h";
    vec![
        timed("timeout client 5s, no timeout tunnel", 5.0, "timeout client 5s\n timeout server 9s"),
        timed("timeout server 6s, no timeout tunnel", 6.0, "timeout client 9s\n timeout server 6s"),
        timed("timeout tunnel 8s", 8.0, "timeout client 5s\n timeout server 5s\n timeout tunnel 8s"),
        timed("timeout tunnel 0 falls back", 5.0, "timeout client 5s\n timeout server 9s\n timeout tunnel 0"),
        one(
            "TLS, timeout tunnel 7s",
            idle(HAPROXY, 7.0),
            HaproxySetting {
                defaults: "timeout client 5s\n timeout server 5s\n timeout tunnel 7s",
                bind: "ssl crt CERT alpn http/1.1",
                ..HaproxySetting::default()
            },
        ),
        one(
            "timeout tunnel 1h",
            Truth::Healthy,
            HaproxySetting { defaults: long, ..HaproxySetting::default() },
        ),
        one(
            "TLS with h2 by ALPN alone",
            Truth::Healthy,
            HaproxySetting { defaults: long, bind: "ssl crt CERT alpn h2", ..HaproxySetting::default() },
        ),
        one(
            "TCP mode, timeout client 5s",
            idle("", 5.0),
            HaproxySetting {
                defaults: "mode tcp\n timeout client 5s\n timeout server 9s",
                ..HaproxySetting::default()
            },
        ),
        behind("backend refuses", |bench| bench.backends.refuses),
        behind("backend ends the connection", |bench| bench.backends.dies),
        behind("backend hangs", |bench| bench.backends.hangs),
        one(
            "deny",
            finding("handshake-refused", ""),
            HaproxySetting { defaults: long, frontend: "http-request deny", ..HaproxySetting::default() },
        ),
        one(
            "redirect",
            finding("redirected", ""),
            HaproxySetting {
                defaults: long,
                frontend: "http-request redirect location /elsewhere",
                ..HaproxySetting::default()
            },
        ),
        one(
            "reload, hard-stop-after 2s",
            finding("all-at-once", HAPROXY),
            HaproxySetting { defaults: long, global: "hard-stop-after 2s", ..HaproxySetting::default() },
        )
        .event(|bench| bench.signal("USR2")),
        one(
            "reload, old processes stay",
            Truth::Healthy,
            HaproxySetting { defaults: long, ..HaproxySetting::default() },
        )
        .event(|bench| bench.signal("USR2")),
        one(
            "stopped in the middle",
            finding("all-at-once", HAPROXY),
            HaproxySetting { defaults: long, ..HaproxySetting::default() },
        )
        .event(|bench| bench.signal("TERM")),
    ]
}

fn serve(bench: &mut CaseEnvironment<'_>, setting: HaproxySetting, to: &str) -> anyhow::Result<CaseTarget> {
    let HaproxySetting { global, defaults, bind, frontend } = setting;
    let bind = bind.replace("CERT", &bench.certificates.good.both.display().to_string());
    let text = format!(
        "global\n {global}\n\
         defaults\n mode http\n timeout connect 2s\n {defaults}\n\
         frontend f\n bind 127.0.0.1:{} {bind}\n {frontend}\n default_backend b\n\
         backend b\n server s {to}\n",
        bench.port
    );
    let config = bench.write("haproxy.cfg", &text)?;
    bench.start(Command::new("haproxy").arg("-W").arg("-f").arg(config))?;
    let (scheme, host) = if bind.is_empty() { ("ws", "127.0.0.1") } else { ("wss", "localhost") };
    Ok(CaseTarget::at(format!("{scheme}://{host}:{}/echo", bench.port)))
}
