//! One connection to one site, job after job.

use std::{sync::Arc, time::Duration};

use smtp::{Attempt, Cause, Outcome, Stage};
use tokio::sync::Notify;
use transport::{Failure, Features, Protocol, Session, Target};

use super::{
    Around, By, Down, Queue, SiteKey, Taken, Way, settle,
    transacted::{Ended, Transacted},
};
use crate::{kept::Kept, tls_reports::Sight};

/// Takes jobs until there are none for as long as an idle connection is kept.
pub async fn work(queue: Arc<Queue>, way: Arc<Way>) {
    let wake = Arc::new(Notify::new());
    let mut line = Line {
        way,
        session: None,
        transactions: 0,
        transactions_max: u32::MAX,
        sour: false,
        next: None,
    };
    loop {
        let (job, surplus) = {
            let mut inner = queue.lock();
            let surplus = inner.closing || inner.state.is_surplus(&line.way.site);
            let job =
                if surplus { None } else { inner.state.take(&line.way.site).map(Taken::from) };
            // Its own lane's way, as it is now: another domain's policy and reasons are not its.
            let own = job.as_ref().and_then(|job| inner.way_of(job));
            if let Some(own) = own.filter(|own| own.site == line.way.site) {
                line.way = own;
            }
            (job, surplus)
        };
        match job {
            Some(job) => {
                line.keep_pace().await;
                line.deliver(&queue, job).await;
            }
            None if line.sour => line.hang_up(&queue),
            None if surplus || !wait_for_work(&queue, &line.way.site, &wake).await => break,
            None => {}
        }
    }
    let left = {
        let mut inner = queue.lock();
        inner.state.leave(&line.way.site);
        !inner.closing && inner.state.wants_worker(&line.way.site)
    };
    if left {
        // A job came between the last look and the leaving.
        queue.context.tasks.spawn(work_boxed(queue.clone(), line.way.clone()));
    }
    line.hang_up(&queue);
}

/// `work` starts itself: the future's type needs a box to be finite.
fn work_boxed(
    queue: Arc<Queue>,
    way: Arc<Way>,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(work(queue, way))
}

async fn wait_for_work(queue: &Queue, site: &SiteKey, wake: &Arc<Notify>) -> bool {
    if !queue.lock().state.park(site, wake) {
        return true;
    }
    let keep = queue.context.config().config.queue.idle_keep;
    if tokio::time::timeout(keep, wake.notified()).await.is_ok() {
        return true;
    }
    // Rung at the very moment that the wait ended: then there is work.
    !queue.lock().state.unpark(site, wake)
}

/// A worker's end of the wire.
struct Line {
    way: Arc<Way>,
    session: Option<Session>,
    transactions: u32,
    /// So many it may be, as was learned of the site when the connection was opened.
    transactions_max: u32,
    /// It has put a message off: then it is not kept for the next try, which shall not meet the same
    /// process, host or mood again.
    sour: bool,
    /// When the next transaction may begin, where a rate is configured.
    next: Option<tokio::time::Instant>,
}

impl Line {
    /// Waits until a configured rate allows the next transaction.
    async fn keep_pace(&mut self) {
        if self.way.pause.is_zero() {
            return;
        }
        if let Some(next) = self.next {
            tokio::time::sleep_until(next).await;
        }
        self.next = Some(tokio::time::Instant::now() + self.way.pause);
    }

    async fn deliver(&mut self, queue: &Arc<Queue>, job: Taken) {
        if job.is_late(queue.context.world.clock.now()) {
            return queue.settle_late(job, &self.way).await;
        }
        let Some(content) =
            job.content.clone().or_else(|| queue.context.spool.content(job.id.message))
        else {
            // An operator has removed it meanwhile; else the spool has lost track of what it should keep,
            // and only a restart, which reads everything anew, would bring it back.
            tracing::error!(id = %job.id, lane = %job.lane, "the spool has no content for a queued job");
            queue.lock().state.remove(job.id);
            return;
        };
        let content = Kept(content);
        let way = self.way.clone();
        match &way.by {
            By::Pickup => {
                let cause = crate::notify::local_cause(
                    4,
                    4,
                    1,
                    "it waits until its owner fetches it (ATRN)",
                );
                let attempt = way.attempt(&job.carried, Outcome::Deferred(cause));
                queue.settle(job, &way, attempt, Around::default()).await;
            }
            By::Discard => {
                let reply = smtp::Reply::new(250, (2, 0, 0), "discarded, as configured");
                let attempt = way.attempt(&job.carried, Outcome::Relayed(reply));
                queue.settle(job, &way, attempt, Around::default()).await;
            }
            By::Maildir => {
                let attempt =
                    super::way::into_mailboxes(&queue.context, &way, &job.carried, &content).await;
                queue.settle(job, &way, attempt, Around::default()).await;
            }
            By::Program(pipe) => {
                let attempt = super::way::into_program(
                    &queue.context,
                    &way,
                    pipe,
                    job.id,
                    &job.carried,
                    &content,
                )
                .await;
                queue.settle(job, &way, attempt, Around::default()).await;
            }
            By::Hosts { .. } => self.relay(queue, job, &content).await,
        }
    }

