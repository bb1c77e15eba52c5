//! Finds why a WebSocket drops.
