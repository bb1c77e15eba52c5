//! The native dialect of the API, under `/api`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::Control;
use super::response::{ApiError, ApiResult, json_body, json_response};
use crate::preset;
use crate::proxy::Chaos;
use crate::spec::FaultSpec;

/// The query that selects a proxy; all proxies without a name.
#[derive(Debug, Deserialize)]
struct ProxyQuery {
    proxy: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/api/status", get(status))
        .route("/api/faults", get(list).post(add).delete(clear))
        .route("/api/faults/{id}", delete(remove))
        .route("/api/connections", get(connections).delete(reset_all))
        .route("/api/connections/{number}", delete(reset_one))
        .route("/api/reset", post(clear))
        .route("/api/presets", get(presets))
}

async fn status(State(control): State<Arc<Control>>, Query(query): Query<ProxyQuery>) -> ApiResult {
    let proxies = each(&control, &query, |chaos| {
        json!({
            "proxy": chaos.name(),
            "address": chaos.address(),
            "upstream": chaos.upstream().to_string(),
            "enabled": chaos.is_enabled(),
            "seed": chaos.seed(),
            "speed": chaos.speed(),
            "counts": chaos.counts(),
            "faults": chaos.faults(),
        })
    })?;
    Ok(json_response(200, &json!({ "version": env!("CARGO_PKG_VERSION"), "proxies": proxies })))
}

async fn list(State(control): State<Arc<Control>>, Query(query): Query<ProxyQuery>) -> ApiResult {
    let faults = each(&control, &query, faults)?;
    Ok(json_response(200, &Value::Array(faults.into_iter().flatten().collect())))
}

async fn add(State(control): State<Arc<Control>>, Query(query): Query<ProxyQuery>, body: Bytes) -> ApiResult {
    let (id, specs) = requested(json_body(&body)?)?;
    let added = each(&control, &query, |chaos| -> Result<Value, ApiError> {
        let id = chaos.add_as(id.as_deref(), specs.clone())?;
        let faults = chaos.faults().into_iter().find(|fault| fault.id == id).map(|fault| fault.faults);
        Ok(json!({ "proxy": chaos.name(), "id": id, "faults": faults }))
    })?;
    let added = added.into_iter().collect::<Result<Vec<Value>, ApiError>>()?;
    control.settle().await;
    Ok(json_response(201, &Value::Array(added)))
}

async fn remove(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    Query(query): Query<ProxyQuery>,
) -> ApiResult {
    let removed = each(&control, &query, |chaos| chaos.remove(&id))?;
    control.settle().await;
    match removed.into_iter().filter(|removed| *removed).count() {
        0 => Err(ApiError::not_found(format!("no fault has the name `{id}`"))),
        n => Ok(json_response(200, &json!({ "removed": n }))),
    }
}

async fn clear(State(control): State<Arc<Control>>, Query(query): Query<ProxyQuery>) -> ApiResult {
    let removed = each(&control, &query, |chaos| {
        let faults = chaos.faults().len();
        chaos.clear();
        faults
    })?;
    control.settle().await;
    Ok(json_response(200, &json!({ "removed": removed.iter().sum::<usize>() })))
}

async fn connections(State(control): State<Arc<Control>>, Query(query): Query<ProxyQuery>) -> ApiResult {
    let connections = each(&control, &query, |chaos| {
        let name = chaos.name().to_owned();
        let named = move |connection| with_proxy(&name, json!(connection));
        chaos.connections().into_iter().map(named).collect::<Vec<Value>>()
    })?;
    Ok(json_response(200, &Value::Array(connections.into_iter().flatten().collect())))
}

async fn reset_all(State(control): State<Arc<Control>>, Query(query): Query<ProxyQuery>) -> ApiResult {
    let reset = each(&control, &query, |chaos| {
        let open = chaos.connections().len();
        chaos.reset_connections();
        open
    })?;
    Ok(json_response(200, &json!({ "reset": reset.iter().sum::<usize>() })))
}

async fn reset_one(
    State(control): State<Arc<Control>>,
    Path(number): Path<u64>,
    Query(query): Query<ProxyQuery>,
) -> ApiResult {
    let reset = each(&control, &query, |chaos| chaos.reset_connection(number))?;
    match reset.into_iter().filter(|reset| *reset).count() {
        0 => Err(ApiError::not_found(format!("no open connection has the number {number}"))),
        n => Ok(json_response(200, &json!({ "reset": n }))),
    }
}

async fn presets() -> ApiResult {
    let presets: Vec<Value> = preset::all()
        .map(|preset| {
            json!({
                "name": preset.name, "title": preset.title, "about": preset.about,
                "faults": preset.faults, "sources": preset.sources,
            })
        })
        .collect();
    Ok(json_response(200, &Value::Array(presets)))
}

/// Parses a request for faults: a fault, a list of faults, or `{"preset": …}`, with an optional `id`.
fn requested(body: Value) -> Result<(Option<String>, Vec<FaultSpec>), ApiError> {
    match body {
        Value::Object(mut table) => {
            let id = match table.remove("id") {
                None => None,
                Some(Value::String(id)) if !id.is_empty() => Some(id),
                Some(_) => return Err(ApiError::bad_request("`id` must be a string")),
            };
            let specs = match table.remove("preset") {
                Some(Value::String(name)) if table.is_empty() => preset::faults(&name)?,
                Some(_) => {
                    return Err(ApiError::bad_request(
                        "`preset` must be the name of a preset, without other keys except `id`",
                    ));
                }
                None => vec![FaultSpec::try_from(table)?],
            };
            Ok((id, specs))
        }
        Value::Array(tables) if !tables.is_empty() => {
            let specs = tables.into_iter().map(|table| match table {
                Value::Object(table) => Ok(FaultSpec::try_from(table)?),
                _ => Err(ApiError::bad_request("a fault must be an object")),
            });
            Ok((None, specs.collect::<Result<_, _>>()?))
        }
        _ => Err(ApiError::bad_request(
            "the body must be a fault, such as {\"kind\":\"idle-cut\",\"after\":\"5s\"}",
        )),
    }
}

fn faults(chaos: &Chaos) -> Vec<Value> {
    chaos.faults().into_iter().map(|fault| with_proxy(chaos.name(), json!(fault))).collect()
}

fn with_proxy(name: &str, mut value: Value) -> Value {
    if let Value::Object(table) = &mut value {
        table.insert("proxy".into(), name.into());
    }
    value
}

/// Calls a function for the selected proxies.
fn each<T>(
    control: &Control,
    query: &ProxyQuery,
    mut visit: impl FnMut(&Chaos) -> T,
) -> Result<Vec<T>, ApiError> {
    match &query.proxy {
        None => Ok(control.each(visit)),
        Some(name) => match control.with(name, |member| visit(&member.chaos)) {
            Some(one) => Ok(vec![one]),
            None => Err(ApiError::not_found(format!("no proxy has the name `{name}`"))),
        },
    }
}