    /// Over a connection that is open, else over a new one. A kept connection that turns out to be
    /// closed is no attempt: it says nothing about the message.
    async fn relay(&mut self, queue: &Arc<Queue>, job: Taken, content: &Kept) {
        if self.is_strict(&job) && !self.has_sure_hosts() {
            let text = "REQUIRETLS, and neither DNSSEC nor MTA-STS vouches for the MX hosts";
            let outcome = Outcome::Failed(crate::notify::local_cause(5, 7, 30, text));
            let attempt = self.way.attempt(&job.carried, outcome);
            return queue.settle(job, &self.way, attempt, Around::default()).await;
        }
        let mut reused = true;
        let began = queue.context.world.clock.now();
        let mut done = Transacted::new(&job, began);
        loop {
            if self.session.as_mut().is_some_and(|session| session.is_dead()) {
                self.session = None;
            }
            if job.carried.envelope.insists_on_tls()
                && self.session.as_ref().is_some_and(|session| !session.proves_its_name())
            {
                // Good enough for what went before, not for this one (RFC 8689).
                self.hang_up(queue);
            }
            if self.is_strict(&job)
                && self.session.as_ref().is_some_and(|session| !is_verified(session))
            {
                self.hang_up(queue);
            }
            if self.session.is_none() {
                reused = false;
                match self.open(queue, &job).await {
                    Ok(session) => self.session = Some(session),
                    Err(failures) if done.is_begun() => {
                        done.cannot_go_on(failed_to_open(&self.way, &job, &failures));
                        let passed_on = done.passed_on;
                        let around = Around { began: Some(began), passed_on, rest: None };
                        return queue.settle(job, &self.way, done.ended(&self.way), around).await;
                    }
                    Err(failures) => return self.could_not_open(queue, job, failures).await,
                }
            }
            let Some(session) = self.session.as_mut() else { return };
            match done.transact(session, &self.way, content, reused).await {
                Ended::Done => {}
                Ended::Closed => {
                    self.hang_up(queue);
                    continue;
                }
                Ended::Full(quirk, cause, most) => {
                    queue.is_full(&self.way.site, &job, quirk, &cause, most);
                    self.hang_up(queue);
                    continue;
                }
            }
            self.transactions += 1;
            let most = self.way.transactions_max.min(self.transactions_max);
            if !session.is_reusable() || self.transactions >= most {
                self.hang_up(queue);
            }
            // Where the next hop takes no more over one connection (MAILMAX, RFC 9422): here is another.
            if done.has_more() {
                continue;
            }
            self.sour |= done.outcomes().any(|outcome| matches!(outcome, Outcome::Deferred(_)));
            self.note(queue, &job, &done);
            let passed_on = done.passed_on;
            let attempt = done.ended(&self.way);
            let rest = queue.rest_if_asked(&self.way, &job, &attempt);
            let around = Around { began: Some(began), passed_on, rest };
            return queue.settle(job, &self.way, attempt, around).await;
        }
    }

    /// Whether REQUIRETLS binds here (RFC 8689): LMTP is the last step, and hands nothing on.
    fn is_strict(&self, job: &Taken) -> bool {
        let lmtp =
            matches!(&self.way.by, By::Hosts { plan, .. } if plan.protocol == Protocol::Lmtp);
        job.carried.envelope.insists_on_tls() && !lmtp
    }

