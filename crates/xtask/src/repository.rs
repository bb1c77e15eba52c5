//! The repository: where it is, its packages, its files.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

/// The directory of the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A package of the workspace, as its manifest declares it.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    /// The name in its manifest.
    pub name: String,
    /// Path of its `Cargo.toml`.
    pub manifest_path: PathBuf,
    /// Everything it declares as a dependency, of any kind and for any target.
    pub dependencies: Vec<Dependency>,
}

/// A dependency that a package declares.
#[derive(Clone, Debug, Deserialize)]
pub struct Dependency {
    /// Name of the package it is.
    pub name: String,
    /// `None` for a normal one, else `"dev"` or `"build"`.
    pub kind: Option<String>,
}

impl Dependency {
    /// Whether only tests, benches and examples see it.
    pub fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

/// The packages of the workspace at `root`, without resolving their dependencies.
pub fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let text = output(root, "cargo", &["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: Metadata = serde_json::from_str(&text).context("cargo metadata")?;
    Ok(metadata.packages)
}

/// Names of all packages that end up in a build of `package` for any target; build scripts and tests not counted.
pub fn tree(root: &Path, package: &str) -> anyhow::Result<Vec<String>> {
    let args =
        ["tree", "-p", package, "-e", "normal", "--target", "all", "--prefix", "none", "--format", "{p}"];
    let text = output(root, "cargo", &args)?;
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Paths of the files that are, or would be, in version control, relative to `root`.
pub fn files(root: &Path) -> anyhow::Result<Vec<String>> {
    let text = output(root, "git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let mut files: Vec<String> =
        text.lines().map(str::to_owned).filter(|file| root.join(file).is_file()).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

fn output(root: &Path, program: &str, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(root)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{program} printed bytes that are not UTF-8"))
}
