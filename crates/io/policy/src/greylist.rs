//! Greylisting (RFC 6647): who comes for the first time is asked to come again; mail servers do,
//! most programs that send spam don't.
//!
//! What is remembered of a visitor is the client's network (IPv4 /24, IPv6 /64), the reverse-path and
//! the forward-path. A network that has come again often enough is not asked any more. All of it is
//! bounded in number, written to a [`journal`](crate::journal), and read back at the next start.

pub mod book;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use smtp::Timestamp;
use world::Disk;

use self::book::{Book, Change, Entry, Visitor};
use crate::{
    journal::{Form, Journal, News},
    settings::Greylist as Settings,
};

const FORM: Form = Form { name: "greylist.log", head: b"MWGREY1\n" };

/// The greylist of a transfer agent.
pub struct Greylist {
    inner: Mutex<Inner>,
    /// Held while it is written to, which is not done under the other lock.
    journal: Mutex<Journal>,
    wake: Arc<tokio::sync::Notify>,
}

struct Inner {
    book: Book,
    news: News,
}

/// What the greylist says of a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Never seen, or not for too long: to come again after that time.
    New(Duration),
    /// It came again too early: that long is left.
    Early(Duration),
    /// It came again in time, now.
    Returned,
    /// It had come again before.
    Known,
    /// Its network has come again often enough.
    NetworkKnown,
}

/// An entry as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The client's network.
    pub network: String,
    /// The reverse-path as it is remembered; `<>` for the null one. Empty: the entry is the network's own.
    pub sender: String,
    /// The forward-path; empty as above.
    pub recipient: String,
    /// When it came first.
    pub first: Timestamp,
    /// When it came last.
    pub last: Timestamp,
    /// How often it was let through.
    pub passed: u32,
}

impl Greylist {
    /// Opens the log in `directory` (made if missing) and reads it.
    ///
    /// # Errors
    /// If the directory or the log can't be used. Damage is no error: what stands before it is kept.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        settings: &Settings,
        now: Timestamp,
        wake: Arc<tokio::sync::Notify>,
    ) -> std::io::Result<Self> {
        let (mut book, mut news) = (Book::default(), News::default());
        let (journal, lost) =
            Journal::open(disk, directory, FORM, &mut |change| book.apply(change))?;
        if lost > 0 {
            tracing::warn!(path = %journal.path().display(), octets = lost, "greylist: the end was damaged and left out");
            news.rewrite();
        }
        book.sweep(settings, now);
        tracing::info!(entries = book.len(), "greylist opened");
        let inner = Mutex::new(Inner { book, news });
        Ok(Self { inner, journal: Mutex::new(journal), wake })
    }

    /// What is to become of a visitor; remembered unless it is only a question.
    pub fn judge(
        &self,
        visitor: Visitor,
        settings: &Settings,
        now: Timestamp,
        only_asked: bool,
    ) -> Answer {
        let mut inner = self.lock();
        let (answer, changes) = inner.book.judge(&visitor, settings, now);
        if !only_asked {
            for change in changes {
                inner.take(change);
            }
            if inner.book.len() > settings.entries_max as usize {
                inner.book.sweep(settings, now);
                inner.news.rewrite();
            }
            self.wake.notify_one();
        }
        answer
    }

    /// The entries that a text fits: an address in the network, or a part of a path. Sorted, at most
    /// `most`; and how many there are in all.
    pub fn find(&self, text: &str, most: usize) -> (Vec<Shown>, usize) {
        let inner = self.lock();
        let mut found: Vec<Shown> = inner.book.iter().filter(|shown| fits(shown, text)).collect();
        let count = found.len();
        let key = |s: &Shown| {
            (std::cmp::Reverse(s.last), s.network.clone(), s.sender.clone(), s.recipient.clone())
        };
        found.sort_by_cached_key(key);
        found.truncate(most);
        (found, count)
    }

    /// Forgets the entries that a text fits: these visitors are new again. How many there were.
    pub fn forget(&self, text: &str) -> usize {
        let mut inner = self.lock();
        let changes = inner.book.forget(|shown| fits(shown, text));
        let count = changes.len();
        changes.into_iter().for_each(|change| inner.take(change));
        self.wake.notify_one();
        count
    }

    /// Entries in memory.
    pub fn len(&self) -> usize {
        self.lock().book.len()
    }

    /// Whether there is something to be written.
    pub fn wants_writing(&self) -> bool {
        !self.lock().news.is_empty()
    }

    /// Writes what has changed; the log anew, where most of it is past. Blocks on the disk. `sync`:
    /// through a power cut too, not only through the end of the process.
    ///
    /// # Errors
    /// What was not written is tried again with the next call.
    pub fn write(&self, sync: bool) -> std::io::Result<()> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let (news, whole) = {
            let mut inner = self.lock();
            let news = std::mem::take(&mut inner.news);
            let whole = journal.wants_whole(&news, inner.book.len());
            (news, whole.then(|| inner.book.encode()))
        };
        let saved = journal.save(&news, whole, sync);
        if saved.is_err() {
            // What is in the book is written with the next rewriting.
            self.lock().news.rewrite();
        }
        saved
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take(&mut self, change: Change) {
        self.news.add(&change);
        self.book.apply(change);
    }
}

