//! The policy of a transfer agent: its settings of the moment, and all that it remembers.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use notation::Network;
use smtp::{Reply, Timestamp};
use tokio::sync::Notify;
use world::{Clock, Disk, World};

use crate::{
    Case, Refusal, Verdict,
    asked::Asked,
    checks::{self, CHECKS, Stage},
    facts::Asker,
    greylist::{self, Greylist},
    guard::{self, Failed, Guard, Try},
    names::{self, Files, NamesError},
    rates::{Count, Rate, Rates},
    settings::Settings,
    waited::Waited,
};

/// How soon a change of what is kept is written.
const WRITE_AFTER: Duration = Duration::from_secs(1);
/// How often the files of names are looked at.
const FILES_EVERY: Duration = Duration::from_secs(60);

/// What judges at the door.
pub struct Policy {
    pub(crate) asker: Asker,
    pub(crate) rates: Rates,
    pub(crate) asked: Asked,
    guard: Guard,
    /// Who has waited for the greeting.
    pub waited: Waited,
    pub(crate) clock: Clock,
    /// Whose turning away was told lately.
    told: Waited,
    greylist: Mutex<Option<Arc<Greylist>>>,
    set: ArcSwap<Set>,
    counts: Vec<AtomicU64>,
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    wake: Arc<Notify>,
}

/// Who we are, for those who say that they are us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ourselves {
    /// Host name and local domains, lower case.
    pub names: Vec<String>,
    /// Addresses we listen on, or are reached at.
    pub addresses: Vec<IpAddr>,
}

/// Settings, made ready.
pub struct Set {
    /// As they were read.
    pub settings: Settings,
    pub(crate) ourselves: Ourselves,
    pub(crate) allow: names::Set,
    pub(crate) deny: names::Set,
    pub(crate) except: names::Set,
    files: Files,
}

