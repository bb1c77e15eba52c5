//! No product: the server itself, and faults injected before it, such as those of networks, which no program here makes.

use std::process::Command;

use undrop_chaos::Chaos;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};

pub(super) fn cases() -> Vec<LabCase> {
    let injected = |name, truth, fault: &'static str| {
        LabCase::new("fault", name, truth, move |bench| {
            let backend = bench.backends.echo;
            inject(bench, backend, fault)
        })
    };
    let silent = |value: f64| Truth::Finding { id: "silent-drop", hop: "", value: Some(value) };
    let cap = |value: f64| Truth::Finding { id: "lifetime-cap", hop: "", value: Some(value) };
    vec![
        LabCase::new("backend", "nothing before it", Truth::Healthy, |bench| {
            Ok(CaseTarget::at(format!("ws://{}/echo", bench.backends.echo)))
        }),
        LabCase::new("backend", "closes after 5 s of silence", idle("", 5.0), |bench| {
            Ok(CaseTarget::at(format!("ws://{}/idle", bench.backends.echo)))
        }),
        LabCase::new("backend", "refuses", finding("cannot-connect", "127.0.0.1"), |bench| {
            Ok(CaseTarget::at(format!("ws://{}/echo", bench.backends.refuses)))
        }),
        LabCase::new("backend", "hangs", finding("backend-unreachable", ""), |bench| {
            Ok(CaseTarget::at(format!("ws://{}/echo", bench.backends.hangs)))
        }),
        injected("black hole after 6 s of silence", silent(6.0), "idle-cut after=6s how=silent"),
        injected("black hole after 8 s of silence", silent(8.0), "idle-cut after=8s how=silent"),
        injected("forgotten after 7 s, then reset", silent(7.0), "silent-drop after=7s"),
        injected("idle timeout by FIN after 6 s", idle("", 6.0), "idle-cut after=6s how=fin"),
        injected("idle timeout by RST after 7 s", idle("", 7.0), "idle-cut after=7s how=rst"),
        injected("FIN at an age of 9 s", cap(9.0), "cut age=9s how=fin"),
        injected("RST at an age of 7 s", cap(7.0), "cut age=7s how=rst"),
        LabCase::new(
            "fault",
            "idle timeout in front of a healthy nginx",
            idle("between you and the origin", 6.0),
            |bench| {
                let nginx = nginx(bench)?;
                let target = inject(bench, nginx, "idle-cut after=6s how=fin")?;
                Ok(CaseTarget { direct: Some(format!("ws://{nginx}/echo").parse()?), ..target })
            },
        ),
        LabCase::new(
            "chain",
            "HAProxy with timeout tunnel 6s before nginx",
            idle("HAProxy, timeout", 6.0),
            |bench| chain(bench, "6s", "60s"),
        ),
        LabCase::new(
            "chain",
            "HAProxy before nginx with proxy_read_timeout 7s",
            idle("nginx (proxy_pass), proxy_read_timeout", 7.0),
            |bench| chain(bench, "1h", "7s"),
        ),
        LabCase::new("chain", "HAProxy before nginx, both patient", Truth::Healthy, |bench| {
            chain(bench, "1h", "60s")
        }),
    ]
}

fn inject(
    bench: &mut CaseEnvironment<'_>,
    to: std::net::SocketAddr,
    fault: &'static str,
) -> anyhow::Result<CaseTarget> {
    // Its address has to be known before it runs.
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], bench.other_port));
    let builder = Chaos::start(to).inject(fault).listen(listen);
    let running = tokio::task::spawn_local(async move {
        // Without it nothing listens on the port, and the case reports that.
        if let Ok(chaos) = builder.await {
            std::future::pending::<()>().await;
            drop(chaos);
        }
    });
    bench.keep(Aborted(running));
    Ok(CaseTarget::at(format!("ws://{listen}/echo")))
}

/// A task that ends with its case.
struct Aborted(tokio::task::JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// HAProxy, then nginx, then the backend; every way in is given to the doctor.
fn chain(bench: &mut CaseEnvironment<'_>, tunnel: &str, read: &str) -> anyhow::Result<CaseTarget> {
    let nginx = start_nginx(bench, &format!("proxy_read_timeout {read};"))?;
    let port = bench.other_port;
    let text = format!(
        "defaults\n mode http\n timeout connect 2s\n timeout client 5s\n timeout server 5s\n timeout tunnel {tunnel}\n\
         frontend f\n bind 127.0.0.1:{port}\n default_backend b\nbackend b\n server s {nginx}\n"
    );
    let config = bench.write("haproxy.cfg", &text)?;
    bench.start(Command::new("haproxy").arg("-f").arg(config))?;
    Ok(CaseTarget {
        via: vec![("nginx".to_owned(), format!("ws://{nginx}/echo").parse()?)],
        direct: Some(format!("ws://{}/echo", bench.backends.echo).parse()?),
        ..CaseTarget::at(format!("ws://127.0.0.1:{port}/echo"))
    })
}

fn nginx(bench: &mut CaseEnvironment<'_>) -> anyhow::Result<std::net::SocketAddr> {
    start_nginx(bench, "")
}

fn start_nginx(bench: &mut CaseEnvironment<'_>, more: &str) -> anyhow::Result<std::net::SocketAddr> {
    let folder = bench.folder.display();
    let text = format!(
        "daemon off; pid {folder}/pid; error_log {folder}/error.log info; worker_processes 1; events {{}}\n\
         http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;\n\
         uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;\n server {{ listen 127.0.0.1:{}; location / {{ proxy_pass http://{};\n\
         proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; {more} }} }} }}\n",
        bench.port, bench.backends.echo
    );
    let config = bench.write("nginx.conf", &text)?;
    let mut command = Command::new("nginx");
    command.arg("-e").arg(bench.folder.join("start.log")).arg("-c").arg(config);
    bench.start(&mut command)?;
    Ok(std::net::SocketAddr::from(([127, 0, 0, 1], bench.port)))
}
