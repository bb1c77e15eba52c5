//! The cases of nginx.

use std::process::Command;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};
use crate::lab::certificates::CertifiedKey;

const UPGRADE: &str =
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;";
const NGINX: &str = "nginx";

pub(super) fn cases() -> Vec<LabCase> {
    let timed = |name, seconds: u32| {
        LabCase::new(NGINX, name, idle(NGINX, f64::from(seconds)), move |bench| {
            let location = format!("{} {UPGRADE} proxy_read_timeout {seconds}s;", pass(bench));
            plain(bench, &location, "")
        })
    };
    let behind = |name, id, which: fn(&CaseEnvironment<'_>) -> std::net::SocketAddr| {
        LabCase::new(NGINX, name, finding(id, "the backend of nginx"), move |bench| {
            let to = which(bench);
            plain(bench, &format!("proxy_pass http://{to}; {UPGRADE} proxy_read_timeout 3s;"), "")
        })
    };
    let certificate = |name, part: fn(&CaseEnvironment<'_>) -> CertifiedKey| {
        LabCase::new(NGINX, name, finding("certificate", "TLS"), move |bench| {
            let pair = part(bench);
            secure(bench, &pair, "", "60s")
        })
    };
    vec![
        timed("proxy_read_timeout 5s", 5),
        timed("proxy_read_timeout 7s", 7),
        timed("proxy_read_timeout 9s", 9),
        LabCase::new(NGINX, "TLS, proxy_read_timeout 6s", idle(NGINX, 6.0), |bench| {
            let pair = bench.certificates.good.clone();
            secure(bench, &pair, "", "6s")
        }),
        LabCase::new(NGINX, "timeouts as delivered", Truth::Healthy, |bench| {
            plain(bench, &format!("{} {UPGRADE}", pass(bench)), "")
        }),
        LabCase::new(NGINX, "proxy_send_timeout 5s alone", Truth::Healthy, |bench| {
            plain(bench, &format!("{} {UPGRADE} proxy_send_timeout 5s;", pass(bench)), "")
        }),
        LabCase::new(NGINX, "read timeout 5s, the server pushes each second", idle(NGINX, 5.0), |bench| {
            let target = plain(bench, &format!("{} {UPGRADE} proxy_read_timeout 5s;", pass(bench)), "")?;
            Ok(CaseTarget {
                subscribe: Some("subscribe".to_owned()),
                url: target.url.replace("/echo", "/push"),
                ..target
            })
        }),
        LabCase::new(NGINX, "no Upgrade, no Connection", finding("upgrade-stripped", NGINX), |bench| {
            plain(bench, &format!("{} proxy_http_version 1.1;", pass(bench)), "")
        }),
        LabCase::new(NGINX, "Upgrade, but no Connection", finding("upgrade-stripped", NGINX), |bench| {
            let upgrade = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;";
            plain(bench, &format!("{} {upgrade}", pass(bench)), "")
        }),
        behind("backend refuses", "backend-unreachable", |bench| bench.backends.refuses),
        behind("backend ends the connection", "backend-unreachable", |bench| bench.backends.dies),
        behind("backend hangs", "backend-unreachable", |bench| bench.backends.hangs),
        LabCase::new(NGINX, "reload, worker_shutdown_timeout 2s", finding("all-at-once", NGINX), |bench| {
            plain(bench, &format!("{} {UPGRADE}", pass(bench)), "worker_shutdown_timeout 2s;")
        })
        .event(|bench| bench.signal("HUP")),
        LabCase::new(NGINX, "reload, workers keep their connections", Truth::Healthy, |bench| {
            plain(bench, &format!("{} {UPGRADE}", pass(bench)), "")
        })
        .event(|bench| bench.signal("HUP")),
        LabCase::new(NGINX, "stopped in the middle", finding("all-at-once", NGINX), |bench| {
            plain(bench, &format!("{} {UPGRADE}", pass(bench)), "")
        })
        .event(|bench| bench.signal("TERM")),
        LabCase::new(NGINX, "a page instead", finding("answers-plain-page", ""), |bench| {
            plain(bench, "default_type text/html; return 200 '<!doctype html>';", "")
        }),
        LabCase::new(NGINX, "redirect to the path with a slash", finding("redirected", ""), |bench| {
            let location = format!("{} {UPGRADE} rewrite ^/echo$ /echo/ permanent;", pass(bench));
            plain(bench, &location, "")
        }),
        LabCase::new(NGINX, "deny all", finding("handshake-refused", ""), |bench| {
            plain(bench, "deny all;", "")
        }),
        certificate("certificate expired", |bench| bench.certificates.expired.clone()),
        certificate("certificate for another name", |bench| bench.certificates.other.clone()),
        LabCase::new(NGINX, "TLS 1.1 alone", finding("certificate", "TLS"), |bench| {
            let pair = bench.certificates.good.clone();
            let old = "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;";
            secure(bench, &pair, old, "60s")
        }),
        LabCase::new(NGINX, "ws:// to its TLS port", finding("not-http", "the URL"), |bench| {
            let pair = bench.certificates.good.clone();
            let target = secure(bench, &pair, "", "60s")?;
            Ok(CaseTarget::at(target.url.replace("wss:", "ws:")))
        }),
    ]
}

fn pass(bench: &CaseEnvironment<'_>) -> String {
    format!("proxy_pass http://{};", bench.backends.echo)
}

fn plain(bench: &mut CaseEnvironment<'_>, location: &str, main: &str) -> anyhow::Result<CaseTarget> {
    let listen = format!("listen 127.0.0.1:{};", bench.port);
    serve(bench, &listen, location, main)?;
    Ok(CaseTarget::at(format!("ws://127.0.0.1:{}/echo", bench.port)))
}

fn secure(
    bench: &mut CaseEnvironment<'_>,
    pair: &CertifiedKey,
    more: &str,
    timeout: &str,
) -> anyhow::Result<CaseTarget> {
    let (cert, key) = (pair.cert.display(), pair.key.display());
    let listen = format!(
        "listen 127.0.0.1:{} ssl; ssl_certificate {cert}; ssl_certificate_key {key}; {more}",
        bench.port
    );
    let location = format!("{} {UPGRADE} proxy_read_timeout {timeout};", pass(bench));
    serve(bench, &listen, &location, "")?;
    Ok(CaseTarget::at(format!("wss://localhost:{}/echo", bench.port)))
}

fn serve(bench: &mut CaseEnvironment<'_>, listen: &str, location: &str, main: &str) -> anyhow::Result<()> {
    let folder = bench.folder.display();
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};"))
        .concat();
    let text = format!(
        "daemon off; pid {folder}/pid; error_log {folder}/error.log info; worker_processes 1; {main}\n\
         events {{ worker_connections 256; }}\n\
         http {{ access_log off; {temp}\n server {{ {listen} location / {{ {location} }} }} }}\n"
    );
    let config = bench.write("nginx.conf", &text)?;
    let mut command = Command::new("nginx");
    command.arg("-e").arg(bench.folder.join("start.log")).arg("-c").arg(config);
    bench.start(&mut command)
}
