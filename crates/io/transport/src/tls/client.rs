//! What we trust as a TLS client.

use std::path::Path;

use super::server::TlsError;

/// The client's TLS configuration: made once, shared by all sessions. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls {}

impl ClientTls {
    /// Trusts the issuers that the operating system trusts.
    pub fn new() -> Result<Self, TlsError> {
        todo!()
    }

    /// Trusts the issuers in a PEM file only.
    pub fn with_authorities(file: &Path) -> Result<Self, TlsError> {
        let _ = file;
        todo!()
    }
}