    /// Whether the hosts' names are sure: configured, or vouched for by DNSSEC or MTA-STS (RFC 8689
    /// section 4.2.1). Where they are not, a certificate for such a name proves nothing.
    fn has_sure_hosts(&self) -> bool {
        let By::Hosts { targets, .. } = &self.way.by else { return true };
        let sure =
            |target: &Target| target.policy.as_ref().is_none_or(|policy| policy.name_is_sure);
        targets.iter().flatten().all(sure)
    }

    /// Tries the site's hosts in order of preference.
    async fn open(
        &mut self,
        queue: &Queue,
        job: &Taken,
    ) -> Result<Session, Vec<(String, Failure)>> {
        let (By::Hosts { targets, .. }, Some(mut plan)) = (&self.way.by, self.way.plan()) else {
            return Err(Vec::new());
        };
        let now = queue.context.world.clock.now();
        plan.require_tls = job.carried.envelope.insists_on_tls();
        {
            let inner = queue.lock();
            plan.avoid = plan.avoid.with(inner.state.avoid(&self.way.site, now));
            self.transactions_max = inner.state.messages_max(&self.way.site, now);
        }
        let strict = self.is_strict(job);
        if strict {
            // What was learned is no reason to break a promise.
            let promised = Features::STARTTLS.with(Features::REQUIRETLS).with(Features::EHLO);
            plan.avoid = plan.avoid.without(promised);
        }
        self.transactions = 0;
        let mut failures = Vec::new();
        for target in self.way.in_order(targets, &queue.context.world.random) {
            let tls = queue.context.outgoing_tls();
            match transport::open(&queue.context.world, tls.general(), target, &plan).await {
                Ok(session) => {
                    count_session(queue, &job.lane, target, &session);
                    queue.context.metrics.connections_out.increment();
                    if !session.learned().reasons.is_empty() {
                        queue.learned(&self.way.site, job, session.learned());
                    }
                    return Ok(session);
                }
                Err(mut failure) => {
                    let asks_for_rest = self.way.quirks.rest(&failure.cause, 0).is_some();
                    failure.permanent &= !asks_for_rest;
                    if !failure.learned.reasons.is_empty() {
                        queue.learned(&self.way.site, job, &failure.learned);
                    }
                    count_failure(queue, &job.lane, target, &failure);
                    let permanent = failure.permanent;
                    failures.push((target.to_string(), failure));
                    // A host that refuses us for good speaks for its domain, and so does one that has heard
                    // too much of us.
                    if permanent || asks_for_rest {
                        break;
                    }
                }
            }
        }
        Err(failures)
    }

    /// No host of the site could be opened: this job has its attempt, the others share its fate.
    async fn could_not_open(
        &mut self,
        queue: &Arc<Queue>,
        job: Taken,
        failures: Vec<(String, Failure)>,
    ) {
        let attempt = failed_to_open(&self.way, &job, &failures);
        let cause = match attempt.outcomes.first() {
            Some((_, Outcome::Deferred(cause) | Outcome::Failed(cause))) => cause.clone(),
            _ => return,
        };
        let permanent = failures.last().is_some_and(|(_, failure)| failure.permanent);
        if permanent {
            return queue.settle(job, &self.way, attempt, Around::default()).await;
        }
        if self.is_strict(&job) && matches!(cause.stage, Stage::StartTls | Stage::Tls) {
            // That TLS is not good enough for a promise says nothing of mail without one.
            let text = format!("REQUIRETLS, and no verified TLS: {}", cause.trouble);
            let failed = Outcome::Failed(crate::notify::local_cause(5, 7, 30, text));
            let mut attempt = attempt;
            attempt.outcomes = settle::alike(&job.carried, &failed);
            return queue.settle(job, &self.way, attempt, Around::default()).await;
        }
        let rest = queue.rest_if_asked(&self.way, &job, &attempt);
        if rest.is_some() {
            let around = Around { rest, ..Around::default() };
            return queue.settle(job, &self.way, attempt, around).await;
        }
        self.site_is_down(queue, &attempt, cause);
        queue.settle(job, &self.way, attempt, Around::default()).await;
    }