/// The directory that the log is in, under the data directory.
pub fn directory(data: &Path) -> PathBuf {
    data.join("greylist")
}

fn fits(shown: &Shown, text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        let networks = shown.network.parse::<notation::Network>();
        return networks.is_ok_and(|network| network.contains(address));
    }
    let text = text.to_lowercase();
    shown.network == text
        || [&shown.sender, &shown.recipient].iter().any(|path| {
            **path == text || path.rsplit_once('@').is_some_and(|(_, domain)| domain == text)
        })
}

impl Visitor {
    /// The visitor of a RCPT. Parts of the reverse-path that change from message to message are left
    /// out: VERP's numbers, tags behind `+`, BATV's and SRS's signatures.
    pub fn new(
        client: IpAddr,
        reverse_path: Option<&smtp::Address>,
        forward_path: &smtp::Address,
        settings: &Settings,
    ) -> Self {
        let sender = reverse_path.map_or_else(|| "<>".to_owned(), |path| steady(path.as_str()));
        let recipient = forward_path.as_str().to_lowercase();
        let network = masked(client, settings.ipv4_prefix, settings.ipv6_prefix);
        Self { network, sender: sender.into(), recipient: recipient.into() }
    }
}

/// The network of an address: its first bits, the others zero.
pub(crate) fn masked(client: IpAddr, ipv4_prefix: u8, ipv6_prefix: u8) -> (IpAddr, u8) {
    match client.to_canonical() {
        IpAddr::V4(address) => {
            let length = ipv4_prefix.min(32);
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            (IpAddr::V4((address.to_bits() & mask).into()), length)
        }
        IpAddr::V6(address) => {
            let length = ipv6_prefix.min(128);
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            (IpAddr::V6((address.to_bits() & mask).into()), length)
        }
    }
}

/// A reverse-path without what changes.
fn steady(path: &str) -> String {
    let path = path.to_lowercase();
    let (local_part, domain) = path.rsplit_once('@').unwrap_or((&path, ""));
    let parts = |count: usize| local_part.splitn(count + 1, '=').nth(count);
    let local_part = match local_part {
        tagged if tagged.starts_with("prvs=") => parts(2).unwrap_or(tagged),
        srs if srs.starts_with("srs0=") || srs.starts_with("srs1=") => parts(3).unwrap_or(srs),
        other => other.split('+').next().unwrap_or(other),
    };
    let mut steady = String::with_capacity(path.len());
    for c in local_part.chars() {
        match c.is_ascii_digit() {
            true if steady.ends_with('#') => {}
            true => steady.push('#'),
            false => steady.push(c),
        }
    }
    format!("{steady}@{domain}")
}

impl Entry {
    pub(crate) fn shown(&self, network: &(IpAddr, u8), sender: &str, recipient: &str) -> Shown {
        Shown {
            network: format!("{}/{}", network.0, network.1),
            sender: sender.to_owned(),
            recipient: recipient.to_owned(),
            first: self.first,
            last: self.last,
            passed: self.passed,
        }
    }
}

#[cfg(test)]
mod tests;
