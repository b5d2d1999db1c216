//! SASL (RFC 4422) without a socket, a clock, a directory of users or chance: who signs in, and how that
//! is proven.
//!
//! A mechanism is a machine for either side: [`server::Exchange`] and [`client::Exchange`]. They take the
//! octets of challenges and responses as they are (what base64 and lines they travel in is the protocol's
//! matter) and never look anything up: what only a back end can know they [`Ask`](server::Ask), and are
//! answered whenever it knows. Nonces, times and the channel's binding are arguments.
//!
//! [`Mechanism`] has the table of all mechanisms. Whatever is a password, or as good as one, is a
//! [`Secret`].

mod binding;
pub mod client;
mod cram;
mod digest;
mod gs2;
pub mod gss;
mod mechanism;
mod ntlm;
mod prepare;
pub mod scram;
mod secret;
pub mod server;

pub use binding::{Binding, Bindings};
pub use mechanism::{Mechanism, Mechanisms, NotAMechanism, Row};
pub use secret::Secret;

/// What NTLM stores of a password (MS-NLMP section 3.3.2, NTOWFv1): as good as the password itself.
pub fn nt_hash(password: &str) -> Secret {
    ntlm::nt_hash(password)
}

/// Lower case hexadecimal.
fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
