//! ETRN (RFC 1985): a client asks that what waits for a node is tried now.
//!
//! It goes where it goes anyway, so nothing is given to anybody. What an operator holds, and what its
//! originator wants held back, stays.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use smtp::{Reply, extension::etrn::Node};
use spool::JobId;

use super::{Inner, Queue, way::Lane};
use crate::config::DomainKind;

impl Queue {
    /// Starts the queue for a node, if mail is queued here for such.
    pub fn start(self: &Arc<Self>, node: &Node, client: SocketAddr) -> Reply {
        if !self.is_served(node) {
            return Reply::no_such_node();
        }
        let now = self.context.world.clock.now();
        let started = {
            let mut inner = self.lock();
            let jobs = jobs_of(&inner, node);
            let Inner { state, lanes, .. } = &mut *inner;
            let started: BTreeSet<Arc<str>> =
                jobs.iter().filter_map(|&id| Some(state.job(id)?.lane.clone())).collect();
            for lane in started {
                // Who asks knows better than we that the site is up again.
                if let Some(Lane::Known(way)) = lanes.get(&lane) {
                    state.forgive(&way.site);
                    lanes.remove(&lane);
                }
            }
            jobs.into_iter().filter(|&id| state.hasten(id, now)).count()
        };
        self.bell.notify_one();
        tracing::info!(%client, ?node, started, "queue started by ETRN");
        match started {
            0 => Reply::nothing_waits(),
            count => Reply::queue_started(count),
        }
    }

    /// Domains that are passed on from here to their own servers; a queue by the name of its site.
    fn is_served(&self, node: &Node) -> bool {
        let config = self.context.config();
        match node {
            Node::Domain(domain) | Node::WithSubdomains(domain) => config
                .domain(domain)
                .is_some_and(|domain| !matches!(domain.kind, DomainKind::Local)),
            Node::Queue(name) => self.lock().lanes.values().any(
                |lane| matches!(lane, Lane::Known(way) if way.site.eq_ignore_ascii_case(name)),
            ),
        }
    }
}

fn jobs_of(inner: &Inner, node: &Node) -> Vec<JobId> {
    let jobs = inner.state.lanes();
    match node {
        Node::Domain(domain) => jobs.jobs(&domain.to_ascii_lowercase()).collect(),
        Node::WithSubdomains(domain) => {
            let domain = domain.to_ascii_lowercase();
            jobs.jobs(&domain).chain(jobs.jobs_below(&domain)).collect()
        }
        Node::Queue(name) => {
            let there = inner.lanes.iter().filter(
                |(_, lane)| matches!(lane, Lane::Known(way) if way.site.eq_ignore_ascii_case(name)),
            );
            // In an order of its own, for that of a hash map differs between runs.
            let names: BTreeSet<&Arc<str>> = there.map(|(name, _)| name).collect();
            names.into_iter().flat_map(|name| jobs.jobs(name)).collect()
        }
    }
}
