//! Kerberos 5 by the GSS-API (RFC 2743, RFC 2744), as this machine's own library does it.
//!
//! MIT's `libgssapi_krb5.so.2` is looked for when the first context is made, not when the program is
//! built: one program serves everybody, needs no header to be built, and where the library is missing
//! nothing but GSSAPI is. `library` is the only place of the project with `unsafe` in it; what it gives
//! away are owned values that free themselves.
//!
//! All calls block: the client's first step may ask a KDC over the network, the server's reads the keytab
//! and writes the replay cache. Nothing here is logged, and no token or key is ever printed.

mod context;
mod library;
mod trouble;

pub use context::{Context, Keytab, Step, Tickets};
pub use library::Library;
pub use trouble::{Reason, Trouble};
