//! Who is connected: how many in all, of one client, of one network.
//!
//! IPv6 clients are counted by /64 and networks by /48, as one household or one server has as many
//! addresses as it likes; IPv4 by address and /24.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use policy::Refusal;
use smtp::Reply;

use crate::config::Limits;

/// All connections.
#[derive(Default)]
pub struct Census(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    all: u32,
    clients: HashMap<u64, u32, ahash::RandomState>,
    networks: HashMap<u64, u32, ahash::RandomState>,
}

/// A connection's place; given back when dropped.
pub struct Place {
    census: Arc<Census>,
    /// Places of all that it takes: none, where the connection has one already.
    share: u32,
    client: u64,
    network: u64,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Of all clients together.
    All,
    /// Of this client.
    Client,
    /// Of this client's network.
    Network,
}

impl Full {
    /// What the client hears.
    pub fn refusal(self) -> Refusal {
        Refusal {
            rule: "connections",
            reply: Reply::too_many_connections(),
            why: format!("too many are open {self}"),
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "in all",
            Self::Client => "from your address",
            Self::Network => "from your network",
        })
    }
}

/// The number that a client counts under.
pub fn client(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        // An IPv6 /64 never has its high 32 bits zero where it is routed.
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits() >> 8),
        IpAddr::V6(address) => (address.to_bits() >> 80) as u64 | 1 << 63,
    }
}

impl Census {
    /// A place, or which limit is reached.
    pub fn enter(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Result<Place, Full> {
        self.take(address, limits, 1)
    }

    /// A place for whom a connection speaks that has one of its own.
    pub fn stand_by(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Result<Place, Full> {
        self.take(address, limits, 0)
    }

    fn take(self: &Arc<Self>, address: IpAddr, limits: &Limits, share: u32) -> Result<Place, Full> {
        let (client, network) = (client(address), network(address));
        let mut counts = self.lock();
        let over = |count: u32, limit: u32| limit > 0 && count >= limit;
        let of = |counts: &HashMap<u64, u32, ahash::RandomState>, key| {
            counts.get(&key).copied().unwrap_or(0)
        };
        if share > 0 && counts.all >= limits.connections_max {
            return Err(Full::All);
        }
        if over(of(&counts.clients, client), limits.connections_per_client_max) {
            return Err(Full::Client);
        }
        if over(of(&counts.networks, network), limits.connections_per_network_max) {
            return Err(Full::Network);
        }
        counts.all += share;
        *counts.clients.entry(client).or_default() += 1;
        *counts.networks.entry(network).or_default() += 1;
        Ok(Place { census: self.clone(), share, client, network })
    }

    /// Connections in all.
    pub fn all(&self) -> u32 {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.census.lock();
        counts.all = counts.all.saturating_sub(self.share);
        leave(&mut counts.clients, self.client);
        leave(&mut counts.networks, self.network);
    }
}

fn leave(counts: &mut HashMap<u64, u32, ahash::RandomState>, key: u64) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let census = Arc::new(Census::default());
        let limits = Limits {
            connections_max: 4,
            connections_per_client_max: 2,
            connections_per_network_max: 3,
            ..Limits::default()
        };
        let enter = |text: &str| census.enter(text.parse().unwrap(), &limits);
        let first = enter("192.0.2.1").ok();
        let _second = enter("192.0.2.1").ok();
        assert_eq!(enter("192.0.2.1").err(), Some(Full::Client));
        let _third = enter("192.0.2.2").ok();
        assert_eq!(enter("192.0.2.3").err(), Some(Full::Network));
        let _fourth = enter("2001:db8::1").ok();
        assert_eq!(enter("198.51.100.1").err(), Some(Full::All));
        drop(first);
        assert!(enter("192.0.2.1").is_ok());
        // Whom a connection speaks for has limits of his own, and takes nothing of the whole.
        let stand_by = |text: &str| census.stand_by(text.parse().unwrap(), &limits);
        let named: Vec<_> = (0..2).map(|_| stand_by("203.0.113.1").unwrap()).collect();
        assert_eq!((stand_by("203.0.113.1").err(), census.all()), (Some(Full::Client), 3));
        drop(named);
        assert!(stand_by("203.0.113.1").is_ok());
    }

    #[test]
    fn one_ipv6_network_of_64_bits_is_one_client() {
        let key = |text: &str| client(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
