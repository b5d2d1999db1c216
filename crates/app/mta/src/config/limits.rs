//! `[limits]`: what one client, and all of them, may use up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units;

/// `[limits]`, and what is in effect at one listener. Rates of 0 are no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Sessions at once, of all clients; one more gets 421. Each idle one costs up to 16 KiB.
    pub connections_max: u32,
    /// Sessions at once of one client (an IPv4 address, or an IPv6 /64); one more gets 421. 0: no limit.
    pub connections_per_client_max: u32,
    /// Sessions at once of one network (IPv4 /24, IPv6 /48); one more gets 421. 0: no limit.
    pub connections_per_network_max: u32,
    /// New sessions of one client per minute; one more gets 421. 0: no limit.
    pub connections_per_client_per_minute: u32,
    /// MAIL commands of one client per minute; one more gets 452. 0: no limit.
    pub messages_per_client_per_minute: u32,
    /// RCPT commands of one client per minute; one more gets 452. 0: no limit.
    pub recipients_per_client_per_minute: u32,
    /// Recipients of one message; one more gets 452. RFC 5321 section 4.5.3.1.8 asks for 100 at least.
    pub recipients_max: u32,
    /// Messages of one session, announced by LIMITS; one more gets 452. 0: no limit.
    pub messages_per_session_max: u32,
    /// Octets of one message; announced by SIZE, more gets 552.
    #[serde(with = "units::size")]
    pub size_max: u64,
    /// Received fields in a message; more is a loop and gets 554. RFC 5321 section 6.3: 100 at least.
    pub header_hops_max: u32,
    /// Refused commands in one session; at the next the session ends with 421.
    pub errors_max: u32,
    /// Wait before the greeting. Who talks before it gets 554: spam programs do, mail servers don't. With
    /// 0s nobody waits, and nobody is caught.
    #[serde(with = "units::duration")]
    pub greeting_wait: Duration,
    /// Longest silence of a client between commands. RFC 5321 section 4.5.3.2.7: 5 minutes at least.
    #[serde(with = "units::duration")]
    pub command_wait: Duration,
    /// Longest silence of a client within content.
    #[serde(with = "units::duration")]
    pub content_wait: Duration,
    /// Longest time for a whole message, against clients that send an octet now and then.
    #[serde(with = "units::duration")]
    pub message_time_max: Duration,
    /// Longest time for a TLS handshake.
    #[serde(with = "units::duration")]
    pub handshake_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            connections_max: 20_000,
            connections_per_client_max: 100,
            connections_per_network_max: 1_000,
            connections_per_client_per_minute: 0,
            messages_per_client_per_minute: 0,
            recipients_per_client_per_minute: 0,
            recipients_max: 1_000,
            messages_per_session_max: 0,
            size_max: 50 << 20,
            header_hops_max: 100,
            errors_max: 20,
            greeting_wait: Duration::ZERO,
            command_wait: minutes(5),
            content_wait: minutes(5),
            message_time_max: minutes(120),
            handshake_wait: minutes(1),
        }
    }
}
