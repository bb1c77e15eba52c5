//! Load for WebSockets.
