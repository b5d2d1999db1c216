//! What is due, to whom, and how often: the queue.
//!
//! [`state::State`] knows where each job is; [`way`] finds a lane's next hops; a [`worker`] holds one
//! connection to a site and takes job after job; [`settle`] turns what an attempt brought into spool
//! records, DSNs, evidence and the next due time. Everything shares one lock, held for a few map
//! operations at a time and never across an await.

mod fetch;
mod lanes;
mod lessons;
mod limit;
mod operate;
mod ready;
mod rest;
mod settle;
mod start;
mod state;
mod transacted;
pub(crate) mod way;
mod worker;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use smtp::{Attempt, Timestamp, Transcript};
use spool::{Content, Found, Job, JobId, Revision};
use tokio::sync::Notify;
use transport::Learned;

pub use self::{
    fetch::fetched,
    operate::{Action, NotDone, View},
    settle::Around,
    state::{Down, Entry, Place, SiteKey},
    way::{By, Way},
};
use self::{
    state::{Push, State},
    way::Lane,
};
use crate::{
    carried::{Carried, Parcel},
    context::Context,
};

/// Jobs that are taken off the waiting list at once, so that the lock is never held long.
const DUE_BATCH: usize = 1_000;

/// The queue of one transfer agent.
pub struct Queue {
    /// What everything in the transfer agent shares.
    pub context: Arc<Context>,
    inner: Mutex<Inner>,
    /// Rung when a job is due earlier than all before it.
    bell: Notify,
}

#[derive(Default)]
struct Inner {
    state: State,
    lanes: HashMap<Arc<str>, Lane, ahash::RandomState>,
    closing: bool,
}

/// A job in a worker's hands.
pub struct Taken {
    /// Which.
    pub id: JobId,
    /// Its version.
    pub revision: Revision,
    /// The recipients' domain.
    pub lane: Arc<str>,
    /// Tries before this one.
    pub attempts: u32,
    /// When its message came.
    pub arrived: Timestamp,
    /// Octets.
    pub size: u64,
    /// The envelope.
    pub carried: Arc<Carried>,
    /// The content.
    pub content: Option<Arc<dyn Content>>,
}

impl Inner {
    /// How a job's lane goes at present, if that is known.
    fn way_of(&self, job: &Taken) -> Option<Arc<Way>> {
        let lane = match self.lanes.get(&lane_name(&job.lane, &job.carried)) {
            Some(Lane::Known(way)) => way,
            _ => return None,
        };
        Some(lane.clone())
    }
}

/// What a lane's way is found by: an operator's next hop makes it another one, and so does a message that
/// does without TLS.
fn lane_name(lane: &Arc<str>, carried: &Carried) -> Arc<str> {
    match (&carried.reroute, carried.envelope.tls_optional) {
        (Some(hop), _) => format!("{lane} via {hop}").into(),
        (None, true) => format!("{lane} (TLS-Required: No)").into(),
        (None, false) => lane.clone(),
    }
}

impl Queue {
    /// An empty queue.
    pub fn new(context: Arc<Context>) -> Arc<Self> {
        Arc::new(Self { context, inner: Mutex::default(), bell: Notify::new() })
    }

    /// Takes over what the spool found at start.
    pub fn restore(self: &Arc<Self>, found: impl Iterator<Item = Found>) {
        let mut inner = self.lock();
        for Found { job, at, content } in found {
            match Parcel::packed(&job.envelope) {
                Ok(carried) => inner.state.insert(entry(&job, carried, at, content.len(), None)),
                // The job stays in the spool untouched: whoever can read it shall have it.
                Err(error) => {
                    tracing::error!(id = %job.id, %error, "queued job can't be read: left in the spool")
                }
            }
        }
        drop(inner);
        self.bell.notify_one();
    }

    /// Takes over a message that was just kept. Jobs that are due are tried at once, from memory.
    pub fn admit(
        self: &Arc<Self>,
        jobs: Vec<Job>,
        content: Arc<dyn Content>,
        carried: Vec<Arc<Carried>>,
        arrived: Timestamp,
    ) {
        let size = content.len();
        let in_memory = content.in_memory().is_some();
        let mut due = Vec::with_capacity(jobs.len());
        {
            let mut inner = self.lock();
            for (job, carried) in jobs.iter().zip(carried) {
                if job.held || job.due > arrived {
                    inner.state.insert(entry(job, packed(job), arrived, size, None));
                } else {
                    let at_hand = in_memory && inner.state.has_memory_for(size);
                    let entry = match at_hand {
                        true => {
                            entry(job, Parcel::Open(carried), arrived, size, Some(content.clone()))
                        }
                        false => entry(job, packed(job), arrived, size, None),
                    };
                    due.push((entry.id, entry.lane.clone()));
                    inner.state.insert_routing(entry);
                }
            }
        }
        self.dispatch(due);
    }

