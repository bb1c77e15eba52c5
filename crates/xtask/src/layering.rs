//! Who may import whom. The same table is in ARCHITECTURE.md, with its reasons.

mod page;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::Problem;
use crate::repository::{self, Package};

/// One package and what it may import from this workspace.
struct Layer {
    package: &'static str,
    /// Pure: touches no socket, clock, thread, lock or operating-system randomness.
    pure: bool,
    /// Ours that it may import.
    imports: &'static [&'static str],
    /// Ours that its tests, benches and examples may import besides.
    in_tests: &'static [&'static str],
}

const TESTKIT: &str = "undrop-testkit";
const CLI: &str = "undrop";

const LAYERS: &[Layer] = &[
    Layer { package: "undrop-text", pure: true, imports: &[], in_tests: &[] },
    Layer { package: "undrop-frame", pure: true, imports: &[], in_tests: &[] },
    Layer { package: "undrop-fault", pure: true, imports: &[], in_tests: &[] },
    Layer { package: "undrop-session", pure: true, imports: &["undrop-frame"], in_tests: &[] },
    Layer {
        package: "undrop-transport",
        pure: false,
        imports: &["undrop-frame"],
        in_tests: &["undrop-fault"],
    },
    Layer { package: "undrop-store", pure: false, imports: &["undrop-session"], in_tests: &[] },
    Layer {
        package: "undrop-server",
        pure: false,
        imports: &["undrop-transport", "undrop-session", "undrop-frame", "undrop-store"],
        in_tests: &[],
    },
    Layer {
        package: "undrop-client",
        pure: false,
        imports: &["undrop-transport", "undrop-session", "undrop-frame"],
        in_tests: &[],
    },
    Layer {
        package: "undrop-gateway",
        pure: false,
        imports: &[
            "undrop-server",
            "undrop-transport",
            "undrop-session",
            "undrop-frame",
            "undrop-store",
            "undrop-text",
        ],
        in_tests: &["undrop-client"],
    },
    Layer { package: "undrop-infra", pure: true, imports: &["undrop-text"], in_tests: &[] },
    Layer { package: "undrop-report", pure: true, imports: &["undrop-infra", "undrop-text"], in_tests: &[] },
    Layer {
        package: "undrop-diagnosis",
        pure: true,
        imports: &["undrop-text", "undrop-frame", "undrop-infra", "undrop-report"],
        in_tests: &[],
    },
    Layer {
        package: "undrop-explain",
        pure: true,
        imports: &["undrop-text", "undrop-frame", "undrop-infra", "undrop-report"],
        in_tests: &["undrop-diagnosis"],
    },
    Layer {
        package: "undrop-chaos",
        pure: false,
        imports: &["undrop-fault", "undrop-frame", "undrop-infra", "undrop-text"],
        in_tests: &[],
    },
    Layer {
        package: "undrop-scenario",
        pure: true,
        imports: &["undrop-frame", "undrop-text"],
        in_tests: &[],
    },
    Layer {
        package: "undrop-bench",
        pure: false,
        imports: &[
            "undrop-client",
            "undrop-transport",
            "undrop-session",
            "undrop-frame",
            "undrop-scenario",
            "undrop-report",
            "undrop-text",
        ],
        in_tests: &["undrop-chaos", "undrop-fault"],
    },
    Layer {
        package: "undrop-doctor",
        pure: false,
        imports: &["undrop-transport", "undrop-frame", "undrop-diagnosis"],
        in_tests: &["undrop-chaos", "undrop-report"],
    },
    Layer {
        package: CLI,
        pure: false,
        imports: &[
            "undrop-gateway",
            "undrop-client",
            "undrop-chaos",
            "undrop-bench",
            "undrop-scenario",
            "undrop-diagnosis",
            "undrop-explain",
            "undrop-doctor",
            "undrop-report",
            "undrop-infra",
            "undrop-text",
            "undrop-fault",
            "undrop-transport",
            "undrop-session",
            "undrop-frame",
            "undrop-store",
            "undrop-text",
        ],
        in_tests: &[],
    },
    Layer {
        package: TESTKIT,
        pure: false,
        imports: &["undrop-fault", "undrop-frame", "undrop-session"],
        in_tests: &[],
    },
    Layer {
        package: "undrop-lab",
        pure: false,
        imports: &[
            "undrop-client",
            "undrop-frame",
            "undrop-fault",
            "undrop-chaos",
            "undrop-infra",
            "undrop-diagnosis",
            "undrop-doctor",
            "undrop-report",
            "undrop-transport",
        ],
        in_tests: &[],
    },
    Layer {
        package: "xtask",
        pure: false,
        imports: &["undrop-infra", "undrop-diagnosis", "undrop-text"],
        in_tests: &[],
    },
];