/// Why a policy can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// An allow or deny list.
    #[error("a list of names can't be used")]
    Names(#[from] NamesError),
    /// The greylist.
    #[error("cannot open the greylist in `{}`", path.display())]
    Greylist {
        /// Its directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The failed logins.
    #[error("cannot read the failed logins in `{}`", path.display())]
    Logins {
        /// Their directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Set {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// An entry or a file that can't be read.
    pub fn new(
        disk: &dyn Disk,
        settings: Settings,
        ourselves: Ourselves,
    ) -> Result<Self, NamesError> {
        let files = names::read(disk, &settings)?;
        Self::with(settings, ourselves, files)
    }

    fn with(settings: Settings, ourselves: Ourselves, files: Files) -> Result<Self, NamesError> {
        Ok(Self {
            allow: names::Set::new(&settings.allow, "door.allow", &files)?,
            deny: names::Set::new(&settings.deny, "door.deny", &files)?,
            except: names::Set::new(&settings.greylist.except, "door.greylist.except", &files)?,
            settings,
            ourselves,
            files,
        })
    }
}

impl Set {
    /// The network of the deny list that turns a client away; the allow list comes before it.
    pub fn denied(&self, client: IpAddr) -> Option<&Network> {
        self.deny.client(client).filter(|_| self.allow.client(client).is_none())
    }
}

impl Policy {
    /// Opens what has to survive a restart, under the data directory. The greylist is opened only where it is
    /// on. `key` is the server's own, the same after each start.
    ///
    /// # Errors
    /// A directory or a file.
    pub fn open(world: &World, data: &Path, key: &[u8], set: Set) -> Result<Self, PolicyError> {
        let wake: Arc<Notify> = Arc::default();
        let (path, now) = (guard::directory(data), world.clock.now());
        let logins = &set.settings.logins;
        let guard = Guard::open(world.disk.clone(), &path, logins, key, now, wake.clone());
        let guard = guard.map_err(|source| PolicyError::Logins { path, source })?;
        let policy = Self {
            asker: Asker::new(world.dns.clone()),
            rates: Rates::default(),
            asked: Asked::default(),
            guard,
            waited: Waited::default(),
            told: Waited::default(),
            clock: world.clock,
            greylist: Mutex::default(),
            set: ArcSwap::from_pointee(set),
            counts: CHECKS.iter().map(|_| AtomicU64::new(0)).collect(),
            disk: world.disk.clone(),
            directory: greylist::directory(data),
            wake,
        };
        policy.open_greylist(&policy.set().settings)?;
        Ok(policy)
    }

    /// Takes other settings into use. What is remembered stays.
    ///
    /// # Errors
    /// The greylist can't be opened, where it is on now; then nothing was changed.
    pub fn reconfigure(&self, set: Set) -> Result<(), PolicyError> {
        self.open_greylist(&set.settings)?;
        self.set.store(Arc::new(set));
        Ok(())
    }

    fn open_greylist(&self, settings: &Settings) -> Result<(), PolicyError> {
        let mut greylist = self.greylist.lock().unwrap_or_else(PoisonError::into_inner);
        if settings.greylist.on && greylist.is_none() {
            let (disk, now) = (self.disk.clone(), self.clock.now());
            let opened =
                Greylist::open(disk, &self.directory, &settings.greylist, now, self.wake.clone());
            let opened = opened
                .map_err(|source| PolicyError::Greylist { path: self.directory.clone(), source })?;
            *greylist = Some(Arc::new(opened));
        }
        Ok(())
    }

    /// The settings of the moment.
    pub fn set(&self) -> Arc<Set> {
        self.set.load_full()
    }

    /// The greylist, once it was switched on.
    pub fn greylist(&self) -> Option<Arc<Greylist>> {
        self.greylist.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often each rule refused, in the order of the table; rules that never did are left out.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = CHECKS.iter().zip(&self.counts);
        counts
            .map(|(check, count)| (check.rule, count.load(Relaxed)))
            .filter(|row| row.1 > 0)
            .collect()
    }

    /// Counts a refusal that was made elsewhere by one of the table's rules.
    pub fn count(&self, rule: &str) {
        if let Some(index) = CHECKS.iter().position(|check| check.rule == rule) {
            self.counts[index].fetch_add(1, Relaxed);
        }
    }

    /// Whether that a client was turned away is worth an entry of evidence: once a minute for each.
    pub fn is_worth_telling(&self, client: IpAddr) -> bool {
        const EVERY: Duration = Duration::from_secs(60);
        let now = self.now();
        let known = self.told.knows(client, now);
        if !known {
            self.told.remember(client, EVERY, now);
        }
        !known
    }

    /// A client has connected: before the greeting.
    pub fn connection(&self, case: &Case<'_>) -> Verdict {
        self.counted(checks::at_once(self, case, Stage::Connect))
    }

    /// A client has named a reverse-path: only how often is asked here, all else with the recipient, so
    /// that the log knows whom the mail was for.
    pub fn sender(&self, case: &Case<'_>) -> Verdict {
        self.counted(checks::at_once(self, case, Stage::Mail))
    }

    /// A client has named a recipient that is ours to take.
    pub async fn recipient(&self, case: &Case<'_>) -> Verdict {
        self.counted(checks::recipient(self, case).await)
    }

    /// What would happen: every check of every stage, though one before it refuses. Nothing is
    /// remembered and nobody is counted.
    pub async fn dry_run(&self, case: &Case<'_>) -> Verdict {
        checks::dry_run(self, case).await
    }

    /// A message of so many octets was taken.
    pub fn took(&self, case: &Case<'_>, octets: u64) {
        let set = self.set();
        let rates = all_rates(case, &set);
        self.rates.add(rates, Count::Octets, &case.doer(), octets, self.clock.now());
    }

    /// Whether a login may be looked at. The reply says when the next one may.
    ///
    /// # Errors
    /// Somebody is locked: the client, its network, or the user for clients that he never came from.
    pub fn login(&self, client: IpAddr, user: &str) -> Result<Try, Refusal> {
        let set = self.set();
        let tried = self.guard.attempt(&set.settings.logins, client, user, self.clock.now());
        tried.map_err(|lock| self.locked(&lock))
    }

    /// The same, now that it is known who it is: see [`Try::named`].
    ///
    /// # Errors
    /// As with [`Policy::login`].
    pub fn login_named(&self, tried: Try, user: &str) -> Result<Try, Refusal> {
        let named = tried.named(&self.set().settings.logins, user, self.clock.now());
        named.map_err(|lock| self.locked(&lock))
    }

    fn locked(&self, lock: &guard::Lock) -> Refusal {
        self.count(checks::LOGIN_RATE);
        let reply = Reply::login_locked(lock.wait);
        Refusal { rule: checks::LOGIN_RATE, reply, why: lock.to_string() }
    }

    /// A login was wrong; the refusal goes out after [`Failed::wait`].
    pub fn login_failed(&self, tried: Try, password: Option<&[u8]>) -> Failed {
        self.count(checks::WRONG_LOGIN);
        let failed = tried.failed(&self.set().settings.logins, password, self.clock.now());
        if let Some(lock) = &failed.locked {
            tracing::warn!(subject = %lock.subject, kind = lock.subject.kind(), wait = ?lock.wait, "locked");
        }
        failed
    }

    /// A login was right.
    pub fn login_succeeded(&self, tried: Try) {
        tried.succeeded(&self.set().settings.logins, self.clock.now());
    }

    /// Whose failed logins are remembered.
    pub fn logins(&self) -> Vec<guard::Shown> {
        self.guard.list(self.clock.now())
    }

    /// Forgets failed logins: see [`Guard::unlock`].
    pub fn unlock(&self, text: &str) -> usize {
        self.guard.unlock(text)
    }

    fn counted(&self, verdict: Verdict) -> Verdict {
        if let Some(refusal) = &verdict.refusal {
            self.count(refusal.rule);
        }
        verdict
    }

    /// Writes greylist and failed logins soon after they change, and looks now and then whether the files of
    /// names have changed; until it is dropped. `blocking`: disk calls go to threads of their own.
    pub async fn keep(self: Arc<Self>, blocking: bool) {
        let mut look = tokio::time::Instant::now() + FILES_EVERY;
        loop {
            let has_files = !self.set().files.is_empty();
            tokio::select! {
                biased;
                () = self.wake.notified() => {
                    tokio::time::sleep(WRITE_AFTER).await;
                    self.on_disk(blocking, |policy| policy.write(false)).await;
                }
                () = tokio::time::sleep_until(look), if has_files => {
                    look = tokio::time::Instant::now() + FILES_EVERY;
                    self.on_disk(blocking, |policy| policy.look_at_files()).await;
                }
            }
        }
    }

    async fn on_disk(self: &Arc<Self>, blocking: bool, work: fn(&Self)) {
        if !blocking {
            return work(self);
        }
        let policy = self.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || work(&policy)).await {
            tracing::error!(%error, "policy: work on the disk broke");
        }
    }

    fn write(&self, sync: bool) {
        if let Err(error) = self.guard.write(&self.set().settings.logins, self.clock.now(), sync) {
            tracing::warn!(%error, "failed logins not written; tried again with the next change");
        }
        let Some(greylist) = self.greylist() else { return };
        if let Err(error) = greylist.write(sync) {
            tracing::warn!(%error, "greylist not written; tried again with the next change");
        }
    }

    fn look_at_files(&self) {
        let set = self.set();
        let read = match names::read(&*self.disk, &set.settings) {
            Ok(read) if read == set.files => return,
            Ok(read) => read,
            Err(error) => return report(&error),
        };
        match Set::with(set.settings.clone(), set.ourselves.clone(), read) {
            Ok(new) => {
                tracing::info!(files = new.files.len(), "lists of names read again");
                // A reload in between wins: its settings are newer.
                self.set.compare_and_swap(&set, Arc::new(new));
            }
            Err(error) => report(&error),
        }
    }

    /// Writes what is left to write. Blocks on the disk.
    pub fn close(&self) {
        self.write(true);
    }
}

fn report(error: &NamesError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "a list of names can't be used; the one before stays");
}

pub(crate) fn all_rates<'a>(
    case: &'a Case<'_>,
    set: &'a Set,
) -> impl Iterator<Item = &'a Rate> + Clone {
    case.rates.iter().chain(&set.settings.rate)
}

impl Policy {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
