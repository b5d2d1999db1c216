//! The simulated outside: one seed, one course of events.
//!
//! Run it on a current-thread runtime whose clock is paused, so that virtual weeks take seconds:
//!
//! ```
//! use std::{net::SocketAddr, sync::Arc, time::Duration};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use world::{net::Connect, sim::{SimWorld, disk::SimDisk}};
//!
//! let runtime = tokio::runtime::Builder::new_current_thread()
//!     .enable_time()
//!     .start_paused(true)
//!     .build()
//!     .unwrap();
//! runtime.block_on(async {
//!     let sim = SimWorld::new(7);
//!     sim.dns.add("b.test MX 10 mx.b.test\nmx.b.test A 192.0.2.2").unwrap();
//!     let ours = sim.world_for([192, 0, 2, 1].into(), Arc::new(SimDisk::new(7)));
//!     let theirs = sim.world_for([192, 0, 2, 2].into(), Arc::new(SimDisk::new(8)));
//!
//!     let to = SocketAddr::from(([192, 0, 2, 2], 25));
//!     let listener = theirs.net.listen(to).unwrap();
//!     tokio::spawn(async move {
//!         let mut stream = listener.accept().await.unwrap();
//!         tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
//!         stream.write_all(b"220 mx.b.test at last\r\n").await.unwrap();
//!     });
//!
//!     let timeout = Duration::from_secs(30);
//!     let mut stream = ours.net.connect(Connect { to, source: None, timeout }).await.unwrap();
//!     let mut greeting = String::new();
//!     stream.read_to_string(&mut greeting).await.unwrap();
//!     assert_eq!(greeting, "220 mx.b.test at last\r\n");
//!     assert!(ours.clock.now().since(sim.epoch()) > Duration::from_secs(7 * 86_400));
//! });
//! ```
//!
//! What is not simulated: the order in which the runtime polls tasks that are ready at once. It is
//! tokio's, and the same in every run as long as nothing but the simulated outside wakes them.

pub mod disk;
pub mod net;
mod programs;

use std::{net::IpAddr, path::Path, sync::Arc};

use smtp::Timestamp;

use crate::{Clock, Disk, Random, World, dns::table::TableDns};
use net::SimNet;
pub use programs::Behaviour;

/// 2026-01-01T00:00:00Z, when every simulation begins.
const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// A world of hosts that share a network, a name system and a clock.
pub struct SimWorld {
    /// The network, to be made worse.
    pub net: SimNet,
    /// What every host is told about names; empty at first.
    pub dns: Arc<TableDns>,
    clock: Clock,
    random: Random,
}

impl SimWorld {
    /// An empty world. Call it inside the runtime: its clock starts now.
    pub fn new(seed: u64) -> Self {
        let clock = Clock::Sim { epoch: EPOCH, origin: tokio::time::Instant::now() };
        let random = Random::seeded(seed);
        Self { net: SimNet::new(random.u64()), dns: Arc::default(), clock, random }
    }

    /// When this world began.
    pub fn epoch(&self) -> Timestamp {
        EPOCH
    }

    /// Puts a program on a host.
    pub fn program(&self, host: IpAddr, path: &Path, behaviour: Arc<Behaviour>) {
        self.net.1.install(host, path, behaviour);
    }

    /// The world as the host at `host` sees it. Call it again with the same disk for a restart; the
    /// order of calls is part of the course of events, for each draws its own seed of chance.
    pub fn world_for(&self, host: IpAddr, disk: Arc<dyn Disk>) -> World {
        World {
            clock: self.clock,
            disk,
            dns: Arc::clone(&self.dns) as Arc<dyn crate::Dns>,
            net: self.net.host(host),
            random: Random::seeded(self.random.u64()),
        }
    }
}