/// Crates that must not be below a pure crate, however deep.
const BANNED_IN_PURE: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "polling",
    "async-io",
    "smol",
    "hyper",
    "rustls",
    "getrandom",
    "rand",
    "parking_lot",
];

/// Crates that only some packages may name; the rest reach them through those.
const RESERVED: &[(&str, &[&str])] = &[
    ("rustls", &["undrop-transport"]),
    ("tokio-rustls", &["undrop-transport"]),
    ("rustls-native-certs", &["undrop-transport"]),
    ("socket2", &["undrop-transport", "undrop-chaos"]),
    ("anyhow", &[CLI, "undrop-lab", "xtask"]),
    ("clap", &[CLI, "undrop-lab", "xtask"]),
    ("tracing-subscriber", &[CLI]),
    ("mimalloc", &[CLI]),
];

/// Checks the whole workspace at `root`.
pub fn check(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let packages = repository::packages(root)?;
    let mut problems = check_manifests(&packages);
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")?;
    let table: Vec<(&str, &[&str])> = LAYERS.iter().map(|layer| (layer.package, layer.imports)).collect();
    problems.extend(page::check(&text, &table));
    for layer in LAYERS.iter().filter(|layer| layer.pure) {
        if packages.iter().any(|package| package.name == layer.package) {
            let found = repository::tree(root, layer.package)?;
            problems.extend(check_pure(layer.package, &found));
        }
    }
    Ok(problems)
}

/// Checks what the manifests declare.
pub fn check_manifests(packages: &[Package]) -> Vec<Problem> {
    let ours: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut problems = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(layer) = LAYERS.iter().find(|layer| layer.package == name) else {
            problems.push(Problem::new(
                name,
                "is not in the table of crates/xtask/src/layering.rs; add it there and in ARCHITECTURE.md",
            ));
            continue;
        };
        problems.extend(check_imports(package, layer, &ours));
        problems.extend(check_permissions(package, layer));
    }
    problems
}

/// Checks that a package imports no more than it may.
fn check_imports(package: &Package, layer: &Layer, ours: &[&str]) -> Vec<Problem> {
    let name = package.name.as_str();
    let mut problems = Vec::new();
    for dependency in &package.dependencies {
        let found = dependency.name.as_str();
        if ours.contains(&found) {
            let allowed = layer.imports.contains(&found)
                || dependency.is_dev() && (found == TESTKIT || layer.in_tests.contains(&found));
            if !allowed {
                let place = if dependency.is_dev() { " even in its tests" } else { "" };
                problems.push(Problem::new(name, format!("may not import {found}{place}")));
            }
        }
        let reserved = RESERVED.iter().find(|(krate, _)| *krate == found);
        if let Some((_, owners)) = reserved
            && !dependency.is_dev()
            && !owners.contains(&name)
        {
            problems
                .push(Problem::new(name, format!("may not name {found}; only {} may", owners.join(", "))));
        }
    }
    problems
}

