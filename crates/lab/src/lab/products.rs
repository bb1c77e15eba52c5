//! The products, one file each.

mod apache;
mod caddy;
mod chaos;
mod envoy;
mod haproxy;
mod lighttpd;
mod nginx;
mod squid;
mod varnish;

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use super::ProductVersions;
use super::case::LabCase;

/// Returns every case of every product.
pub(super) fn cases() -> Vec<LabCase> {
    [
        nginx::cases(),
        haproxy::cases(),
        apache::cases(),
        caddy::cases(),
        envoy::cases(),
        varnish::cases(),
        squid::cases(),
        lighttpd::cases(),
        chaos::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const PROGRAMS: [(&str, &str, &str); 7] = [
    ("nginx", "nginx", "-v"),
    ("HAProxy", "haproxy", "-v"),
    ("Apache httpd", "apache2", "-v"),
    ("Caddy", "caddy", "version"),
    ("Varnish", "varnishd", "-V"),
    ("Squid", "squid", "-v"),
    ("lighttpd", "lighttpd", "-v"),
];

/// All programs are there.
pub(super) fn check(root: &Path) -> anyhow::Result<()> {
    let here = versions(root);
    for (name, ..) in PROGRAMS {
        ensure!(here.contains_key(name), "{name} is not installed; scripts/setup lab installs it");
    }
    ensure!(here.contains_key("Envoy"), "Envoy is not installed; scripts/setup lab installs it");
    Ok(())
}

/// Returns the versions that the programs report.
pub(super) fn versions(root: &Path) -> ProductVersions {
    let envoy = root.join(".tools/envoy/bin/envoy").display().to_string();
    let mut found = ProductVersions::new();
    for (name, program, flag) in PROGRAMS.into_iter().chain([("Envoy", envoy.as_str(), "--version")]) {
        let Ok(output) = Command::new(program).arg(flag).output() else { continue };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit())).unwrap_or_default();
        // A path of this machine says nothing.
        let line =
            line.split_whitespace().filter(|word| !word.starts_with('/')).collect::<Vec<_>>().join(" ");
        found.insert(name, line);
    }
    found
}
