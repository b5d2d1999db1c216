//! From what an attempt brought to what is recorded: finished, tried again, or told to the originator.
//!
//! | outcome of a recipient      | spool              | originator (null reverse-path: never)     |
//! | relayed                     | finished           | DSN if it is asked for, and nobody else will|
//! | failed                      | finished           | DSN unless NOTIFY excludes it             |
//! | deferred, time left         | deferred           | once, when it is late: DSN `delayed`      |
//! | deferred, too old           | finished           | DSN, with the last cause                  |
//!
//! A job's end and the DSN that reports it are one group: a crash leaves both or neither.

use std::{borrow::Cow, sync::Arc, time::Duration};

use smtp::{
    Attempt, ByMode, Cause, EnhancedStatus, ForwardPath, Notify, Outcome, Recipient, Stage,
    Timestamp, Trouble,
};
use spool::{Job, Op};
use transport::Features;

use super::{Queue, Taken, Way, entry, packed};
use crate::{
    carried::{Carried, LastTrouble},
    evidence::Decision,
    notify::{self, Action, Told},
};

/// Whether the originator hears that a recipient's copy was handed over: if NOTIFY asks for that and the next
/// hop won't tell it; or if BY= has every relay tell (T), or nobody watches its time any more, as the next hop
/// does not know it (N; RFC 2852 section 4.1.4). With R it would not have gone there.
fn tells_success(job: &Taken, recipient: &Recipient, action: Action, passed_on: Features) -> bool {
    let notify = recipient.notify;
    if notify.success && !passed_on.has(Features::DSN) {
        return true;
    }
    let Some(by) = job.carried.envelope.deliver_by else { return false };
    let is_watched = by.mode == ByMode::Return || passed_on.has(Features::DELIVERBY);
    action == Action::Relayed && notify != Notify::NEVER && (by.trace || !is_watched)
}

/// The same outcome for every recipient of a job.
pub fn alike(carried: &Carried, outcome: &Outcome) -> Vec<(ForwardPath, Outcome)> {
    carried.envelope.recipients.iter().map(|r| (r.forward_path.clone(), outcome.clone())).collect()
}

/// Whether an outcome says that the site has too much to do, so that fewer connections would help.
pub fn is_strain(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Deferred(cause) => match &cause.trouble {
            Trouble::Reply(reply) => reply.code == 421,
            Trouble::Silence(_) | Trouble::Closed | Trouble::Network(_) => true,
            _ => false,
        },
        Outcome::Relayed(_) | Outcome::Failed(_) => false,
    }
}

/// What else is known of an attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// When it began.
    pub began: Option<Timestamp>,
    /// What the next hop knew: with DSN, what NOTIFY asks for on success is its business now.
    pub passed_on: Features,
    /// The site is left alone until then: what it said was not about this job, which waits no longer than
    /// that, and its own schedule does not move.
    pub rest: Option<Timestamp>,
}

/// A job's recipients, sorted by what is to be done about them.
#[derive(Default)]
struct Sorted {
    told: Vec<Told>,
    left: Vec<Recipient>,
    last: Option<LastTrouble>,
    /// Given up because the message is too old.
    expired: Vec<ForwardPath>,
    /// Failed, and the originator wants no report.
    untold: Vec<ForwardPath>,
}

impl Queue {
    /// [`Queue::settle`] with one outcome for all recipients: that of the attempt's first, if any.
    pub async fn settle_all_alike(self: &Arc<Self>, job: Taken, way: &Arc<Way>, attempt: &Attempt) {
        let mut attempt = attempt.clone();
        if let Some((_, outcome)) = attempt.outcomes.first().cloned() {
            attempt.outcomes = alike(&job.carried, &outcome);
        }
        self.settle(job, way, attempt, Around::default()).await;
    }

    /// Returns a job that BY= with R leaves no time for (RFC 2852): what its last attempt met is why.
    pub async fn settle_late(self: &Arc<Self>, job: Taken, way: &Arc<Way>) {
        let text = "the time that it was to be delivered within is over";
        let last = job.carried.last.as_ref().map(|last| last.cause.clone());
        let cause = last.unwrap_or_else(|| notify::local_cause(4, 4, 7, text));
        let mut attempt = way.attempt(&job.carried, Outcome::Deferred(cause));
        attempt.route.push(format!("not tried: {text} (BY=)"));
        self.settle(job, way, attempt, Around::default()).await;
    }

