//! The cases of Apache httpd.

use std::process::Command;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};

const APACHE: &str = "Apache";

pub(super) fn cases() -> Vec<LabCase> {
    // BACKEND stands for the address of the backend.
    let one = |name, truth, text: &'static str| {
        LabCase::new("apache", name, truth, move |bench| {
            let to = bench.backends.echo.to_string();
            serve(bench, &text.replace("BACKEND", &to), false)
        })
    };
    let behind = |name, which: fn(&CaseEnvironment<'_>) -> std::net::SocketAddr| {
        LabCase::new("apache", name, finding("backend-unreachable", "the backend of Apache"), move |bench| {
            let text = format!("Timeout 3\nProxyPass / http://{}/ upgrade=websocket", which(bench));
            serve(bench, &text, false)
        })
    };
    let healthy = "Timeout 60\nProxyPass / http://BACKEND/ upgrade=websocket";
    vec![
        one("Timeout 5", idle(APACHE, 5.0), "Timeout 5\nProxyPass / http://BACKEND/ upgrade=websocket"),
        one(
            "timeout=8 on ProxyPass",
            idle(APACHE, 8.0),
            "Timeout 5\nProxyPass / http://BACKEND/ upgrade=websocket timeout=8",
        ),
        one(
            "timeout=8 on a second ProxyPass is ignored",
            idle(APACHE, 5.0),
            "Timeout 5\nProxyPass /other http://BACKEND/ upgrade=websocket\nProxyPass / http://BACKEND/ upgrade=websocket timeout=8",
        ),
        one("mod_proxy_wstunnel, Timeout 6", idle(APACHE, 6.0), "Timeout 6\nProxyPass / ws://BACKEND/"),
        LabCase::new("apache", "TLS, Timeout 7", idle(APACHE, 7.0), |bench| {
            let text = format!("Timeout 7\nProxyPass / http://{}/ upgrade=websocket", bench.backends.echo);
            serve(bench, &text, true)
        }),
        one("Timeout 60", Truth::Healthy, healthy),
        one("ProxyPass without upgrade=", finding("upgrade-stripped", APACHE), "ProxyPass / http://BACKEND/"),
        behind("backend refuses", |bench| bench.backends.refuses),
        behind("backend ends the connection", |bench| bench.backends.dies),
        behind("backend hangs", |bench| bench.backends.hangs),
        one(
            "all denied",
            finding("handshake-refused", ""),
            "<Location />\nRequire all denied\n</Location>\nProxyPass / http://BACKEND/ upgrade=websocket",
        ),
        one("graceful restart", Truth::Healthy, healthy).event(|bench| bench.signal("USR1")),
        one("restart", finding("all-at-once", APACHE), healthy).event(|bench| bench.signal("HUP")),
        one("stopped in the middle", finding("all-at-once", APACHE), healthy)
            .event(|bench| bench.signal("TERM")),
    ]
}

fn serve(bench: &mut CaseEnvironment<'_>, more: &str, tls: bool) -> anyhow::Result<CaseTarget> {
    let folder = bench.folder.display();
    let modules: String =
        ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel", "ssl", "socache_shmcb"]
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .concat();
    let tls_text = if tls {
        let pair = &bench.certificates.good;
        format!(
            "SSLEngine on\nSSLCertificateFile {}\nSSLCertificateKeyFile {}\n",
            pair.cert.display(),
            pair.key.display()
        )
    } else {
        String::new()
    };
    let text = format!(
        "ServerRoot {folder}\nServerName localhost\nDefaultRuntimeDir {folder}\nPidFile {folder}/pid\nErrorLog {folder}/error.log\n\
         Listen 127.0.0.1:{}\n{modules}User www-data\nGroup www-data\nStartServers 1\nMinSpareThreads 25\nThreadsPerChild 64\n\
         MaxRequestWorkers 256\nServerLimit 4\n{tls_text}{more}\n",
        bench.port
    );
    let config = bench.write("httpd.conf", &text)?;
    bench.start(Command::new("apache2").arg("-D").arg("FOREGROUND").arg("-f").arg(config))?;
    let (scheme, host) = if tls { ("wss", "localhost") } else { ("ws", "127.0.0.1") };
    Ok(CaseTarget::at(format!("{scheme}://{host}:{}/echo", bench.port)))
}
