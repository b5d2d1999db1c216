//! Asking DNS lists about an address or a domain (RFC 5782).
//!
//! All lists are asked at once, each within the same patience. "The query was refused" and answers
//! that no list gives are told, and never taken for a listing ([`diagnose::blocklists`]).

mod answers;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use diagnose::blocklists::{self, Blocklist, Kind, Reading, Subject};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use world::dns::{Dns, DnsError};

pub use answers::{AnswerError, AnswerPattern};

/// How long a list may take, unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long "not listed" and trouble are remembered: answers without a TTL.
const WITHOUT_TTL: Duration = Duration::from_secs(300);
const BLOCK_WEIGHT: i32 = 10;
const ALLOW_WEIGHT: i32 = -20;

/// A list to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Its DNS zone: `zen.spamhaus.org`, or with a customer's key in front.
    pub zone: String,
    /// What a listing adds to the score; negative for lists of honest senders. Default: 10, or -20 for a
    /// list that is known to name honest ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// Weights of single answers, by patterns like `127.0.0.10-11` and `127.0.*.3`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<AnswerPattern, i32>,
    /// What it is asked about. Default: the client's address, or for a list that is known to hold domains
    /// the domains of EHLO and MAIL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<About>,
}

/// What a list can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// The client's address.
    Client,
    /// The domain of EHLO.
    Helo,
    /// The domain of the reverse-path.
    Sender,
}

/// What a list says of one address or domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Whose word it is.
    pub zone: String,
    /// Of what: an address, a domain.
    pub subject: String,
    /// What it says.
    pub found: Found,
}

/// What a list may say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Not there.
    NotListed,
    /// There.
    Listed {
        /// As what: its answers.
        answers: Vec<Ipv4Addr>,
        /// What these mean: `SBL: a known source of spam`.
        means: String,
        /// What it adds to the score.
        weight: i32,
    },
    /// The list does not want to be asked by us: nothing is known.
    Refused {
        /// What it answered.
        answer: Ipv4Addr,
        /// What that means.
        why: String,
    },
    /// An answer that comes from no list: the zone is gone, or a resolver lies.
    Foreign {
        /// What came.
        answer: Ipv4Addr,
    },
    /// No answer in time, or a failure.
    Unanswered {
        /// What happened.
        why: String,
    },
}

/// A raw answer, and how long it may be kept.
pub(crate) type Raw = (Result<Vec<Ipv4Addr>, String>, Duration);

impl List {
    /// A list as it is known, or as any.
    pub fn new(zone: impl Into<String>) -> Self {
        Self { zone: zone.into(), weight: None, answers: BTreeMap::new(), about: Vec::new() }
    }

    /// All lists of addresses that are known and still run: what a tool asks that wants to know whether an
    /// address is listed anywhere.
    pub fn known() -> Vec<Self> {
        let runs = |list: &&Blocklist| {
            !list.zone.is_empty()
                && list.subject != Subject::Domain
                && !matches!(list.kind, Kind::Closed(_))
                // It answers customers only, under a name with their key in it.
                && !list.zone.ends_with("abusix.zone")
        };
        blocklists::LISTS.iter().filter(runs).map(|list| Self::new(list.zone)).collect()
    }

    /// Whether it is asked about that.
    pub fn is_about(&self, what: About) -> bool {
        if !self.about.is_empty() {
            return self.about.contains(&what);
        }
        let domains =
            blocklists::by_zone(&self.zone).is_some_and(|known| known.subject == Subject::Domain);
        domains != (what == About::Client)
    }

    fn weight(&self) -> i32 {
        let known = blocklists::by_zone(&self.zone).map(|known| known.kind);
        let usual = if known == Some(Kind::Allow) { ALLOW_WEIGHT } else { BLOCK_WEIGHT };
        self.weight.unwrap_or(usual)
    }

    /// Reads what the list answered. One answer that is no listing, and nothing is believed.
    fn read(&self, answers: Vec<Ipv4Addr>) -> Found {
        let known = blocklists::by_zone(&self.zone);
        let mut means = Vec::new();
        let mut weight = 0i32;
        for &answer in &answers {
            let reading = match known {
                Some(list) => list.read(answer.into()),
                None => blocklists::common(answer.into()),
            };
            match reading {
                Reading::Refused(why) => return Found::Refused { answer, why: why.to_owned() },
                Reading::Foreign => return Found::Foreign { answer },
                Reading::Listed(words) => means.push(words),
            }
            let own = self.answers.iter().find(|(pattern, _)| pattern.fits(answer));
            let own = own.map_or_else(|| self.weight(), |(_, weight)| *weight);
            if own.unsigned_abs() > weight.unsigned_abs() {
                weight = own;
            }
        }
        means.dedup();
        match answers.is_empty() {
            true => Found::NotListed,
            false => Found::Listed { answers, means: means.join(", "), weight },
        }
    }

