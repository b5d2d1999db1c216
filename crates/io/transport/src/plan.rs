//! How a session with a next hop is to be opened, and what was learned by trying.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use crate::interim::{Credentials, Features, Protocol, Timeouts};

/// Everything about a session that does not depend on the message.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What we call ourselves in EHLO, HELO or LHLO.
    pub ehlo_name: Box<str>,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// What is asked of TLS.
    pub tls: TlsLevel,
    /// TLS from the first octet on (RFC 8314), instead of STARTTLS.
    pub implicit_tls: bool,
    /// To sign in with, where the next hop is a smarthost.
    pub credentials: Option<Arc<Credentials>>,
    /// The address to connect from; the operating system's choice if none.
    pub source: Option<IpAddr>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// What not to use with this site, as it broke on it before.
    pub avoid: Features,
    /// For the TCP connection to be made.
    pub connect_timeout: Duration,
}

/// What is asked of TLS with a next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsLevel {
    /// Always in clear.
    Never,
    /// If the next hop offers it, with any certificate; in clear if the handshake fails.
    #[default]
    Opportunistic,
    /// Encrypted or not at all, with any certificate.
    Required,
    /// Encrypted or not at all, with a certificate for the next hop's name from an issuer we trust.
    Verified,
}

/// What one try taught about a site, for the caller to remember and put into [`Plan::avoid`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Features that broke.
    pub avoid: Features,
    /// What was seen, a line for each feature.
    pub reasons: Vec<String>,
}

/// One server to try.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Its name: what a certificate must be for, and what reports call it.
    pub host: String,
    /// Where it listens.
    pub endpoint: Endpoint,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// TCP.
    Ip(SocketAddr),
    /// A Unix socket (LMTP).
    Unix(Arc<Path>),
}

impl Plan {
    /// Opportunistic TLS, no credentials, the RFC's waits.
    pub fn new(ehlo_name: impl Into<Box<str>>) -> Self {
        Self {
            ehlo_name: ehlo_name.into(),
            protocol: Protocol::Smtp,
            tls: TlsLevel::Opportunistic,
            implicit_tls: false,
            credentials: None,
            source: None,
            timeouts: Timeouts::default(),
            connect_timeout: Duration::from_secs(60),
            avoid: Features::NONE,
        }
    }
}

impl Target {
    /// A TCP server.
    pub fn tcp(host: impl Into<String>, address: SocketAddr) -> Self {
        Self { host: host.into(), endpoint: Endpoint::Ip(address) }
    }
}

/// `mx1.b.test [192.0.2.1]:25`, as reports quote it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Ip(address) => write!(f, "{} [{}]:{}", self.host, address.ip(), address.port()),
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
