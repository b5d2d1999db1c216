//! TCP reassembly: segments in, the calls of a [`crate::follow::Follower`] out.
//!
//! | module       | what                                                                     |
//! |--------------|--------------------------------------------------------------------------|
//! | `table`      | which connection a segment belongs to; bounds, expiry                     |
//! | `connection` | one connection: handshake, the order of cause (`order`), and its end (`end`) |
//! | `stream`     | one direction: sequence numbers, what waits, what was acknowledged        |
//! | `sent`       | segments on their way: retransmissions, waits, which lengths passed       |
//! | `history`    | the newest octets, to see contradictions                                  |

mod connection;
mod history;
mod sent;
mod stream;
mod table;

use std::time::Duration;

use diagnose::{
    Session,
    session::{Endpoint, Event, Party, Wire},
};
pub(crate) use table::Table;

use crate::{follow::Follower, keys::KeyLog};

/// One of the two ends of a connection, as an index: the one that opened it is 0.
type End = usize;

const CLIENT: End = 0;
const SERVER: End = 1;

/// When and where a segment was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Nanoseconds since 1970.
    pub at: i64,
    /// Its packet's number, from 1.
    pub packet: u64,
}

/// Who is told what a connection says and does, in the order of time and cause.
pub(crate) trait Listener: Clone {
    /// What it comes to.
    type Outcome;

    /// A connection begins, `started` microseconds after 1970.
    fn new(client: Endpoint, server: Endpoint, started: i64) -> Self;
    /// See [`Follower::octets`].
    fn octets(&mut self, at: Duration, packet: u64, by: Party, octets: &[u8], keys: &KeyLog);
    /// See [`Follower::gap`].
    fn gap(&mut self, at: Duration, packet: u64, by: Party, octets: u64);
    /// See [`Follower::event`].
    fn event(&mut self, at: Duration, packet: u64, by: Party, event: Event, text: &str);
    /// See [`Follower::is_mail`].
    fn is_mail(&self) -> Option<bool>;
    /// See [`Follower::is_mail_after_all`].
    fn is_mail_after_all(&self) -> bool;
    /// See [`Follower::memory`].
    fn memory(&self) -> usize;
    /// See [`Follower::finish`].
    fn finish(self, wire: Wire) -> Self::Outcome;
}

impl Listener for Follower {
    type Outcome = Session;

    fn new(client: Endpoint, server: Endpoint, started: i64) -> Self {
        Self::new(client, server, started)
    }

    fn octets(&mut self, at: Duration, packet: u64, by: Party, octets: &[u8], keys: &KeyLog) {
        self.octets(at, packet, by, octets, keys);
    }

    fn gap(&mut self, at: Duration, packet: u64, by: Party, octets: u64) {
        self.gap(at, packet, by, octets);
    }

    fn event(&mut self, at: Duration, packet: u64, by: Party, event: Event, text: &str) {
        self.event(at, packet, by, event, text);
    }

    fn is_mail(&self) -> Option<bool> {
        self.is_mail()
    }

    fn is_mail_after_all(&self) -> bool {
        self.is_mail_after_all()
    }

    fn memory(&self) -> usize {
        self.memory()
    }

    fn finish(self, wire: Wire) -> Session {
        self.finish(wire)
    }
}

#[cfg(test)]
mod tests;
