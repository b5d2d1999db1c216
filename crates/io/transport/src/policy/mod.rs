//! What is asked of TLS at one host, and who asks for it: the route, DANE (RFC 7672) or MTA-STS
//! (RFC 8461).
//!
//! [`decide`](decide()) finds it while the way to a domain is looked up, so that it lives and dies with
//! the DNS answers that it rests on. A [`Demand`] that binds is never lowered afterwards: neither by a
//! handshake that fails nor by what was learned of a site.

mod dane;
mod decide;
mod result;

pub use dane::{TlsaFound, find_tlsa};
pub use decide::{Asked, decide, decide_all};
pub use result::TlsResult;

use std::sync::Arc;

use smtp::{Cause, EnhancedStatus, Stage, Trouble};

use crate::tls::{Dane, Verify};

/// What is asked of TLS at one host, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What must be.
    pub demand: Demand,
    /// What the domain itself published, for TLS reports; none where only the route asks.
    pub published: Option<Arc<Published>>,
    /// Whether the host's name is known for sure (secure MX, MTA-STS, or configured): RFC 8689
    /// section 4.2.1 asks for that.
    pub name_is_sure: bool,
    /// What a TLS report says of every session there although mail goes: a policy that can't be had, or
    /// that is only being tested and does not name this host.
    pub failed: Option<TlsResult>,
    /// In a sentence for the route's lines.
    pub why: String,
}

/// What must be, for mail to go there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// TLS is not used.
    Clear,
    /// TLS with any certificate where it is offered; in clear if not.
    Opportunistic,
    /// TLS with any certificate.
    Encrypted,
    /// TLS with a certificate from an issuer we trust, for one of these names; for the host's if none.
    Certificate {
        /// Host names.
        names: Vec<String>,
    },
    /// TLS with a certificate that the host's TLSA records allow.
    Dane(Arc<Dane>),
    /// The host must not be used; for now, that is.
    Unusable {
        /// What the attempt ends with.
        cause: Cause,
        /// The same for TLS reports.
        result: Option<TlsResult>,
    },
}

/// A policy as its domain published it (RFC 8460 section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Published {
    /// Of which kind.
    pub kind: PublishedKind,
    /// The policy domain: whose policy it is (for DANE the TLSA base domain).
    pub domain: String,
    /// The policy itself, line by line.
    pub lines: Vec<String>,
    /// The `mx` patterns of an MTA-STS policy.
    pub mx: Vec<String>,
}

/// Kinds of published policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublishedKind {
    /// TLSA records.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// There is none.
    None,
}

impl PublishedKind {
    /// As TLS reports call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::None => "no-policy-found",
        }
    }
}

impl Published {
    /// Whether a session in clear, or a certificate that does not verify, is against it.
    fn asks_for(&self, result: TlsResult) -> bool {
        let of_certificate = [
            TlsResult::CertificateHostMismatch,
            TlsResult::CertificateExpired,
            TlsResult::CertificateNotTrusted,
        ];
        self.kind != PublishedKind::None || !of_certificate.contains(&result)
    }
}

impl Policy {
    /// What a TLS report says of a session that was opened, where TLS came to `found`; `None`: it was
    /// as the policy has it.
    pub fn verdict(&self, found: Option<TlsResult>) -> Option<TlsResult> {
        let published = self.published.as_ref()?;
        self.failed.or_else(|| found.filter(|found| published.asks_for(*found)))
    }

    /// What only the route asks for.
    pub fn of_route(demand: Demand, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { demand, published: None, name_is_sure: false, failed: None, why }
    }
}

impl Policy {
    /// The same host for a message that was sent with REQUIRETLS (RFC 8689 section 4.2.1): its name must
    /// be sure, and it must prove it, or one of those that the route has for it.
    #[must_use]
    pub fn for_require_tls(&self, host: &str, names: &[String]) -> Self {
        let mut own = self.clone();
        own.why.push_str("; the message asks for REQUIRETLS");
        if matches!(own.demand, Demand::Unusable { .. })
            || own.demand.authenticates() && own.name_is_sure
        {
            return own;
        }
        own.demand = match own.name_is_sure {
            true => Demand::Certificate { names: names.to_vec() },
            false => {
                let text = format!(
                    "the message asks for REQUIRETLS, and neither DNSSEC nor MTA-STS vouches for `{host}`"
                );
                let trouble = Trouble::Local(REQUIRE_TLS, text);
                Demand::Unusable { cause: Cause { stage: Stage::Routing, trouble }, result: None }
            }
        };
        own
    }
}

/// RFC 8689 section 4.2.1 has it as 5.7.30; as long as the message lives, the other side may mend it.
const REQUIRE_TLS: EnhancedStatus = EnhancedStatus::new(4, 7, 30);

impl Demand {
    /// Whether mail must not go in clear.
    pub fn is_binding(&self) -> bool {
        !matches!(self, Self::Clear | Self::Opportunistic)
    }

    /// Whether the host proves who it is.
    pub fn authenticates(&self) -> bool {
        matches!(self, Self::Certificate { .. } | Self::Dane(_))
    }

    /// What the certificate must be.
    pub(crate) fn verify(&self) -> Verify {
        match self {
            Self::Certificate { names } => Verify::Require { names: names.clone() },
            Self::Dane(dane) => Verify::Dane(Arc::clone(dane)),
            _ => Verify::Record,
        }
    }
}
