//! How often somebody may do something: GCRA over bounded memory.
//!
//! Each subject owns one point in time, to which every deed adds its share of the period; who is more
//! than a period ahead of the clock has to wait, and is told until when. So a burst of the whole allowance
//! is possible, and after that it comes back evenly. Subjects are hashed with a key of the process:
//! nobody can choose one that falls together with another's.

use std::{
    fmt,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use notation::units;
use serde::{Deserialize, Deserializer, Serialize};
use smtp::Timestamp;

use crate::recent::Recent;

/// Subjects in a generation: two of them take at most 15 MB.
const SUBJECTS: usize = 200_000;

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// What is counted.
    pub count: Count,
    /// Whose.
    pub per: Per,
    /// So many in `within`; of octets it may be a size like "100 MiB".
    #[serde(deserialize_with = "number_or_size")]
    pub most: u64,
    /// The period.
    #[serde(with = "units::duration")]
    pub within: Duration,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Count {
    /// New sessions.
    Connections,
    /// MAIL commands.
    Messages,
    /// RCPT commands.
    Recipients,
    /// Octets of content that were taken.
    Octets,
}

/// Whose deeds are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// An IPv4 address, or an IPv6 /64.
    Client,
    /// An IPv4 /24, or an IPv6 /48.
    Network,
    /// A reverse-path.
    Sender,
    /// The domain of a reverse-path.
    SenderDomain,
    /// An authenticated user.
    User,
    /// A forward-path.
    Recipient,
}

/// Who does something, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doer<'a> {
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The reverse-path, if it is not null.
    pub sender: Option<&'a smtp::Address>,
    /// The authenticated user.
    pub user: Option<&'a str>,
    /// The forward-path.
    pub recipient: Option<&'a smtp::Address>,
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub rate: Rate,
    /// When it would go again.
    pub wait: Duration,
}

/// The state of all subjects.
pub struct Rates {
    points: Mutex<Recent<u64, u64>>,
    hash: ahash::RandomState,
}

impl Default for Rates {
    fn default() -> Self {
        Self { points: Mutex::new(Recent::new(SUBJECTS)), hash: ahash::RandomState::new() }
    }
}

impl Rates {
    /// Counts `cost` deeds under each limit that is about them, unless one is reached: then nothing is
    /// counted.
    pub fn charge<'r>(
        &self,
        rates: impl Iterator<Item = &'r Rate> + Clone,
        count: Count,
        doer: &Doer<'_>,
        cost: u64,
        now: Timestamp,
    ) -> Result<(), Reached> {
        self.would(rates.clone(), count, doer, cost, now)?;
        self.add(rates, count, doer, cost, now);
        Ok(())
    }

    /// Whether it would go, without counting. A cost of 0 asks whether anything is left.
    pub fn would<'r>(
        &self,
        rates: impl Iterator<Item = &'r Rate>,
        count: Count,
        doer: &Doer<'_>,
        cost: u64,
        now: Timestamp,
    ) -> Result<(), Reached> {
        let points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        for rate in rates.filter(|rate| rate.count == count && rate.most > 0) {
            let Some(key) = self.key(rate, doer) else { continue };
            let next = point(&points, key, now).saturating_add(share(rate, cost.max(1)));
            let limit = nanoseconds(now).saturating_add(period(rate));
            if next > limit {
                let wait = Duration::from_nanos(next - limit).max(Duration::from_secs(1));
                return Err(Reached { rate: rate.clone(), wait });
            }
        }
        Ok(())
    }

    /// Counts what was done already, whether or not the limit is reached.
    pub fn add<'r>(
        &self,
        rates: impl Iterator<Item = &'r Rate>,
        count: Count,
        doer: &Doer<'_>,
        cost: u64,
        now: Timestamp,
    ) {
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        for rate in rates.filter(|rate| rate.count == count && rate.most > 0) {
            if let Some(key) = self.key(rate, doer) {
                let next = point(&points, key, now).saturating_add(share(rate, cost));
                points.insert(key, next);
            }
        }
    }

    fn key(&self, rate: &Rate, doer: &Doer<'_>) -> Option<u64> {
        let of_text = |text: &str| self.hash.hash_one((rate, text.to_lowercase()));
        let of_network = |v4, v6| {
            Some(self.hash.hash_one((rate, crate::greylist::masked(doer.client?, v4, v6))))
        };
        match rate.per {
            Per::Client => of_network(32, 64),
            Per::Network => of_network(24, 48),
            Per::Sender => doer.sender.map(|path| of_text(path.as_str())),
            Per::SenderDomain => doer.sender.map(|path| of_text(path.domain())),
            Per::User => doer.user.map(of_text),
            Per::Recipient => doer.recipient.map(|path| of_text(path.as_str())),
        }
    }
}

fn point(points: &Recent<u64, u64>, key: u64, now: Timestamp) -> u64 {
    points.peek(&key).copied().unwrap_or(0).max(nanoseconds(now))
}

fn nanoseconds(now: Timestamp) -> u64 {
    now.0.saturating_mul(1_000_000)
}

fn period(rate: &Rate) -> u64 {
    u64::try_from(rate.within.as_nanos()).unwrap_or(u64::MAX)
}

