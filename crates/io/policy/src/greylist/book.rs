//! What the greylist remembers, in memory; and how a visit changes it.
//!
//! A visit is turned into changes, and a change sets an entry or takes one out: so the log of changes,
//! read from its start to any point, gives the book as it was there.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use smtp::Timestamp;

use super::{Answer, Shown};
use crate::{journal, settings::Greylist as Settings};

/// Who came: network and its prefix length, reverse-path, forward-path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Visitor {
    /// Address and prefix length.
    pub network: (IpAddr, u8),
    /// Lower case, without what changes from message to message.
    pub sender: Box<str>,
    /// Lower case.
    pub recipient: Box<str>,
}

/// What is known of a visitor, or of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it came first; of a network, when it was first let through.
    pub first: Timestamp,
    /// When it came last.
    pub last: Timestamp,
    /// How often it was let through; 0 while it is waited for.
    pub passed: u32,
}

/// One step from a book to the next. The order is part of the log's format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A visitor's entry is this; none: it is forgotten.
    Visitor(Visitor, Option<Entry>),
    /// The same of a network.
    Network((IpAddr, u8), Option<Entry>),
}

/// All entries.
#[derive(Clone, Debug, Default)]
pub struct Book {
    visitors: HashMap<Visitor, Entry, ahash::RandomState>,
    networks: HashMap<(IpAddr, u8), Entry, ahash::RandomState>,
}

impl Book {
    /// Entries of either kind.
    pub fn len(&self) -> usize {
        self.visitors.len() + self.networks.len()
    }

    /// Carries out a change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Visitor(visitor, Some(entry)) => drop(self.visitors.insert(visitor, entry)),
            Change::Visitor(visitor, None) => drop(self.visitors.remove(&visitor)),
            Change::Network(network, Some(entry)) => drop(self.networks.insert(network, entry)),
            Change::Network(network, None) => drop(self.networks.remove(&network)),
        }
    }

    /// What a visit comes to, and what it changes.
    pub fn judge(
        &self,
        visitor: &Visitor,
        settings: &Settings,
        now: Timestamp,
    ) -> (Answer, Vec<Change>) {
        let lives = |entry: &&Entry| now.since(entry.last) < settings.keep;
        let network = self.networks.get(&visitor.network).filter(lives);
        let often = settings.allow_after > 0
            && network.is_some_and(|entry| entry.passed >= settings.allow_after);
        if often {
            let seen = network.map(|entry| Entry { last: now, ..*entry });
            // Once an hour is enough to keep it.
            let fresh = network.is_some_and(|entry| now.since(entry.last) < HOUR);
            let changes = if fresh { vec![] } else { vec![Change::Network(visitor.network, seen)] };
            return (Answer::NetworkKnown, changes);
        }
        let set = |entry: Entry| Change::Visitor(visitor.clone(), Some(entry));
        let new = Entry { first: now, last: now, passed: 0 };
        let Some(entry) = self.visitors.get(visitor) else {
            return (Answer::New(settings.delay), vec![set(new)]);
        };
        let age = now.since(entry.first);
        if entry.passed > 0 {
            if now.since(entry.last) >= settings.keep {
                return (Answer::New(settings.delay), vec![set(new)]);
            }
            let fresh = now.since(entry.last) < HOUR;
            let seen = Entry { last: now, passed: entry.passed.saturating_add(1), ..*entry };
            return (Answer::Known, if fresh { vec![] } else { vec![set(seen)] });
        }
        if age < settings.delay {
            return (Answer::Early(settings.delay - age), vec![]);
        }
        if age > settings.window {
            return (Answer::New(settings.delay), vec![set(new)]);
        }
        let again = network.map_or(1, |entry| entry.passed.saturating_add(1));
        let first = network.map_or(now, |entry| entry.first);
        let network = Entry { first, last: now, passed: again };
        let passed = Entry { last: now, passed: 1, ..*entry };
        (Answer::Returned, vec![set(passed), Change::Network(visitor.network, Some(network))])
    }

    /// Takes out what has had its time, and where that is not enough, those who have been waited for the
    /// longest, then those not seen for the longest, down to nine tenths of what is allowed.
    pub fn sweep(&mut self, settings: &Settings, now: Timestamp) {
        self.networks.retain(|_, entry| now.since(entry.last) < settings.keep);
        self.visitors.retain(|_, entry| match entry.passed {
            0 => now.since(entry.first) <= settings.window,
            _ => now.since(entry.last) < settings.keep,
        });
        let most = settings.entries_max as usize;
        if self.len() <= most {
            return;
        }
        let target = most / 10 * 9;
        let surplus = self.len() - target;
        let mut order: Vec<(bool, Timestamp)> =
            self.visitors.values().map(|entry| (entry.passed > 0, entry.last)).collect();
        order.sort_unstable();
        match order.get(surplus) {
            Some(&limit) => {
                self.visitors.retain(|_, entry| (entry.passed > 0, entry.last) >= limit)
            }
            None => self.visitors.clear(),
        }
        // Many of the same moment, or more networks than entries are allowed.
        if self.len() > most {
            let room = most.saturating_sub(self.networks.len());
            let mut kept: Vec<_> = self.visitors.drain().collect();
            kept.sort_unstable_by(|a, b| (b.1.last, &b.0).cmp(&(a.1.last, &a.0)));
            kept.truncate(room);
            self.visitors.extend(kept);
            let mut networks: Vec<_> = self.networks.drain().collect();
            networks
                .sort_unstable_by_key(|(network, entry)| (std::cmp::Reverse(entry.last), *network));
            networks.truncate(most);
            self.networks.extend(networks);
        }
    }

    /// The changes that forget what fits.
    pub fn forget(&self, fits: impl Fn(&Shown) -> bool) -> Vec<Change> {
        let visitors = self.visitors.iter();
        let visitors = visitors
            .filter(|(visitor, entry)| {
                fits(&entry.shown(&visitor.network, &visitor.sender, &visitor.recipient))
            })
            .map(|(visitor, _)| Change::Visitor(visitor.clone(), None));
        let networks =
            self.networks.iter().filter(|(network, entry)| fits(&entry.shown(network, "", "")));
        let mut changes: Vec<Change> =
            visitors.chain(networks.map(|(network, _)| Change::Network(*network, None))).collect();
        changes.sort_by_cached_key(|change| format!("{change:?}"));
        changes
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Shown> {
        let visitors = self.visitors.iter();
        let networks = self.networks.iter().map(|(network, entry)| entry.shown(network, "", ""));
        visitors
            .map(|(visitor, entry)| {
                entry.shown(&visitor.network, &visitor.sender, &visitor.recipient)
            })
            .chain(networks)
    }

    /// The whole book as changes from nothing, as the log has them.
    pub fn encode(&self) -> Vec<u8> {
        let mut visitors: Vec<_> = self.visitors.iter().collect();
        visitors.sort_unstable_by_key(|(visitor, _)| *visitor);
        let mut networks: Vec<_> = self.networks.iter().collect();
        networks.sort_unstable_by_key(|(network, _)| **network);
        let mut octets = Vec::new();
        for (visitor, entry) in visitors {
            journal::encode(&mut octets, &Change::Visitor(visitor.clone(), Some(*entry)));
        }
        for (network, entry) in networks {
            journal::encode(&mut octets, &Change::Network(*network, Some(*entry)));
        }
        octets
    }
}

impl PartialEq for Book {
    fn eq(&self, other: &Self) -> bool {
        self.visitors == other.visitors && self.networks == other.networks
    }
}

const HOUR: Duration = Duration::from_secs(3600);
