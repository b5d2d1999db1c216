//! The counts on disk: a file a day, `2026-11-20.json`, written whole every few minutes and at the end.
//! A crash loses what was counted since; that is statistics, and no mail waits for it.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use smtp::Timestamp;
use transport::{TlsResult, policy::Published};
use world::{
    World,
    disk::{read_whole, replace},
};

use super::{Day, DomainDay};

/// A file that is bigger is not ours.
const FILE_MAX: u64 = 256 * 1024 * 1024;
const DAY: Duration = Duration::from_secs(86_400);

/// One session, or one that came to nothing for its TLS.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    /// The recipient domain.
    pub domain: &'a str,
    /// The policy that applied.
    pub published: &'a Published,
    /// The host that was tried.
    pub host: &'a str,
    /// Its address.
    pub address: Option<String>,
    /// Ours.
    pub from: Option<String>,
    /// What was against the policy; `None`: nothing.
    pub result: Option<TlsResult>,
    /// The same in our words.
    pub why: &'a str,
}

/// All days that are kept.
pub struct Keeper {
    directory: PathBuf,
    keep: Duration,
    days: Mutex<BTreeMap<String, (Day, bool)>>,
}

impl Keeper {
    /// Opens a directory and reads the days in it; those older than `keep` are removed.
    ///
    /// # Errors
    /// The directory can't be made or listed.
    pub fn open(world: &World, directory: &Path, keep: Duration) -> io::Result<Self> {
        world.disk.create_directory(directory)?;
        let oldest = message::date::day(before(world.clock.now(), keep));
        let mut days = BTreeMap::new();
        for name in world.disk.list(directory)? {
            let Some(day) = name.to_str().and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            let path = directory.join(&name);
            if day < oldest.as_str() {
                world.disk.remove(&path)?;
                continue;
            }
            let read = read_whole(world.disk.as_ref(), &path, FILE_MAX)
                .and_then(|octets| Ok(serde_json::from_slice::<Day>(&octets)?));
            match read {
                Ok(counts) => drop(days.insert(day.to_owned(), (counts, false))),
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "TLS counts can't be read")
                }
            }
        }
        Ok(Self { directory: directory.to_owned(), keep, days: Mutex::new(days) })
    }

    /// Counts a session, now.
    pub fn count(&self, now: Timestamp, sight: &Sight<'_>) {
        let mut days = self.lock();
        let (day, changed) = days.entry(message::date::day(now)).or_default();
        day.count(sight);
        *changed = true;
    }

    /// What was counted for a domain on a day.
    pub fn of(&self, day: &str, domain: &str) -> Option<DomainDay> {
        self.lock().get(day)?.0.domains.get(&domain.to_ascii_lowercase()).cloned()
    }

    /// The domains of a day.
    pub fn domains(&self, day: &str) -> Vec<String> {
        let days = self.lock();
        days.get(day).map_or_else(Vec::new, |(day, _)| day.domains.keys().cloned().collect())
    }

    /// Days before `today` with domains whose report is still due.
    pub(super) fn due(&self, today: &str) -> Vec<(String, String)> {
        let days = self.lock();
        let over = days.iter().filter(|(day, _)| day.as_str() < today);
        over.flat_map(|(day, (counts, _))| {
            let due = counts.domains.iter().filter(|(_, domain)| !domain.done);
            due.map(|(name, _)| (day.clone(), name.clone()))
        })
        .collect()
    }

    /// Nothing more is due for that domain and day.
    pub(super) fn done(&self, day: &str, domain: &str) {
        let mut days = self.lock();
        if let Some((counts, changed)) = days.get_mut(day)
            && let Some(domain) = counts.domains.get_mut(domain)
        {
            domain.done = true;
            *changed = true;
        }
    }

    /// Writes what has changed, and removes what is too old.
    ///
    /// # Errors
    /// What the disk says; it is tried again the next time.
    pub fn write(&self, world: &World) -> io::Result<()> {
        let oldest = message::date::day(before(world.clock.now(), self.keep));
        let (changed, old): (Vec<_>, Vec<String>) = {
            let mut days = self.lock();
            let old: Vec<_> = days.keys().filter(|day| **day < oldest).cloned().collect();
            old.iter().for_each(|day| drop(days.remove(day)));
            let mut changed = Vec::new();
            for (day, (counts, is_new)) in days.iter_mut().filter(|(_, (_, is_new))| *is_new) {
                *is_new = false;
                changed.push((day.clone(), serde_json::to_vec(counts)?));
            }
            (changed, old)
        };
        for (day, octets) in &changed {
            let written =
                replace(world.disk.as_ref(), &self.directory, &format!("{day}.json"), octets);
            if let Err(error) = written {
                self.lock().get_mut(day).into_iter().for_each(|(_, is_new)| *is_new = true);
                return Err(error);
            }
        }
        for day in old {
            match world.disk.remove(&self.directory.join(format!("{day}.json"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Day, bool)>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So long ago, to the day.
fn before(now: Timestamp, ago: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(ago.max(DAY).as_millis() as u64))
}