    /// Records an attempt and what follows from it.
    pub async fn settle(
        self: &Arc<Self>,
        job: Taken,
        way: &Arc<Way>,
        attempt: Attempt,
        around: Around,
    ) {
        let now = self.context.world.clock.now();
        let attempt = Arc::new(attempt);
        let sorted = self.sort(&job, way, &attempt, now, &around);
        let next = next_due(&job, way, now, &sorted, around.rest);
        self.log(&job, way, &attempt, next);
        let took = around.began.map_or(Duration::ZERO, |began| now.since(began));
        self.context.evidence.attempted(now, &job, took, &attempt, next);
        self.log_decisions(&job, now, &sorted);
        if sorted.left.is_empty() && sorted.told.is_empty() {
            // The common case, nothing to wait for: the record rides with the next group.
            self.context.spool.finish_soon(job.id, job.revision);
            self.lock().state.remove(job.id);
            return;
        }
        let attempts = job.attempts + u32::from(around.rest.is_none());
        self.record(job, way, sorted, next, attempts).await;
    }

    fn sort(
        &self,
        job: &Taken,
        way: &Way,
        attempt: &Arc<Attempt>,
        now: Timestamp,
        around: &Around,
    ) -> Sorted {
        let mut sorted = Sorted::default();
        let is_too_old = job.is_over(now, way.retry.give_up);
        for recipient in &job.carried.envelope.recipients {
            let found = attempt.outcomes.iter().find(|(path, _)| *path == recipient.forward_path);
            let outcome = found.map_or_else(no_outcome, |(_, outcome)| outcome.clone());
            let notify = recipient.notify;
            // A DSN of ours asks for none itself. Its failure is a double bounce all the same, which
            // `notify` documents and tells the postmaster, if so configured.
            let tell_failure = notify.failure || job.carried.envelope.reverse_path.is_none();
            let tell = |wanted: bool, action| {
                wanted.then(|| Told::new(recipient, action, &outcome, attempt))
            };
            match &outcome {
                Outcome::Relayed(_) => {
                    let action = way.success_action();
                    let wanted = tells_success(job, recipient, action, around.passed_on);
                    let told = tell(wanted, action);
                    sorted.told.extend(told.map(|told| told.passed_on(around.passed_on)));
                }
                Outcome::Failed(_) => {
                    sorted.told.extend(tell(tell_failure, Action::Failed));
                    sorted.untold.extend((!tell_failure).then(|| recipient.forward_path.clone()));
                }
                Outcome::Deferred(cause) => {
                    let next_hop = attempt.next_hop.as_str().into();
                    sorted.last = Some(LastTrouble { at: now, next_hop, cause: cause.clone() });
                    if is_too_old {
                        sorted.told.extend(tell(tell_failure, Action::Expired));
                        sorted.expired.push(recipient.forward_path.clone());
                        sorted
                            .untold
                            .extend((!tell_failure).then(|| recipient.forward_path.clone()));
                    } else {
                        sorted.left.push(recipient.clone());
                    }
                }
            }
        }
        if job.is_to_be_told(now, way) {
            let delayed = sorted.left.iter().filter(|recipient| recipient.notify.delay);
            let told: Vec<_> = delayed
                .filter_map(|recipient| {
                    let (_, outcome) =
                        attempt.outcomes.iter().find(|(p, _)| *p == recipient.forward_path)?;
                    Some(Told::new(recipient, Action::Delayed, outcome, attempt))
                })
                .collect();
            sorted.told.extend(told);
        }
        sorted
    }

    /// What was decided without a report that would show it.
    fn log_decisions(&self, job: &Taken, now: Timestamp, sorted: &Sorted) {
        let decided = |paths: &[ForwardPath], decision| {
            if !paths.is_empty() {
                self.context.evidence.decided(now, job.id, None, paths, decision);
            }
        };
        decided(&sorted.expired, Decision::Expired { after: now.since(job.arrived) });
        let why = "the originator asked for none (NOTIFY)".into();
        decided(&sorted.untold, Decision::DsnWithheld { why });
    }

    async fn record(
        self: &Arc<Self>,
        job: Taken,
        way: &Way,
        sorted: Sorted,
        next: Option<Timestamp>,
        attempts: u32,
    ) {
        let mut carried = job.carried.left_with(sorted.left);
        carried.last = sorted.last.or(carried.last);
        carried.delay_told |= sorted.told.iter().any(|told| told.action == Action::Delayed);
        let op = match next {
            None => Op::Finish { id: job.id, revision: job.revision },
            Some(due) => Op::Defer(Job {
                id: job.id,
                revision: job.revision,
                lane: job.lane.as_ref().into(),
                due,
                attempts,
                held: false,
                envelope: carried.to_octets(),
            }),
        };
        let notice = notify::compose(&self.context, &job, way, &sorted.told).await;
        self.commit(job, op, next, notice).await;
    }

