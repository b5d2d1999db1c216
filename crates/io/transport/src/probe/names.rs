//! What an address is called, and whether the name leads back to it.

use std::net::IpAddr;

use serde::Serialize;
use world::World;

/// More names of one address are not followed.
const NAMES_MAX: usize = 10;

/// The names of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// Its PTR records.
    pub names: Vec<String>,
    /// Those of them whose addresses include it.
    pub confirmed: Vec<String>,
    /// Why there are none, or none is confirmed.
    pub problem: Option<String>,
}

/// Asks for the PTR records, and for the addresses of each.
pub(super) async fn look_up(world: &World, address: IpAddr) -> Names {
    let answer = match world.dns.names(address).await {
        Ok(answer) => answer,
        Err(error) => return Names { problem: Some(error.to_string()), ..Names::default() },
    };
    let mut found = Names { names: answer.records, ..Names::default() };
    for name in found.names.iter().take(NAMES_MAX) {
        match world.dns.addresses(name).await {
            Ok(answer) if answer.records.contains(&address) => found.confirmed.push(name.clone()),
            Ok(_) => found.problem = Some(format!("`{name}` has other addresses")),
            Err(error) => found.problem = Some(error.to_string()),
        }
    }
    if !found.confirmed.is_empty() {
        found.problem = None;
    }
    found
}
