//! What an operator may do to queued jobs. Each change goes through the spool, as an attempt's does.

use std::sync::Arc;

use smtp::{Cause, EnhancedStatus, Outcome, Stage, Timestamp, Trouble};
use spool::{Job, JobId, MessageId, Op};
use transport::Features;

use super::{Around, Place, Queue, Taken, settle, way};
use crate::{
    carried::{Carried, Parcel},
    evidence::Decision,
    handle::Sending,
    record,
};

/// What is to be done to a job.
#[derive(Clone, Debug)]
pub enum Action {
    /// Try it no more until released.
    Hold,
    /// Try it again, at once.
    Release,
    /// Try it at once.
    Retry,
    /// Forget it; nobody is told.
    Remove,
    /// Give it up; the originator gets a DSN with this reason.
    Bounce(String),
    /// Hand it to this next hop from now on.
    Reroute(String),
}

/// Why an action was not carried out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotDone {
    /// Finished, removed, or never there.
    #[error("{0} is not queued")]
    NotQueued(JobId),
    /// Its outcome must be awaited, or it might be delivered and removed at once.
    #[error("{0} is being delivered right now; try again in a moment")]
    Busy(JobId),
}

/// A queued job as it is at this moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Which.
    pub id: JobId,
    /// The recipients' domain.
    pub lane: Arc<str>,
    /// When it is tried next.
    pub due: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When its message came.
    pub arrived: Timestamp,
    /// Octets.
    pub size: u64,
    carried: Parcel,
    /// Where it is.
    pub place: Place,
}

impl View {
    /// The envelope, and the newest trouble.
    pub fn carried(&self) -> Arc<Carried> {
        self.carried.open()
    }
}

impl Queue {
    /// Every queued job, oldest first, that `wanted` says yes to.
    pub fn views(&self, wanted: impl Fn(&View) -> bool) -> Vec<View> {
        let inner = self.lock();
        inner.state.jobs_sorted().into_iter().map(View::from).filter(wanted).collect()
    }

    /// The jobs of one message.
    pub fn views_of(&self, message: MessageId) -> Vec<View> {
        self.views(|view| view.id.message == message)
    }

    /// Where a job would go now, and why, a line each.
    pub fn route_of(&self, view: &View) -> Vec<String> {
        let carried = view.carried();
        if let Some(way) =
            way::without_lookup(&self.context, &view.lane, carried.reroute.as_deref())
        {
            return way.why;
        }
        match self.lock().lanes.get(&super::lane_name(&view.lane, &carried)) {
            Some(way::Lane::Known(way)) => way.why.clone(),
            _ => match &carried.reroute {
                Some(hop) => vec![format!("next hop {hop} set by the operator, to be looked up")],
                None => vec![format!("MX of `{}`, to be looked up", view.lane)],
            },
        }
    }

    /// How a session for a job would be opened now; `None` where no server takes it.
    pub fn sending_of(&self, view: &View) -> Option<Sending> {
        let carried = view.carried();
        let known = match self.lock().lanes.get(&super::lane_name(&view.lane, &carried)) {
            Some(way::Lane::Known(way)) => Some(way.clone()),
            _ => None,
        };
        let now = self.context.world.clock.now();
        let learned =
            known.as_ref().map_or(Features::NONE, |way| self.lock().state.avoid(&way.site, now));
        way::sending(&self.context, &view.lane, &carried, known.as_deref(), learned)
    }

    /// How many jobs.
    pub fn len(&self) -> usize {
        self.lock().state.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does one thing to one job.
    pub async fn operate(
        self: &Arc<Self>,
        id: JobId,
        action: &Action,
        by: &str,
    ) -> Result<(), NotDone> {
        let job = self.claim(id)?;
        let now = self.context.world.clock.now();
        let recipients = record::paths(&job.carried.envelope.recipients);
        self.context.evidence.decided(now, id, Some(by), &recipients, action.decision());
        tracing::info!(%id, by, action = action.word(), "operator acted");
        match action {
            Action::Remove => {
                let op = Op::Finish { id, revision: job.revision };
                self.commit(job, op, None, None).await;
            }
            Action::Bounce(reason) => {
                let text = format!("returned by the postmaster: {reason}");
                let trouble = Trouble::Local(EnhancedStatus::new(5, 0, 0), text);
                let outcome = Outcome::Failed(Cause { stage: Stage::Other, trouble });
                let way = way::for_settling(&self.context, &job.lane);
                let mut attempt = way.attempt(&job.carried, outcome.clone());
                attempt.outcomes = settle::alike(&job.carried, &outcome);
                self.settle(job, &way, attempt, Around::default()).await;
            }
            Action::Hold | Action::Release | Action::Retry | Action::Reroute(_) => {
                let mut carried = job.carried.as_ref().clone();
                if let Action::Reroute(next_hop) = action {
                    carried.reroute = Some(next_hop.as_str().into());
                }
                if matches!(action, Action::Retry | Action::Release | Action::Reroute(_)) {
                    self.wake_site_of(&job);
                }
                let op = Op::Defer(Job {
                    id,
                    revision: job.revision,
                    lane: job.lane.as_ref().into(),
                    due: now,
                    attempts: job.attempts,
                    held: matches!(action, Action::Hold),
                    envelope: carried.to_octets(),
                });
                self.commit(job, op, Some(now), None).await;
            }
        }
        Ok(())
    }

    /// Takes a job out of all lists, unless a worker has it.
    fn claim(&self, id: JobId) -> Result<Taken, NotDone> {
        let mut inner = self.lock();
        match inner.state.job(id).map(|entry| &entry.place) {
            None => Err(NotDone::NotQueued(id)),
            Some(Place::Busy | Place::Routing) => Err(NotDone::Busy(id)),
            Some(_) => inner.state.claim(id).map(Taken::from).ok_or(NotDone::NotQueued(id)),
        }
    }

    /// Whoever says "try now" does not want to hear that the site was down a minute ago.
    fn wake_site_of(&self, job: &Taken) {
        let mut inner = self.lock();
        let super::Inner { state, lanes, .. } = &mut *inner;
        if let Some(way::Lane::Known(way)) = lanes.get(&job.lane) {
            state.forgive(&way.site);
        }
        // Nor to go where the name system pointed an hour ago.
        if matches!(lanes.get(&job.lane), Some(way::Lane::Known(_))) {
            lanes.remove(&job.lane);
        }
    }
}

impl Action {
    fn word(&self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Retry => "retry",
            Self::Remove => "remove",
            Self::Bounce(_) => "bounce",
            Self::Reroute(_) => "reroute",
        }
    }

    fn decision(&self) -> Decision<'_> {
        match self {
            Self::Hold => Decision::Held,
            Self::Release => Decision::Released,
            Self::Retry => Decision::RetryNow,
            Self::Remove => Decision::Removed,
            Self::Bounce(_) => Decision::Bounced,
            Self::Reroute(next_hop) => Decision::Rerouted { next_hop: next_hop.as_str().into() },
        }
    }
}

impl From<&super::Entry> for View {
    fn from(entry: &super::Entry) -> Self {
        Self {
            id: entry.id,
            lane: entry.lane.clone(),
            due: entry.due,
            attempts: entry.attempts,
            arrived: entry.arrived,
            size: entry.size,
            carried: entry.carried.clone(),
            place: entry.place.clone(),
        }
    }
}
