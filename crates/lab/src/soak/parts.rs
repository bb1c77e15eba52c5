//! The programs of the soak, each started on loopback and ended by its handle.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::BackendCounts;

/// The maximum time until a program is ready.
const START: Duration = Duration::from_secs(20);

/// Node, gateway and nginx, in this order behind each other.
pub(super) struct SoakParts {
    backend: Child,
    backend_lines: Lines<BufReader<ChildStdout>>,
    gateway: Child,
    nginx: Child,
    nginx_program: PathBuf,
    nginx_port: u16,
    folder: tempfile::TempDir,
}

impl SoakParts {
    pub(super) async fn start(root: &Path) -> anyhow::Result<SoakParts> {
        let nginx_program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
            .into_iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .context("nginx is missing; run `scripts/setup system`")?;
        if !root.join("tests/real/node_modules/ws").exists() {
            bail!("the Node package ws is missing; run `scripts/setup node`");
        }
        let built = Command::new(env!("CARGO"))
            .args(["build", "--profile", "dist", "--quiet", "--package", "undrop"])
            .current_dir(root)
            .status()
            .await?;
        if !built.success() {
            bail!("the gateway does not build");
        }
        let folder = tempfile::tempdir()?;
        let (backend, backend_lines, port) =
            launch(Command::new("node").arg("tests/real/soak-backend.mjs").current_dir(root)).await?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let log = std::fs::File::create(root.join("target/soak-gateway.log"))?;
        let mut command = Command::new(target.join("dist/undrop"));
        command.args(["gateway", "--listen", "127.0.0.1:0", "--heartbeat", "800ms", "--upstream"]);
        command.arg(format!("ws://127.0.0.1:{port}")).stderr(log);
        let (gateway, _, gateway_port) = launch(&mut command).await?;
        let nginx_port = free_port()?;
        std::fs::write(folder.path().join("nginx.conf"), nginx_conf(nginx_port, gateway_port))?;
        let mut command = Command::new(&nginx_program);
        nginx_arguments(&mut command, folder.path()).args(["-g", "daemon off;"]);
        let nginx = command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let parts = SoakParts { backend, backend_lines, gateway, nginx, nginx_program, nginx_port, folder };
        timeout(START, async {
            while tokio::net::TcpStream::connect(parts.nginx_address()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .context("nginx does not listen")?;
        Ok(parts)
    }

    pub(super) fn nginx_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.nginx_port).into()
    }

    pub(super) fn reload_nginx(&self) -> anyhow::Result<()> {
        let mut command = std::process::Command::new(&self.nginx_program);
        command.arg("-p").arg(self.folder.path()).args(["-c", "nginx.conf", "-s", "reload"]);
        // Waits for the signal to be sent, a few milliseconds.
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { bail!("nginx does not reload") }
    }

    /// Ends everything; what the backend counted.
    pub(super) async fn finish(mut self) -> anyhow::Result<BackendCounts> {
        drop(self.backend.stdin.take());
        let line =
            timeout(START, self.backend_lines.next_line()).await??.context("the backend gave no account")?;
        for child in [&mut self.nginx, &mut self.gateway, &mut self.backend] {
            // One that has ended already is as good.
            let _ = child.kill().await;
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// Starts a program that prints `listening on …PORT` when it is ready.
async fn launch(command: &mut Command) -> anyhow::Result<(Child, Lines<BufReader<ChildStdout>>, u16)> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("{name} does not start"))?;
    let stdout = child.stdout.take().with_context(|| format!("{name} has no output"))?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(START, lines.next_line())
        .await
        .with_context(|| format!("{name} is not ready"))??
        .with_context(|| format!("{name} ended at once"))?;
    let port = line.rsplit([' ', ':']).next().and_then(|port| port.parse().ok());
    Ok((child, lines, port.with_context(|| format!("{name} says `{line}`, not where it listens"))?))
}

fn nginx_arguments<'c>(command: &'c mut Command, folder: &Path) -> &'c mut Command {
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "error.log"])
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn nginx_conf(port: u16, gateway: u16) -> String {
    format!(
        "worker_processes 1;
pid nginx.pid;
error_log error.log;
worker_rlimit_nofile 20000;
worker_shutdown_timeout 4s;
events {{ worker_connections 16000; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  upstream gateway {{ server 127.0.0.1:{gateway}; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://gateway;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $host;
      proxy_read_timeout 2s;
    }}
  }}
}}
"
    )
}
