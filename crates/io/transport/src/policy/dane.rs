//! Where a host's TLSA records are, and whether they count: RFC 7672 section 2.2.
//!
//! | the host's addresses              | asked for                                                     |
//! |-----------------------------------|---------------------------------------------------------------|
//! | secure                            | `_25._tcp.HOST`                                               |
//! | secure, and HOST is an alias      | `_25._tcp.` of the name it leads to, then `_25._tcp.HOST`     |
//! | insecure, the alias itself secure | `_25._tcp.HOST`                                               |
//! | insecure                          | nothing                                                       |
//!
//! "There are none" has to be said by somebody who validates; an answer that is bogus, or no answer, is
//! neither: the host is not used until it is known.

use world::{
    World,
    dns::{DnsError, Security, Tlsa},
};

use crate::mx::Exchanger;

/// What was found of a host's TLSA records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsaFound {
    /// None that count, for this reason.
    None(String),
    /// Secure records.
    Records {
        /// The TLSA base domain.
        base: String,
        /// As published, usable or not.
        records: Vec<Tlsa>,
        /// How long they hold.
        ttl: std::time::Duration,
    },
    /// Nobody can say for now.
    Unknown {
        /// What the resolver said.
        why: String,
        /// Whether signatures are wrong.
        bogus: bool,
    },
}

/// Looks a host's TLSA records up.
pub async fn find_tlsa(world: &World, host: &Exchanger, port: u16) -> TlsaFound {
    let mut bases = Vec::with_capacity(2);
    if host.security.is_secure() {
        bases.extend(host.canonical.clone());
        bases.push(host.host.clone());
    } else if host.canonical.is_some() && host.security == Security::Insecure {
        match world.dns.alias(&host.host).await {
            Ok(alias) if alias.security.is_secure() => bases.push(host.host.clone()),
            Err(error) if error.is_temporary() => return unknown(&error),
            _ => return TlsaFound::None("its addresses are insecure".to_owned()),
        }
    } else {
        // Asking would bring nothing, and trouble with old name servers (RFC 7672 section 2.2.2).
        return TlsaFound::None(format!("its addresses are {}", host.security));
    }
    let mut reason = String::new();
    for base in bases {
        let name = format!("_{port}._tcp.{base}");
        match world.dns.tlsa(&name).await {
            Ok(answer) if answer.security.is_secure() => {
                return TlsaFound::Records { base, records: answer.records, ttl: answer.ttl };
            }
            Ok(answer) => reason = format!("`{name}` is {}", answer.security),
            Err(error) if error.is_temporary() => return unknown(&error),
            Err(error) => reason = error.to_string(),
        }
    }
    TlsaFound::None(reason)
}

fn unknown(error: &DnsError) -> TlsaFound {
    TlsaFound::Unknown { why: error.to_string(), bogus: matches!(error, DnsError::Bogus { .. }) }
}
