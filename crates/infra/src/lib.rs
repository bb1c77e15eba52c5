//! What is known of the intermediaries in the way of a WebSocket.
