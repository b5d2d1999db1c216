//! How a session with a next hop is to be opened, and what was learned by trying.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use smtp::{Cause, Stage, Trouble, client::StartTls};

pub use gss::Tickets;
pub use smtp::client::{Credentials, Features, Protocol, Timeouts};
pub use world::net::Endpoint;

use crate::{
    policy::{Demand, Policy, TlsResult},
    tls::ClientTls,
};

/// Everything about a session that does not depend on the message.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What we call ourselves in EHLO, HELO or LHLO.
    pub ehlo_name: Box<str>,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// What is asked of TLS, where the target has no policy of its own.
    pub tls: TlsLevel,
    /// Names that a certificate may be for, instead of the target's.
    pub tls_names: Vec<String>,
    /// The route's own trust, certificate and versions; those of the transfer agent without.
    pub tls_own: Option<ClientTls>,
    /// The message was sent with REQUIRETLS (RFC 8689): the policy is raised to what that asks for.
    pub require_tls: bool,
    /// TLS from the first octet on (RFC 8314), instead of STARTTLS.
    pub implicit_tls: bool,
    /// To sign in with, where the next hop is a smarthost.
    pub credentials: Option<Arc<Credentials>>,
    /// The Kerberos ticket to sign in with, for GSSAPI.
    pub tickets: Tickets,
    /// The addresses to connect from, one of each family at most; the operating system's choice where
    /// there is none.
    pub source: Vec<IpAddr>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// What not to use with this site, as it broke on it before.
    pub avoid: Features,
    /// Which of [`Features::OPT_IN`] may be used here.
    pub allow: Features,
    /// For the TCP connection to be made.
    pub connect_timeout: Duration,
}

/// What is asked of TLS with a next hop. [`crate::policy`] says what that comes to at each host.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum TlsLevel {
    /// Always in clear.
    #[serde(alias = "none")]
    Never,
    /// If the next hop offers it, with any certificate; in clear if the handshake fails.
    #[serde(alias = "may")]
    Opportunistic,
    /// What the domain and its hosts publish: DANE, else MTA-STS, else opportunistic.
    #[default]
    Published,
    /// DANE where it is published, else opportunistic.
    Dane,
    /// DANE or not at all.
    DaneOnly,
    /// MTA-STS where it is published, else opportunistic.
    MtaSts,
    /// Encrypted or not at all, with any certificate.
    #[serde(alias = "encrypt")]
    Required,
    /// Encrypted or not at all, with a certificate for the next hop's name from an issuer we trust.
    #[serde(alias = "verify", alias = "secure")]
    Verified,
}

/// What one try taught about a site, for the caller to remember and put into [`Plan::avoid`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// One for each feature that broke.
    pub reasons: Vec<Reason>,
}

/// Why to do without a feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which.
    pub feature: Features,
    /// What was seen.
    pub why: String,
    /// The peer said so, in whatever words; a dialogue that only broke may have done so by chance.
    pub is_said: bool,
}

/// One server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name: what a certificate must be for, and what reports call it.
    pub host: String,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What is asked of TLS there; what the plan says if none.
    pub policy: Option<Arc<Policy>>,
}

impl TlsLevel {
    /// Whether mail must not go in clear.
    pub fn is_binding(self) -> bool {
        matches!(self, Self::Required | Self::Verified | Self::DaneOnly)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Opportunistic => "opportunistic",
            Self::Published => "published",
            Self::Dane => "dane",
            Self::DaneOnly => "dane-only",
            Self::MtaSts => "mta-sts",
            Self::Required => "required",
            Self::Verified => "verified",
        }
    }
}

impl Plan {
    /// Opportunistic TLS, no credentials, the RFC's waits.
    pub fn new(ehlo_name: impl Into<Box<str>>) -> Self {
        Self {
            ehlo_name: ehlo_name.into(),
            protocol: Protocol::Smtp,
            tls: TlsLevel::Opportunistic,
            tls_names: Vec::new(),
            tls_own: None,
            require_tls: false,
            implicit_tls: false,
            credentials: None,
            tickets: Tickets::default(),
            source: Vec::new(),
            connect_timeout: Duration::from_secs(60),
            timeouts: Timeouts::default(),
            avoid: Features::NONE,
            allow: Features::NONE,
        }
    }

