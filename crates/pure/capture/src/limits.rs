//! How much memory and patience an analysis may take.

use std::time::Duration;

/// Bounds of one [`crate::Analysis`]. What does not fit is given up, the longest idle first, and said.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of memory for all connections together: segments that wait, and what followers hold.
    pub memory_max: usize,
    /// Octets that wait for missing ones, for one connection; beyond it the missing are a gap.
    pub waiting_max: usize,
    /// Connections followed at once.
    pub connections_max: usize,
    /// Connections remembered that ended or are no mail, so that late packets are no new session.
    pub forgotten_max: usize,
    /// Octets of IP fragments that wait for the rest of their packet.
    pub fragments_max: usize,
    /// Longest silence of an open connection before it is taken as over.
    pub idle_max: Duration,
    /// How long a SYN waits for its answer; several retries fit in.
    pub unanswered_max: Duration,
    /// Seed of the connection table. Who reads captures of strangers gives chance here, so that nobody can
    /// make all of a capture's connections collide.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_max: 128 << 20,
            waiting_max: 4 << 20,
            connections_max: 100_000,
            forgotten_max: 100_000,
            fragments_max: 4 << 20,
            // RFC 5321 section 4.5.3.2: the longest wait of a client is 10 minutes, after the final dot.
            idle_max: Duration::from_secs(2 * 3600),
            // Linux gives up after 127 s, with a last wait of 64 s.
            unanswered_max: Duration::from_secs(180),
            seed: 0x6d61_696c,
        }
    }
}
