//! The accept side: resumable WebSocket sessions in front of an application or a backend.
//!
//! A request is checked by the caller, then [`Sessions::admit`] gives its connection to the session that it belongs to,
//! or says that a new one is needed; [`Sessions::found`] builds that on a backend connection. From then on one task
//! owns the session's machine, its link and its backend; see `driver`.

mod closing;
mod driver;
mod from_backend;
mod from_link;
mod mailbox;
mod options;
mod registry;
mod sessions;

pub use closing::{LINGER, close_frame, control, masked_close_frame, retire};
pub use driver::{Command, NewLink};
pub use mailbox::Mailbox;
pub use options::SessionOptions;
pub use sessions::{Admission, Backend, FoundError, Newcomer, Pending, Sessions};
