//! The accept side: resumable WebSocket sessions in front of an application or a backend.
//!
//! A request is checked by the caller, then [`Sessions::admit`] gives its connection to the session that it belongs to,
//! or returns it as a newcomer, for which [`Sessions::create`] creates a session with a backend connection. From then on one task
//! owns the session's machine, its link and its backend; see `driver`.

mod closing;
mod command;
mod driver;
mod from_backend;
mod from_link;
mod mailbox;
mod node;
mod options;
mod registry;
mod sessions;
mod tombstone;

pub use closing::{LINGER, close_frame, control, masked_close_frame, retire};
pub use command::{Command, NewLink};
pub use mailbox::Mailbox;
pub use options::SessionOptions;
pub use sessions::{Admission, Backend, CreateError, Newcomer, Pending, Sessions};
