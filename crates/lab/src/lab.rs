//! The doctor before real proxies: each case starts a product with one fault that is known, looks at it as `undrop doctor`
//! does, and compares the verdict with the truth.

mod backend;
mod bench;
mod case;
mod certificates;
mod products;
mod table;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use tokio::sync::{Notify, Semaphore};
use tokio::task::LocalSet;
use undrop_diagnosis::{Conclusion, diagnose};
use undrop_doctor::{CancellationToken, Options, RunEvent, RunListener, examine};
use undrop_report::Report;
use undrop_transport::tls::{ClientTls, Trust};

use backend::Backends;
use bench::CaseEnvironment;
use case::{CaseResult, LabCase};
use certificates::LabCertificates;

/// Options of `cargo xtask lab`.
#[derive(Debug, Args)]
pub(crate) struct Lab {
    /// Only cases whose product or name contains this
    #[arg(default_value = "")]
    only: String,
    /// Cases at the same time
    #[arg(long, default_value_t = 16)]
    jobs: usize,
    /// Write the results to docs/lab.md
    #[arg(long)]
    write: bool,
    /// Print the whole report of each case that is not right
    #[arg(long)]
    verbose: bool,
}

/// Runs the cases; what to print, and whether every verdict is right.
///
/// # Errors
/// A program is missing, or docs/lab.md cannot be written. A case that cannot be run is a wrong one.
pub(crate) fn run(root: &Path, lab: &Lab) -> anyhow::Result<(String, bool)> {
    products::check(root)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    let local = LocalSet::new();
    let outcomes = local.block_on(&runtime, all(root, lab))?;
    drop(local);
    runtime.shutdown_background();
    let right = outcomes.iter().filter(|outcome| outcome.right).count();
    let text = table::markdown(&outcomes, start.elapsed(), &products::versions(root));
    let mut shown = table::terminal(&outcomes, lab.verbose);
    shown.push_str(&format!(
        "{right} of {} right, in {:.0} s\n",
        outcomes.len(),
        start.elapsed().as_secs_f64()
    ));
    if lab.write {
        ensure!(lab.only.is_empty(), "docs/lab.md is written by a run of all cases");
        std::fs::write(root.join("docs/lab.md"), text).context("cannot write docs/lab.md")?;
    }
    Ok((shown, right == outcomes.len()))
}

async fn all(root: &Path, lab: &Lab) -> anyhow::Result<Vec<CaseResult>> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let shared = Rc::new(LabContext {
        certificates: LabCertificates::make(folder.path())?,
        backends: Backends::start()?,
        envoy: root.join(".tools/envoy/bin/envoy"),
    });
    let permits = Rc::new(Semaphore::new(lab.jobs.max(1)));
    let mut tasks = Vec::new();
    for case in products::cases() {
        if !format!("{} {}", case.product, case.name).contains(&lab.only) {
            continue;
        }
        let (shared, permits) = (shared.clone(), permits.clone());
        let folder = folder.path().join(format!("{}-{}", case.product, tasks.len()));
        tasks.push(tokio::task::spawn_local(async move {
            let _permit = permits.acquire().await;
            one(case, &folder, &shared).await
        }));
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.context("a case panicked")?);
    }
    Ok(outcomes)
}

/// Certificates and backends that all cases use.
struct LabContext {
    certificates: LabCertificates,
    backends: Backends,
    envoy: std::path::PathBuf,
}

async fn one(case: LabCase, folder: &Path, shared: &LabContext) -> CaseResult {
    match look(&case, folder, shared).await {
        Ok((report, conclusion)) => CaseResult::evaluate(&case, report, conclusion),
        Err(error) => CaseResult::failed(&case, format!("{error:#}")),
    }
}

async fn look(case: &LabCase, folder: &Path, shared: &LabContext) -> anyhow::Result<(Report, Conclusion)> {
    std::fs::create_dir_all(folder)?;
    let mut bench = CaseEnvironment::new(folder, &shared.certificates, &shared.backends, &shared.envoy)?;
    let target = (case.start)(&mut bench)?;
    bench.ready().await?;
    let trust = Trust::Only(shared.certificates.authority.clone().into_bytes());
    let mut options = Options {
        timeout: Duration::from_secs(7),
        horizon: Duration::from_secs(20),
        every: Duration::from_secs(1),
        patience: Duration::from_secs(2),
        largest: 70_000,
        ..Options::default()
    };
    options.dial.tls = Some(ClientTls::new(&trust)?);
    options.trust = trust;
    options.dial.proxy = target.proxy;
    options.via = target.via;
    options.direct = target.direct;
    options.subscribe = target.subscribe;
    let stop = CancellationToken::new();
    let watching = StartSignal::default();
    let event = async {
        watching.started.notified().await;
        if let Some(event) = &case.event {
            tokio::time::sleep(case::EVENT_AFTER).await;
            *watching.failed.borrow_mut() = event(&bench).err();
        }
        std::future::pending::<()>().await;
    };
    let url = target.url.parse().context("the lab's own URL")?;
    let seen = tokio::select! {
        seen = examine(&url, &options, &stop, &watching) => seen,
        () = event => anyhow::bail!("the event ended the run"),
    };
    if let Some(error) = watching.failed.take() {
        return Err(error);
    }
    let report = diagnose(&seen);
    let conclusion = Conclusion::of(&seen, &report);
    Ok((report, conclusion))
}

/// Is notified when the lanes start.
#[derive(Default)]
struct StartSignal {
    started: Notify,
    failed: RefCell<Option<anyhow::Error>>,
}

impl RunListener for StartSignal {
    fn on_event(&self, event: RunEvent<'_>) {
        if matches!(event, RunEvent::Watching { .. }) {
            self.started.notify_one();
        }
    }
}

/// Versions of the products, by their names.
type ProductVersions = BTreeMap<&'static str, String>;
