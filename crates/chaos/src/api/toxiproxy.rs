//! The dialect of toxiproxy 2, at the root: proxies and toxics.

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
use super::response::{ApiError, ApiResult, json_body, json_response};
use super::toxic::{Toxic, ToxicRequest};
use crate::error::Error;
use crate::upstream::Upstream;

/// The version of the API that this dialect implements.
const VERSION: &str = "2.12.0";

/// A proxy as clients request it, or a change of one.
#[derive(Debug, Default, Deserialize)]
struct ProxyRequest {
    #[serde(default)]
    name: String,
    listen: Option<String>,
    upstream: Option<String>,
    enabled: Option<bool>,
}

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/version", get(|| async { json_response(200, &json!({ "version": VERSION })) }))
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
            member.chaos.remove(&toxic.fault_name());
        }
        member.chaos.set_enabled(true);
    });
    control.settle().await;
    StatusCode::NO_CONTENT
}

async fn populate(State(control): State<Arc<Control>>, body: Bytes) -> ApiResult {
    let request: Vec<ProxyRequest> = serde_json::from_value(json_body(&body)?)
        .map_err(|error| ApiError::bad_request(format!("the body must be a list of proxies: {error}")))?;
    let mut made = Vec::new();
    for one in request {
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
    Ok(json_response(201, &json!({ "proxies": made })))
}

async fn proxies(State(control): State<Arc<Control>>) -> Response {
    let proxies: Map<String, Value> =
        control.members(|member| (member.chaos.name().to_owned(), show(member))).into_iter().collect();
    json_response(200, &Value::Object(proxies))
}

async fn create(State(control): State<Arc<Control>>, body: Bytes) -> ApiResult {
    let request = proxy_request(&body)?;
    make(&control, &request).await?;
    if request.enabled == Some(false) {
        control.with(&request.name, |member| member.chaos.set_enabled(false));
        control.settle().await;
    }
    shown(&control, &request.name, 201)
}

async fn proxy(State(control): State<Arc<Control>>, Path(name): Path<String>) -> ApiResult {
    shown(&control, &name, 200)
}

async fn update(State(control): State<Arc<Control>>, Path(name): Path<String>, body: Bytes) -> ApiResult {
    let request = proxy_request(&body)?;
    let upstream = request.upstream.as_deref().map(str::parse::<Upstream>).transpose()?;
    let moves = control
        .with(&name, |member| {
            if let Some(upstream) = upstream.clone().filter(|upstream| *upstream != member.chaos.upstream()) {
                // Clients of toxiproxy expect that connections to the old upstream end.
                member.chaos.set_upstream(upstream);
                member.chaos.reset_connections();
            }
            request.listen.clone().filter(|listen| *listen != member.chaos.address().to_string())
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
    if let Some(enabled) = request.enabled {
        control.with(&name, |member| {
            if member.chaos.is_enabled() != enabled {
                member.chaos.set_enabled(enabled);
            }
        });
        control.settle().await;
    }
    shown(&control, &name, 200)
}

async fn remove(State(control): State<Arc<Control>>, Path(name): Path<String>) -> ApiResult {
    control.take(&name).map(drop).ok_or_else(no_proxy)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn toxics(State(control): State<Arc<Control>>, Path(name): Path<String>) -> ApiResult {
    let toxics = control.with(&name, |member| json!(member.toxics)).ok_or_else(no_proxy)?;
    Ok(json_response(200, &toxics))
}

async fn add_toxic(State(control): State<Arc<Control>>, Path(name): Path<String>, body: Bytes) -> ApiResult {
    let request: ToxicRequest = serde_json::from_value(json_body(&body)?)
        .map_err(|error| ApiError::bad_request(format!("the body must be a toxic: {error}")))?;
    let toxic = Toxic::try_from(request)?;
    let shown = json!(toxic);
    let exists = control
        .with(&name, |member| {
            let exists = member.toxics.iter().any(|other| other.name == toxic.name);
            if !exists {
                put(member, toxic);
            }
            exists
        })
        .ok_or_else(no_proxy)?;
    if exists { Err(ApiError::new(409, "toxic already exists")) } else { Ok(json_response(200, &shown)) }
}

async fn toxic(
    State(control): State<Arc<Control>>,
    Path((name, toxic)): Path<(String, String)>,
) -> ApiResult {
    let found = control
        .with(&name, |member| {
            member.toxics.iter().find(|other| other.name == toxic).map(|toxic| json!(toxic))
        })
        .ok_or_else(no_proxy)?;
    Ok(json_response(200, &found.ok_or_else(no_toxic)?))
}

async fn change(
    State(control): State<Arc<Control>>,
    Path((name, toxic)): Path<(String, String)>,
    body: Bytes,
) -> ApiResult {
    let body = json_body(&body)?;
    let changed = control
        .with(&name, |member| -> Result<Value, ApiError> {
            let old = member.toxics.iter().find(|other| other.name == toxic).ok_or_else(no_toxic)?;
            let new = old.changed(&body)?;
            take(member, &toxic);
            let shown = json!(new);
            put(member, new);
            Ok(shown)
        })
        .ok_or_else(no_proxy)??;
    Ok(json_response(200, &changed))
}

async fn remove_toxic(
    State(control): State<Arc<Control>>,
    Path((name, toxic)): Path<(String, String)>,
) -> ApiResult {
    let found = control.with(&name, |member| take(member, &toxic)).ok_or_else(no_proxy)?;
    if found { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(no_toxic()) }
}

fn proxy_request(body: &[u8]) -> Result<ProxyRequest, ApiError> {
    serde_json::from_value(json_body(body)?)
        .map_err(|error| ApiError::bad_request(format!("the body must be a proxy: {error}")))
}

async fn make(control: &Control, request: &ProxyRequest) -> Result<(), ApiError> {
    if request.name.is_empty() {
        return Err(ApiError::bad_request("missing required field: name"));
    }
    let Some(upstream) = &request.upstream else {
        return Err(ApiError::bad_request("missing required field: upstream"));
    };
    let listen = request.listen.as_deref().filter(|listen| !listen.is_empty()).unwrap_or("127.0.0.1:0");
    control.create(&request.name, listen, upstream.parse()?).await.map_err(|error| match error {
        Error::NameTaken(_) => ApiError::new(409, "proxy already exists"),
        other => other.into(),
    })
}

/// Adds a toxic to a proxy.
fn put(member: &mut Member, toxic: Toxic) {
    // No other fault has a name with this prefix, so it is not in use.
    if let Err(error) = member.chaos.add_as(Some(&toxic.fault_name()), toxic.specs()) {
        tracing::warn!(%error, "cannot add the faults of a toxic");
    }
    member.toxics.push(toxic);
}

/// Removes a toxic. Returns false if no toxic has the name.
fn take(member: &mut Member, name: &str) -> bool {
    let Some(at) = member.toxics.iter().position(|toxic| toxic.name == name) else { return false };
    let toxic = member.toxics.remove(at);
    member.chaos.remove(&toxic.fault_name());
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

fn shown(control: &Control, name: &str, status: u16) -> ApiResult {
    let proxy = control.with(name, |member| show(member)).ok_or_else(no_proxy)?;
    Ok(json_response(status, &proxy))
}

fn no_proxy() -> ApiError {
    ApiError::not_found("proxy not found")
}

fn no_toxic() -> ApiError {
    ApiError::not_found("toxic not found")
}
