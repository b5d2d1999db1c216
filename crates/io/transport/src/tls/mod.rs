//! TLS (RFC 3207, RFC 8314), both roles, by rustls over aws-lc-rs.

mod client;
mod server;


use std::sync::Arc;

pub use client::ClientTls;
pub use server::{SelfSigned, ServerIdentity, TlsError};
use smtp::TlsFacts;
use world::net::Stream;

use crate::wire::Wire;

/// What a server's certificate must be for a connection to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Any certificate will do; whether it verifies is recorded in [`TlsFacts::verified`].
    Record,
    /// It must verify for the server's name.
    Require,
}

/// The server's half of a handshake. `Err` is what went wrong, for the transcript.
pub async fn accept(stream: Stream, config: &Arc<rustls::ServerConfig>) -> Result<(Wire, TlsFacts), String> {
    let _ = (stream, config);
    todo!()
}

/// The client's half of a handshake.
pub async fn connect(
    stream: Stream,
    tls: &ClientTls,
    server_name: &str,
    verify: Verify,
) -> Result<(Wire, TlsFacts), String> {
    let _ = (stream, tls, server_name, verify);
    todo!()
}
