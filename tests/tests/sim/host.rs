//! A machine with a transfer agent on it, that loses its power now and then.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mta::{Agent, Pace, config::Config};
use tokio::time::sleep;
use world::sim::{SimWorld, disk::SimDisk};

use super::ledger::Ledger;

/// The transfer agent that runs on a machine, if one does. Clones are the same.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Option<Arc<Agent>>>>);

impl Running {
    pub fn agent(&self) -> Option<Arc<Agent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn exchange(&self, agent: Option<Arc<Agent>>) -> Option<Arc<Agent>> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), agent)
    }
}

/// The machine.
pub struct Host {
    pub name: &'static str,
    pub ip: IpAddr,
    pub config: Config,
    pub disk: SimDisk,
    pub running: Running,
    pub ledger: Ledger,
    pub random: fastrand::Rng,
    /// Milliseconds since the world began; from then on the power stays.
    pub crashes_until: u64,
}

impl Host {
    pub fn new(name: &'static str, ip: [u8; 4], config: &str, ledger: &Ledger, seed: u64) -> Self {
        let config = match Config::parse(config) {
            Ok((config, _)) => config,
            Err(problems) => panic!("the configuration of {name}: {problems:?}"),
        };
        Self {
            name,
            ip: ip.into(),
            config,
            disk: SimDisk::new(seed),
            running: Running::default(),
            ledger: ledger.clone(),
            random: fastrand::Rng::with_seed(seed),
            crashes_until: 0,
        }
    }

    /// Starts, works until the power goes, and again, until it goes no more.
    pub async fn live(mut self, sim: Arc<SimWorld>) -> Self {
        loop {
            let ends = self.ledger.now() >= self.crashes_until;
            if !ends {
                let few = self.random.u32(..4) == 0;
                self.disk.crash_after(self.random.u64(1..if few { 40 } else { 1_500 }));
            }
            let started = self.start(&sim).await;
            if ends {
                assert!(started, "{} does not start", self.name);
                return self;
            }
            if !started && !self.disk.is_down() {
                // A write or sync failed. Whoever watches over it starts it again.
                sleep(Duration::from_secs(60)).await;
                continue;
            }
            let left = Duration::from_millis(
                self.crashes_until - self.ledger.now().min(self.crashes_until),
            );
            // Without a crash until then it is cut off all the same, once.
            let _lost_or_late = tokio::time::timeout(left, self.disk.power_lost()).await;
            self.lose_power(&sim).await;
        }
    }

    async fn start(&mut self, sim: &SimWorld) -> bool {
        let world = sim.world_for(self.ip, Arc::new(self.disk.clone()));
        match Agent::start(self.config.clone(), world, Pace::Task).await {
            Ok(agent) => {
                self.ledger.note(&format!("{} runs", self.name));
                self.running.exchange(Some(agent));
                true
            }
            Err(error) => {
                let mut text = error.to_string();
                let mut source = std::error::Error::source(&error);
                while let Some(error) = source {
                    text = format!("{text}: {error}");
                    source = error.source();
                }
                self.ledger.note(&format!("{} does not start: {text}", self.name));
                assert!(
                    self.disk.is_down() || text.contains("injected"),
                    "{} does not start, and its disk is well, or only full: {text}",
                    self.name
                );
                false
            }
        }
    }

    async fn lose_power(&mut self, sim: &SimWorld) {
        self.ledger.note(&format!("{} loses its power", self.name));
        let now = self.ledger.now();
        self.ledger.crashed(now, self.name);
        let silently = self.random.bool();
        if silently {
            // Nobody hears a FIN from a dead machine.
            sim.net.cut(self.ip);
        } else {
            sim.net.reset(self.ip);
        }
        // What still writes while the tasks end, writes to a disk without power.
        self.disk.crash_after(0);
        if let Some(agent) = self.running.exchange(None) {
            agent.crash();
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.disk.crash();
        let minutes = match self.random.u32(..6) {
            0 => self.random.u64(60..600),
            _ => self.random.u64(0..5),
        };
        sleep(Duration::from_secs(60 * minutes + 1)).await;
        sim.net.reset(self.ip);
        sim.net.heal(self.ip);
    }
}