    /// Nothing more is tried there for a while; the jobs that waited wait on.
    fn site_is_down(&self, queue: &Queue, attempt: &Attempt, cause: Cause) {
        let now = queue.context.world.clock.now();
        let mut inner = queue.lock();
        let times = inner.state.times_down(&self.way.site) + 1;
        let until = now.after(self.way.probe_after(times));
        let down = Down { until, times, cause, next_hop: attempt.next_hop.as_str().into() };
        let waiting = inner.state.site_is_down(&self.way.site, down.clone());
        for &id in &waiting {
            inner.state.postpone(id, &down, self.way.retry.delay_notice, now);
        }
        drop(inner);
        queue.bell.notify_one();
        tracing::warn!(site = %self.way.site, next_hop = %down.next_hop, cause = %down.cause.trouble,
            waiting = waiting.len(), "site is down");
    }

    /// What the attempt says of the site.
    fn note(&self, queue: &Queue, job: &Taken, done: &Transacted) {
        if !done.learned.reasons.is_empty() {
            queue.learned(&self.way.site, job, &done.learned);
        }
        let strained = done.outcomes().any(settle::is_strain);
        let works = done.outcomes().any(|outcome| !matches!(outcome, Outcome::Deferred(_)));
        let mut inner = queue.lock();
        if strained {
            inner.state.site_is_strained(&self.way.site);
        } else if works {
            inner.state.site_works(&self.way.site);
        }
    }

    fn hang_up(&mut self, queue: &Queue) {
        self.sour = false;
        const PATIENCE: Duration = Duration::from_secs(5);
        if let Some(session) = self.session.take() {
            // The next hop has all that it shall have: nothing hangs on how it says goodbye, so
            // nobody waits for it.
            queue.context.tasks.spawn(async move {
                let _said = tokio::time::timeout(PATIENCE, session.quit()).await;
            });
        }
    }
}

/// For TLS reports.
fn count_session(queue: &Queue, lane: &str, target: &Target, session: &Session) {
    let (Some(keeper), Some(published)) = (&queue.context.tls_reports, &session.policy().published)
    else {
        return;
    };
    let result = session.policy().verdict(session.tls_result());
    let why = match session.tls().map(|facts| &facts.verified) {
        Some(Err(why)) => why.as_str(),
        Some(Ok(_)) => session.policy().why.as_str(),
        None => "the session went on in clear",
    };
    let sight = Sight {
        domain: lane,
        published,
        host: &target.host,
        address: session.address().map(|address| address.ip().to_string()),
        from: session.local_address().map(|address| address.to_string()),
        result,
        why: if result.is_some() { why } else { "" },
    };
    keeper.count(queue.context.world.clock.now(), &sight);
}

/// The same where no session came of it; what is not TLS's fault is not counted.
fn count_failure(queue: &Queue, lane: &str, target: &Target, failure: &Failure) {
    let published = target.policy.as_ref().and_then(|policy| policy.published.as_ref());
    let (Some(keeper), Some(published), Some(result)) =
        (&queue.context.tls_reports, published, failure.tls_result)
    else {
        return;
    };
    let why = failure.cause.trouble.to_string();
    let sight = Sight {
        domain: lane,
        published,
        host: &target.host,
        address: failure.address.map(|address| address.ip().to_string()),
        from: None,
        result: Some(result),
        why: &why,
    };
    keeper.count(queue.context.world.clock.now(), &sight);
}

fn is_verified(session: &Session) -> bool {
    session.tls().is_some_and(|tls| tls.verified.is_ok())
}

fn failed_to_open(way: &Way, job: &Taken, failures: &[(String, Failure)]) -> Attempt {
    let mut attempt = way.attempt(
        &job.carried,
        Outcome::Deferred(crate::notify::local_cause(4, 4, 0, "no host to try")),
    );
    for (target, failure) in failures {
        if failures.len() > 1 {
            attempt
                .route
                .push(format!("{target}: {} at {}", failure.cause.trouble, failure.cause.stage));
        }
    }
    if let Some((target, failure)) = failures.last() {
        attempt.next_hop = target.split(' ').next().unwrap_or(target).to_owned();
        attempt.address = failure.address.map(|address| address.to_string());
        attempt.transcript = failure.transcript.clone();
        attempt.tls = failure.tls.clone();
        let outcome = match failure.permanent {
            true => Outcome::Failed(failure.cause.clone()),
            false => Outcome::Deferred(failure.cause.clone()),
        };
        attempt.outcomes = settle::alike(&job.carried, &outcome);
    }
    attempt
}
