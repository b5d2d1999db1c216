//! How often a client may do something in a minute: counted in fixed windows of one minute.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use smtp::Timestamp;

use super::census::client;
use crate::config::{Compiled, Limits};

/// Counts of all clients. Those of past minutes are dropped when there are many.
#[derive(Default)]
pub struct Rates(Mutex<HashMap<(u64, What), Window, ahash::RandomState>>);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Connection,
    Message,
    Recipient,
}

#[derive(Default)]
struct Window {
    minute: u64,
    count: u32,
}

/// Clients that are counted at once before the past is swept out.
const CLIENTS_MAX: usize = 100_000;

impl Rates {
    /// May the client connect once more?
    pub fn connection(&self, address: IpAddr, limits: &Limits, now: Timestamp) -> bool {
        self.count(address, What::Connection, limits.connections_per_client_per_minute, now)
    }

    /// May the client start one more transaction?
    pub fn message(&self, address: IpAddr, config: &Compiled, now: Timestamp) -> bool {
        self.count(address, What::Message, config.config.limits.messages_per_client_per_minute, now)
    }

    /// May the client name one more recipient?
    pub fn recipient(&self, address: IpAddr, config: &Compiled, now: Timestamp) -> bool {
        self.count(
            address,
            What::Recipient,
            config.config.limits.recipients_per_client_per_minute,
            now,
        )
    }

    fn count(&self, address: IpAddr, what: What, limit: u32, now: Timestamp) -> bool {
        if limit == 0 {
            return true;
        }
        let minute = now.0 / 60_000;
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= CLIENTS_MAX {
            windows.retain(|_, window| window.minute == minute);
        }
        let window = windows.entry((client(address), what)).or_default();
        if window.minute != minute {
            *window = Window { minute, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        window.count <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_minute_is_a_new_one() {
        let rates = Rates::default();
        let limits = Limits { connections_per_client_per_minute: 2, ..Limits::default() };
        let address = "192.0.2.1".parse().unwrap();
        let ask = |seconds: u64| rates.connection(address, &limits, Timestamp(seconds * 1000));
        assert_eq!(
            [ask(0), ask(1), ask(59), ask(60), ask(61), ask(62)],
            [true, true, false, true, true, false]
        );
    }
}
