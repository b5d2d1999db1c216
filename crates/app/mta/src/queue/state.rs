//! Which job is where: a plain value, no clock, no task, no lock of its own.
//!
//! A job is in exactly one [`Place`]. Jobs that are due are queued by *site*: the set of hosts that a
//! domain's mail goes to, so that a thousand domains behind one provider are one site with one limit of
//! connections. Nothing here ever looks at every job to find one, but for the operator's list.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use smtp::{Cause, Timestamp};
use spool::{Content, JobId, Revision};
use tokio::sync::Notify;
use transport::{Features, Reason};

use super::{lanes::Lanes, lessons::Lessons, limit::Limit, ready::Ready};
use crate::carried::{LastTrouble, Parcel};

/// Names a site: see [`super::way::Way::site`].
pub type SiteKey = Arc<str>;

/// How long after its last trouble a site's record of failures counts for the next one.
const DOWN_REMEMBERED: Duration = Duration::from_secs(3600);

/// Octets of content that wait in memory for their first attempt, at most.
const IN_MEMORY_MAX: u64 = 64 << 20;

/// One queued job.
pub struct Entry {
    /// Which.
    pub id: JobId,
    /// Its version in the spool.
    pub revision: Revision,
    /// The recipients' domain, lower case.
    pub lane: Arc<str>,
    /// When it is to be tried next.
    pub due: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// An operator holds it back.
    pub held: bool,
    /// When its message came.
    pub arrived: Timestamp,
    /// Before this it is not to be sent on (RFC 4865).
    pub released: Timestamp,
    /// What goes first (RFC 6710).
    pub priority: i8,
    /// Octets of content.
    pub size: u64,
    /// The envelope.
    pub carried: Parcel,
    /// The content, while it is still in memory from its arrival and there is room for it.
    pub content: Option<Arc<dyn Content>>,
    /// Where it is.
    pub place: Place,
}

/// Where a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Held by an operator.
    Held,
    /// Until it is due.
    Waiting,
    /// Until its lane's next hops are known.
    Routing,
    /// In a site's list.
    Ready(SiteKey),
    /// A worker has it.
    Busy,
}

/// One set of next hops.
pub struct Site {
    /// Due jobs, by priority, then oldest first.
    pub ready: Ready,
    /// Workers, idle ones included.
    pub workers: usize,
    /// Wakes idle workers; the last one has the warmest connection.
    pub idle: Vec<Arc<Notify>>,
    /// How many workers there may be.
    pub limit: Limit,
    /// Since when and why nothing gets through.
    pub down: Option<Down>,
    /// Since when and why it is left alone: it asked for less.
    pub rest: Option<Down>,
    /// Features that broke here.
    pub lessons: Lessons,
    /// Messages that it takes over one connection, until when that is believed.
    pub messages_max: Option<(u32, Timestamp)>,
}

/// A site that could not be reached at all, or wants to be left alone.
#[derive(Clone, Debug)]
pub struct Down {
    /// Nothing is tried before.
    pub until: Timestamp,
    /// How often in a row.
    pub times: u32,
    /// What happened last.
    pub cause: Cause,
    /// At which host.
    pub next_hop: Box<str>,
}

/// What is to be done after a job was added to a site's list.
#[derive(Debug)]
pub enum Push {
    /// Busy workers will come to it.
    Queued,
    /// This idle worker shall.
    Wake(Arc<Notify>),
    /// A new worker shall.
    Spawn,
    /// The site is down: defer it.
    Down(Down),
}

/// All jobs and sites.
#[derive(Default)]
pub struct State {
    // Boxed: half of a big table's places are empty.
    jobs: HashMap<JobId, Box<Entry>, ahash::RandomState>,
    /// All of them by lane.
    lanes: Lanes,
    /// Octets of content that jobs keep in memory.
    in_memory: u64,
    waiting: BTreeSet<(Timestamp, JobId)>,
    sites: BTreeMap<SiteKey, Site>,
    workers: usize,
}

