//! Sockets, TLS, HTTP upgrade and forward proxies for WebSockets.
