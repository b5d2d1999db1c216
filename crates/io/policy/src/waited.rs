//! Clients that have once waited for the greeting, and need not wait again for a while.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use smtp::Timestamp;

use crate::{greylist::masked, recent::Recent};

/// In a generation: both take at most 2 MB.
const CLIENTS: usize = 20_000;

/// Which clients, until when. IPv6 by /64.
pub struct Waited(Mutex<Recent<IpAddr, Timestamp>>);

impl Default for Waited {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(CLIENTS)))
    }
}

impl Waited {
    /// Whether a client need not wait.
    pub fn knows(&self, client: IpAddr, now: Timestamp) -> bool {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.get(&masked(client, 32, 64).0).is_some_and(|until| *until > now)
    }

    /// It has waited.
    pub fn remember(&self, client: IpAddr, keep: Duration, now: Timestamp) {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.insert(masked(client, 32, 64).0, now.after(keep));
    }

    /// It has not, this time.
    pub fn forget(&self, client: IpAddr) {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.remove(&masked(client, 32, 64).0);
    }
}
