//! Broken peers and boxes in between, each by name and as a scenario file.
//!
//! A *server* answers badly, late or not at all; a *middlebox* stands between a client and a server and
//! alters what they say. Both are for showing what the product finds, for training people, and for
//! testing. They know SMTP only as far as they need to, and do what their scenario says: nothing here is
//! part of the way that mail takes.
//!
//! Whoever runs one names a scenario of [`scenario::all`], or gives a file of the same form.

pub mod middlebox;
pub mod recording;
pub mod scenario;
pub mod server;
mod words;

pub use middlebox::{Middlebox, Recordings};
pub use recording::Recording;
pub use scenario::Scenario;
pub use server::Server;