    /// What is asked of TLS at a target.
    pub(crate) fn policy(&self, target: &Target) -> Arc<Policy> {
        let policy = match &target.policy {
            Some(policy) => Arc::clone(policy),
            None => self.general_policy(target),
        };
        // LMTP is the last step: it hands nothing on (RFC 2033).
        match self.require_tls && self.protocol == Protocol::Smtp {
            true => Arc::new(policy.for_require_tls(&target.host, &self.tls_names)),
            false => policy,
        }
    }

    fn general_policy(&self, target: &Target) -> Arc<Policy> {
        let demand = match self.tls {
            TlsLevel::Never => Demand::Clear,
            TlsLevel::Opportunistic | TlsLevel::Published | TlsLevel::Dane | TlsLevel::MtaSts => {
                Demand::Opportunistic
            }
            TlsLevel::Required => Demand::Encrypted,
            TlsLevel::Verified => Demand::Certificate { names: self.tls_names.clone() },
            TlsLevel::DaneOnly => {
                let text = format!("`{target}` was not looked up in the DNS; DANE is asked for");
                let cause = Cause { stage: Stage::Routing, trouble: Trouble::Tls(text) };
                Demand::Unusable { cause, result: Some(TlsResult::DaneRequired) }
            }
        };
        let why = format!("TLS: {}, by the route", self.tls.as_str());
        Arc::new(Policy { name_is_sure: true, ..Policy::of_route(demand, why) })
    }

    /// The part that the client machine obeys.
    pub(crate) fn for_machine(&self, demand: &Demand, avoid: Features) -> smtp::client::Plan {
        let mut avoid = self.avoid.with(avoid);
        if demand.is_binding() {
            // What was learned in clear never lowers what was promised.
            avoid = avoid.without(Features::STARTTLS.with(Features::EHLO));
        }
        smtp::client::Plan {
            start_tls: match demand {
                Demand::Clear => StartTls::Never,
                Demand::Opportunistic => StartTls::IfOffered,
                _ => StartTls::Required,
            },
            protocol: self.protocol,
            under_tls: self.implicit_tls,
            credentials: self.credentials.clone(),
            avoid,
            allow: self.allow,
            timeouts: self.timeouts.clone(),
            ehlo_name: self.ehlo_name.clone(),
        }
    }

    /// Whether a session whose TLS broke may be repeated in clear.
    pub(crate) fn may_go_in_clear(&self, demand: &Demand) -> bool {
        let secret =
            self.credentials.as_ref().is_some_and(|credentials| !credentials.in_clear_allowed);
        *demand == Demand::Opportunistic && !self.implicit_tls && !secret
    }

    /// The address to connect from.
    pub(crate) fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        self.source.iter().copied().find(|source| source.is_ipv4() == to.is_ipv4())
    }
}

impl Learned {
    /// All features that broke.
    pub fn avoid(&self) -> Features {
        self.reasons.iter().fold(Features::NONE, |all, reason| all.with(reason.feature))
    }

    /// Adds a feature that broke, and how.
    pub(crate) fn broke(&mut self, feature: Features, why: impl Into<String>) {
        self.reasons.push(Reason { feature, why: why.into(), is_said: false });
    }

    /// Adds a feature that the peer won't have.
    pub(crate) fn was_refused(&mut self, feature: Features, why: impl Into<String>) {
        self.reasons.push(Reason { feature, why: why.into(), is_said: true });
    }
}

impl Target {
    /// A TCP server.
    pub fn tcp(host: impl Into<String>, address: SocketAddr) -> Self {
        Self { host: host.into(), endpoint: Endpoint::Ip(address), policy: None }
    }

    /// A server at a Unix socket.
    pub fn unix(path: Arc<Path>) -> Self {
        let host = path.display().to_string();
        Self { host, endpoint: Endpoint::Unix(path), policy: None }
    }

    /// The same with a policy of its own.
    #[must_use]
    pub fn with_policy(self, policy: Arc<Policy>) -> Self {
        Self { policy: Some(policy), ..self }
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
