//! ATRN (RFC 2645): a customer fetches its mail over the connection that it opened. We are the client of
//! it now; each job is an attempt like any other, and leaves the same records.

use std::sync::Arc;

use smtp::{Attempt, TlsFacts};
use spool::JobId;
use transport::{Plan, Session, Target, TlsLevel, Wire};

use super::{Around, Place, Queue, Taken, way, worker};
use crate::kept::Kept;

/// Delivers what waits for these domains (lower case) over `wire`, whose other end greets us now. `tls`
/// is what stands on it already.
pub async fn fetched(queue: Arc<Queue>, wire: Wire, tls: Option<&TlsFacts>, domains: &[Box<str>]) {
    let Some(address) = wire.peer().socket() else { return };
    let target = Target::tcp(address.ip().to_string(), address);
    let config = queue.context.config();
    let plan = Plan { tls: TlsLevel::Never, ..Plan::new(config.config.hostname.as_str()) };
    let mut session = match transport::over(wire, &target, &plan, tls.cloned()).await {
        Ok(session) => session,
        Err(failure) => {
            return tracing::info!(customer = %address, cause = %failure.cause.trouble, "ATRN came to nothing");
        }
    };
    let mut count = 0_u64;
    while session.is_reusable() {
        let Some(job) = queue.next_for(domains) else { break };
        count += 1;
        deliver(&queue, &mut session, job).await;
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
    let done = worker::transact(session, &way, &job, &Kept(content), began).await;
    let around = Around { began: Some(began), passes_dsn_on: done.passes_dsn_on };
    let attempt: Attempt = done.attempt;
    queue.settle(job, &Arc::new(way), attempt, around).await;
}

impl Queue {
    /// Takes a job of these domains into the caller's hands: one that waits for no release.
    fn next_for(&self, domains: &[Box<str>]) -> Option<Taken> {
        let now = self.context.world.clock.now();
        let mut inner = self.lock();
        let fits = |entry: &&super::Entry| {
            domains.iter().any(|domain| **domain == *entry.lane)
                && matches!(entry.place, Place::Waiting | Place::Ready(_))
                && entry.released <= now
        };
        let id: JobId = inner.state.jobs_sorted().into_iter().find(fits)?.id;
        inner.state.claim(id).map(Taken::from)
    }
}
