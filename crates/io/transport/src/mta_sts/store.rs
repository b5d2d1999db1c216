//! Policies that were fetched: in memory, and a file each on disk, so that a restart forgets none.
//!
//! A file is named by its domain and holds one line of JSON about the fetch, then the policy as served.
//! It is written beside and renamed; a file that can't be read is as none, and told by [`Store::unreadable`].

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use smtp::Timestamp;
use world::{
    World,
    disk::{read_whole, replace},
};

use super::{StsFound, StsPolicy, announced, fetch};
use crate::{maildir::blocking, policy::TlsResult, tls::ClientTls};

/// After a fetch that failed, none is tried for so long (section 3.3).
const FAILURE_KEPT: Duration = Duration::from_secs(5 * 60);
/// Policies are asked for again in the background once they are this old, or at half their age.
const REFRESH_AFTER: Duration = Duration::from_secs(86_400);
/// Domains that are remembered; the one that expires first goes.
const DOMAINS_MAX: usize = 10_000;
/// What a file may hold: a policy and its head.
const FILE_MAX: u64 = 128 * 1024;
const SUFFIX: &str = ".policy";

/// Every domain's policy.
pub struct Store {
    directory: PathBuf,
    port: u16,
    /// Domains whose file was of no use when the store was opened, and why.
    pub unreadable: Vec<(String, String)>,
    held: Mutex<BTreeMap<String, Held>>,
}

#[derive(Clone)]
enum Held {
    Policy {
        policy: Arc<StsPolicy>,
        id: String,
        fetched: Timestamp,
        /// A newer one that can't be had: its id, and when it is asked for again.
        missed: Option<(String, Timestamp)>,
    },
    Failed {
        id: String,
        why: String,
        result: TlsResult,
        until: Timestamp,
    },
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct Head {
    id: String,
    fetched: u64,
}

impl Store {
    /// Opens a directory, and reads what is there. `port` is that of HTTPS: 443 but in tests.
    ///
    /// # Errors
    /// The directory can't be made or listed.
    pub fn open(world: &World, directory: &Path, port: u16) -> io::Result<Self> {
        world.disk.create_directory(directory)?;
        let (mut held, mut unreadable) = (BTreeMap::new(), Vec::new());
        for name in world.disk.list(directory)? {
            let Some(domain) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else {
                continue;
            };
            match read(world, &directory.join(&name)) {
                Ok((head, policy)) => {
                    let fetched = Timestamp(head.fetched);
                    let policy = Arc::new(policy);
                    let (id, missed) = (head.id, None);
                    let policy = Held::Policy { policy, id, fetched, missed };
                    held.insert(domain.to_owned(), policy);
                }
                Err(error) => unreadable.push((domain.to_owned(), error.to_string())),
            }
        }
        let directory = directory.to_owned();
        Ok(Self { directory, port, unreadable, held: Mutex::new(held) })
    }

    /// The policy of a domain, in A-labels: the cached one, or a new one where the DNS announces it.
    pub async fn find(&self, world: &World, tls: &ClientTls, domain: &str) -> StsFound {
        let now = world.clock.now();
        let cached = self.lock().get(domain).cloned();
        let fresh = match &cached {
            Some(Held::Policy { policy, fetched, .. }) => now < fetched.after(policy.max_age),
            Some(Held::Failed { until, .. }) => now < *until,
            None => false,
        };
        let id = match announced(world, domain).await {
            Ok(id) => id,
            Err(reason) => {
                return match cached {
                    Some(Held::Policy { policy, .. }) if fresh => StsFound::Policy(policy),
                    _ => StsFound::None(reason),
                };
            }
        };
        match cached {
            Some(Held::Policy { policy, id: known, .. }) if fresh && known == id => {
                StsFound::Policy(policy)
            }
            Some(Held::Failed { id: known, why, result, .. }) if fresh && known == id => {
                StsFound::Failed { why, result }
            }
            Some(Held::Policy { policy, missed: Some((of, again)), .. })
                if fresh && of == id && now < again =>
            {
                StsFound::Policy(policy)
            }
            Some(Held::Policy { policy, .. }) if fresh => {
                match self.renew(world, tls, domain, id).await {
                    StsFound::Policy(new) => StsFound::Policy(new),
                    _ => StsFound::Policy(policy),
                }
            }
            _ => self.renew(world, tls, domain, id).await,
        }
    }

