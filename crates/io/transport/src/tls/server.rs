//! What we show as a TLS server: certificates and keys.

use std::{path::{Path, PathBuf}, sync::Arc};

use world::World;

/// A certificate chain and its key.
pub struct ServerIdentity {}

/// A certificate that was made here, in PEM, for the caller to keep.
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file is not there, or may not be read.
    #[error("cannot read `{file}`: {why}")]
    Unreadable {
        /// Path.
        file: PathBuf,
        /// The operating system's word.
        why: String,
    },
    /// The file is not what it should be.
    #[error("`{file}` {why}")]
    Wrong {
        /// Path, with `:line` where one is known.
        file: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// rustls does not like it.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl ServerIdentity {
    /// Reads a certificate chain (leaf first) and its key from PEM files; both may be the same file.
    pub fn load(world: &World, certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let _ = (world, certificate, key);
        todo!()
    }

    /// The same from text; `origin` is what errors call it.
    pub fn from_pem(certificate: &str, key: &str, origin: (&str, &str)) -> Result<Self, TlsError> {
        let _ = (certificate, key, origin);
        todo!()
    }

    /// Makes a certificate for `names`, valid for ten years.
    pub fn self_signed(names: &[String], world: &World) -> Result<SelfSigned, TlsError> {
        let _ = (names, world);
        todo!()
    }

    /// What an administrator should know: expired, about to expire. A sentence each.
    pub fn warnings(&self, world: &World) -> Vec<String> {
        let _ = world;
        todo!()
    }

    /// The configuration for [`super::accept`]: TLS 1.2 and 1.3, session tickets. The first identity
    /// is shown where no name matches.
    pub fn config(identities: &[Self]) -> Result<Arc<rustls::ServerConfig>, TlsError> {
        let _ = identities;
        todo!()
    }
}
