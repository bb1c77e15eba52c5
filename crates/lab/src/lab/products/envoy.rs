//! The cases of Envoy.

use std::process::Command;

use crate::lab::bench::CaseEnvironment;
use crate::lab::case::{CaseTarget, LabCase, Truth, finding, idle};

const ENVOY: &str = "Envoy";
const UPGRADE: &str = "upgrade_configs: [{ upgrade_type: websocket }]";

/// The part of the configuration that differs between the cases.
#[derive(Default, Clone, Copy)]
struct EnvoySetting {
    /// Of the connection manager.
    manager: &'static str,
    /// Additional settings of the route.
    route: &'static str,
    /// Protocols to offer by ALPN; empty: no TLS.
    alpn: &'static str,
}

pub(super) fn cases() -> Vec<LabCase> {
    let one = |name, truth, setting: EnvoySetting| {
        LabCase::new("envoy", name, truth, move |bench| {
            let echo = bench.backends.echo;
            serve(bench, setting, echo)
        })
    };
    let behind = |name, which: fn(&CaseEnvironment<'_>) -> std::net::SocketAddr| {
        LabCase::new("envoy", name, finding("backend-unreachable", "the backend of Envoy"), move |bench| {
            let to = which(bench);
            serve(
                bench,
                EnvoySetting { manager: UPGRADE, route: "timeout: 3s", ..EnvoySetting::default() },
                to,
            )
        })
    };
    let websocket = EnvoySetting { manager: UPGRADE, ..EnvoySetting::default() };
    vec![
        one(
            "stream_idle_timeout 6s",
            idle(ENVOY, 6.0),
            EnvoySetting {
                manager: "upgrade_configs: [{ upgrade_type: websocket }]\n          stream_idle_timeout: 6s",
                ..websocket
            },
        ),
        one(
            "idle_timeout 8s of the route",
            idle(ENVOY, 8.0),
            EnvoySetting { route: "idle_timeout: 8s", ..websocket },
        ),
        one(
            "TLS, stream_idle_timeout 5s",
            idle(ENVOY, 5.0),
            EnvoySetting {
                manager: "upgrade_configs: [{ upgrade_type: websocket }]\n          stream_idle_timeout: 5s",
                alpn: "http/1.1",
                ..websocket
            },
        ),
        one(
            "max_stream_duration 9s",
            Truth::Finding { id: "lifetime-cap", hop: ENVOY, value: Some(9.0) },
            EnvoySetting { route: "max_stream_duration: { max_stream_duration: 9s }", ..websocket },
        ),
        one(
            "max_stream_duration 7s",
            Truth::Finding { id: "lifetime-cap", hop: ENVOY, value: Some(7.0) },
            EnvoySetting { route: "max_stream_duration: { max_stream_duration: 7s }", ..websocket },
        ),
        one("as delivered, with upgrade_configs", Truth::Healthy, websocket),
        one("no upgrade_configs", finding("upgrade-stripped", ENVOY), EnvoySetting::default()),
        behind("backend refuses", |bench| bench.backends.refuses),
        behind("backend ends the connection", |bench| bench.backends.dies),
        behind("backend hangs, timeout 3s", |bench| bench.backends.hangs),
        one(
            "TLS with h2 alone, no extended CONNECT",
            finding("http2-without-websocket", ""),
            EnvoySetting {
                manager: "codec_type: HTTP2\n          upgrade_configs: [{ upgrade_type: websocket }]",
                alpn: "h2",
                ..websocket
            },
        ),
        one("TLS with h2 and http/1.1", Truth::Healthy, EnvoySetting { alpn: "h2, http/1.1", ..websocket }),
        one("stopped in the middle", finding("all-at-once", ENVOY), websocket)
            .event(|bench| bench.signal("TERM")),
    ]
}

fn serve(
    bench: &mut CaseEnvironment<'_>,
    setting: EnvoySetting,
    to: std::net::SocketAddr,
) -> anyhow::Result<CaseTarget> {
    let EnvoySetting { manager, route, alpn } = setting;
    let tls = if alpn.is_empty() {
        String::new()
    } else {
        let pair = &bench.certificates.good;
        format!(
            "
      transport_socket:
        name: tls
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [{alpn}]
            tls_certificates: [{{ certificate_chain: {{ filename: {} }}, private_key: {{ filename: {} }} }}]",
            pair.cert.display(),
            pair.key.display()
        )
    };
    let route = if route.is_empty() { String::new() } else { format!(", {route}") };
    let (port, address, backend) = (bench.port, to.ip(), to.port());
    let text = format!(
        "static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: lab
          {manager}
          http_filters:
          - name: router
            typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes: [{{ match: {{ prefix: / }}, route: {{ cluster: backend{route} }} }}]{tls}
  clusters:
  - name: backend
    connect_timeout: 2s
    load_assignment:
      cluster_name: backend
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: {address}, port_value: {backend} }} }} }}
"
    );
    let config = bench.write("envoy.yaml", &text)?;
    let mut command = Command::new(bench.envoy);
    command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "-c"]).arg(config);
    bench.start(&mut command)?;
    let (scheme, host) = if alpn.is_empty() { ("ws", "127.0.0.1") } else { ("wss", "localhost") };
    Ok(CaseTarget::at(format!("{scheme}://{host}:{port}/echo")))
}