impl State {
    /// Adds a job (or a new version of it); it waits until it is due, unless held.
    pub fn insert(&mut self, mut entry: Entry) {
        self.remove(entry.id);
        entry.place = if entry.held { Place::Held } else { Place::Waiting };
        if entry.place == Place::Waiting {
            self.waiting.insert((entry.due, entry.id));
        }
        self.put(entry);
    }

    /// Adds a job that is due at once and goes to its site without waiting.
    pub fn insert_routing(&mut self, mut entry: Entry) {
        entry.place = Place::Routing;
        self.put(entry);
    }

    fn put(&mut self, mut entry: Entry) {
        entry.lane = self.lanes.insert(entry.lane, entry.id);
        self.in_memory += held_in_memory(&entry);
        self.jobs.insert(entry.id, Box::new(entry));
    }

    /// Whether one more content may stay in memory until its job's first attempt. Where mail comes in
    /// faster than it goes out, the rest is read from the spool again.
    pub fn has_memory_for(&self, size: u64) -> bool {
        self.in_memory.saturating_add(size) <= IN_MEMORY_MAX
    }

    /// Takes a job out, wherever it is.
    pub fn remove(&mut self, id: JobId) -> Option<Entry> {
        let entry = self.jobs.remove(&id)?;
        self.lanes.remove(&entry.lane, id);
        self.in_memory = self.in_memory.saturating_sub(held_in_memory(&entry));
        match &entry.place {
            Place::Waiting => {
                self.waiting.remove(&(entry.due, id));
            }
            Place::Ready(key) => {
                if let Some(site) = self.sites.get_mut(key) {
                    site.ready.remove(id);
                }
            }
            Place::Held | Place::Routing | Place::Busy => {}
        }
        Some(*entry)
    }

    /// Lets a job wait for a site that is down, with the site's trouble as its own. That is no attempt,
    /// and nothing the spool need know: after a restart the job is tried at once. It waits no longer than until
    /// there is something to be told of it; `notice` is after how long that is a delay.
    pub fn postpone(&mut self, id: JobId, down: &Down, notice: Duration, now: Timestamp) {
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        self.in_memory = self.in_memory.saturating_sub(held_in_memory(entry));
        let mut carried = entry.carried.open().as_ref().clone();
        carried.last = Some(LastTrouble {
            at: now,
            next_hop: down.next_hop.clone(),
            cause: down.cause.clone(),
        });
        entry.carried = Parcel::Packed(carried.to_octets().as_ref().into());
        entry.content = None;
        let speaks = carried.speaks_at(entry.arrived, notice).map(|at| at.max(now));
        entry.due = speaks.map_or(down.until, |at| at.min(down.until));
        entry.place = Place::Waiting;
        self.waiting.insert((entry.due, id));
    }

    /// Takes a waiting, ready or held job into the caller's hands.
    pub fn claim(&mut self, id: JobId) -> Option<&Entry> {
        let mut entry = self.remove(id)?;
        entry.place = Place::Busy;
        self.put(entry);
        self.job(id)
    }

    /// Forgets that a site was down.
    pub fn forgive(&mut self, key: &SiteKey) {
        if let Some(site) = self.sites.get_mut(key) {
            site.down = None;
            site.rest = None;
        }
    }

    /// A job.
    pub fn job(&self, id: JobId) -> Option<&Entry> {
        self.jobs.get(&id).map(Box::as_ref)
    }

    /// Every job, by id: for the operator's list only.
    pub fn jobs_sorted(&self) -> Vec<&Entry> {
        let mut all: Vec<_> = self.jobs.values().map(Box::as_ref).collect();
        all.sort_unstable_by_key(|entry| entry.id);
        all
    }

