//! WebSocket frames without I/O: RFC 6455 and RFC 7692 codec, close codes, handshake rules.
