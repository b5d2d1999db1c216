//! ETRN (RFC 1985): a client asks that what waits for a node is tried now.
//!
//! It goes where it goes anyway, so nothing is given to anybody. What an operator holds, and what its
//! originator wants held back, stays.

use std::{net::SocketAddr, sync::Arc};

use smtp::{Reply, extension::etrn::Node};
use spool::JobId;

use super::{Inner, Place, Queue, way::Lane};
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
            for (_, lane) in &jobs {
                // Who asks knows better than we that the site is up again.
                if let Some(Lane::Known(way)) = lanes.get(lane) {
                    state.forgive(&way.site);
                    lanes.remove(lane);
                }
            }
            jobs.into_iter().filter(|&(id, _)| state.hasten(id, now)).count()
        };
        self.bell.notify_one();
        tracing::info!(%client, ?node, started, "queue started by ETRN");
        match started {
            0 => Reply::nothing_waits(),
            count => Reply::queue_started(count),
        }
    }

    /// Whether anything waits or is due for one of these domains, lower case.
    pub fn has_any(&self, domains: &[Box<str>]) -> bool {
        let wanted = |lane: &str| domains.iter().any(|domain| **domain == *lane);
        let inner = self.lock();
        inner.state.jobs_sorted().iter().any(|entry| {
            wanted(&entry.lane) && matches!(entry.place, Place::Waiting | Place::Ready(_))
        })
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

fn jobs_of(inner: &Inner, node: &Node) -> Vec<(JobId, Arc<str>)> {
    let fits = |lane: &Arc<str>| match node {
        Node::Domain(domain) => lane.eq_ignore_ascii_case(domain),
        Node::WithSubdomains(domain) => {
            let domain = domain.to_ascii_lowercase();
            **lane == *domain || lane.strip_suffix(&*domain).is_some_and(|s| s.ends_with('.'))
        }
        Node::Queue(name) => match inner.lanes.get(lane) {
            Some(Lane::Known(way)) => way.site.eq_ignore_ascii_case(name),
            _ => false,
        },
    };
    let jobs = inner.state.jobs_sorted().into_iter();
    jobs.filter(|entry| fits(&entry.lane)).map(|entry| (entry.id, entry.lane.clone())).collect()
}
