//! The accept side: resumable WebSocket sessions in front of an application or a backend.