/// The share of the period that so many deeds take.
fn share(rate: &Rate, cost: u64) -> u64 {
    let share = u128::from(period(rate)) * u128::from(cost) / u128::from(rate.most.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// `100 messages of a client within 1h`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = match self.count {
            Count::Octets => units::show_size(self.most),
            _ => self.most.to_string(),
        };
        let (count, per) = (self.count.as_str(), self.per.as_str());
        write!(f, "{most} {count} of a {per} within {}", units::show_duration(self.within))
    }
}

impl Count {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Messages => "messages",
            Self::Recipients => "recipients",
            Self::Octets => "of content",
        }
    }
}

impl Per {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Network => "network",
            Self::Sender => "sender",
            Self::SenderDomain => "sender's domain",
            Self::User => "user",
            Self::Recipient => "recipient",
        }
    }
}

/// `100`, or `"100 MiB"`.
fn number_or_size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(u64),
        Size(String),
    }
    match Given::deserialize(from)? {
        Given::Number(number) => Ok(number),
        Given::Size(text) => units::parse_size(&text).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(count: Count, per: Per, most: u64, seconds: u64) -> Rate {
        Rate { count, per, most, within: Duration::from_secs(seconds) }
    }

    fn client(text: &str) -> Doer<'_> {
        Doer { client: Some(text.parse().unwrap()), ..Doer::default() }
    }

    #[test]
    fn a_burst_then_evenly() {
        let rates = Rates::default();
        let limit = [rate(Count::Messages, Per::Client, 3, 60)];
        let ask = |seconds: u64| {
            let doer = client("192.0.2.1");
            rates
                .charge(limit.iter(), Count::Messages, &doer, 1, Timestamp(seconds * 1000))
                .map_err(|r| r.wait.as_secs())
        };
        assert_eq!([ask(0), ask(0), ask(0)], [Ok(()), Ok(()), Ok(())]);
        assert_eq!(ask(0), Err(20));
        assert_eq!(ask(15), Err(5), "who asks in between is not set back");
        assert_eq!(ask(20), Ok(()));
        assert_eq!(ask(21), Err(19));
        assert_eq!([ask(600), ask(600), ask(600), ask(600)], [Ok(()), Ok(()), Ok(()), Err(20)]);
    }

    #[test]
    fn who_is_counted_together() {
        let rates = Rates::default();
        let ask = |per, doer: Doer<'_>| {
            let limit = [rate(Count::Recipients, per, 1, 60)];
            rates.charge(limit.iter(), Count::Recipients, &doer, 1, Timestamp(0)).is_ok()
        };
        assert!(ask(Per::Client, client("2001:db8::1")));
        assert!(!ask(Per::Client, client("2001:db8::2")), "one /64 is one client");
        assert!(ask(Per::Client, client("192.0.2.1")));
        assert!(ask(Per::Client, client("192.0.2.2")));
        assert!(!ask(Per::Client, client("::ffff:192.0.2.1")), "the same in IPv6");
        assert!(ask(Per::Network, client("192.0.2.2")));
        assert!(!ask(Per::Network, client("192.0.2.3")));
        let (a, b): (smtp::Address, smtp::Address) =
            ("a@A.test".parse().unwrap(), "b@a.test".parse().unwrap());
        let sender = |sender| Doer { sender: Some(sender), ..Doer::default() };
        assert!(ask(Per::Sender, sender(&a)) && ask(Per::Sender, sender(&b)));
        assert!(ask(Per::SenderDomain, sender(&a)) && !ask(Per::SenderDomain, sender(&b)));
        assert!(ask(Per::User, client("192.0.2.1")), "nobody is logged in: no limit");
        assert!(ask(Per::User, client("192.0.2.1")));
    }

    #[test]
    fn octets_are_counted_afterwards() {
        let rates = Rates::default();
        let limit = [rate(Count::Octets, Per::Client, 10 << 20, 3_600)];
        let doer = client("192.0.2.1");
        let ask = |seconds: u64| {
            rates.would(limit.iter(), Count::Octets, &doer, 0, Timestamp(seconds * 1000))
        };
        assert!(ask(0).is_ok());
        rates.add(limit.iter(), Count::Octets, &doer, 25 << 20, Timestamp(0));
        assert_eq!(ask(0).unwrap_err().wait.as_secs(), 5_400, "two and a half hours' worth");
        assert!(ask(5_401).is_ok());
    }

    #[test]
    fn a_reached_limit_counts_nowhere() {
        let rates = Rates::default();
        let both =
            [rate(Count::Messages, Per::Network, 5, 60), rate(Count::Messages, Per::Client, 1, 60)];
        let ask = |address: &str| {
            rates.charge(both.iter(), Count::Messages, &client(address), 1, Timestamp(0)).is_ok()
        };
        assert!(ask("192.0.2.1"));
        for _ in 0..10 {
            assert!(!ask("192.0.2.1"));
        }
        assert!(
            (2..=5).all(|last| ask(&format!("192.0.2.{last}"))),
            "the network's is not used up by refusals"
        );
    }

    #[test]
    fn as_it_is_written() {
        let read: Rate =
            toml::from_str("count = \"octets\"\nper = \"user\"\nmost = \"1 GiB\"\nwithin = \"1d\"")
                .unwrap();
        assert_eq!(read.to_string(), "1 GiB of content of a user within 1d");
    }
}
