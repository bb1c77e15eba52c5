//! The dialect of toxiproxy 2 at the root: proxies and toxics.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::control::{Control, Member};
use super::toxic::Toxic;
use super::{Refusal, answer, json_body};
use crate::Upstream;

type Answer = Result<Response, Refusal>;

/// The version of the API that this speaks.
const VERSION: &str = "2.12.0";

/// A proxy as its clients write it; also a change of one.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    name: String,
    listen: Option<String>,
    upstream: Option<String>,
    enabled: Option<bool>,
}

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/version", get(|| async { answer(200, &json!({ "version": VERSION })) }))
        .route("/reset", post(reset))
        .route("/populate", post(populate))
        .route("/proxies", get(proxies).post(create))
        .route("/proxies/{proxy}", get(proxy).post(update).patch(update).delete(remove))
        .route("/proxies/{proxy}/toxics", get(toxics).post(add_toxic))
        .route("/proxies/{proxy}/toxics/{toxic}", get(toxic).post(change).patch(change).delete(remove_toxic))
}

async fn reset(State(control): State<Arc<Control>>) -> StatusCode {
    control.members(|member| {
        for toxic in std::mem::take(&mut member.toxics) {
            member.chaos.remove(&toxic.fault());
        }
        member.chaos.set_enabled(true);
    });
    control.settle().await;
    StatusCode::NO_CONTENT
}

async fn populate(State(control): State<Arc<Control>>, body: Bytes) -> Answer {
    let wanted: Vec<Wanted> = serde_json::from_value(json_body(&body)?)
        .map_err(|error| Refusal::new(400, format!("a list of proxies: {error}")))?;
    let mut made = Vec::new();
    for one in wanted {
        let name = one.name.clone();
        let same = control.with(&name, |member| {
            let address = member.chaos.address().to_string();
            one.listen.as_deref() == Some(&address)
                && one.upstream.as_deref() == Some(&member.chaos.upstream().to_string())
        });
        if same != Some(true) {
            drop(control.take(&name));
            make(&control, &one).await?;
        }
        control.with(&name, |member| member.chaos.set_enabled(one.enabled.unwrap_or(true)));
        made.extend(control.with(&name, |member| show(member)));
    }
    control.settle().await;
    Ok(answer(201, &json!({ "proxies": made })))
}

async fn proxies(State(control): State<Arc<Control>>) -> Response {
    let proxies: Map<String, Value> =
        control.members(|member| (member.chaos.name().to_owned(), show(member))).into_iter().collect();
    answer(200, &Value::Object(proxies))
}

async fn create(State(control): State<Arc<Control>>, body: Bytes) -> Answer {
    let wanted = wanted(&body)?;
    make(&control, &wanted).await?;
    if wanted.enabled == Some(false) {
        control.with(&wanted.name, |member| member.chaos.set_enabled(false));
        control.settle().await;
    }
    shown(&control, &wanted.name, 201)
}

async fn proxy(State(control): State<Arc<Control>>, Path(name): Path<String>) -> Answer {
    shown(&control, &name, 200)
}

async fn update(State(control): State<Arc<Control>>, Path(name): Path<String>, body: Bytes) -> Answer {
    let wanted = wanted(&body)?;
    let upstream = wanted.upstream.as_deref().map(read_upstream).transpose()?;
    let moves = control
        .with(&name, |member| {
            if let Some(upstream) = upstream.clone().filter(|upstream| *upstream != member.chaos.upstream()) {
                // As its clients expect: connections to the old one end.
                member.chaos.set_upstream(upstream);
                member.chaos.reset_connections();
            }
            wanted.listen.clone().filter(|listen| *listen != member.chaos.address().to_string())
        })
        .ok_or_else(no_proxy)?;
    if let Some(listen) = moves
        && let Some(old) = control.take(&name)
    {
        let upstream = old.chaos.upstream();
        let enabled = old.chaos.is_enabled();
        let toxics = old.toxics.clone();
        drop(old);
        control.create(&name, &listen, upstream).await?;
        control.with(&name, |member| {
            member.chaos.set_enabled(enabled);
            for toxic in toxics {
                put(member, toxic);
            }
        });
    }
    if let Some(enabled) = wanted.enabled {
        control.with(&name, |member| {
            if member.chaos.is_enabled() != enabled {
                member.chaos.set_enabled(enabled);
            }
        });
        control.settle().await;
    }
    shown(&control, &name, 200)
}

