//! Name resolution.
//!
//! What an answer says is kept with it (TTL, canonical name, who answered), because it is evidence; and
//! "there is none" is told from "nobody knows now", because one fails a message and the other defers it.

pub mod real;
pub mod table;

use std::{
    net::{IpAddr, SocketAddr},
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
    /// PTR records of an address.
    async fn names(&self, address: IpAddr) -> Result<Answer<String>, DnsError>;
    /// TXT records of a name, each joined to one string.
    async fn texts(&self, name: &str) -> Result<Answer<String>, DnsError>;
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
    },
}
