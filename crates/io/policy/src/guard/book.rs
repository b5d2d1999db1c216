//! Points against subjects, and who is known where. Bounded: of what is too much, the least recent goes.
//!
//! A subject's points fall evenly to nothing within the period. Where they reach the limit it is locked
//! for a while, each time for twice as long, until it was quiet for a day; a user's lock stays as short as
//! it is, for he may be on a journey.

use std::{fmt, net::IpAddr, time::Duration};

use notation::units;
use serde::{Deserialize, Serialize};
use smtp::Timestamp;

use super::marks::Marks;
use crate::{greylist::masked, journal, recent::Recent, settings::Logins};

/// Subjects in a generation, of some 200 octets each.
const SUBJECTS: usize = 50_000;
/// Clients of users, and wrong passwords, in a generation: 16 octets each.
const MARKS: usize = 200_000;
/// Names of one client that are told apart.
const NAMES_MAX: usize = 16;
/// What the next wrong name of one client costs at most.
const COST_MAX: u64 = 5;
/// A wrong password is no new guess for so long.
const SAME_KEEP: Duration = Duration::from_secs(86_400);
/// So long without a lock, and the next one is short again.
const CALM: Duration = Duration::from_secs(86_400);
/// Octets of a name that count.
const NAME_MAX: usize = 128;
const HOUR: Duration = Duration::from_secs(3_600);

/// Whose failures are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// An IPv4 address, or an IPv6 /64.
    Client(IpAddr),
    /// An IPv4 /24, or an IPv6 /48.
    Network(IpAddr),
    /// A name, for clients that are not known for it.
    User(Box<str>),
    /// A name at a client that is known for it.
    UserAt(Box<str>, IpAddr),
}

/// Somebody is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Who.
    pub subject: Subject,
    /// For how long yet.
    pub wait: Duration,
}

/// A subject, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Who.
    pub subject: Subject,
    /// Failures since it was last free of them.
    pub failures: u32,
    /// Different names, of a client.
    pub names: usize,
    /// The last one.
    pub last: Timestamp,
    /// Locked until then.
    pub locked: Option<Timestamp>,
}

/// One step from a book to the next. The order is part of the file's format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// What is counted against somebody is this; none: it is forgotten.
    Subject(Subject, Option<Record>),
    /// The mark of a client and a user who has signed in there, and when.
    Known(u64, Timestamp),
}

/// What is counted against a subject. The order is part of the file's format.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When all points have fallen.
    clear: Timestamp,
    locked: Timestamp,
    last: Timestamp,
    failures: u32,
    locks: u32,
    names: Vec<u32>,
    #[serde(skip)]
    under_way: u32,
}

/// All of it.
pub struct Book {
    records: Recent<Subject, Record>,
    /// Which clients users have signed in from, and when.
    known: Recent<u64, Timestamp>,
    /// Wrong passwords by client and user.
    wrong: Recent<u64, Timestamp>,
    marks: Marks,
    /// Of the process, for what is not kept.
    hash: ahash::RandomState,
    changes: Vec<Change>,
}

/// Names are compared without case and as directories do it, by which `anna ` is `anna` (RFC 4518 section
/// 2.6.1); long ones by how they begin.
pub(super) fn name(user: &str) -> Box<str> {
    let words: Vec<&str> = user.split_whitespace().collect();
    let mut name = words.join(" ").to_lowercase();
    name.truncate(name.floor_char_boundary(NAME_MAX));
    name.into()
}

fn client_of(client: IpAddr) -> IpAddr {
    masked(client, 32, 64).0
}

impl Book {
    /// An empty one, whose marks are made with that key.
    pub fn new(key: &[u8]) -> Self {
        Self {
            records: Recent::new(SUBJECTS),
            known: Recent::new(MARKS),
            wrong: Recent::new(MARKS),
            marks: Marks::new(key),
            hash: ahash::RandomState::new(),
            changes: Vec::new(),
        }
    }

