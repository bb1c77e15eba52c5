//! `undrop chaos add|remove|list|…`: talks to the API of a running `undrop chaos`.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use undrop_chaos::FaultSpec;
use undrop_chaos::api::{Client, ClientError};

use crate::exit::{Code, Failure};

/// Where the API is, unless said otherwise. The port is that of toxiproxy.
pub(super) const API: &str = "127.0.0.1:8474";

#[derive(Debug, Subcommand)]
pub(crate) enum Remote {
    /// Put a fault on a running proxy, for open connections and new ones
    Add {
        /// The fault, such as idle-cut after=5s how=rst
        #[arg(value_name = "FAULT", required_unless_present = "preset", conflicts_with = "preset")]
        fault: Vec<String>,
        /// The faults of a product instead
        #[arg(long, short, value_name = "NAME")]
        preset: Option<String>,
        /// Name to remove it by [default: f1, f2, …]
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        to: To,
    },
    /// Take faults away
    Remove {
        /// Name of the fault
        id: String,
        #[command(flatten)]
        to: To,
    },
    /// Show the faults
    List {
        #[command(flatten)]
        to: To,
    },
    /// Show proxies, what was counted, and the faults
    Status {
        #[command(flatten)]
        to: To,
    },
    /// Show open connections
    Connections {
        #[command(flatten)]
        to: To,
    },
    /// Reset a connection, or all of them
    Cut {
        /// Number of the connection [default: all]
        connection: Option<u64>,
        #[command(flatten)]
        to: To,
    },
    /// Take all faults away
    Reset {
        #[command(flatten)]
        to: To,
    },
}

#[derive(Debug, Args)]
pub(crate) struct To {
    /// The API of a running undrop chaos
    #[arg(long, value_name = "URL", default_value = API)]
    api: String,
    /// Only this proxy [default: all]
    #[arg(long, value_name = "NAME")]
    proxy: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(remote: Remote) -> Result<ExitCode, Failure> {
    let (to, method, path, body) = match &remote {
        Remote::Add { fault, preset, id, to } => {
            ("POST", "/api/faults".to_owned(), Some(wanted(fault, preset, id)?)).with(to)
        }
        Remote::Remove { id, to } => ("DELETE", format!("/api/faults/{}", escape(id)), None).with(to),
        Remote::List { to } => ("GET", "/api/faults".to_owned(), None).with(to),
        Remote::Status { to } => ("GET", "/api/status".to_owned(), None).with(to),
        Remote::Connections { to } => ("GET", "/api/connections".to_owned(), None).with(to),
        Remote::Cut { connection: None, to } => ("DELETE", "/api/connections".to_owned(), None).with(to),
        Remote::Cut { connection: Some(n), to } => ("DELETE", format!("/api/connections/{n}"), None).with(to),
        Remote::Reset { to } => ("POST", "/api/reset".to_owned(), None).with(to),
    };
    let query = to.proxy.as_ref().map(|proxy| format!("?proxy={}", escape(proxy))).unwrap_or_default();
    let client = Client::new(&to.api).map_err(failed)?;
    let answer = client.request(method, &format!("{path}{query}"), body.as_ref()).await.map_err(failed)?;
    if to.json {
        say!("{answer}");
    } else {
        show(&remote, &answer);
    }
    Ok(ExitCode::SUCCESS)
}

type Request<'a> = (&'a To, &'static str, String, Option<Value>);

trait With {
    fn with(self, to: &To) -> Request<'_>;
}

impl With for (&'static str, String, Option<Value>) {
    fn with(self, to: &To) -> Request<'_> {
        (to, self.0, self.1, self.2)
    }
}

/// The body that asks for a fault. It is judged here already: the error is then about what was typed.
fn wanted(fault: &[String], preset: &Option<String>, id: &Option<String>) -> Result<Value, Failure> {
    let mut body = match preset {
        Some(name) => json!({ "preset": name }),
        None => {
            let spec: FaultSpec =
                fault.join(" ").parse().map_err(|error| Failure::new(Code::Usage, error))?;
            json!(spec)
        }
    };
    if let (Some(id), Value::Object(table)) = (id, &mut body) {
        table.insert("id".into(), id.as_str().into());
    }
    Ok(body)
}

fn show(remote: &Remote, answer: &Value) {
    let items = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    match remote {
        Remote::Add { .. } | Remote::List { .. } => {
            items.iter().for_each(fault);
            if items.is_empty() {
                say!("no faults");
            }
        }
        Remote::Connections { .. } => {
            for item in items {
                say!(
                    "{} #{}  {}  age {:.1} s  {} B up  {} B down  {} faults",
                    text(&item["proxy"]),
                    item["connection"],
                    text(&item["peer"]),
                    item["age"].as_f64().unwrap_or_default(),
                    item["up"],
                    item["down"],
                    item["faults"],
                );
            }
            if items.is_empty() {
                say!("no connections");
            }
        }
        Remote::Status { .. } => {
            for proxy in answer["proxies"].as_array().map(Vec::as_slice).unwrap_or_default() {
                let counts = &proxy["counts"];
                say!(
                    "{}  {} -> {}{}  {} opened, {} open, {} cut by faults",
                    text(&proxy["proxy"]),
                    text(&proxy["address"]),
                    text(&proxy["upstream"]),
                    if proxy["enabled"] == Value::Bool(false) { "  disabled" } else { "" },
                    counts["opened"],
                    counts["open"],
                    counts["cut"],
                );
                for (kind, count) in counts["injected"].as_object().into_iter().flatten() {
                    say!("  injected {kind}: {count}");
                }
                proxy["faults"].as_array().into_iter().flatten().for_each(fault);
            }
        }
        Remote::Remove { .. } | Remote::Reset { .. } => say!("removed {}", answer["removed"]),
        Remote::Cut { .. } => say!("reset {}", answer["reset"]),
    }
}

fn fault(item: &Value) {
    let faults = item["faults"].as_array().into_iter().flatten();
    let faults: Vec<String> = faults
        .map(|fault| {
            serde_json::from_value::<FaultSpec>(fault.clone())
                .map_or_else(|_| fault.to_string(), |spec| spec.to_string())
        })
        .collect();
    let proxy = item["proxy"].as_str().map(|proxy| format!("{proxy} ")).unwrap_or_default();
    say!("{proxy}{}: {}", text(&item["id"]), faults.join(" + "));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A name as a part of a URL.
fn escape(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn failed(error: ClientError) -> Failure {
    Failure::new(Code::Usage, anyhow!(error))
}