    pub(crate) fn listing(&self, subject: String, raw: &Raw) -> Listing {
        let found = match &raw.0 {
            Ok(answers) => self.read(answers.clone()),
            Err(why) => Found::Unanswered { why: why.clone() },
        };
        Listing { zone: self.zone.clone(), subject, found }
    }
}

impl Listing {
    /// What it adds to the score.
    pub fn weight(&self) -> i32 {
        match self.found {
            Found::Listed { weight, .. } => weight,
            _ => 0,
        }
    }
}

/// Asks every list about an address, all at once: no list holds the others up, and none takes longer
/// than [`PATIENCE`]. One listing for each list, in their order.
pub async fn look_up(dns: &dyn Dns, address: IpAddr, lists: &[List]) -> Vec<Listing> {
    let ask = |list: &List| {
        let (name, list) = (address_name(address, &list.zone), list.clone());
        async move {
            let raw = ask(dns, &name, PATIENCE).await;
            list.listing(address.to_canonical().to_string(), &raw)
        }
    };
    join_all(lists.iter().map(ask)).await
}

/// What the list itself says of why: its TXT record, cleaned and cut; or the page that is known for it.
pub async fn reason(dns: &dyn Dns, listing: &Listing, patience: Duration) -> Option<String> {
    let name = match listing.subject.parse() {
        Ok(address) => address_name(address, &listing.zone),
        Err(_) => domain_name(&listing.subject, &listing.zone)?,
    };
    let text = match timeout(patience, dns.texts(&name)).await {
        Ok(Ok(answer)) => answer.records.first().map(|text| cleaned(text)),
        _ => None,
    };
    let page = || {
        let page = blocklists::by_zone(&listing.zone)?.page(Some(&listing.subject));
        (!page.is_empty()).then_some(page)
    };
    text.filter(|text| !text.is_empty()).or_else(page)
}

/// One question. `Ok` of nothing: not listed.
pub(crate) async fn ask(dns: &dyn Dns, name: &str, patience: Duration) -> Raw {
    match timeout(patience, dns.ipv4(name)).await {
        Ok(Ok(answer)) => (Ok(answer.records), answer.ttl),
        Ok(Err(DnsError::NoSuchName(_) | DnsError::NoRecords(..))) => (Ok(Vec::new()), WITHOUT_TTL),
        Ok(Err(error)) => (Err(error.to_string()), Duration::ZERO),
        Err(_) => (Err("no answer in time".to_owned()), Duration::ZERO),
    }
}

/// The name to ask for: octets or nibbles from the last to the first, then the zone (RFC 5782 sections
/// 2.1 and 2.4).
pub(crate) fn address_name(address: IpAddr, zone: &str) -> String {
    let zone = zone.trim_end_matches('.');
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.{zone}")
        }
        IpAddr::V6(address) => {
            let mut name = String::with_capacity(64 + zone.len());
            for octet in address.octets().iter().rev() {
                name.push_str(&format!("{:x}.{:x}.", octet & 15, octet >> 4));
            }
            name + zone
        }
    }
}

/// The name to ask for about a domain; none for what is no domain of a sender: one label, an address.
pub(crate) fn domain_name(domain: &str, zone: &str) -> Option<String> {
    let domain = domain.trim_end_matches('.');
    let usable = domain.contains('.')
        && !domain.starts_with('[')
        && domain.parse::<IpAddr>().is_err()
        && domain.len() + zone.len() < 253;
    usable.then(|| format!("{}.{}", domain.to_ascii_lowercase(), zone.trim_end_matches('.')))
}

/// A stranger's words, fit for our reply.
fn cleaned(text: &str) -> String {
    const LENGTH_MAX: usize = 200;
    let fit = |c: &char| c.is_ascii_graphic() || *c == ' ';
    text.chars().filter(fit).take(LENGTH_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests;