    /// Takes back in what was kept, unless it is past. Times lie no further ahead than the settings have them:
    /// the clock may have been wrong.
    pub fn apply(&mut self, settings: &Logins, change: Change, now: Timestamp) {
        match change {
            Change::Subject(subject, Some(mut record)) => {
                record.locked = record.locked.min(now.after(settings.lock_max.max(settings.lock)));
                record.clear = record.clear.min(now.after(settings.within));
                record.last = record.last.min(now);
                record.names.truncate(NAMES_MAX);
                match record.matters(now) {
                    true => self.records.insert(subject, record),
                    false => drop(self.records.remove(&subject)),
                }
            }
            Change::Subject(subject, None) => drop(self.records.remove(&subject)),
            Change::Known(mark, at) if now.since(at) < settings.known_keep => {
                self.known.insert(mark, at.min(now));
            }
            Change::Known(mark, _) => drop(self.known.remove(&mark)),
        }
    }

    /// What has changed since this was last asked.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Subjects, and clients of users.
    pub fn len(&self) -> usize {
        self.records.len() + self.known.len()
    }

    /// What is not past, as changes from nothing: the same octets for the same book.
    pub fn encode(&self, settings: &Logins, now: Timestamp) -> Vec<u8> {
        let mut records: Vec<_> =
            self.records.iter().filter(|(_, record)| record.matters(now)).collect();
        records.sort_unstable_by_key(|(subject, _)| *subject);
        let is_known = |at: &Timestamp| now.since(*at) < settings.known_keep;
        let mut known: Vec<_> = self.known.iter().filter(|(_, at)| is_known(at)).collect();
        known.sort_unstable();
        let mut octets = Vec::new();
        for (subject, record) in records {
            let change = Change::Subject(subject.clone(), Some(record.clone()));
            journal::encode(&mut octets, &change);
        }
        for (mark, at) in known {
            journal::encode(&mut octets, &Change::Known(*mark, *at));
        }
        octets
    }

    pub(super) fn enter(
        &mut self,
        settings: &Logins,
        client: IpAddr,
        user: &str,
        now: Timestamp,
    ) -> Result<Vec<Subject>, Lock> {
        let subjects = self.subjects(client, user, now, settings);
        for (subject, most) in &subjects {
            let Some(record) = self.records.peek(subject) else { continue };
            if record.locked > now {
                let wait = record.locked.since(now).max(Duration::from_secs(1));
                return Err(Lock { subject: subject.clone(), wait });
            }
            if *most > 0 && record.under_way >= *most {
                let wait = settings.delay_max.max(Duration::from_secs(1));
                return Err(Lock { subject: subject.clone(), wait });
            }
        }
        let subjects: Vec<Subject> = subjects.into_iter().map(|(subject, _)| subject).collect();
        for subject in &subjects {
            self.record(subject).under_way += 1;
        }
        Ok(subjects)
    }

    /// The end of what `enter` began.
    pub(super) fn leave(&mut self, entered: &[Subject]) {
        for subject in entered {
            if let Some(record) = self.records.get(subject) {
                record.under_way = record.under_way.saturating_sub(1);
            }
        }
    }

    pub(super) fn failed(
        &mut self,
        settings: &Logins,
        client: IpAddr,
        user: &str,
        password: Option<&[u8]>,
        now: Timestamp,
    ) -> (Duration, Option<Lock>) {
        if self.is_old_guess(client, user, password, now) {
            return (settings.delay, None);
        }
        let mut locked = None;
        let mut failures = 0;
        let name = (self.marks.of(&[user.as_bytes()]) >> 32) as u32;
        for (subject, most) in self.subjects(client, user, now, settings) {
            let record = self.record(&subject);
            record.calm_down(now);
            let cost = match subject {
                Subject::Client(_) => record.cost(name),
                _ => 1,
            };
            record.failures = record.failures.saturating_add(1);
            record.last = now;
            if !matches!(subject, Subject::Network(_) | Subject::User(_)) {
                failures = failures.max(record.failures);
            }
            if let Some(wait) = record.charge(settings, most, cost, &subject, now) {
                locked = Some(Lock { subject: subject.clone(), wait });
            }
            let kept = Some(record.clone());
            self.changes.push(Change::Subject(subject, kept));
        }
        let doublings = failures.saturating_sub(1).min(16);
        let delay = settings.delay.saturating_mul(1 << doublings);
        (delay.min(settings.delay_max.max(settings.delay)), locked)
    }

