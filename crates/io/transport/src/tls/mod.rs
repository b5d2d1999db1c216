//! TLS 1.2 and 1.3 (RFC 3207, RFC 8314), both roles, by rustls over aws-lc-rs.
//!
//! No provider is installed for the process: each configuration carries its own.

mod client;
mod explain;
mod facts;
mod identity;
mod pem;

use std::sync::Arc;

pub use client::{ClientTls, Verify};
pub use identity::{SelfSigned, ServerIdentity};
use rustls::crypto::CryptoProvider;
use smtp::TlsFacts;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use world::net::Stream;

use crate::wire::Wire;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file is not there, or may not be read.
    #[error("cannot read `{file}`: {source}")]
    Unreadable {
        /// Path.
        file: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("`{file}`: {why}")]
    Wrong {
        /// Path.
        file: String,
        /// What is wrong, in which line where that is known, and what would be right.
        why: String,
    },
    /// rustls can't work with what it was given.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// The server's half of a handshake. `Err` is what went wrong, for the transcript. How long it may take
/// is the caller's to say.
///
/// # Errors
/// What the peer did wrong, or said, in one clause.
pub async fn accept(
    stream: Stream,
    config: &Arc<rustls::ServerConfig>,
) -> Result<(Wire, TlsFacts), String> {
    let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream).await;
    let tls = accepted.map_err(|error| explain::handshake(&error))?;
    let facts = facts::of_server(tls.get_ref().1);
    Ok((Wire::ServerTls(Box::new(tls)), facts))
}

/// The client's half of a handshake with the server of that name (which may be an IP address). How long
/// it may take is the caller's to say.
///
/// # Errors
/// What the peer did wrong, or said, in one clause.
pub async fn connect(
    stream: Stream,
    tls: &ClientTls,
    server_name: &str,
    verify: Verify,
) -> Result<(Wire, TlsFacts), String> {
    let name = tls.name_for(server_name, verify, &stream.peer())?;
    let connected = TlsConnector::from(tls.config(verify)).connect(name.clone(), stream).await;
    let tls_stream = connected.map_err(|error| explain::handshake(&error))?;
    let session = tls_stream.get_ref().1;
    let certificates = session.peer_certificates().unwrap_or_default();
    let verified = tls.verdict(certificates, &name, server_name);
    let facts = facts::of_client(session, server_name, verified);
    Ok((Wire::ClientTls(Box::new(tls_stream)), facts))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
