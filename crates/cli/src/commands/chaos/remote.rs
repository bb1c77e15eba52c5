//! The subcommands `undrop chaos add`, `remove`, `list` and so on, which use the API of a running `undrop chaos`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use undrop_chaos::FaultSpec;
use undrop_chaos::api::{ApiClient, ClientError};

use crate::exit::{Code, Failure};

/// The default address of the API, with the port of toxiproxy.
pub(super) const API: &str = "127.0.0.1:8474";

/// The characters that are escaped in a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[derive(Debug, Subcommand)]
pub(crate) enum Remote {
    /// Add a fault to a running proxy, for open connections and new ones
    Add {
        /// Fault to add, such as idle-cut after=5s how=rst
        #[arg(value_name = "FAULT", required_unless_present = "preset", conflicts_with = "preset")]
        fault: Vec<String>,
        /// Add the faults of this preset instead
        #[arg(long, short, value_name = "NAME")]
        preset: Option<String>,
        /// Name by which the fault can be removed [default: f1, f2, …]
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        to: ApiOptions,
    },
    /// Remove faults by their name
    Remove {
        /// Name that was given or printed when the fault was added
        id: String,
        #[command(flatten)]
        to: ApiOptions,
    },
    /// Show the current faults of the proxy
    List {
        #[command(flatten)]
        to: ApiOptions,
    },
    /// Show the proxies with their counters and faults
    Status {
        #[command(flatten)]
        to: ApiOptions,
    },
    /// Show the open connections of the proxy
    Connections {
        #[command(flatten)]
        to: ApiOptions,
    },
    /// Reset one connection, or all of them
    Cut {
        /// Number of the connection [default: all]
        connection: Option<u64>,
        #[command(flatten)]
        to: ApiOptions,
    },
    /// Remove all faults of the proxy
    Reset {
        #[command(flatten)]
        to: ApiOptions,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ApiOptions {
    /// Address of the API of a running undrop chaos
    #[arg(long, value_name = "URL", default_value = API)]
    api: String,
    /// Proxy to use [default: all proxies of the process]
    #[arg(long, value_name = "NAME")]
    proxy: Option<String>,
    /// Print the response as JSON
    #[arg(long)]
    json: bool,
}

/// A request to the API: its method, its path, and its body.
type ApiRequest = (&'static str, String, Option<Value>);

pub(super) async fn run(remote: Remote) -> Result<ExitCode, Failure> {
    let (method, path, body) = remote.request()?;
    let options = remote.options();
    let query = options.proxy.as_ref().map(|proxy| format!("?proxy={}", escape(proxy))).unwrap_or_default();
    let client = ApiClient::new(&options.api).map_err(failed)?;
    let response = client.request(method, &format!("{path}{query}"), body.as_ref()).await.map_err(failed)?;
    if options.json {
        say!("{response}");
    } else {
        show(&remote, &response);
    }
    Ok(ExitCode::SUCCESS)
}

impl Remote {
    fn options(&self) -> &ApiOptions {
        match self {
            Remote::Add { to, .. }
            | Remote::Remove { to, .. }
            | Remote::List { to }
            | Remote::Status { to }
            | Remote::Connections { to }
            | Remote::Cut { to, .. }
            | Remote::Reset { to } => to,
        }
    }

    fn request(&self) -> Result<ApiRequest, Failure> {
        Ok(match self {
            Remote::Add { fault, preset, id, .. } => {
                ("POST", "/api/faults".to_owned(), Some(fault_request(fault, preset, id)?))
            }
            Remote::Remove { id, .. } => ("DELETE", format!("/api/faults/{}", escape(id)), None),
            Remote::List { .. } => ("GET", "/api/faults".to_owned(), None),
            Remote::Status { .. } => ("GET", "/api/status".to_owned(), None),
            Remote::Connections { .. } => ("GET", "/api/connections".to_owned(), None),
            Remote::Cut { connection: None, .. } => ("DELETE", "/api/connections".to_owned(), None),
            Remote::Cut { connection: Some(n), .. } => ("DELETE", format!("/api/connections/{n}"), None),
            Remote::Reset { .. } => ("POST", "/api/reset".to_owned(), None),
        })
    }
}

/// Returns the body of a request for a fault. The fault is validated here, so that an error refers to the input.
fn fault_request(fault: &[String], preset: &Option<String>, id: &Option<String>) -> Result<Value, Failure> {
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

fn show(remote: &Remote, response: &Value) {
    let items = response.as_array().map(Vec::as_slice).unwrap_or_default();
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
            for proxy in response["proxies"].as_array().map(Vec::as_slice).unwrap_or_default() {
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
        Remote::Remove { .. } | Remote::Reset { .. } => say!("removed {}", response["removed"]),
        Remote::Cut { .. } => say!("reset {}", response["reset"]),
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

/// Escapes a name for use in a URL (RFC 3986 §2.3).
fn escape(name: &str) -> String {
    utf8_percent_encode(name, RESERVED).to_string()
}

fn failed(error: ClientError) -> Failure {
    Failure::new(Code::Usage, error)
}
