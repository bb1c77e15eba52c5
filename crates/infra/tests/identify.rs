//! Responses of real products, and the products that are identified by them.

use undrop_infra::{Evidence, ProductMatch, identify};

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Evidence {
    Evidence {
        status: Some(status),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_owned(),
        ..Evidence::default()
    }
}

fn at(host: &str) -> Evidence {
    Evidence { host: Some(host.to_owned()), ..Evidence::default() }
}

#[track_caller]
fn recognised(evidence: &Evidence, id: &str) -> Vec<ProductMatch> {
    let matches = identify(evidence);
    let ranking: Vec<(&str, u8)> =
        matches.iter().map(|found| (found.entry.id.as_str(), found.score)).collect();
    assert_eq!(ranking.first().map(|first| first.0), Some(id), "{ranking:?}");
    assert!(ranking[0].1 >= 50, "{ranking:?}");
    matches
}

#[test]
fn reverse_proxies_are_identified_by_their_error_pages() {
    let nginx = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
    let matches = recognised(&response(502, &[("Server", "nginx/1.22.1")], nginx), "nginx");
    assert_eq!(matches[0].found.len(), 2);
    assert!(matches[0].score > 90);

    let haproxy = "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n";
    recognised(
        &response(503, &[("content-type", "text/html"), ("cache-control", "no-cache")], haproxy),
        "haproxy",
    );

    let envoy =
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
    recognised(&response(503, &[("server", "envoy"), ("content-type", "text/plain")], envoy), "envoy");
    recognised(
        &response(403, &[("server", "istio-envoy"), ("x-envoy-upstream-service-time", "3")], ""),
        "istio",
    );

    recognised(&response(503, &[("Server", "Apache/2.4.71 (Debian)")], ""), "apache");
    recognised(&response(502, &[("Server", "Caddy")], ""), "caddy");
    recognised(&response(426, &[("Server", "lighttpd/1.4.69")], ""), "lighttpd");
    recognised(&response(502, &[("Server", "h2o/2.2.6")], ""), "h2o");
    recognised(
        &response(426, &[("X-Varnish", "32770"), ("Via", "1.1 varnish (Varnish/7.1)")], ""),
        "varnish",
    );
    recognised(&response(404, &[("Server", "kong/3.9.0"), ("X-Kong-Request-Id", "3b")], ""), "kong");
    recognised(
        &response(403, &[("Server", "squid/5.7"), ("X-Squid-Error", "ERR_ACCESS_DENIED 0")], ""),
        "squid",
    );
}

#[test]
fn cloud_products_are_identified_by_their_headers() {
    recognised(&response(502, &[("Server", "awselb/2.0")], ""), "aws-alb");
    recognised(
        &response(101, &[("Set-Cookie", "AWSALBCORS=abc; Path=/; SameSite=None; Secure")], ""),
        "aws-alb",
    );
    recognised(
        &response(101, &[("Via", "1.1 0123.cloudfront.net (CloudFront)"), ("X-Amz-Cf-Pop", "FRA56-P5")], ""),
        "aws-cloudfront",
    );
    recognised(&response(101, &[("Server", "cloudflare"), ("CF-RAY", "8f-FRA")], ""), "cloudflare");
    recognised(&response(522, &[], "error code: 522"), "cloudflare");
    recognised(&response(101, &[("Via", "1.1 vegur")], ""), "heroku");
    recognised(&response(101, &[("Via", "2.0 heroku-router"), ("Server", "Cowboy")], ""), "heroku");
    recognised(
        &response(101, &[("Server", "Google Frontend"), ("X-Cloud-Trace-Context", "1/2")], ""),
        "gcp-cloud-run",
    );
    recognised(&response(101, &[("Via", "1.1 google")], ""), "gcp-external-alb");
    recognised(
        &response(400, &[("x-azure-ref", "20261125T1"), ("x-cache", "CONFIG_NOCACHE")], ""),
        "azure-frontdoor",
    );
    recognised(&response(502, &[("Server", "Microsoft-Azure-Application-Gateway/v2")], ""), "azure-appgw");
    recognised(&response(101, &[("Set-Cookie", "ARRAffinity=a;Path=/;HttpOnly")], ""), "azure-appservice");
    recognised(
        &response(101, &[("x-served-by", "cache-fra-1"), ("x-timer", "S1"), ("via", "1.1 varnish")], ""),
        "fastly",
    );
    recognised(&response(426, &[("server", "Vercel"), ("x-vercel-id", "fra1::a")], ""), "vercel");
    recognised(&response(101, &[("server", "Fly/abc (2026-01-01)"), ("via", "1.1 fly.io")], ""), "fly");
}

#[test]
fn cloud_products_are_identified_by_their_host_names() {
    recognised(&at("abc123.execute-api.eu-central-1.amazonaws.com"), "aws-apigw-ws");
    recognised(&at("app.herokuapp.com:443"), "heroku");
    recognised(&at("app-x2.a.run.app"), "gcp-cloud-run");
    recognised(&at("shop.azurewebsites.net"), "azure-appservice");
    recognised(&at("app.onrender.com"), "render");
}

#[test]
fn tls_inspection_is_identified_by_the_issuer_of_the_certificate() {
    let issuer = |issuer: &str| Evidence { issuer: Some(issuer.to_owned()), ..Evidence::default() };
    recognised(&issuer("CN=Zscaler Intermediate Root CA (zscaler.net)"), "corp-proxy");
    recognised(&issuer("C=US, O=Fortinet, OU=Certificate Authority"), "fortinet");
    assert!(identify(&issuer("C=US, O=Let's Encrypt, CN=R11")).is_empty());
}

#[test]
fn all_products_of_a_chain_are_identified() {
    let evidence = response(
        101,
        &[("CF-RAY", "8f-FRA"), ("Server", "cloudflare"), ("x-render-origin-server", "Render")],
        "",
    );
    let matches = identify(&evidence);
    let strong: Vec<&str> =
        matches.iter().filter(|found| found.score > 90).map(|found| found.entry.id.as_str()).collect();
    assert!(strong.contains(&"cloudflare") && strong.contains(&"render"), "{strong:?}");
}

#[test]
fn a_bare_response_identifies_no_product() {
    assert!(identify(&Evidence::default()).is_empty());
    let bare = response(
        101,
        &[("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", "x")],
        "",
    );
    assert!(identify(&bare).is_empty());
    let node = response(426, &[("Connection", "close"), ("Content-Type", "text/plain")], "Upgrade Required");
    assert!(identify(&node).is_empty());
}
