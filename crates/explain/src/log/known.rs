//! What is known besides the timers of intermediaries: what endings in logs mean, and timers of libraries.

use std::time::Duration;

/// Who ended a session, by what its log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// An idle timer of the product that wrote the log.
    OwnIdle,
    /// A cap of age of that product.
    OwnAge,
    /// That product was told to end sessions: a reload, an administrator, a server marked down.
    OwnOrder,
    /// The side of the client.
    Client,
    /// The side of the server.
    Server,
    /// Both sides, in order.
    Normal,
    Unknown,
}

/// What an ending says in the log of a product.
pub(super) fn who(product: Option<&str>, ending: &str) -> Who {
    match product {
        Some("haproxy") => match ending.as_bytes().first() {
            Some(b'c' | b's') => Who::OwnIdle,
            Some(b'C') => Who::Client,
            Some(b'S') => Who::Server,
            Some(b'K' | b'D' | b'U') => Who::OwnOrder,
            Some(b'-') => Who::Normal,
            _ => Who::Unknown,
        },
        Some("envoy" | "istio") => {
            let has = |flag| ending.split(',').any(|one| one == flag);
            if has("SI") {
                Who::OwnIdle
            } else if has("DT") || has("UMSDR") || has("UT") {
                Who::OwnAge
            } else if has("UC") || has("UR") {
                Who::Server
            } else if has("DC") || has("DR") {
                Who::Client
            } else {
                Who::Unknown
            }
        }
        _ => Who::Unknown,
    }
}

/// Timers of libraries and frameworks that end a WebSocket whose heartbeat is not answered, or that is quiet.
const LIBRARIES: [(u64, &str); 7] = [
    (6, "Action Cable's client (no ping of the server for 6 s)"),
    (30, "SignalR (30 s without a message)"),
    (40, "Python websockets or uvicorn (a Ping each 20 s, and 20 s for its Pong)"),
    (45, "Socket.IO 3 and later (pingInterval 25 s and pingTimeout 20 s)"),
    (60, "gorilla's chat example (read deadline of 60 s)"),
    (60, "Phoenix (socket timeout of 60 s)"),
    (300, "Jetty (idle timeout of 5 min)"),
];

/// Libraries that have a timer of about this length.
pub(super) fn libraries(age: Duration) -> impl Iterator<Item = &'static str> {
    let near = move |seconds: u64| {
        let off = age.as_secs_f64() - seconds as f64;
        // Timers begin at the last Pong, not at the opening.
        (-0.1..=0.02 * seconds as f64 + 0.5).contains(&off)
    };
    LIBRARIES.iter().filter(move |(seconds, _)| near(*seconds)).map(|(_, name)| *name)
}

/// What to add so that a log has durations, by product: language, block, reason, validator.
pub(super) fn how_to_log(
    product: Option<&str>,
) -> (&'static str, &'static str, &'static str, Option<&'static str>) {
    match product {
        Some("apache") => (
            "apache",
            "LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{Referer}i\\\" \\\"%{User-Agent}i\\\" %D\" timed\nCustomLog ${APACHE_LOG_DIR}/access.log timed",
            "%D is the duration in microseconds; for a WebSocket it is its whole life.",
            Some("apachectl configtest"),
        ),
        Some("envoy" | "istio") => (
            "yaml",
            "access_log:\n- name: envoy.access_loggers.file\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n    path: /dev/stdout   # the default format has %DURATION% and %RESPONSE_FLAGS%",
            "%DURATION% is the duration in milliseconds.",
            Some("envoy --mode validate -c FILE"),
        ),
        Some("haproxy") => (
            "haproxy",
            "option httplog        # in the frontend, without `option logasap`",
            "%Ta is the duration in milliseconds.",
            Some("haproxy -c -f FILE"),
        ),
        Some("caddy") => (
            "caddy",
            "log {\n    format json      # as it is by default: it has `duration`\n}",
            "`duration` is the duration in seconds.",
            Some("caddy validate --config FILE"),
        ),
        _ => (
            "nginx",
            "log_format timed '$remote_addr - $remote_user [$time_local] \"$request\" '\n                 '$status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" '\n                 '$request_time \"$http_upgrade\"';\naccess_log /var/log/nginx/access.log timed;",
            "$request_time is the duration in seconds; for a WebSocket it is its whole life.",
            Some("nginx -t"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_say_who() {
        for (product, ending, wanted) in [
            ("haproxy", "cD", Who::OwnIdle),
            ("haproxy", "sD", Who::OwnIdle),
            ("haproxy", "CD", Who::Client),
            ("haproxy", "SD", Who::Server),
            ("haproxy", "K-", Who::OwnOrder),
            ("haproxy", "--", Who::Normal),
            ("envoy", "DC", Who::Client),
            ("envoy", "UC,DC", Who::Server),
            ("envoy", "SI", Who::OwnIdle),
            ("istio", "UMSDR", Who::OwnAge),
            ("envoy", "-", Who::Unknown),
            ("nginx", "cD", Who::Unknown),
        ] {
            assert_eq!(who(Some(product), ending), wanted, "{product} {ending}");
        }
    }

    #[test]
    fn libraries_by_age() {
        let at = |ms| libraries(Duration::from_millis(ms)).count();
        assert_eq!((at(40_010), at(60_000), at(137_000), at(39_000)), (1, 2, 0, 0));
    }
}