    /// Asks for policies again that have grown old, before they expire. To be called every hour or so.
    pub async fn refresh(&self, world: &World, tls: &ClientTls) {
        let now = world.clock.now();
        let old: Vec<String> = {
            let mut held = self.lock();
            held.retain(|_, held| match held {
                Held::Policy { policy, fetched, .. } => now < fetched.after(policy.max_age),
                Held::Failed { until, .. } => now < *until,
            });
            let is_old = |held: &Held| match held {
                Held::Policy { policy, fetched, .. } => {
                    now >= fetched.after(REFRESH_AFTER.min(policy.max_age / 2))
                }
                Held::Failed { .. } => false,
            };
            held.iter().filter(|(_, held)| is_old(held)).map(|(name, _)| name.clone()).collect()
        };
        for domain in old {
            if let Ok(id) = announced(world, &domain).await {
                let _ = self.renew(world, tls, &domain, id).await;
            }
        }
    }

    /// Domains with their policy and when it was fetched, for operators.
    pub fn policies(&self) -> Vec<(String, Arc<StsPolicy>, Timestamp)> {
        let held = self.lock();
        let known = held.iter().filter_map(|(domain, held)| match held {
            Held::Policy { policy, fetched, .. } => {
                Some((domain.clone(), Arc::clone(policy), *fetched))
            }
            Held::Failed { .. } => None,
        });
        known.collect()
    }

    async fn renew(&self, world: &World, tls: &ClientTls, domain: &str, id: String) -> StsFound {
        let fetched = fetch(world, tls, domain, self.port).await;
        let now = world.clock.now();
        let (held, found) = match fetched {
            Ok((policy, text)) => {
                let policy = Arc::new(policy);
                let head = Head { id: id.clone(), fetched: now.0 };
                // In memory it is known all the same; a disk that refuses tells so by other ways.
                let _ = write(world, &self.directory, domain, &head, &text).await;
                let found = StsFound::Policy(Arc::clone(&policy));
                (Held::Policy { policy, id, fetched: now, missed: None }, found)
            }
            Err(error) => {
                let (why, result) = (error.to_string(), error.result());
                let until = now.after(FAILURE_KEPT);
                // What is known still counts, though nothing newer can be had.
                if let Some(Held::Policy { policy, fetched, missed, .. }) =
                    self.lock().get_mut(domain)
                    && now < fetched.after(policy.max_age)
                {
                    *missed = Some((id, until));
                    return StsFound::Failed { why, result };
                }
                (
                    Held::Failed { id, why: why.clone(), result, until },
                    StsFound::Failed { why, result },
                )
            }
        };
        let mut all = self.lock();
        if all.len() >= DOMAINS_MAX && !all.contains_key(domain) {
            let ends = |held: &Held| match held {
                Held::Policy { policy, fetched, .. } => fetched.after(policy.max_age),
                Held::Failed { until, .. } => *until,
            };
            let first = all.iter().min_by_key(|(_, held)| ends(held)).map(|(name, _)| name.clone());
            first.map(|name| all.remove(&name));
        }
        all.insert(domain.to_owned(), held);
        found
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(world: &World, path: &Path) -> io::Result<(Head, StsPolicy)> {
    let wrong = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let text = read_whole(world.disk.as_ref(), path, FILE_MAX)?;
    let text = String::from_utf8(text).map_err(|_| wrong("it is no text".into()))?;
    let (head, policy) = text.split_once('\n').ok_or_else(|| wrong("it has no head".into()))?;
    let head = serde_json::from_str(head).map_err(|error| wrong(error.to_string()))?;
    let policy = StsPolicy::parse(policy).map_err(|error| wrong(error.to_string()))?;
    Ok((head, policy))
}

async fn write(
    world: &World,
    directory: &Path,
    domain: &str,
    head: &Head,
    text: &str,
) -> io::Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if domain.is_empty() || domain.starts_with('.') || !domain.chars().all(is_plain) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no file can have that name"));
    }
    let octets = format!("{}\n{text}", serde_json::to_string(head)?);
    let (directory, name) = (directory.to_owned(), format!("{domain}{SUFFIX}"));
    blocking(world, move |world| replace(world.disk.as_ref(), &directory, &name, octets.as_bytes()))
        .await
}