    /// Makes due jobs ready, for ever; ends when the queue closes.
    pub async fn keep_time(self: Arc<Self>) {
        const SWEEP_EVERY: Duration = Duration::from_secs(60);
        loop {
            let now = self.context.world.clock.now();
            let (due, next, closing) = {
                let mut inner = self.lock();
                inner.state.sweep(now);
                (inner.state.take_due(now, DUE_BATCH), inner.state.next_due(), inner.closing)
            };
            if closing {
                return;
            }
            let more = due.len() == DUE_BATCH;
            self.dispatch(due);
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let wait = next.map_or(SWEEP_EVERY, |due| due.since(now)).min(SWEEP_EVERY);
            // A millisecond more than the wait: the due time then has passed, whatever was rounded.
            let wait = wait + Duration::from_millis(1);
            let _rung_or_due = tokio::time::timeout(wait, self.bell.notified()).await;
        }
    }

    /// Sends jobs on their way: to their site if the lane's next hops are known, else after a lookup.
    fn dispatch(self: &Arc<Self>, due: Vec<(JobId, Arc<str>)>) {
        if due.is_empty() {
            return;
        }
        let now = self.context.world.clock.now();
        let mut told = Vec::new();
        {
            let mut inner = self.lock();
            if inner.closing {
                return;
            }
            for (id, lane) in due {
                if let Some(news) = self.send_on(&mut inner, id, lane, now) {
                    told.push(news);
                }
            }
        }
        self.tell_at_down_site(told);
    }

    /// One job of [`Queue::dispatch`]; gives it back if its site is down and its originator is to
    /// hear of it.
    fn send_on(
        self: &Arc<Self>,
        inner: &mut Inner,
        id: JobId,
        lane: Arc<str>,
        now: Timestamp,
    ) -> Option<(Taken, Arc<Way>, Down)> {
        let Inner { state, lanes, .. } = inner;
        let carried = state.job(id)?.carried.open();
        let name = lane_name(&lane, &carried);
        let way = match lanes.get_mut(&name) {
            Some(Lane::Known(way)) if now < way.until => way.clone(),
            Some(Lane::Routing(waiting)) => {
                waiting.push(id);
                return None;
            }
            _ => match way::without_lookup(&self.context, &lane, carried.reroute.as_deref()) {
                Some(way) => {
                    let way = Arc::new(way);
                    lanes.insert(name, Lane::Known(way.clone()));
                    way
                }
                None => {
                    lanes.insert(name.clone(), Lane::Routing(vec![id]));
                    self.context.tasks.spawn(self.clone().look_up(name, lane, carried));
                    return None;
                }
            },
        };
        let workers_max = self.context.config().config.queue.connections_max as usize;
        match state.push(id, &way.site, way.connections_max, workers_max, now) {
            Push::Queued => None,
            Push::Wake(worker) => {
                worker.notify_one();
                None
            }
            Push::Spawn => {
                self.context.tasks.spawn(worker::work(self.clone(), way));
                None
            }
            Push::Down(down) => {
                let entry = state.job(id)?;
                let taken = Taken::from(entry);
                if taken.is_over(now, way.retry.give_up) || taken.is_to_be_told(now, &way) {
                    return Some((taken, way, down));
                }
                state.postpone(id, &down, way.retry.delay_notice, now);
                self.bell.notify_one();
                None
            }
        }
    }

    /// Finds a lane's next hops by DNS, then sends on the jobs that waited for them.
    async fn look_up(self: Arc<Self>, name: Arc<str>, lane: Arc<str>, carried: Arc<Carried>) {
        let tls_optional = carried.envelope.tls_optional;
        let found = way::by_lookup(&self.context, &lane, carried.reroute.as_deref()).await;
        let found = found.map(|way| if tls_optional { Arc::new(way.not_insisting()) } else { way });
        let waiting = {
            let mut inner = self.lock();
            let waiting = match inner.lanes.remove(&name) {
                Some(Lane::Routing(waiting)) => waiting,
                _ => Vec::new(),
            };
            if let Ok(way) = &found {
                inner.lanes.insert(name, Lane::Known(way.clone()));
            }
            waiting
        };
        match found {
            Ok(_) => self.dispatch(waiting.into_iter().map(|id| (id, lane.clone())).collect()),
            Err((attempt, way)) => {
                let taken: Vec<_> = {
                    let inner = self.lock();
                    waiting.iter().filter_map(|&id| inner.state.job(id).map(Taken::from)).collect()
                };
                for job in taken {
                    self.settle_all_alike(job, &way, &attempt).await;
                }
            }
        }
    }

