//! What everything in the transfer agent shares.

use std::sync::Arc;

use arc_swap::ArcSwap;
use policy::Policy;
use spool::Spool;
use tokio::sync::Notify;
use transport::mta_sts;
use world::World;

use crate::{
    config::Compiled, metrics::Metrics, outgoing_tls::OutgoingTls, record::Recorder, tasks::Tasks,
    tls_reports::Keeper,
};

/// The outside, the spool, the evidence, and the configuration of the moment.
pub struct Context {
    /// The outside.
    pub world: World,
    /// Where accepted mail is kept.
    pub spool: Arc<dyn Spool>,
    /// Where every attempt leaves its record.
    pub evidence: Recorder,
    /// What judges at the door.
    pub policy: Arc<Policy>,
    /// Counters.
    pub metrics: Metrics,
    /// Everything that runs.
    pub tasks: Arc<Tasks>,
    /// MTA-STS policies; none if their directory can't be used.
    pub mta_sts: Option<mta_sts::Store>,
    /// Counts of TLS sessions; none if they are not wanted, or their directory can't be used.
    pub tls_reports: Option<Keeper>,
    /// Rung at each change of the configuration.
    pub reconfigured: Notify,
    /// The key that the salts of users who don't exist are made with.
    pub decoys: Arc<sasl::Secret>,
    config: ArcSwap<Compiled>,
    outgoing_tls: ArcSwap<OutgoingTls>,
}

/// What is remembered besides mail.
pub struct Remembered {
    /// Policies.
    pub mta_sts: Option<mta_sts::Store>,
    /// Counts.
    pub tls_reports: Option<Keeper>,
    /// See [`Context::decoys`].
    pub decoys: sasl::Secret,
}

impl Context {
    /// All of it.
    pub fn new(
        world: World,
        spool: Arc<dyn Spool>,
        evidence: Recorder,
        policy: Arc<Policy>,
        remembered: Remembered,
        config: Compiled,
        outgoing_tls: OutgoingTls,
    ) -> Self {
        Self {
            world,
            spool,
            evidence,
            policy,
            metrics: Metrics::default(),
            tasks: Arc::default(),
            reconfigured: Notify::new(),
            config: ArcSwap::from_pointee(config),
            mta_sts: remembered.mta_sts,
            tls_reports: remembered.tls_reports,
            decoys: Arc::new(remembered.decoys),
            outgoing_tls: ArcSwap::from_pointee(outgoing_tls),
        }
    }

    /// The configuration as it is now. Hold it for one decision, not for a session.
    pub fn config(&self) -> Arc<Compiled> {
        self.config.load_full()
    }

    /// What next hops' certificates are verified with.
    pub fn outgoing_tls(&self) -> Arc<OutgoingTls> {
        self.outgoing_tls.load_full()
    }

    /// From now on.
    pub fn reconfigure(&self, config: Compiled, outgoing_tls: OutgoingTls) {
        self.config.store(Arc::new(config));
        self.outgoing_tls.store(Arc::new(outgoing_tls));
        self.reconfigured.notify_one();
    }
}
