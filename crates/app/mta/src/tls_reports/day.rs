//! One day's counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use transport::{TlsResult, policy::Published};

use super::Sight;

/// Domains that are counted on one day; further ones are not.
const DOMAINS_MAX: usize = 20_000;
/// Policies of one domain, and kinds of failures that are listed under one policy.
const POLICIES_MAX: usize = 16;
const FAILURES_MAX: usize = 100;

/// Recipient domains and what was seen of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// By name, lower case.
    pub domains: BTreeMap<String, DomainDay>,
}

/// What one domain's report says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainDay {
    /// Each policy that was met.
    pub policies: Vec<Counted>,
    /// Its report went out, or nobody asks for one.
    pub done: bool,
}

/// One policy and its sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// `tlsa`, `sts` or `no-policy-found`.
    pub kind: String,
    /// Whose policy.
    pub domain: String,
    /// The policy, line by line.
    pub lines: Vec<String>,
    /// `mx` patterns of MTA-STS.
    pub mx: Vec<String>,
    /// Sessions as the policy has them.
    pub successes: u64,
    /// The others, by kind.
    pub failures: Vec<Failure>,
    /// Failures of so many kinds that they are only counted.
    #[serde(default)]
    pub unlisted: u64,
}

/// Sessions that failed alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In what way.
    pub result: TlsResult,
    /// The host that was tried.
    pub host: String,
    /// Its address, where it came to a connection.
    pub address: Option<String>,
    /// Ours.
    pub from: Option<String>,
    /// In our words; of the first of them.
    pub why: String,
    /// How many.
    pub count: u64,
}

impl Day {
    /// Counts one session.
    pub(super) fn count(&mut self, sight: &Sight<'_>) {
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(sight.domain) {
            return;
        }
        let domain = self.domains.entry(sight.domain.to_ascii_lowercase()).or_default();
        let Some(counted) = domain.of(sight.published) else { return };
        let Some(result) = sight.result else {
            counted.successes += 1;
            return;
        };
        let alike = |known: &&mut Failure| {
            known.result == result
                && known.host == sight.host
                && known.address.as_deref() == sight.address.as_deref()
        };
        let full = counted.failures.len() >= FAILURES_MAX;
        match counted.failures.iter_mut().find(alike) {
            Some(known) => known.count += 1,
            None if full => counted.unlisted += 1,
            None => counted.failures.push(Failure {
                result,
                host: sight.host.to_owned(),
                address: sight.address.clone(),
                from: sight.from.clone(),
                why: sight.why.chars().take(300).collect(),
                count: 1,
            }),
        }
    }
}

impl Counted {
    /// Sessions that failed, listed or not.
    pub(super) fn failed(&self) -> u64 {
        self.failures.iter().map(|failure| failure.count).sum::<u64>() + self.unlisted
    }
}

impl DomainDay {
    fn of(&mut self, published: &Published) -> Option<&mut Counted> {
        let same = |known: &Counted| {
            known.kind == published.kind.as_str()
                && known.domain == published.domain
                && known.lines == published.lines
        };
        if let Some(at) = self.policies.iter().position(same) {
            return self.policies.get_mut(at);
        }
        if self.policies.len() >= POLICIES_MAX {
            return None;
        }
        self.policies.push(Counted {
            kind: published.kind.as_str().to_owned(),
            domain: published.domain.clone(),
            lines: published.lines.clone(),
            mx: published.mx.clone(),
            successes: 0,
            failures: Vec::new(),
            unlisted: 0,
        });
        self.policies.last_mut()
    }
}

#[cfg(test)]
mod tests {
    use transport::policy::PublishedKind;

    use super::*;

    #[test]
    fn what_is_not_listed_is_counted() {
        let published = Published {
            kind: PublishedKind::None,
            domain: "b.test".to_owned(),
            lines: Vec::new(),
            mx: Vec::new(),
        };
        let mut day = Day::default();
        for number in 0..150 {
            let host = format!("mx{number}.b.test");
            let (address, from) = (None, None);
            let result = Some(TlsResult::StarttlsNotSupported);
            let why = "";
            let sight = Sight {
                domain: "b.test",
                published: &published,
                host: &host,
                address,
                from,
                result,
                why,
            };
            day.count(&sight);
            day.count(&sight);
        }
        let counted = &day.domains["b.test"].policies[0];
        let listed: u64 = counted.failures.iter().map(|failure| failure.count).sum();
        assert_eq!((counted.failures.len(), listed, counted.unlisted), (100, 200, 100));
        assert_eq!(counted.failed(), 300);
    }
}