    /// Jobs whose time ran out, or that are late, while their site was down: the site's trouble is what their
    /// originators hear. It was no attempt.
    fn tell_at_down_site(self: &Arc<Self>, jobs: Vec<(Taken, Arc<Way>, Down)>) {
        if jobs.is_empty() {
            return;
        }
        let queue = self.clone();
        self.context.tasks.spawn(async move {
            for (job, way, down) in jobs {
                let attempt = Attempt {
                    next_hop: down.next_hop.to_string(),
                    address: None,
                    route: vec![format!("not tried: {} was down a moment ago", way.site)],
                    transcript: Transcript::default(),
                    tls: None,
                    outcomes: settle::alike(
                        &job.carried,
                        &smtp::Outcome::Deferred(down.cause.clone()),
                    ),
                };
                let around = Around { rest: Some(down.until), ..Around::default() };
                queue.settle(job, &way, attempt, around).await;
            }
        });
    }

    /// Remembers what broke at a site, so that later attempts go without it.
    fn learned(&self, site: &SiteKey, job: &Taken, learned: &Learned) {
        let now = self.context.world.clock.now();
        for reason in &learned.reasons {
            let Some(until) = self.lock().state.learn(site, reason, now) else { continue };
            let why = reason.why.as_str();
            tracing::warn!(id = %job.id, %site, feature = %reason.feature, why, "switched a feature off for this site");
            let change = format!("{} is not used", reason.feature);
            self.context.evidence.learned(now, site, job, &change, why, until);
        }
    }

    /// Lets no new attempt begin, and forgets the timer. Attempts under way go on.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closing = true;
        inner.state.wake_all();
        drop(inner);
        self.bell.notify_one();
    }

    /// Attempts under way, and connections that idle.
    pub fn workers(&self) -> usize {
        self.lock().state.workers()
    }

    /// Forgets what is known of lanes: the configuration has changed.
    pub fn forget_ways(&self) {
        self.lock().lanes.retain(|_, lane| matches!(lane, Lane::Routing(_)));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Whether its time is over: it is too old, or BY= says so.
    pub fn is_over(&self, now: Timestamp, give_up: Duration) -> bool {
        self.age(now) >= give_up || self.is_late(now)
    }

    /// Whether BY= with R would have it returned by now (RFC 2852).
    pub fn is_late(&self, now: Timestamp) -> bool {
        let promised = self.carried.deliver_by(self.arrived);
        promised.is_some_and(|(at, mode)| mode == smtp::ByMode::Return && now >= at)
    }

    /// Whether the originator is to hear by now that it is late.
    pub fn is_to_be_told(&self, now: Timestamp, way: &Way) -> bool {
        let notice = self.carried.notice_due(self.arrived, way.retry.delay_notice);
        notice.is_some_and(|at| now >= at)
    }

    /// How long it could have been sent on.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.carried.released(self.arrived))
    }
}

impl From<&Entry> for Taken {
    fn from(entry: &Entry) -> Self {
        Self {
            id: entry.id,
            revision: entry.revision,
            lane: entry.lane.clone(),
            attempts: entry.attempts,
            arrived: entry.arrived,
            size: entry.size,
            carried: entry.carried.open(),
            content: entry.content.clone(),
        }
    }
}

/// A job's envelope as it was just written.
fn packed(job: &Job) -> Parcel {
    Parcel::Packed(job.envelope.as_ref().into())
}

fn entry(
    job: &spool::Job,
    carried: Parcel,
    arrived: Timestamp,
    size: u64,
    content: Option<Arc<dyn Content>>,
) -> Entry {
    let envelope = carried.open();
    Entry {
        id: job.id,
        revision: job.revision,
        lane: job.lane.as_ref().into(),
        due: job.due,
        attempts: job.attempts,
        held: job.held,
        released: envelope.released(arrived),
        priority: envelope.priority(),
        arrived,
        size,
        carried,
        content,
        place: Place::Waiting,
    }
}
