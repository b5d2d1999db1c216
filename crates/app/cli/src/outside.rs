//! The real world, as this process sees it.

use std::sync::Arc;

use world::{
    Clock, Net, Random, World,
    disk::RealDisk,
    dns::real::{RealDns, Settings},
};

use crate::problem::Problem;

/// Clock, disk and network of this machine; names by the servers of these settings, else by its resolver.
pub fn world(resolver: &Settings) -> Result<World, Problem> {
    let dns = RealDns::new(resolver)
        .map_err(|error| Problem::new(format!("cannot set up name resolution: {error}")))?;
    Ok(World {
        clock: Clock::Real,
        disk: Arc::new(RealDisk),
        dns: Arc::new(dns),
        net: Net::Real,
        random: Random::real(),
    })
}

/// The servers of a configuration.
pub fn resolver(config: &mta::config::Config) -> Settings {
    Settings {
        servers: config.dns.servers.clone(),
        timeout: config.dns.timeout,
        trust_ad: config.dns.trust_ad.into(),
        ..Settings::default()
    }
}
