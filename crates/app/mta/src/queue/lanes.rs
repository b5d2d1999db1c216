//! Which jobs each lane has. For who asks for a domain's mail (ETRN, ATRN): the queue is not searched.
//!
//! Names are ordered from their end, so that a domain and what lies below it stand together.

use std::{cmp::Ordering, collections::BTreeSet, ops::Bound, sync::Arc};

use spool::{JobId, MessageId};

/// The jobs by lane, and the lanes by name.
#[derive(Default)]
pub struct Lanes {
    jobs: BTreeSet<(FromEnd, JobId)>,
}

/// Before all jobs of a lane.
const FIRST: JobId = JobId { message: MessageId(0), part: 0 };

impl Lanes {
    /// Adds a job. Gives the lane's name as its other jobs have it, so that it is in memory once.
    pub fn insert(&mut self, lane: Arc<str>, id: JobId) -> Arc<str> {
        let from = Bound::Included((FromEnd(lane.clone()), FIRST));
        let known = self.jobs.range((from, Bound::Unbounded)).next();
        let known = known.filter(|(name, _)| name.0 == lane).map(|(name, _)| name.0.clone());
        let name = known.unwrap_or(lane);
        self.jobs.insert((FromEnd(name.clone()), id));
        name
    }

    /// Takes one out.
    pub fn remove(&mut self, lane: &Arc<str>, id: JobId) {
        self.jobs.remove(&(FromEnd(lane.clone()), id));
    }

    /// The jobs of a lane that are younger than `last`, or all; the oldest first.
    pub fn jobs_after(&self, lane: &str, last: Option<JobId>) -> impl Iterator<Item = JobId> {
        let lane: Arc<str> = lane.into();
        let from = match last {
            Some(last) => Bound::Excluded((FromEnd(lane.clone()), last)),
            None => Bound::Included((FromEnd(lane.clone()), FIRST)),
        };
        let jobs = self.jobs.range((from, Bound::Unbounded));
        jobs.take_while(move |(name, _)| name.0 == lane).map(|&(_, id)| id)
    }

    /// The jobs of a lane.
    pub fn jobs(&self, lane: &str) -> impl Iterator<Item = JobId> {
        self.jobs_after(lane, None)
    }

    /// The jobs of all lanes below a domain, not of its own.
    pub fn jobs_below(&self, domain: &str) -> impl Iterator<Item = JobId> {
        let end: Arc<str> = format!(".{domain}").into();
        let from = Bound::Included((FromEnd(end.clone()), FIRST));
        let jobs = self.jobs.range((from, Bound::Unbounded));
        jobs.take_while(move |(name, _)| name.0.ends_with(&*end)).map(|&(_, id)| id)
    }
}

/// A name in the order of its octets from the last to the first.
#[derive(Clone, PartialEq, Eq)]
struct FromEnd(Arc<str>);

impl Ord for FromEnd {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.bytes().rev().cmp(other.0.bytes().rev())
    }
}

impl PartialOrd for FromEnd {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u64) -> JobId {
        JobId { message: MessageId(number), part: 0 }
    }

    #[test]
    fn a_lane_and_what_lies_below_it() {
        let mut lanes = Lanes::default();
        let rows = [
            ("b.test", 3),
            ("a.b.test", 1),
            ("xb.test", 2),
            ("b.test", 7),
            ("c.a.b.test", 5),
            ("a-b.test", 6),
        ];
        let names: Vec<_> = rows.map(|(lane, id)| lanes.insert(lane.into(), job(id))).into();
        assert!(Arc::ptr_eq(&names[0], &names[3]), "a name is in memory once");
        let of = |lanes: &Lanes, lane| lanes.jobs(lane).map(|id| id.message.0).collect::<Vec<_>>();
        assert_eq!(of(&lanes, "b.test"), [3, 7]);
        assert_eq!(of(&lanes, "test"), [0; 0]);
        assert_eq!(lanes.jobs_after("b.test", Some(job(3))).collect::<Vec<_>>(), [job(7)]);
        let below: Vec<_> = lanes.jobs_below("b.test").map(|id| id.message.0).collect();
        assert_eq!(below, [1, 5]);
        lanes.remove(&names[0], job(3));
        assert_eq!(of(&lanes, "b.test"), [7]);
    }
}
