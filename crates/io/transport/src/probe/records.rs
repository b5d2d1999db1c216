//! What a domain publishes about its mail, checked for plain mistakes: not a verifier, but what such a one
//! would stumble over.
//!
//! | record  | name                    | read by        |
//! |---------|-------------------------|----------------|
//! | SPF     | the domain              | RFC 7208       |
//! | DMARC   | `_dmarc`                | RFC 7489       |
//! | DKIM    | `SELECTOR._domainkey`   | RFC 6376, 8463 |
//! | MTA-STS | `_mta-sts`, and HTTPS   | RFC 8461       |
//! | TLS-RPT | `_smtp._tls`            | RFC 8460       |
//! | BIMI    | `default._bimi`         | its draft      |

mod dkim;
mod dmarc;
mod reports;
mod spf;
mod tags;

use diagnose::Weight;
use serde::Serialize;
use world::{World, dns::DnsError};

use super::Notice;
use crate::{
    mta_sts::{Mode, StsFound},
    mx::together,
};

/// Selectors that many domains use.
const COMMON_SELECTORS: &[&str] = &[
    "default",
    "dkim",
    "mail",
    "google",
    "selector1",
    "selector2",
    "s1",
    "s2",
    "k1",
    "k2",
    "key1",
    "fm1",
    "protonmail",
    "mxvault",
    "smtp",
];

/// One kind of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// `SPF`, `DMARC`, ...
    pub kind: &'static str,
    /// Where it was looked for.
    pub name: String,
    /// What stands there, of that kind.
    pub texts: Vec<String>,
    /// What else is to be known of it: how many look-ups, the policy behind it.
    pub remark: String,
    /// What is amiss.
    pub notices: Vec<Notice>,
}

impl Record {
    fn new(kind: &'static str, name: impl Into<String>) -> Self {
        let (name, texts) = (name.into(), Vec::new());
        Self { kind, name, texts, remark: String::new(), notices: Vec::new() }
    }

    fn tell(&mut self, weight: Weight, what: impl Into<String>, remedy: impl Into<String>) {
        self.notices.push(Notice::new(weight, what, remedy));
    }

    /// The one text that has to be there; tells where there is none or more than one.
    fn only(&mut self, absent: (Weight, &str)) -> Option<String> {
        match self.texts.as_slice() {
            [] if self.notices.is_empty() => {
                let what = format!("there is no {} record at `{}`", self.kind, self.name);
                self.tell(absent.0, what, absent.1);
                None
            }
            [] => None,
            [one] => Some(one.clone()),
            many => {
                let what = format!(
                    "there are {} {} records at `{}`, so none of them counts",
                    many.len(),
                    self.kind,
                    self.name
                );
                self.tell(Weight::Failure, what, "leave one");
                None
            }
        }
    }
}

/// Looks all of them up. `hosts` are those that take the domain's mail, `sts` is its policy.
pub(super) async fn look_up(
    world: &World,
    domain: &str,
    selectors: &[String],
    sts: &StsFound,
    hosts: &[String],
) -> Vec<Record> {
    let spf = spf::look_up(world, domain).await;
    let dmarc = dmarc::look_up(world, domain).await;
    let mut records = vec![spf, dmarc];
    records.extend(keys(world, domain, selectors).await);
    let mut policy = mta_sts(domain, sts, hosts);
    policy.texts = texts(world, &mut Record::new("MTA-STS", &policy.name), "v=STSv1").await;
    records.push(policy);
    records.push(reports::tls_rpt(world, domain).await);
    let enforced = records.iter().any(dmarc::enforces);
    records.push(reports::bimi(world, domain, enforced).await);
    records
}

/// Texts of a name that begin with a version tag; trouble of the DNS is told in the record.
async fn texts(world: &World, record: &mut Record, version: &str) -> Vec<String> {
    match world.dns.texts(&record.name).await {
        Ok(answer) => {
            let is_ours = |text: &String| tags::has_version(text, version);
            answer.records.into_iter().filter(is_ours).collect()
        }
        Err(DnsError::NoSuchName(_) | DnsError::NoRecords(..)) => Vec::new(),
        Err(error) => {
            record.tell(
                Weight::Fault,
                error.to_string(),
                "ask the domain's name servers one by one",
            );
            Vec::new()
        }
    }
}

/// The keys of the selectors given; else those of the common ones that are there.
async fn keys(world: &World, domain: &str, selectors: &[String]) -> Vec<Record> {
    let given = !selectors.is_empty();
    let names: Vec<&str> = match given {
        true => selectors.iter().map(String::as_str).collect(),
        false => COMMON_SELECTORS.to_vec(),
    };
    let asking = names.iter().map(|name| Box::pin(dkim::look_up(world, domain, name, given)));
    let mut found = together(asking.collect()).await;
    if !given {
        found.retain(|record| !record.texts.is_empty());
    }
    if found.is_empty() {
        let mut none = Record::new("DKIM", format!("*._domainkey.{domain}"));
        "no key under the common selectors".clone_into(&mut none.remark);
        let what =
            "whether the domain has DKIM keys can't be told: selectors are not listed anywhere";
        none.tell(
            Weight::Remark,
            what,
            "take `s=` of a DKIM-Signature of its mail, and `--selector` it",
        );
        found.push(none);
    }
    found
}

fn mta_sts(domain: &str, sts: &StsFound, hosts: &[String]) -> Record {
    let mut record = Record::new("MTA-STS", format!("_mta-sts.{domain}"));
    match sts {
        StsFound::None(why) => {
            record.remark.clone_from(why);
            let what =
                "there is no MTA-STS policy: without DANE, an attacker can have mail in clear";
            record.tell(Weight::Remark, what, "publish one, first in mode `testing` (RFC 8461)");
        }
        StsFound::Failed { why, .. } => {
            let what = format!("the policy that is announced can't be had: {why}");
            let remedy = format!("serve https://mta-sts.{domain}/.well-known/mta-sts.txt");
            record.tell(Weight::Fault, what, remedy);
        }
        StsFound::Policy(policy) => {
            record.remark = policy.lines.join("; ");
            for host in hosts.iter().filter(|host| !policy.names(host)) {
                let what =
                    format!("the policy does not name `{host}`, which takes the domain's mail");
                let weight = match policy.mode {
                    Mode::Enforce => Weight::Failure,
                    Mode::Testing => Weight::Fault,
                    Mode::None => continue,
                };
                record.tell(weight, what, format!("add `mx: {host}`, and then a new `id`"));
            }
            if policy.mode == Mode::Testing {
                let what = "the policy is in mode `testing`: it protects nothing yet";
                record.tell(Weight::Remark, what, "change to `enforce` when TLS reports are clean");
            }
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Anybody can publish anything.
        #[test]
        fn any_text_is_read(text in "(v=spf1|v=DMARC1;|v=DKIM1;|v=BIMI1;)?[ ;=:/+?~pkal\\\\%\u{e9}\u{1f600}0-9]{0,60}", odd in ".{0,40}") {
            for text in [text, odd] {
                let _ = (spf::check(&text), dmarc::check(&text), dkim::check(&text));
                let _ = tags::has_version(&text, "v=spf1");
                if let Ok(tags) = tags::read(&text) {
                    prop_assert!(tags.iter().all(|(_, value)| text.contains(value)));
                }
            }
        }
    }
}
