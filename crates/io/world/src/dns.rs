//! Name resolution.
//!
//! What an answer says is kept with it (TTL, canonical name, who answered), because it is evidence; and
//! "there is none" is told from "nobody knows now", because one fails a message and the other defers it.
//! What DNSSEC says of an answer is kept too ([`Security`]): DANE stands or falls with it. An answer whose
//! signatures are wrong is none at all: [`DnsError::Bogus`], to be asked for again later.

pub mod real;
pub mod table;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;

/// A resolver. Names are given without the final dot; IDN as A-labels.
#[async_trait]
pub trait Dns: Send + Sync {
    /// The MX records of a domain, CNAMEs followed; unsorted. A null MX has an empty `exchange`.
    async fn mx(&self, domain: &str) -> Result<Answer<Mx>, DnsError>;
    /// A and AAAA records of a host, CNAMEs followed. `NoRecords` only if it has neither.
    async fn addresses(&self, host: &str) -> Result<Answer<IpAddr>, DnsError>;
    /// A records alone, CNAMEs followed: what a blocklist is asked for (RFC 5782).
    async fn ipv4(&self, name: &str) -> Result<Answer<Ipv4Addr>, DnsError>;
    /// PTR records of an address.
    async fn names(&self, address: IpAddr) -> Result<Answer<String>, DnsError>;
    /// TXT records of a name, each joined to one string.
    async fn texts(&self, name: &str) -> Result<Answer<String>, DnsError>;
    /// TLSA records of a name like `_25._tcp.mx.example.org`, CNAMEs followed (RFC 6698).
    async fn tlsa(&self, name: &str) -> Result<Answer<Tlsa>, DnsError>;
    /// The CNAME of a name itself, not followed: one record.
    async fn alias(&self, name: &str) -> Result<Answer<String>, DnsError>;
}

/// What a question got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// In the order they came; at least one.
    pub records: Vec<T>,
    /// How long it may be kept.
    pub ttl: Duration,
    /// The name that holds the records, where a CNAME led to another than was asked.
    pub canonical: Option<String>,
    /// Who answered; `None` if it came from a file or a cache without that knowledge.
    pub by: Option<SocketAddr>,
    /// What DNSSEC says of all of it, the CNAMEs on the way included.
    pub security: Security,
}

/// What DNSSEC says of an answer (RFC 4035 section 4.3). The fourth state, bogus, is no answer but a
/// [`DnsError::Bogus`]. The least comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// Nobody whom we trust has looked: no validating resolver, the hosts file, a chain of CNAMEs that
    /// was put together here.
    #[default]
    Indeterminate,
    /// A validating resolver gave it without the AD bit: its zone is not signed.
    Insecure,
    /// Validated: it is what the zone's owner has signed.
    Secure,
}

impl Security {
    /// Whether it is proven.
    pub fn is_secure(self) -> bool {
        self == Self::Secure
    }
}

/// `secure`, `insecure`, `indeterminate`.
impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Indeterminate => "indeterminate",
            Self::Insecure => "insecure",
            Self::Secure => "secure",
        })
    }
}

/// One TLSA record, its fields as numbers: not all of them need to be known (RFC 6698 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tlsa {
    /// 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE.
    pub usage: u8,
    /// 0 the whole certificate, 1 its public key (SubjectPublicKeyInfo).
    pub selector: u8,
    /// 0 as it is, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// What is matched: a digest or the thing itself, DER.
    pub data: Vec<u8>,
}

/// `3 1 1 0a1b2c...`, as in a zone file.
impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// One MX record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    /// Lower goes first.
    pub preference: u16,
    /// Host name without the final dot; empty for a null MX (RFC 7505).
    pub exchange: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// NXDOMAIN.
    #[error("`{0}` does not exist")]
    NoSuchName(String),
    /// The name is there, records of that type are not.
    #[error("`{0}` has no {1} record")]
    NoRecords(String, &'static str),
    /// SERVFAIL, REFUSED, time-out and the like: ask again later.
    #[error("cannot resolve `{name}` for now: {why}")]
    Temporary {
        /// What was asked for.
        name: String,
        /// The server's code, or what happened to the query.
        why: String,
        /// The same for programs.
        failure: Failure,
    },
    /// There is an answer, but its DNSSEC signatures do not verify: somebody forges it, or the zone is
    /// broken. Never to be taken for "there is none"; ask again later.
    #[error("cannot resolve `{name}` for now: its DNSSEC signatures do not verify ({why})")]
    Bogus {
        /// What was asked for.
        name: String,
        /// How that was found.
        why: String,
    },
}

/// How a question failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// RCODE 2. A validating resolver says so of bogus answers too.
    ServFail,
    /// RCODE 5: that server does not answer such questions, or not ours.
    Refused,
    /// Nobody answered in time.
    Timeout,
    /// Anything else: another RCODE, an unreachable server, CNAMEs without end.
    Other,
}

impl DnsError {
    /// Whether the same question may be answered later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary { .. } | Self::Bogus { .. })
    }
}