    pub(super) fn succeeded(
        &mut self,
        settings: &Logins,
        client: IpAddr,
        user: &str,
        now: Timestamp,
    ) {
        if user.is_empty() {
            return;
        }
        if !settings.known_keep.is_zero() {
            let mark = self.mark(client, user);
            let before = self.known.peek(&mark).copied();
            self.known.insert(mark, now);
            // Once an hour is enough to keep it.
            if before.is_none_or(|before| now.since(before) >= HOUR) {
                self.changes.push(Change::Known(mark, now));
            }
        }
        // Only his own: with one good account nobody may go on guessing at others.
        self.forget(Subject::UserAt(user.into(), client_of(client)));
    }

    fn forget(&mut self, subject: Subject) {
        if self.records.remove(&subject).is_some() {
            self.changes.push(Change::Subject(subject, None));
        }
    }

    pub(super) fn list(&self, now: Timestamp) -> Vec<Shown> {
        let counted = self.records.iter().filter(|(_, record)| record.counts(now));
        let mut shown: Vec<Shown> = counted
            .map(|(subject, record)| Shown {
                subject: subject.clone(),
                failures: record.failures,
                names: record.names.len(),
                last: record.last,
                locked: (record.locked > now).then_some(record.locked),
            })
            .collect();
        shown.sort_by(|a, b| (b.locked, b.last, &a.subject).cmp(&(a.locked, a.last, &b.subject)));
        shown
    }

    pub(super) fn unlock(&mut self, text: &str) -> usize {
        let meant: Vec<Subject> = self
            .records
            .iter()
            .map(|(subject, _)| subject)
            .filter(|subject| text.is_empty() || subject.is_meant(text))
            .cloned()
            .collect();
        let count = meant.len();
        meant.into_iter().for_each(|subject| self.forget(subject));
        count
    }

    /// Whose limits this login is under.
    fn subjects(
        &self,
        client: IpAddr,
        user: &str,
        now: Timestamp,
        settings: &Logins,
    ) -> Vec<(Subject, u32)> {
        let since = self.known.peek(&self.mark(client, user));
        let is_known = since.is_some_and(|since| now.since(*since) < settings.known_keep);
        match (is_known, every(client, user)) {
            (true, [_, _, _, at]) => vec![(at, settings.per_user)],
            (false, [client, network, stranger, _]) => {
                let mut subjects =
                    vec![(client, settings.per_client), (network, settings.per_network)];
                // Who it is, is not known yet: nobody's.
                if !user.is_empty() {
                    subjects.push((stranger, settings.per_user));
                }
                subjects
            }
        }
    }

    fn is_old_guess(
        &mut self,
        client: IpAddr,
        user: &str,
        password: Option<&[u8]>,
        now: Timestamp,
    ) -> bool {
        let Some(password) = password else { return false };
        let mark = self.hash.hash_one((client_of(client), user, password));
        let before = self.wrong.peek(&mark).copied();
        self.wrong.insert(mark, now);
        before.is_some_and(|before| now.since(before) < SAME_KEEP)
    }

    fn mark(&self, client: IpAddr, user: &str) -> u64 {
        let client = match client_of(client) {
            IpAddr::V4(client) => client.to_ipv6_mapped(),
            IpAddr::V6(client) => client,
        };
        self.marks.of(&[&client.octets(), user.as_bytes()])
    }

