//! TLS 1.2 and 1.3 (RFC 3207, RFC 8314), both roles, by rustls over aws-lc-rs.
//!
//! No provider is installed for the process: each configuration carries its own.

pub(crate) mod binding;
mod client;
mod dane;
mod explain;
mod facts;
mod identity;
mod pem;
mod verifier;

use std::sync::Arc;

pub(crate) use client::offer;
pub use client::{ClientSettings, ClientTls, TlsVersion, Verify};
pub use dane::{Dane, usable};
pub(crate) use facts::expires;
pub use identity::{SelfSigned, ServerIdentity};
use rustls::{crypto::CryptoProvider, server::Acceptor};
use smtp::TlsFacts;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector};
use world::net::Stream;

use crate::{policy::TlsResult, wire::Wire};
use explain::Refusal;

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
    let refused = |error: std::io::Error| explain::handshake(&error).0.why;
    let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(refused)?;
    // Which certificate is shown can't be asked afterwards.
    let own = config.cert_resolver.resolve(begun.client_hello());
    let tls = begun.into_stream(Arc::clone(config)).await.map_err(refused)?;
    let facts = facts::of_server(tls.get_ref().1);
    let wire = Wire::ServerTls(Box::new(tls), own);
    let bindable = !wire.bindings().is_empty();
    Ok((wire, TlsFacts { bindable, ..facts }))
}

/// Why a handshake as client came to nothing.
#[derive(Clone, Debug)]
pub struct Broken {
    /// In one clause, about the peer.
    pub why: String,
    /// The same for TLS reports.
    pub result: TlsResult,
    /// Whether it was the certificate.
    pub is_about_certificate: bool,
    /// What was seen of the peer until then: its certificates, if it showed them.
    pub facts: Option<Box<TlsFacts>>,
}

/// The client's half of a handshake with the server of that name (which may be an IP address). How long
/// it may take is the caller's to say. Besides the wire and its facts it gives what a TLS report would
/// say of a certificate that was taken although it does not verify.
///
/// # Errors
/// What the peer did wrong, or said.
pub async fn connect(
    stream: Stream,
    tls: &ClientTls,
    server_name: &str,
    verify: &Verify,
) -> Result<(Wire, TlsFacts, Option<TlsResult>), Broken> {
    let server_name = verify.server_name(server_name);
    let name = tls.name_for(server_name, verify, &stream.peer()).map_err(|why| Broken {
        why,
        result: TlsResult::ValidationFailure,
        is_about_certificate: false,
        facts: None,
    })?;
    let (config, seen) = tls.config(verify);
    let connected = TlsConnector::from(config).connect(name.clone(), stream).await;
    let tls_stream = connected.map_err(|error| {
        let (refusal, is_about_certificate) = explain::handshake(&error);
        let Refusal { why, result } = refusal;
        let facts = seen.chain().map(|chain| Box::new(facts::of_broken(&chain, server_name, &why)));
        Broken { why, result, is_about_certificate, facts }
    })?;
    let session = tls_stream.get_ref().1;
    let verdict = seen.verdict().unwrap_or_else(|| {
        tls.verdict(session.peer_certificates().unwrap_or_default(), &name, server_name)
    });
    let result = verdict.as_ref().err().map(|refusal| refusal.result);
    let verified = verdict.map_err(|refusal| refusal.why);
    let facts = facts::of_client(session, server_name, verified);
    Ok((Wire::ClientTls(Box::new(tls_stream)), facts, result))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
