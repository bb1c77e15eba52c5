//! The data files. A file that is not named here fails a test of this crate.

/// The id of each entry, which is also the name of its file, and the text of the file; in alphabetical order.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("aws-alb", include_str!("../data/aws-alb.toml")),
    ("aws-apigw-ws", include_str!("../data/aws-apigw-ws.toml")),
    ("aws-nlb", include_str!("../data/aws-nlb.toml")),
    ("azure-appservice", include_str!("../data/azure-appservice.toml")),
    ("azure-lb", include_str!("../data/azure-lb.toml")),
    ("browser-safari", include_str!("../data/browser-safari.toml")),
    ("cloudflare", include_str!("../data/cloudflare.toml")),
    ("corp-proxy", include_str!("../data/corp-proxy.toml")),
    ("envoy", include_str!("../data/envoy.toml")),
    ("gcp-external-alb", include_str!("../data/gcp-external-alb.toml")),
    ("haproxy", include_str!("../data/haproxy.toml")),
    ("heroku", include_str!("../data/heroku.toml")),
    ("home-nat", include_str!("../data/home-nat.toml")),
    ("ingress-nginx", include_str!("../data/ingress-nginx.toml")),
    ("mobile-nat", include_str!("../data/mobile-nat.toml")),
    ("nginx", include_str!("../data/nginx.toml")),
];
