//! The environment of one case: a folder, ports, and programs that are stopped with it.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::backend::{Backends, free_port};
use super::certificates::LabCertificates;

/// The maximum time until the port of a started program accepts connections.
const READY: Duration = Duration::from_secs(20);

/// The maximum time that a program may take to exit when it is asked to.
const END: Duration = Duration::from_secs(3);

pub(super) struct CaseEnvironment<'a> {
    pub(super) folder: PathBuf,
    /// The port to listen on.
    pub(super) port: u16,
    /// A second port, for cases with two listeners.
    pub(super) other_port: u16,
    pub(super) certificates: &'a LabCertificates,
    pub(super) backends: &'a Backends,
    pub(super) envoy: &'a Path,
    programs: Vec<Child>,
    /// Things that have to live as long as the case.
    kept: Vec<Box<dyn std::any::Any>>,
}

impl<'a> CaseEnvironment<'a> {
    pub(super) fn new(
        folder: &Path,
        certificates: &'a LabCertificates,
        backends: &'a Backends,
        envoy: &'a Path,
    ) -> anyhow::Result<CaseEnvironment<'a>> {
        Ok(CaseEnvironment {
            folder: folder.to_owned(),
            port: free_port()?,
            other_port: free_port()?,
            certificates,
            backends,
            envoy,
            programs: Vec::new(),
            kept: Vec::new(),
        })
    }

    /// Writes a file into the folder.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Starts a program in the foreground; it ends with the case.
    pub(super) fn start(&mut self, command: &mut Command) -> anyhow::Result<()> {
        let log = File::create(self.folder.join("output.log"))?;
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().with_context(|| {
                format!("cannot start {:?}; scripts/setup lab installs it", command.get_program())
            })?;
        self.programs.push(child);
        Ok(())
    }

    /// Keeps something as long as the case.
    pub(super) fn keep(&mut self, thing: impl std::any::Any) {
        self.kept.push(Box::new(thing));
    }

    /// Waits until the port answers.
    pub(super) async fn ready(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        if self.programs.is_empty() {
            return Ok(());
        }
        let ports = [self.port, self.other_port];
        let wanted = self.programs.len().min(ports.len());
        let open = || ports.iter().filter(|port| TcpStream::connect(("127.0.0.1", **port)).is_ok()).count();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() || open() < wanted {
            let ended =
                self.programs.iter_mut().any(|child| child.try_wait().is_ok_and(|ended| ended.is_some()));
            if ended || start.elapsed() > READY {
                let log = std::fs::read_to_string(self.folder.join("output.log")).unwrap_or_default();
                bail!(
                    "the program does not listen: {}",
                    log.lines().rev().take(5).collect::<Vec<_>>().join(" | ")
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Sends a signal to the program of the case.
    pub(super) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let child = self.programs.first().context("no program runs")?;
        signal(child.id(), name)
    }
}

impl Drop for CaseEnvironment<'_> {
    fn drop(&mut self) {
        // Beside the runtime: other cases are measuring.
        for mut child in self.programs.drain(..) {
            std::thread::spawn(move || {
                // What has ended already needs no signal.
                let _ = signal(child.id(), "TERM");
                let start = Instant::now();
                while matches!(child.try_wait(), Ok(None)) && start.elapsed() < END {
                    std::thread::sleep(Duration::from_millis(20));
                }
                let _ = child.kill();
                let _ = child.wait();
            });
        }
    }
}

fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .context("cannot run kill")?;
    anyhow::ensure!(status.success(), "kill -{name} {pid} failed");
    Ok(())
}
