//! ATRN (RFC 2645): a customer fetches its mail over the connection that it opened. We are the client of
//! it now; each job is an attempt like any other, and leaves the same records.

use std::sync::Arc;

use smtp::{Attempt, TlsFacts};
use spool::JobId;
use transport::{Plan, Session, Target, TlsLevel, Wire};

use super::{Around, Inner, Place, Queue, Taken, transacted::Transacted, way};
use crate::kept::Kept;

/// Delivers what waits for these domains (lower case) over `wire`, whose other end greets us now. `tls`
/// is what stands on it already.
pub async fn fetched(queue: Arc<Queue>, wire: Wire, tls: Option<&TlsFacts>, domains: &[Box<str>]) {
    let Some(address) = wire.peer().socket() else { return };
    let target = Target::tcp(address.ip().to_string(), address);
    let config = queue.context.config();
    let plan = Plan { tls: TlsLevel::Never, ..Plan::new(config.config.hostname.as_str()) };
    let mut session = match transport::over(
        &queue.context.world,
        wire,
        &target,
        &plan,
        tls.cloned(),
    )
    .await
    {
        Ok(session) => session,
        Err(failure) => {
            return tracing::info!(customer = %address, cause = %failure.cause.trouble, "ATRN came to nothing");
        }
    };
    let mut count = 0_u64;
    for domain in domains {
        // What comes meanwhile is younger, and comes to its turn too.
        let mut last = None;
        while session.is_reusable()
            && let Some(job) = queue.next_for(domain, last)
        {
            last = Some(job.id);
            count += 1;
            deliver(&queue, &mut session, job).await;
        }
    }
    tracing::info!(customer = %address, jobs = count, "mail fetched by ATRN");
    let _said = session.quit().await;
}

async fn deliver(queue: &Arc<Queue>, session: &mut Session, job: Taken) {
    let content = job.content.clone().or_else(|| queue.context.spool.content(job.id.message));
    let Some(content) = content else {
        queue.lock().state.remove(job.id);
        return;
    };
    let mut way = way::Way::clone(&way::for_settling(&queue.context, &job.lane));
    way.site = session.target().host.as_str().into();
    way.why = vec![format!("`{}` is fetched by its owner (ATRN)", job.lane)];
    let began = queue.context.world.clock.now();
    let mut done = Transacted::new(&job, began);
    // It has no quirks, and is not reused: whatever came of it stands in the outcomes.
    let _ended = done.transact(session, &way, &Kept(content), false).await;
    let around = Around { began: Some(began), passed_on: done.passed_on, rest: None };
    // The customer opened this connection, and no other one leads there.
    let attempt: Attempt = done.ended(&way);
    queue.settle(job, &Arc::new(way), attempt, around).await;
}

impl Queue {
    /// Whether anything waits or is due for one of these domains, lower case.
    pub fn has_any(&self, domains: &[Box<str>]) -> bool {
        domains.iter().any(|domain| self.next_in(&self.lock(), domain, None).is_some())
    }

    /// Takes a domain's next job after that one into the caller's hands.
    fn next_for(&self, domain: &str, last: Option<JobId>) -> Option<Taken> {
        let mut inner = self.lock();
        let id = self.next_in(&inner, domain, last)?;
        inner.state.claim(id).map(Taken::from)
    }

    /// One that is in nobody's hands, and waits for no release.
    fn next_in(&self, inner: &Inner, domain: &str, last: Option<JobId>) -> Option<JobId> {
        let now = self.context.world.clock.now();
        let is_free = |id: &JobId| {
            inner.state.job(*id).is_some_and(|entry| {
                matches!(entry.place, Place::Waiting | Place::Ready(_)) && entry.released <= now
            })
        };
        inner.state.lanes().jobs_after(domain, last).find(is_free)
    }
}
