//! The meanings of endings in logs, and timers of libraries.

use std::time::Duration;

/// The party that ended a session, according to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// An idle timeout of the product that wrote the log.
    OwnIdle,
    /// A maximum connection age of that product.
    OwnAge,
    /// A command to that product: a reload, an administrator, a server marked down.
    OwnOrder,
    /// The client, or a hop on its side.
    Client,
    /// The server, or a hop on its side.
    Server,
    /// Both sides, in an orderly way.
    Normal,
    Unknown,
}

/// Returns the party that an ending in the log of a product stands for.
pub(super) fn who(product: Option<&str>, ending: &str) -> EndedBy {
    match product {
        Some("haproxy") => match ending.as_bytes().first() {
            Some(b'c' | b's') => EndedBy::OwnIdle,
            Some(b'C') => EndedBy::Client,
            Some(b'S') => EndedBy::Server,
            Some(b'K' | b'D' | b'U') => EndedBy::OwnOrder,
            Some(b'-') => EndedBy::Normal,
            _ => EndedBy::Unknown,
        },
        Some("envoy" | "istio") => {
            let has = |flag| ending.split(',').any(|one| one == flag);
            if has("SI") {
                EndedBy::OwnIdle
            } else if has("DT") || has("UMSDR") || has("UT") {
                EndedBy::OwnAge
            } else if has("UC") || has("UR") {
                EndedBy::Server
            } else if has("DC") || has("DR") {
                EndedBy::Client
            } else {
                EndedBy::Unknown
            }
        }
        _ => EndedBy::Unknown,
    }
}

/// Timers of libraries and frameworks that end a WebSocket without heartbeat or data, in seconds.
const LIBRARIES: [(u64, &str); 7] = [
    (6, "the client of Action Cable (no ping from the server for 6 s)"),
    (30, "SignalR (30 s without a message)"),
    (40, "Python websockets or uvicorn (a Ping every 20 s, and 20 s for its Pong)"),
    (45, "Socket.IO 3 and later (pingInterval 25 s and pingTimeout 20 s)"),
    (60, "the chat example of gorilla (read deadline of 60 s)"),
    (60, "Phoenix (socket timeout of 60 s)"),
    (300, "Jetty (idle timeout of 5 min)"),
];

/// Returns the libraries with a timer of about this length.
pub(super) fn libraries(age: Duration) -> impl Iterator<Item = &'static str> {
    let near = move |seconds: u64| {
        let off = age.as_secs_f64() - seconds as f64;
        // Timers start at the last Pong, not at the opening.
        (-0.1..=0.02 * seconds as f64 + 0.5).contains(&off)
    };
    LIBRARIES.iter().filter(move |(seconds, _)| near(*seconds)).map(|(_, name)| *name)
}

/// Returns the configuration that adds durations to a log, by product: language, block, reason, validator.
pub(super) fn how_to_log(
    product: Option<&str>,
) -> (&'static str, &'static str, &'static str, Option<&'static str>) {
    match product {
        Some("apache") => (
            "apache",
            "LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{Referer}i\\\" \\\"%{User-Agent}i\\\" %D\" timed\nCustomLog ${APACHE_LOG_DIR}/access.log timed",
            "%D is the duration in microseconds; for a WebSocket, it covers the whole connection.",
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
            "log {\n    format json      # the default; contains `duration`\n}",
            "`duration` is the duration in seconds.",
            Some("caddy validate --config FILE"),
        ),
        _ => (
            "nginx",
            "log_format timed '$remote_addr - $remote_user [$time_local] \"$request\" '\n                 '$status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" '\n                 '$request_time \"$http_upgrade\"';\naccess_log /var/log/nginx/access.log timed;",
            "$request_time is the duration in seconds; for a WebSocket, it covers the whole connection.",
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
            ("haproxy", "cD", EndedBy::OwnIdle),
            ("haproxy", "sD", EndedBy::OwnIdle),
            ("haproxy", "CD", EndedBy::Client),
            ("haproxy", "SD", EndedBy::Server),
            ("haproxy", "K-", EndedBy::OwnOrder),
            ("haproxy", "--", EndedBy::Normal),
            ("envoy", "DC", EndedBy::Client),
            ("envoy", "UC,DC", EndedBy::Server),
            ("envoy", "SI", EndedBy::OwnIdle),
            ("istio", "UMSDR", EndedBy::OwnAge),
            ("envoy", "-", EndedBy::Unknown),
            ("nginx", "cD", EndedBy::Unknown),
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