/// Checks that a package uses every permission it has, so that the table says what is, not what once was.
fn check_permissions(package: &Package, layer: &Layer) -> Vec<Problem> {
    let imports = |wanted: &str, dev: bool| {
        package
            .dependencies
            .iter()
            .any(|dependency| dependency.name == wanted && (dev || !dependency.is_dev()))
    };
    let unused = |permitted: &str, place: &str| {
        let message = format!(
            "may import {permitted}{place}, and does not; remove the permission from crates/xtask/src/layering.rs and ARCHITECTURE.md"
        );
        Problem::new(&package.name, message)
    };
    let mut problems: Vec<Problem> = layer
        .imports
        .iter()
        .filter(|permitted| !imports(permitted, false))
        .map(|one| unused(one, ""))
        .collect();
    let in_tests = layer.in_tests.iter().filter(|permitted| !imports(permitted, true));
    problems.extend(in_tests.map(|one| unused(one, " in its tests")));
    let reserved =
        RESERVED.iter().filter(|(krate, owners)| owners.contains(&layer.package) && !imports(krate, true));
    problems.extend(reserved.map(|(krate, _)| unused(krate, "")));
    problems
}

/// Checks what ends up in a build of a pure crate.
pub fn check_pure(package: &str, tree: &[String]) -> Vec<Problem> {
    let found = tree.iter().filter(|name| BANNED_IN_PURE.contains(&name.as_str()));
    found.map(|name| Problem::new(package, format!("is pure, but pulls in {name}"))).collect()
}

/// Whether a package is in the table as pure.
pub fn is_pure(package: &str) -> bool {
    LAYERS.iter().any(|layer| layer.package == package && layer.pure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Dependency;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        Package {
            name: name.to_owned(),
            manifest_path: Default::default(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) })
                .collect(),
        }
    }

    /// The problems of packages that need not use every permission they have.
    fn messages(packages: &[Package]) -> Vec<String> {
        let problems = check_manifests(packages).into_iter();
        problems.map(|problem| problem.to_string()).filter(|text| !text.contains("and does not")).collect()
    }

    #[test]
    fn an_import_downwards_is_fine() {
        let packages = [package("undrop-frame", &[]), package("undrop-session", &[("undrop-frame", None)])];
        assert_eq!(messages(&packages), [""; 0]);
    }

    #[test]
    fn an_import_upwards_is_named() {
        let packages = [package("undrop-frame", &[("undrop-session", None)]), package("undrop-session", &[])];
        assert_eq!(messages(&packages), ["undrop-frame: may not import undrop-session"]);
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        let with = |kind| [package("undrop-session", &[(TESTKIT, kind)]), package(TESTKIT, &[])];
        assert_eq!(messages(&with(Some("dev"))), [""; 0]);
        assert_eq!(messages(&with(None)), ["undrop-session: may not import undrop-testkit"]);
        assert_eq!(messages(&with(Some("build"))), ["undrop-session: may not import undrop-testkit"]);
    }

    #[test]
    fn a_new_package_needs_a_layer() {
        let found = messages(&[package("undrop-novel", &[])]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("undrop-novel: is not in the table"), "{found:?}");
    }

    #[test]
    fn reserved_crates_have_owners_and_tests_are_free() {
        let with = |kind| [package("undrop-client", &[("rustls", kind)])];
        assert_eq!(messages(&with(None)), ["undrop-client: may not name rustls; only undrop-transport may"]);
        assert_eq!(messages(&with(Some("dev"))), [""; 0]);
    }

    #[test]
    fn an_unused_permission_is_named() {
        let with = |dependencies: &[(&str, Option<&str>)]| {
            let problems = check_manifests(&[package("undrop-session", dependencies)]);
            problems
                .iter()
                .filter(|problem| problem.message.contains("may import undrop-frame, and does not"))
                .count()
        };
        assert_eq!(with(&[("undrop-frame", None)]), 0);
        assert_eq!(with(&[]), 1);
        // A permission for the product is not used by its tests.
        assert_eq!(with(&[("undrop-frame", Some("dev"))]), 1);
    }

    #[test]
    fn a_runtime_below_a_pure_crate_is_found_at_any_depth() {
        let tree = ["bytes", "mio", "undrop-session"].map(str::to_owned);
        let found = check_pure("undrop-session", &tree);
        assert_eq!(found, [Problem::new("undrop-session", "is pure, but pulls in mio")]);
    }
}