    fn record(&mut self, subject: &Subject) -> &mut Record {
        self.records.get_or_insert_with(subject, Record::default)
    }
}

fn every(client: IpAddr, user: &str) -> [Subject; 4] {
    let at = client_of(client);
    [
        Subject::Client(at),
        Subject::Network(masked(client, 24, 48).0),
        Subject::User(user.into()),
        Subject::UserAt(user.into(), at),
    ]
}

impl Record {
    fn counts(&self, now: Timestamp) -> bool {
        self.clear > now || self.locked > now
    }

    /// Whether it makes a difference to what comes.
    fn matters(&self, now: Timestamp) -> bool {
        self.counts(now) || (self.locks > 0 && now.since(self.locked) <= CALM)
    }

    fn calm_down(&mut self, now: Timestamp) {
        if !self.counts(now) {
            self.failures = 0;
            self.names.clear();
        }
        if now.since(self.locked) > CALM {
            self.locks = 0;
        }
    }

    /// One name is a bad memory, many are a list.
    fn cost(&mut self, name: u32) -> u64 {
        if self.names.contains(&name) {
            return 1;
        }
        if self.names.len() < NAMES_MAX {
            self.names.push(name);
        }
        (self.names.len() as u64).min(COST_MAX)
    }

    /// Adds points; how long the lock is that they bring.
    fn charge(
        &mut self,
        settings: &Logins,
        most: u32,
        cost: u64,
        subject: &Subject,
        now: Timestamp,
    ) -> Option<Duration> {
        let share = settings.within / most.max(1);
        self.clear = self.clear.max(now).after(share.saturating_mul(cost as u32));
        if most == 0 || self.clear.since(now) + share / 2 < settings.within {
            return None;
        }
        let doublings = match subject {
            Subject::User(_) | Subject::UserAt(..) => 0,
            Subject::Client(_) | Subject::Network(_) => self.locks.min(16),
        };
        let wait = settings.lock.saturating_mul(1 << doublings);
        let wait = wait.min(settings.lock_max.max(settings.lock));
        self.locks += 1;
        self.locked = now.after(wait);
        // Served, it is a clean sheet; that there were locks is what is remembered.
        self.clear = now;
        Some(wait)
    }
}

impl Subject {
    /// Whether an operator who writes `text` means it.
    fn is_meant(&self, text: &str) -> bool {
        let address: Option<IpAddr> = text.parse().ok();
        let is_at = |at: &IpAddr| address.is_some_and(|address| client_of(address) == *at);
        let is_user = |user: &str| user == &*name(text);
        match self {
            Self::Client(at) => is_at(at) || self.to_string() == text,
            Self::Network(at) => {
                address.is_some_and(|address| masked(address, 24, 48).0 == *at)
                    || self.to_string() == text
            }
            Self::User(user) => is_user(user),
            Self::UserAt(user, at) => is_user(user) || is_at(at),
        }
    }

    /// What kind of subject it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Network(_) => "network",
            Self::User(_) => "user, for strangers",
            Self::UserAt(..) => "user, where known",
        }
    }
}

/// `192.0.2.1`, `2001:db8::/64`, `192.0.2.0/24`, `anna`, `anna at 192.0.2.1`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(at @ IpAddr::V4(_)) => write!(f, "{at}"),
            Self::Client(at) => write!(f, "{at}/64"),
            Self::Network(at @ IpAddr::V4(_)) => write!(f, "{at}/24"),
            Self::Network(at) => write!(f, "{at}/48"),
            Self::User(user) => f.write_str(user),
            Self::UserAt(user, at) => write!(f, "{user} at {at}"),
        }
    }
}

/// `the client 192.0.2.1 is locked for 15m`.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = Duration::from_secs(self.wait.as_secs().max(1));
        let (kind, subject) = (self.subject.kind(), &self.subject);
        write!(f, "the {kind} {subject} is locked for {}", units::show_duration(wait))
    }
}
