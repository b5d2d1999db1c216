//! The outside, as small interfaces, each `real` and `sim`.
//!
//! Everything in `io` and `app` that needs a clock, the network, a disk, name resolution or randomness
//! gets it from a [`World`]. The simulated world is deterministic: one seed, one course of events. It
//! runs on tokio's paused clock in a current-thread runtime, so virtual weeks take seconds.
//!
//! Timers are tokio's own (`tokio::time`), which the paused clock governs; only calendar time needs
//! [`Clock`].

pub mod clock;
pub mod disk;
pub mod dns;
pub mod kerberos;
pub mod net;
pub mod process;
pub mod random;
pub mod sim;

use std::sync::Arc;

pub use clock::Clock;
pub use disk::Disk;
pub use dns::Dns;
pub use net::Net;
pub use random::Random;

/// All of the outside that one transfer agent (or tool) sees. Cheap to clone.
#[derive(Clone)]
pub struct World {
    /// Calendar time.
    pub clock: Clock,
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Names.
    pub dns: Arc<dyn Dns>,
    /// Connections.
    pub net: Net,
    /// Chance.
    pub random: Random,
}

impl World {
    /// Does what blocks or takes long where that hurts nobody: on a thread of its own, or, where time is
    /// simulated, there and then, so that the order of events is the seed's and not the machine's.
    ///
    /// # Errors
    /// It panicked.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<T> {
        match self.clock {
            Clock::Sim { .. } => Ok(work()),
            Clock::Real => tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other),
        }
    }
}
