//! A reverse proxy that gives any WebSocket backend resumable sessions.