    /// Which jobs each lane has.
    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// How many jobs.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// When the next waiting job is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|&(due, _)| due)
    }

    /// Takes up to `most` jobs that are due off the waiting list, for routing.
    pub fn take_due(&mut self, now: Timestamp, most: usize) -> Vec<(JobId, Arc<str>)> {
        let mut due = Vec::new();
        while due.len() < most && self.waiting.first().is_some_and(|&(at, _)| at <= now) {
            let Some((_, id)) = self.waiting.pop_first() else { break };
            if let Some(entry) = self.jobs.get_mut(&id) {
                entry.place = Place::Routing;
                due.push((id, entry.lane.clone()));
            }
        }
        due
    }

    /// Makes a waiting job due now; the spool need not know. False if it does not wait, or is held back.
    pub fn hasten(&mut self, id: JobId, now: Timestamp) -> bool {
        let Some(entry) = self.jobs.get_mut(&id) else { return false };
        if entry.place != Place::Waiting || now < entry.released {
            return false;
        }
        self.waiting.remove(&(entry.due, id));
        entry.due = now;
        self.waiting.insert((now, id))
    }

    /// Puts a routed job onto its site's list.
    pub fn push(
        &mut self,
        id: JobId,
        key: &SiteKey,
        cap: usize,
        workers_max: usize,
        now: Timestamp,
    ) -> Push {
        let Some(entry) = self.jobs.get_mut(&id) else { return Push::Queued };
        if entry.place != Place::Routing {
            return Push::Queued;
        }
        let site = self.sites.entry(key.clone()).or_insert_with(|| Site::new(cap));
        site.limit.set_cap(cap);
        let closed = [&site.down, &site.rest].into_iter().flatten();
        if let Some(down) = closed.filter(|down| now < down.until).max_by_key(|down| down.until) {
            return Push::Down(down.clone());
        }
        entry.place = Place::Ready(key.clone());
        site.ready.push(entry.priority, id);
        if let Some(worker) = site.idle.pop() {
            return Push::Wake(worker);
        }
        if site.workers < site.limit.allowed() && (self.workers < workers_max || site.workers == 0)
        {
            site.workers += 1;
            self.workers += 1;
            return Push::Spawn;
        }
        Push::Queued
    }

    /// Gives a worker the site's next job.
    pub fn take(&mut self, key: &SiteKey) -> Option<&Entry> {
        let site = self.sites.get_mut(key)?;
        loop {
            let id = site.ready.pop()?;
            if let Some(entry) = self.jobs.get_mut(&id) {
                entry.place = Place::Busy;
                return self.job(id);
            }
        }
    }

    /// Whether a worker of the site is one too many, as its limit has shrunk.
    pub fn is_surplus(&self, key: &SiteKey) -> bool {
        self.sites.get(key).is_some_and(|site| site.workers > site.limit.allowed())
    }

    /// A worker has nothing to do; false if there is work after all.
    pub fn park(&mut self, key: &SiteKey, wake: &Arc<Notify>) -> bool {
        let Some(site) = self.sites.get_mut(key) else { return true };
        if site.ready.is_empty() {
            site.idle.push(wake.clone());
        }
        site.ready.is_empty()
    }

    /// A parked worker has waited long enough; false if it was just given work.
    pub fn unpark(&mut self, key: &SiteKey, wake: &Arc<Notify>) -> bool {
        let Some(site) = self.sites.get_mut(key) else { return true };
        let before = site.idle.len();
        site.idle.retain(|other| !Arc::ptr_eq(other, wake));
        site.idle.len() < before
    }

    /// Whether work is left that no worker will come to.
    pub fn wants_worker(&mut self, key: &SiteKey) -> bool {
        let Some(site) = self.sites.get_mut(key) else { return false };
        let wanted = site.workers == 0 && !site.ready.is_empty();
        if wanted {
            site.workers += 1;
            self.workers += 1;
        }
        wanted
    }

    /// A worker ends. A site that is left with nothing to remember goes with it.
    pub fn leave(&mut self, key: &SiteKey) {
        let Some(site) = self.sites.get_mut(key) else { return };
        site.workers = site.workers.saturating_sub(1);
        self.workers = self.workers.saturating_sub(1);
        if site.workers == 0 && site.ready.is_empty() && site.has_nothing_to_remember() {
            self.sites.remove(key);
        }
    }

    /// The site did take a message.
    pub fn site_works(&mut self, key: &SiteKey) {
        if let Some(site) = self.sites.get_mut(key) {
            site.limit.grow();
            site.down = None;
            site.lessons.works();
        }
    }

    /// The site said that it has too much to do.
    pub fn site_is_strained(&mut self, key: &SiteKey) {
        if let Some(site) = self.sites.get_mut(key) {
            site.limit.shrink();
        }
    }

    /// The site can't be reached. Gives the jobs that waited for it: they share its fate.
    pub fn site_is_down(&mut self, key: &SiteKey, down: Down) -> Vec<JobId> {
        let Some(site) = self.sites.get_mut(key) else { return Vec::new() };
        site.limit.shrink();
        site.down = Some(down);
        let ids = site.ready.take_all();
        for id in &ids {
            if let Some(entry) = self.jobs.get_mut(id) {
                entry.place = Place::Busy;
            }
        }
        ids
    }

    /// The site has asked for less: nothing is sent there for a while, and then by one connection. Gives
    /// the jobs that waited for it.
    pub fn site_rests(&mut self, key: &SiteKey, rest: Down) -> Vec<JobId> {
        let Some(site) = self.sites.get_mut(key) else { return Vec::new() };
        site.limit.begin_again();
        site.rest = Some(rest);
        let ids = site.ready.take_all();
        for id in &ids {
            if let Some(entry) = self.jobs.get_mut(id) {
                entry.place = Place::Busy;
            }
        }
        ids
    }

    /// The site's last rest, be it over.
    pub fn rest(&self, key: &SiteKey) -> Option<&Down> {
        self.sites.get(key).and_then(|site| site.rest.as_ref())
    }

    /// Remembers how many messages a site takes over one connection.
    pub fn learn_messages_max(&mut self, key: &SiteKey, most: u32, until: Timestamp) {
        if let Some(site) = self.sites.get_mut(key) {
            site.messages_max = Some((most, until));
        }
    }

    /// How many messages a site takes over one connection, as far as that was learned.
    pub fn messages_max(&self, key: &SiteKey, now: Timestamp) -> u32 {
        let learned = self.sites.get(key).and_then(|site| site.messages_max);
        learned.filter(|&(_, until)| now < until).map_or(u32::MAX, |(most, _)| most)
    }

    /// How often in a row the site was found down.
    pub fn times_down(&self, key: &SiteKey) -> u32 {
        self.sites.get(key).and_then(|site| site.down.as_ref()).map_or(0, |down| down.times)
    }

    /// Remembers a feature that broke at a site; until when, if it is done without from now on.
    pub fn learn(&mut self, key: &SiteKey, reason: &Reason, now: Timestamp) -> Option<Timestamp> {
        self.sites.get_mut(key)?.lessons.learn(reason, now)
    }

    /// What is to be avoided at a site.
    pub fn avoid(&self, key: &SiteKey, now: Timestamp) -> Features {
        self.sites.get(key).map_or(Features::NONE, |site| site.lessons.avoided(now))
    }

    /// Forgets sites that have nothing to do and nothing left to remember.
    pub fn sweep(&mut self, now: Timestamp) {
        self.sites.retain(|_, site| {
            let is_remembered = |down: &Down| now < down.until.after(DOWN_REMEMBERED);
            site.down = site.down.take().filter(is_remembered);
            site.rest = site.rest.take().filter(is_remembered);
            site.lessons.sweep(now);
            site.messages_max = site.messages_max.filter(|&(_, until)| now < until);
            site.workers > 0 || !site.ready.is_empty() || !site.has_nothing_to_remember()
        });
    }

    /// Wakes every idle worker: the queue closes.
    pub fn wake_all(&mut self) {
        for worker in self.sites.values_mut().flat_map(|site| site.idle.drain(..)) {
            worker.notify_one();
        }
    }

    /// Workers in all.
    pub fn workers(&self) -> usize {
        self.workers
    }
}

fn held_in_memory(entry: &Entry) -> u64 {
    if entry.content.is_some() { entry.size } else { 0 }
}

impl Site {
    fn new(cap: usize) -> Self {
        Self {
            ready: Ready::default(),
            workers: 0,
            idle: Vec::new(),
            limit: Limit::new(cap),
            down: None,
            rest: None,
            lessons: Lessons::default(),
            messages_max: None,
        }
    }

    fn has_nothing_to_remember(&self) -> bool {
        self.down.is_none()
            && self.rest.is_none()
            && self.lessons.is_empty()
            && self.messages_max.is_none()
    }
}
