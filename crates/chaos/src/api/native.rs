//! Our own dialect, under `/api`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::Control;
use super::{Refusal, answer, json_body};
use crate::spec::Spec;
use crate::{Chaos, preset};

type Answer = Result<Response, Refusal>;

/// Which proxy; absent: every one.
#[derive(Debug, Deserialize)]
struct Which {
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

async fn status(State(control): State<Arc<Control>>, Query(which): Query<Which>) -> Answer {
    let proxies = each(&control, &which, |chaos| {
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
    Ok(answer(200, &json!({ "version": env!("CARGO_PKG_VERSION"), "proxies": proxies })))
}

async fn list(State(control): State<Arc<Control>>, Query(which): Query<Which>) -> Answer {
    let faults = each(&control, &which, faults)?;
    Ok(answer(200, &Value::Array(faults.into_iter().flatten().collect())))
}

async fn add(State(control): State<Arc<Control>>, Query(which): Query<Which>, body: Bytes) -> Answer {
    let (id, specs) = wanted(json_body(&body)?)?;
    let added = each(&control, &which, |chaos| -> Result<Value, Refusal> {
        let id = chaos.add_as(id.as_deref(), specs.clone())?;
        let faults = chaos.faults().into_iter().find(|fault| fault.id == id).map(|fault| fault.faults);
        Ok(json!({ "proxy": chaos.name(), "id": id, "faults": faults }))
    })?;
    let added = added.into_iter().collect::<Result<Vec<Value>, Refusal>>()?;
    control.settle().await;
    Ok(answer(201, &Value::Array(added)))
}

async fn remove(
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Answer {
    let removed = each(&control, &which, |chaos| chaos.remove(&id))?;
    control.settle().await;
    match removed.into_iter().filter(|removed| *removed).count() {
        0 => Err(Refusal::new(404, format!("no fault `{id}`"))),
        n => Ok(answer(200, &json!({ "removed": n }))),
    }
}

async fn clear(State(control): State<Arc<Control>>, Query(which): Query<Which>) -> Answer {
    let removed = each(&control, &which, |chaos| {
        let faults = chaos.faults().len();
        chaos.clear();
        faults
    })?;
    control.settle().await;
    Ok(answer(200, &json!({ "removed": removed.iter().sum::<usize>() })))
}

async fn connections(State(control): State<Arc<Control>>, Query(which): Query<Which>) -> Answer {
    let connections = each(&control, &which, |chaos| {
        let name = chaos.name().to_owned();
        let named = move |connection| with_proxy(&name, json!(connection));
        chaos.connections().into_iter().map(named).collect::<Vec<Value>>()
    })?;
    Ok(answer(200, &Value::Array(connections.into_iter().flatten().collect())))
}

async fn reset_all(State(control): State<Arc<Control>>, Query(which): Query<Which>) -> Answer {
    let reset = each(&control, &which, |chaos| {
        let open = chaos.connections().len();
        chaos.reset_connections();
        open
    })?;
    Ok(answer(200, &json!({ "reset": reset.iter().sum::<usize>() })))
}

async fn reset_one(
    State(control): State<Arc<Control>>,
    Path(number): Path<u64>,
    Query(which): Query<Which>,
) -> Answer {
    let reset = each(&control, &which, |chaos| chaos.reset_connection(number))?;
    match reset.into_iter().filter(|reset| *reset).count() {
        0 => Err(Refusal::new(404, format!("no connection {number} is open"))),
        n => Ok(answer(200, &json!({ "reset": n }))),
    }
}

async fn presets() -> Answer {
    let presets: Vec<Value> = preset::all()
        .map(|preset| {
            json!({
                "name": preset.name, "title": preset.title, "about": preset.about,
                "faults": preset.faults, "sources": preset.sources,
            })
        })
        .collect();
    Ok(answer(200, &Value::Array(presets)))
}

/// A body that asks for faults: a fault table, a list of them, or `{"preset": …}`; with an `id`, if wanted.
fn wanted(body: Value) -> Result<(Option<String>, Vec<Spec>), Refusal> {
    let wrong = |error: crate::SpecError| Refusal::new(400, error.to_string());
    match body {
        Value::Object(mut table) => {
            let id = match table.remove("id") {
                None => None,
                Some(Value::String(id)) if !id.is_empty() => Some(id),
                Some(_) => return Err(Refusal::new(400, "`id` is a text")),
            };
            let specs = match table.remove("preset") {
                Some(Value::String(name)) if table.is_empty() => preset::faults(&name)?,
                Some(_) => return Err(Refusal::new(400, "`preset` is the name of one, and stands alone")),
                None => vec![Spec::try_from(table).map_err(wrong)?],
            };
            Ok((id, specs))
        }
        Value::Array(tables) if !tables.is_empty() => {
            let specs = tables.into_iter().map(|table| match table {
                Value::Object(table) => Spec::try_from(table).map_err(wrong),
                _ => Err(Refusal::new(400, "a fault is an object")),
            });
            Ok((None, specs.collect::<Result<_, _>>()?))
        }
        _ => Err(Refusal::new(400, "write a fault, such as {\"kind\":\"idle-cut\",\"after\":\"5s\"}")),
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

fn each<T>(control: &Control, which: &Which, look: impl FnMut(&Chaos) -> T) -> Result<Vec<T>, Refusal> {
    let mut look = look;
    match &which.proxy {
        None => Ok(control.each(look)),
        Some(name) => match control.with(name, |member| look(&member.chaos)) {
            Some(one) => Ok(vec![one]),
            None => Err(Refusal::new(404, format!("no proxy `{name}`"))),
        },
    }
}
