//! One connection, in clear or encrypted, for both roles.

use world::net::Stream;

/// A byte stream to a peer.
pub enum Wire {
    /// In clear.
    Plain(Stream),
    /// We are the TLS server.
    ServerTls(Box<tokio_rustls::server::TlsStream<Stream>>),
    /// We are the TLS client.
    ClientTls(Box<tokio_rustls::client::TlsStream<Stream>>),
}
