//! From a route to an attempt: connections, TLS, the client machine driven over a wire, local
//! mailboxes.
//!
//! [`open()`] makes a [`session::Session`], which relays any number of messages, one
//! transaction at a time. Whoever calls decides *where* (MX lookup and configured routes), *when* and *how
//! often*; what is here does one try and brings back all that can be known of it. Nothing here is
//! retried, except once in clear where opportunistic TLS broke, and that is said.
//!
//! The content comes through [`content::Content`], so that this crate and `spool` need not know each
//! other.

pub mod content;
mod convert;
mod drive;
pub mod http;
mod interference;
mod limits;
mod login;
pub mod maildir;
pub mod mta_sts;
pub mod mx;
mod open;
pub mod pipe;
pub mod plan;
pub mod policy;
pub mod probe;
pub mod send;
pub mod session;
pub mod tls;
pub mod wire;

pub use content::Content;
pub use open::{open, over};
pub use plan::{
    Credentials, Endpoint, Features, Learned, Plan, Protocol, Reason, Target, Tickets, Timeouts,
    TlsLevel,
};
pub use policy::{Demand, Policy, TlsResult};
pub use rustls::ServerConfig;
pub use session::{Failure, Mail, Relayed, Session};
pub use tls::{ClientSettings, ClientTls, ServerIdentity, TlsError, TlsVersion, Verify};
pub use wire::Wire;
