//! What everything in the transfer agent shares.

use std::sync::Arc;

use arc_swap::ArcSwap;
use spool::Spool;
use transport::ClientTls;
use world::World;

use crate::{config::Compiled, metrics::Metrics, record::Recorder, tasks::Tasks};

/// The outside, the spool, the evidence, and the configuration of the moment.
pub struct Context {
    /// The outside.
    pub world: World,
    /// Where accepted mail is kept.
    pub spool: Arc<dyn Spool>,
    /// Where every attempt leaves its record.
    pub evidence: Recorder,
    /// Counters.
    pub metrics: Metrics,
    /// Everything that runs.
    pub tasks: Arc<Tasks>,
    config: ArcSwap<Compiled>,
    client_tls: ArcSwap<ClientTls>,
}

impl Context {
    /// All of it.
    pub fn new(
        world: World,
        spool: Arc<dyn Spool>,
        evidence: Recorder,
        config: Compiled,
        client_tls: ClientTls,
    ) -> Self {
        Self {
            world,
            spool,
            evidence,
            metrics: Metrics::default(),
            tasks: Arc::default(),
            config: ArcSwap::from_pointee(config),
            client_tls: ArcSwap::from_pointee(client_tls),
        }
    }

    /// The configuration as it is now. Hold it for one decision, not for a session.
    pub fn config(&self) -> Arc<Compiled> {
        self.config.load_full()
    }

    /// What next hops' certificates are verified with.
    pub fn client_tls(&self) -> Arc<ClientTls> {
        self.client_tls.load_full()
    }

    /// From now on.
    pub fn reconfigure(&self, config: Compiled, client_tls: ClientTls) {
        self.config.store(Arc::new(config));
        self.client_tls.store(Arc::new(client_tls));
    }
}
