//! A WebSocket client whose sessions survive their connections.
