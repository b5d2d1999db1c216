//! The real world, as this process sees it.

use std::sync::Arc;

use mta::config::Config;
use world::{
    Clock, Net, Random, World,
    disk::RealDisk,
    dns::real::{RealDns, Settings},
};

use crate::problem::Problem;

/// Clock, disk and network of this machine; names by its resolver, or by the configured servers.
pub fn world(config: &Config) -> Result<World, Problem> {
    let settings = Settings {
        servers: config.dns.servers.clone(),
        timeout: config.dns.timeout,
        ..Settings::default()
    };
    let dns = RealDns::new(&settings)
        .map_err(|error| Problem::new(format!("cannot set up name resolution: {error}")))?;
    Ok(World {
        clock: Clock::Real,
        disk: Arc::new(RealDisk),
        dns: Arc::new(dns),
        net: Net::Real,
        random: Random::real(),
    })
}