async fn remove(State(control): State<Arc<Control>>, Path(name): Path<String>) -> Answer {
    control.take(&name).map(drop).ok_or_else(no_proxy)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn toxics(State(control): State<Arc<Control>>, Path(name): Path<String>) -> Answer {
    let toxics = control.with(&name, |member| json!(member.toxics)).ok_or_else(no_proxy)?;
    Ok(answer(200, &toxics))
}

async fn add_toxic(State(control): State<Arc<Control>>, Path(name): Path<String>, body: Bytes) -> Answer {
    let toxic: Toxic = serde_json::from_value(json_body(&body)?)
        .map_err(|error| Refusal::new(400, format!("a toxic: {error}")))?;
    let toxic = toxic.complete()?;
    let shown = json!(toxic);
    let taken = control
        .with(&name, |member| {
            let taken = member.toxics.iter().any(|other| other.name == toxic.name);
            if !taken {
                put(member, toxic);
            }
            taken
        })
        .ok_or_else(no_proxy)?;
    if taken { Err(Refusal::new(409, "toxic already exists")) } else { Ok(answer(200, &shown)) }
}

async fn toxic(State(control): State<Arc<Control>>, Path((name, toxic)): Path<(String, String)>) -> Answer {
    let found = control
        .with(&name, |member| {
            member.toxics.iter().find(|other| other.name == toxic).map(|toxic| json!(toxic))
        })
        .ok_or_else(no_proxy)?;
    Ok(answer(200, &found.ok_or_else(no_toxic)?))
}

async fn change(
    State(control): State<Arc<Control>>,
    Path((name, toxic)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let body = json_body(&body)?;
    let changed = control
        .with(&name, |member| -> Result<Value, Refusal> {
            let old = member.toxics.iter().find(|other| other.name == toxic).cloned().ok_or_else(no_toxic)?;
            let mut new = old;
            new.change(&body);
            let new = new.complete()?;
            take(member, &toxic);
            let shown = json!(new);
            put(member, new);
            Ok(shown)
        })
        .ok_or_else(no_proxy)??;
    Ok(answer(200, &changed))
}

async fn remove_toxic(
    State(control): State<Arc<Control>>,
    Path((name, toxic)): Path<(String, String)>,
) -> Answer {
    let found = control.with(&name, |member| take(member, &toxic)).ok_or_else(no_proxy)?;
    if found { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(no_toxic()) }
}

fn wanted(body: &[u8]) -> Result<Wanted, Refusal> {
    serde_json::from_value(json_body(body)?).map_err(|error| Refusal::new(400, format!("a proxy: {error}")))
}

async fn make(control: &Control, wanted: &Wanted) -> Result<(), Refusal> {
    if wanted.name.is_empty() {
        return Err(Refusal::new(400, "missing required field: name"));
    }
    let Some(upstream) = &wanted.upstream else {
        return Err(Refusal::new(400, "missing required field: upstream"));
    };
    let listen = wanted.listen.as_deref().filter(|listen| !listen.is_empty()).unwrap_or("127.0.0.1:0");
    control.create(&wanted.name, listen, read_upstream(upstream)?).await.map_err(|error| match error {
        crate::Error::NameTaken(_) => Refusal::new(409, "proxy already exists"),
        other => other.into(),
    })
}

fn read_upstream(text: &str) -> Result<Upstream, Refusal> {
    text.parse().map_err(|error: crate::UpstreamError| Refusal::new(400, error.to_string()))
}

/// Puts a toxic on a proxy.
fn put(member: &mut Member, toxic: Toxic) {
    // No other faults have a name that begins like this, so it is free.
    if let Err(error) = member.chaos.add_as(Some(&toxic.fault()), toxic.specs()) {
        tracing::warn!(%error, "a toxic is not put on");
    }
    member.toxics.push(toxic);
}

/// Takes a toxic away. False: there is none of that name.
fn take(member: &mut Member, name: &str) -> bool {
    let Some(at) = member.toxics.iter().position(|toxic| toxic.name == name) else { return false };
    let toxic = member.toxics.remove(at);
    member.chaos.remove(&toxic.fault());
    true
}

fn show(member: &Member) -> Value {
    let Member { chaos, toxics } = member;
    json!({
        "name": chaos.name(),
        "listen": chaos.address().to_string(),
        "upstream": chaos.upstream().to_string(),
        "enabled": chaos.is_enabled(),
        "toxics": toxics,
    })
}

fn shown(control: &Control, name: &str, status: u16) -> Answer {
    let proxy = control.with(name, |member| show(member)).ok_or_else(no_proxy)?;
    Ok(answer(status, &proxy))
}

fn no_proxy() -> Refusal {
    Refusal::new(404, "proxy not found")
}

fn no_toxic() -> Refusal {
    Refusal::new(404, "toxic not found")
}
