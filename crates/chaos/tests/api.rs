//! Tests of the API over real HTTP: faults, connections and proxies at run time, and rejected requests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use undrop_chaos::Chaos;
use undrop_chaos::api::{Api, ApiClient, ClientError, Control};

const PATIENCE: Duration = Duration::from_secs(20);

struct Setup {
    listener: TcpListener,
    proxy: SocketAddr,
    api: Api,
    client: ApiClient,
}

async fn setup() -> Setup {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let chaos = Chaos::start(listener.local_addr().unwrap()).name("one").await.unwrap();
    let proxy = chaos.address();
    let control = Arc::new(Control::new(1, 1.0));
    control.insert(chaos).unwrap();
    let api = Api::start("127.0.0.1:0".parse().unwrap(), control).await.unwrap();
    let client = ApiClient::new(&format!("http://{}", api.address())).unwrap();
    Setup { listener, proxy, api, client }
}

impl Setup {
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let (client, server) =
            timeout(PATIENCE, async { tokio::join!(TcpStream::connect(self.proxy), self.listener.accept()) })
                .await
                .unwrap();
        (client.unwrap(), server.unwrap().0)
    }

    async fn request(&self, method: &str, path: &str, body: Value) -> Value {
        self.client.request(method, path, Some(&body)).await.unwrap()
    }

    async fn rejected(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        match self.client.request(method, path, Some(&body)).await {
            Err(ClientError::Rejected { status, reason }) => (status, reason),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn faults_are_added_to_and_removed_from_open_connections() {
    let setup = setup().await;
    let (mut client, mut server) = setup.connect().await;
    let added = setup.request("POST", "/api/faults", json!({ "kind": "black-hole", "id": "hole" })).await;
    assert_eq!(added, json!([{ "proxy": "one", "id": "hole", "faults": [{ "kind": "black-hole" }] }]));
    client.write_all(b"x").await.unwrap();
    let mut got = [0; 1];
    assert!(timeout(Duration::from_millis(300), server.read(&mut got)).await.is_err(), "nothing may pass");
    assert_eq!(setup.request("GET", "/api/faults", Value::Null).await[0]["id"], "hole");
    assert_eq!(setup.request("DELETE", "/api/faults/hole", Value::Null).await, json!({ "removed": 1 }));
    timeout(PATIENCE, server.read_exact(&mut got)).await.expect("data must pass").unwrap();
    let status = setup.request("GET", "/api/status", Value::Null).await;
    assert_eq!(status["proxies"][0]["counts"]["injected"], json!({ "black-hole": 1 }));
    assert_eq!(status["proxies"][0]["faults"], json!([]));
}

#[tokio::test]
async fn presets_and_lists_of_faults_are_added_and_reset() {
    let setup = setup().await;
    setup.request("POST", "/api/faults", json!({ "preset": "flaky-wifi" })).await;
    setup
        .request("POST", "/api/faults?proxy=one", json!([{ "kind": "drop-pings" }, { "kind": "drop-pongs" }]))
        .await;
    let faults = setup.request("GET", "/api/faults", Value::Null).await;
    assert_eq!(faults.as_array().unwrap().len(), 2);
    assert_eq!(faults[1]["faults"].as_array().unwrap().len(), 2);
    assert_eq!(setup.request("POST", "/api/reset", Value::Null).await, json!({ "removed": 2 }));
    assert!(setup.request("GET", "/api/presets", Value::Null).await.as_array().unwrap().len() > 15);
}

#[tokio::test]
async fn the_listener_is_closed_before_the_response_is_sent() {
    let setup = setup().await;
    for _ in 0..20 {
        setup.request("POST", "/api/faults", json!({ "kind": "refuse", "id": "no" })).await;
        let error = TcpStream::connect(setup.proxy).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        setup.request("DELETE", "/api/faults/no", Value::Null).await;
        setup.connect().await;
    }
}

#[tokio::test]
async fn connections_are_listed_and_reset() {
    let setup = setup().await;
    let (mut client, _server) = setup.connect().await;
    let connections = setup.request("GET", "/api/connections", Value::Null).await;
    assert_eq!((&connections[0]["connection"], &connections[0]["proxy"]), (&json!(1), &json!("one")));
    assert_eq!(connections[0]["peer"], client.local_addr().unwrap().to_string());
    setup.request("DELETE", "/api/connections/1", Value::Null).await;
    let end = timeout(PATIENCE, client.read(&mut [0; 1])).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(setup.rejected("DELETE", "/api/connections/1", Value::Null).await.0, 404);
    assert_eq!(setup.request("DELETE", "/api/connections", Value::Null).await, json!({ "reset": 0 }));
}

#[tokio::test]
async fn an_invalid_request_is_rejected_with_a_reason() {
    let setup = setup().await;
    setup.request("POST", "/api/faults", json!({ "kind": "refuse", "id": "x", "share": 0.0 })).await;
    for (method, path, body, status, reason) in [
        (
            "POST",
            "/api/faults",
            json!({ "kind": "latncy" }),
            400,
            "unknown fault `latncy`; did you mean `latency`?",
        ),
        (
            "POST",
            "/api/faults",
            json!({ "kind": "drop-pings", "id": "x" }),
            409,
            "the name `x` is already in use",
        ),
        (
            "POST",
            "/api/faults",
            json!({ "preset": "alb", "kind": "x" }),
            400,
            "`preset` must be the name of a preset, without other keys except `id`",
        ),
        (
            "POST",
            "/api/faults",
            json!(7),
            400,
            "the body must be a fault, such as {\"kind\":\"idle-cut\",\"after\":\"5s\"}",
        ),
        (
            "POST",
            "/api/faults?proxy=two",
            json!({ "kind": "drop-pings" }),
            404,
            "no proxy has the name `two`",
        ),
        ("DELETE", "/api/faults/none", Value::Null, 404, "no fault has the name `none`"),
        ("GET", "/nowhere", Value::Null, 404, "unknown path; see docs/chaos.md"),
        ("GET", "/proxies/none", Value::Null, 404, "proxy not found"),
        ("POST", "/proxies", json!({ "name": "a" }), 400, "missing required field: upstream"),
        ("POST", "/proxies", json!({ "name": "one", "upstream": "a:1" }), 409, "proxy already exists"),
        (
            "POST",
            "/proxies",
            json!({ "name": "two", "upstream": "a" }),
            400,
            "`a` is not a valid upstream; write an address such as 127.0.0.1:9000 or ws://127.0.0.1:9000",
        ),
        ("POST", "/proxies/one/toxics", json!({ "type": "nope" }), 400, "invalid toxic type `nope`"),
        (
            "POST",
            "/proxies/one/toxics",
            json!({ "type": "latency", "attributes": { "latency": -1 } }),
            400,
            "attribute `latency` must be a number that is not negative, not -1",
        ),
    ] {
        assert_eq!(setup.rejected(method, path, body).await, (status, reason.to_owned()), "{method} {path}");
    }
}

/// Otherwise, a page in a browser could redirect traffic of this computer.
#[tokio::test]
async fn requests_of_web_pages_are_rejected() {
    let setup = setup().await;
    let mut stream = TcpStream::connect(setup.api.address()).await.unwrap();
    stream
        .write_all(b"DELETE /api/connections HTTP/1.0\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n")
        .await
        .unwrap();
    let mut response = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut response)).await.unwrap().unwrap();
    assert!(response.starts_with("HTTP/1.0 403"), "{response}");
}

#[tokio::test]
async fn another_server_is_recognized() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 512]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n<html>").await;
    });
    let client = ApiClient::new(&address.to_string()).unwrap();
    let error = client.request("GET", "/api/status", None).await.unwrap_err().to_string();
    assert_eq!(error, format!("{address} is not the API of `undrop chaos`"));
    server.await.unwrap();
    let error = client.request("GET", "/api/status", None).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("no API at {address}; start a proxy")), "{error}");
}
