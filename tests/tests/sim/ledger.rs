//! What happened, as the world outside of the transfer agents saw it. The judge reads nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

/// Clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {
    origin: Instant,
    inner: Arc<Mutex<Inner>>,
}

/// All of it. Times are milliseconds since the world began.
#[derive(Default)]
pub struct Inner {
    /// Messages that a client heard `250` for, by number.
    pub acknowledged: BTreeMap<u32, Mail>,
    /// When the end of a message was sent; without an acknowledgement it may have been kept or not.
    pub ended: BTreeMap<u32, u64>,
    /// Forward-paths that were refused with their RCPT.
    pub refused: BTreeSet<String>,
    /// Messages whose end was answered with 4yz or 5yz, by time: their clients still have them.
    pub turned_away: BTreeMap<u32, u64>,
    /// Messages of clients that may relay nothing.
    pub strangers: BTreeSet<u32>,
    /// Messages that may go in TLS only, wherever they go (RFC 8689); those with a null reverse-path are none
    /// (section 5).
    pub require_tls: BTreeSet<u32>,
    /// When the MTA-STS policy was last handed over, since its reader last lost its power.
    pub policy_since: Option<u64>,
    /// What came to boxed.test when whatever was in its way was long gone: messages, once for each recipient, and
    /// chunks.
    pub unboxed: [usize; 2],
    /// Logins that were taken.
    pub logins: usize,
    /// Those of them by SCRAM.
    pub scram: usize,
    /// Right passwords of who is locked out.
    pub kept_out: usize,
    /// When each of the users has last signed in at home.
    pub known: BTreeMap<usize, u64>,
    /// Messages whose recipients are to have had their mailboxes since then (RFC 7293).
    pub rrvs: BTreeSet<u32>,
    /// Messages with a priority of their own (RFC 6710), as it is asked for.
    pub priorities: BTreeMap<u32, &'static str>,
    /// What peers took inside TLS, once for each recipient.
    pub sealed: usize,
    /// The number of the newest message.
    number: u32,
    /// Forward-paths that an operator told a host to forget.
    pub removed: BTreeSet<String>,
    /// Forward-paths that an operator had tried at once, whatever they were to wait for.
    pub rushed: BTreeSet<String>,
    /// Forward-paths whose messages an operator returned.
    pub bounced: BTreeSet<String>,
    /// Forward-paths that an operator sent elsewhere.
    pub rerouted: BTreeSet<String>,
    /// Promises that were broken before anybody judged.
    pub broken: Vec<String>,
    /// What scripted peers took.
    pub copies: Vec<Copy>,
    /// When which transfer agent lost its power.
    pub crashes: Vec<(u64, &'static str)>,
    /// Forward-paths of reports that ended as double bounces.
    pub double_bounces: BTreeSet<String>,
    /// Forward-paths whose reply to the content was lost on the way, by time.
    pub unheard: Vec<(u64, String)>,
    /// Everything in order, if it is wanted.
    pub course: Option<Vec<String>>,
    hash: DefaultHasher,
    events: u64,
}

/// A message as a client sent it.
#[derive(Clone, Default)]
pub struct Mail {
    pub reverse_path: String,
    /// Seconds that it is to be held back for (RFC 4865).
    pub hold: Option<u64>,
    /// Seconds that it is to be delivered within, or returned (RFC 2852).
    pub by: Option<u64>,
    /// What else is asked for in MAIL, each with a space in front.
    pub wishes: String,
    /// What else is asked for in each RCPT, likewise.
    pub wishes_of_each: &'static str,
    pub body: Body,
    /// Those that were accepted.
    pub recipients: Vec<String>,
    pub content: Vec<u8>,
}

/// What octets a content has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Body {
    /// ASCII in lines.
    #[default]
    Seven,
    /// Others as well, in lines (RFC 6152).
    Eight,
    /// Any (RFC 3030).
    Binary,
}

/// A message as it arrived somewhere.
pub struct Copy {
    pub at: u64,
    pub place: String,
    pub reverse_path: String,
    pub recipient: String,
    pub content: Vec<u8>,
}

impl Ledger {
    pub fn new(with_course: bool) -> Self {
        let inner = Inner { course: with_course.then(Vec::new), ..Inner::default() };
        Self { origin: Instant::now(), inner: Arc::new(Mutex::new(inner)) }
    }

    pub fn now(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new message.
    pub fn number(&self) -> u32 {
        let mut inner = self.lock();
        inner.number += 1;
        inner.number
    }

    /// Whether mail to that domain has to go in TLS over connections that began then: always but where the
    /// promise is a policy that has to be fetched first, and ways that were found before it live on for a
    /// while.
    pub fn is_promised(&self, domain: &str, began: u64) -> bool {
        const GRACE: u64 = 2 * 3_600_000;
        let since = self.lock().policy_since;
        domain != "sts.test" || since.is_some_and(|since| since + GRACE < began)
    }

    /// Whether delta has lost its power so soon after that moment that what it learned then may be lost, too:
    /// failed logins and good ones are written within a second (docs/accounts.md).
    pub fn forgot(&self, since: u64) -> bool {
        const WRITTEN: u64 = 5_000;
        let crashed =
            |&(at, who): &(u64, &str)| who == "delta" && since <= at && at < since + WRITTEN;
        self.lock().crashes.iter().any(crashed)
    }

    /// A transfer agent loses its power.
    pub fn crashed(&self, now: u64, name: &'static str) {
        let mut inner = self.lock();
        inner.crashes.push((now, name));
        if name == "delta" {
            // What it knew of the policy may not have been written yet.
            inner.policy_since = None;
        }
    }

    /// A promise is broken.
    pub fn breaks(&self, how: String) {
        let now = self.now();
        self.note(&format!("BROKEN: {how}"));
        self.lock().broken.push(format!("at {now} ms: {how}"));
    }

    /// Adds to the course of events, which must be the same for the same seed.
    pub fn note(&self, what: &str) {
        let now = self.now();
        let mut inner = self.lock();
        (now, what).hash(&mut inner.hash);
        inner.events += 1;
        if let Some(course) = &mut inner.course {
            course.push(format!(
                "{:>3}d {:>9.3}  {what}",
                now / 86_400_000,
                (now % 86_400_000) as f64 / 1000.0
            ));
        }
    }

    /// The course of events, as one number, and how many there were.
    pub fn course(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.hash.finish(), inner.events)
    }
}
