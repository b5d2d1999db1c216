//! How a session with a next hop is to be opened, and what was learned by trying.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use smtp::client::StartTls;

pub use smtp::client::{Credentials, Features, Protocol, Timeouts};
pub use world::net::Endpoint;

use crate::tls::Verify;

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
    /// Which of [`Features::OPT_IN`] may be used here.
    pub allow: Features,
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

impl TlsLevel {
    /// Whether mail must not go in clear.
    pub fn is_binding(self) -> bool {
        matches!(self, Self::Required | Self::Verified)
    }

    /// What the certificate must be.
    pub fn verify(self) -> Verify {
        if self == Self::Verified { Verify::Require } else { Verify::Record }
    }
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
            connect_timeout: Duration::from_secs(60),
            timeouts: Timeouts::default(),
            avoid: Features::NONE,
            allow: Features::NONE,
        }
    }

    /// The part that the client machine obeys.
    pub(crate) fn for_machine(&self, avoid: Features) -> smtp::client::Plan {
        smtp::client::Plan {
            protocol: self.protocol,
            ehlo_name: self.ehlo_name.clone(),
            start_tls: match self.tls {
                TlsLevel::Never => StartTls::Never,
                TlsLevel::Opportunistic => StartTls::IfOffered,
                TlsLevel::Required | TlsLevel::Verified => StartTls::Required,
            },
            under_tls: self.implicit_tls,
            credentials: self.credentials.clone(),
            avoid: self.avoid.with(avoid),
            allow: self.allow,
            timeouts: self.timeouts.clone(),
        }
    }

    /// Whether a session whose TLS broke may be repeated in clear.
    pub(crate) fn may_go_in_clear(&self) -> bool {
        let secret =
            self.credentials.as_ref().is_some_and(|credentials| !credentials.in_clear_allowed);
        self.tls == TlsLevel::Opportunistic && !self.implicit_tls && !secret
    }
}

impl Learned {
    /// Adds a feature that broke, and how.
    pub(crate) fn add(&mut self, feature: Features, reason: impl Into<String>) {
        self.avoid = self.avoid.with(feature);
        self.reasons.push(reason.into());
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
            // An address that was given as one needs no name.
            Endpoint::Ip(address) if self.host.parse() == Ok(address.ip()) => {
                write!(f, "{address}")
            }
            Endpoint::Ip(address) => {
                write!(f, "{} [{}]:{}", self.host, address.ip(), address.port())
            }
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