    /// Writes the change and the DSN; tries for as long as the spool refuses, for nothing may be lost
    /// and nothing told twice. Until then the job is in this task's hands.
    pub(super) async fn commit(
        self: &Arc<Self>,
        job: Taken,
        op: Op,
        next: Option<Timestamp>,
        mut notice: Option<notify::Notice>,
    ) {
        const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);
        loop {
            let arrivals = match &mut notice {
                Some(notice) => match notice.arrival(&self.context).await {
                    Ok(arrival) => vec![arrival],
                    Err(error) => {
                        tracing::error!(id = %job.id, %error, "DSN can't be kept: trying again");
                        tokio::time::sleep(AGAIN).await;
                        continue;
                    }
                },
                None => Vec::new(),
            };
            match self.context.spool.apply(vec![op.clone()], arrivals).await {
                Ok(accepted) => {
                    self.committed(&job, &op, next, notice.zip(accepted.into_iter().next()));
                    return;
                }
                Err(spool::KeepError::Conflict { .. } | spool::KeepError::Closed) => {
                    // Somebody else has finished it (an operator), or we are going down.
                    self.lock().state.remove(job.id);
                    return;
                }
                Err(error) => {
                    tracing::error!(id = %job.id, %error, "the queue's change can't be written: trying again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    fn committed(
        self: &Arc<Self>,
        job: &Taken,
        op: &Op,
        next: Option<Timestamp>,
        dsn: Option<(notify::Notice, spool::Accepted)>,
    ) {
        {
            let mut inner = self.lock();
            inner.state.remove(job.id);
            if let (Op::Defer(new), Some(_)) = (op, next) {
                let new = Job { revision: job.revision + 1, ..new.clone() };
                inner.state.insert(entry(&new, packed(&new), job.arrived, job.size, None));
            }
        }
        self.bell.notify_one();
        if let Some((notice, accepted)) = dsn {
            let now = self.context.world.clock.now();
            self.context.metrics.dsn_sent.increment();
            let id = accepted.receipt.id();
            let sent =
                Decision::DsnSent { dsn: id, to: Cow::Borrowed(&notice.to), kind: notice.kind };
            self.context.evidence.decided(now, job.id, None, &notice.about, sent);
            self.context.evidence.dsn(
                now,
                id,
                job.id,
                notice.envelope(),
                notice.message_id(),
                accepted.content.len(),
            );
            tracing::info!(id = %job.id, dsn = %id, to = %notice.to, kind = ?notice.kind, "DSN queued");
            self.admit(accepted.jobs, accepted.content, notice.carried, now);
        }
    }

    fn log(&self, job: &Taken, way: &Way, attempt: &Attempt, next: Option<Timestamp>) {
        self.context.metrics.attempts.increment();
        for (recipient, outcome) in &attempt.outcomes {
            match outcome {
                Outcome::Relayed(reply) => {
                    match way.success_action() {
                        Action::Delivered => self.context.metrics.delivered.increment(),
                        _ => self.context.metrics.relayed.increment(),
                    }
                    tracing::info!(id = %job.id, to = %recipient, next_hop = %attempt.next_hop, reply = %reply,
                        "relayed");
                }
                Outcome::Deferred(cause) => {
                    self.context.metrics.deferred.increment();
                    let wait = next.map(|due| due.since(self.context.world.clock.now()).as_secs());
                    tracing::warn!(id = %job.id, to = %recipient, next_hop = %attempt.next_hop,
                        stage = %cause.stage, cause = %cause.trouble, again_in_s = wait, "deferred");
                }
                Outcome::Failed(cause) => {
                    self.context.metrics.failed.increment();
                    tracing::warn!(id = %job.id, to = %recipient, next_hop = %attempt.next_hop,
                        stage = %cause.stage, cause = %cause.trouble, "failed");
                }
            }
        }
    }
}

/// When a job with recipients left is tried again.
fn next_due(
    job: &Taken,
    way: &Way,
    now: Timestamp,
    sorted: &Sorted,
    rest: Option<Timestamp>,
) -> Option<Timestamp> {
    if sorted.left.is_empty() {
        return None;
    }
    let next = rest.unwrap_or_else(|| now.after(way.retry.wait(job.attempts + 1)));
    // The last try comes at the very end of the time, not some hours before it.
    let end = job.carried.released(job.arrived).after(way.retry.give_up);
    let next = next.min(end.max(now.after(way.retry.first)));
    // What BY= promised is told or done when its time is over, not hours later (RFC 2852).
    let promised = job.carried.deliver_by(job.arrived).map(|(at, _)| at).filter(|&at| at > now);
    Some(promised.map_or(next, |at| next.min(at)))
}

/// A recipient that an attempt says nothing about was not tried: a fault of ours, never a loss.
fn no_outcome() -> Outcome {
    let status = EnhancedStatus::new(4, 3, 0);
    let trouble = Trouble::Local(status, "the attempt left no word on this recipient".to_owned());
    Outcome::Deferred(Cause { stage: Stage::Other, trouble })
}
