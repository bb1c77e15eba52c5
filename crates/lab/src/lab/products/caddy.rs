//! The cases of Caddy.

use std::process::Command;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};

const CADDY: &str = "Caddy";

pub(super) fn cases() -> Vec<LabCase> {
    let one = |name, truth, text: &'static str| {
        LabCase::new("caddy", name, truth, move |bench| {
            let to = bench.backends.echo.to_string();
            serve(bench, "http://127.0.0.1", &text.replace("BACKEND", &to), false)
        })
    };
    let behind = |name, which: fn(&CaseEnvironment<'_>) -> std::net::SocketAddr| {
        LabCase::new("caddy", name, finding("backend-unreachable", "the backend of Caddy"), move |bench| {
            let to = which(bench);
            let text =
                format!("reverse_proxy {to} {{\n transport http {{\n response_header_timeout 3s\n }}\n}}");
            serve(bench, "http://127.0.0.1", &text, false)
        })
    };
    vec![
        one("as delivered", Truth::Healthy, "reverse_proxy BACKEND"),
        one(
            "read_timeout 6s of the transport",
            idle(CADDY, 6.0),
            "reverse_proxy BACKEND {\n transport http {\n read_timeout 6s\n }\n}",
        ),
        one(
            "read_timeout 8s of the transport",
            idle(CADDY, 8.0),
            "reverse_proxy BACKEND {\n transport http {\n read_timeout 8s\n }\n}",
        ),
        LabCase::new("caddy", "TLS with h2 and http/1.1", Truth::Healthy, |bench| {
            let text = format!("reverse_proxy {}", bench.backends.echo);
            serve(bench, "https://localhost", &text, true)
        }),
        LabCase::new("caddy", "no site has the host", finding("answers-plain-page", CADDY), |bench| {
            let text = format!("reverse_proxy {}", bench.backends.echo);
            serve(bench, "http://elsewhere.test", &text, false)
        }),
        behind("backend refuses", |bench| bench.backends.refuses),
        behind("backend ends the connection", |bench| bench.backends.dies),
        behind("backend hangs", |bench| bench.backends.hangs),
        one("respond 403", finding("handshake-refused", ""), "respond 403"),
        one("redirect", finding("redirected", ""), "redir * /elsewhere permanent"),
        one("reload with another configuration", finding("all-at-once", CADDY), "reverse_proxy BACKEND")
            .event(reload),
        one("stopped in the middle", finding("all-at-once", CADDY), "reverse_proxy BACKEND")
            .event(|bench| bench.signal("TERM")),
    ]
}

fn serve(bench: &mut CaseEnvironment<'_>, site: &str, block: &str, tls: bool) -> anyhow::Result<CaseTarget> {
    let pair = &bench.certificates.good;
    let tls_line =
        if tls { format!("tls {} {}\n", pair.cert.display(), pair.key.display()) } else { String::new() };
    let text = format!(
        "{{\n admin 127.0.0.1:{}\n auto_https off\n}}\n{site}:{} {{\n{tls_line}{block}\n}}\n",
        bench.other_port, bench.port
    );
    let config = bench.write("Caddyfile", &text)?;
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
    command
        .env("XDG_DATA_HOME", &bench.folder)
        .env("XDG_CONFIG_HOME", &bench.folder)
        .env("HOME", &bench.folder);
    bench.start(&mut command)?;
    let (scheme, host) = if tls { ("wss", "localhost") } else { ("ws", "127.0.0.1") };
    Ok(CaseTarget::at(format!("{scheme}://{host}:{}/echo", bench.port)))
}

/// Another configuration: the same one again would change nothing.
fn reload(bench: &CaseEnvironment<'_>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(bench.folder.join("Caddyfile"))?;
    let config = bench
        .write("Caddyfile.new", &text.replace("reverse_proxy", "header X-Reloaded yes\nreverse_proxy"))?;
    // Not waited for: other cases are measuring.
    Command::new("caddy")
        .args([
            "reload",
            "--adapter",
            "caddyfile",
            "--address",
            &format!("127.0.0.1:{}", bench.other_port),
            "--config",
        ])
        .arg(config)
        .env("HOME", &bench.folder)
        .stderr(std::process::Stdio::null())
        .spawn()?;
    Ok(())
}
