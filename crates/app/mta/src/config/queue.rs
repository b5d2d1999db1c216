//! `[retry]`, `[timeouts]`, `[dsn]`, `[queue]` and `[dns]`: how mail is handed on, and what is said when
//! it can't be.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::units;

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(3_600 * hours)
}

/// `[retry]`, and what is in effect for one route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Wait before the second attempt.
    #[serde(with = "units::duration")]
    pub first: Duration,
    /// Each later wait is the one before times this; 1 keeps it constant.
    pub factor: f64,
    /// No wait grows beyond this.
    #[serde(with = "units::duration")]
    pub longest: Duration,
    /// When a message is this old, its sender gets a failure report instead of another attempt. RFC 5321
    /// section 4.5.4.1 advises 4 to 5 days.
    #[serde(with = "units::duration")]
    pub give_up: Duration,
    /// When a message is this old and still not relayed, its sender is told once. 0s: never.
    #[serde(with = "units::duration")]
    pub delay_notice: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: minutes(5),
            factor: 2.0,
            longest: hours(4),
            give_up: hours(5 * 24),
            delay_notice: hours(4),
        }
    }
}

impl Retry {
    /// The wait after the `attempts`-th attempt failed (1 for the first).
    pub fn wait(&self, attempts: u32) -> Duration {
        let exponent = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.first.as_secs_f64() * self.factor.powi(exponent);
        // A factor grown out of all bounds is infinite: then it is the longest.
        Duration::try_from_secs_f64(seconds).map_or(self.longest, |wait| wait.min(self.longest))
    }
}

/// `[timeouts]`: how long a next hop may be silent; RFC 5321 section 4.5.3.2 has the defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// For the TCP connection. Short, so that a dead host doesn't keep the next one waiting.
    #[serde(with = "units::duration")]
    pub connect: Duration,
    /// For `220` (section 4.5.3.2.1).
    #[serde(with = "units::duration")]
    pub greeting: Duration,
    /// For the TLS handshake.
    #[serde(with = "units::duration")]
    pub handshake: Duration,
    /// For the replies to EHLO, AUTH, RSET and others.
    #[serde(with = "units::duration")]
    pub command: Duration,
    /// For the reply to MAIL (section 4.5.3.2.2).
    #[serde(with = "units::duration")]
    pub mail: Duration,
    /// For the reply to RCPT (section 4.5.3.2.3).
    #[serde(with = "units::duration")]
    pub rcpt: Duration,
    /// For `354` (section 4.5.3.2.4).
    #[serde(with = "units::duration")]
    pub data: Duration,
    /// For each piece of content to be taken (section 4.5.3.2.5).
    #[serde(with = "units::duration")]
    pub content: Duration,
    /// For the reply after the content (section 4.5.3.2.6). Long, because giving up too soon sends the
    /// message twice.
    #[serde(with = "units::duration")]
    pub end_of_data: Duration,
    /// For the reply to QUIT. Short: nothing depends on it any more.
    #[serde(with = "units::duration")]
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            handshake: minutes(1),
            command: minutes(5),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            content: minutes(3),
            end_of_data: minutes(10),
            quit: Duration::from_secs(5),
        }
    }
}

/// `[dsn]`: delivery status notifications (RFC 3464).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dsn {
    /// Their `From:` field. Default: `Mail Delivery System <MAILER-DAEMON@HOSTNAME>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What becomes of a report that can't be delivered itself.
    pub double_bounce: DoubleBounce,
    /// Who is told of it, and who gets mail to the bare `postmaster`. Default: postmaster at the hostname
    /// if it is one of `[domains]`, else at the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postmaster: Option<String>,
    /// The most of a message's content that a report returns; of bigger ones the header section only.
    #[serde(with = "units::size")]
    pub return_size_max: u64,
}

/// What becomes of a report that can't be delivered itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DoubleBounce {
    /// It ends there, with an event and its evidence.
    #[default]
    Drop,
    /// The postmaster gets it.
    Postmaster,
}

impl Default for Dsn {
    fn default() -> Self {
        Self {
            from: None,
            double_bounce: DoubleBounce::Drop,
            postmaster: None,
            return_size_max: 1 << 20,
        }
    }
}

/// `[queue]`: how many connections go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// Connections at once, to all next hops.
    pub connections_max: u32,
    /// Connections at once to one site (the MX hosts that share domains); reached step by step while all
    /// goes well.
    pub connections_per_site_max: u32,
    /// How long a connection without work is kept for the next message.
    #[serde(with = "units::duration")]
    pub idle_keep: Duration,
    /// Messages over one connection; then a new one is opened, so that load spreads over a site's hosts.
    pub messages_per_connection_max: u32,
    /// Whether the known quirks of providers are heeded (docs/quirks.md); a route can do without single ones.
    pub quirks: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            connections_max: 1_000,
            connections_per_site_max: 20,
            idle_keep: Duration::from_secs(5),
            messages_per_connection_max: 100,
            quirks: true,
        }
    }
}

/// `[dns]`: name resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// Resolvers as `IP:PORT`. Default: those of /etc/resolv.conf.
    pub servers: Vec<SocketAddr>,
    /// Wait for one answer of one server.
    #[serde(with = "units::duration")]
    pub timeout: Duration,
    /// Whose word counts that an answer was validated (DNSSEC), which DANE rests on.
    pub trust_ad: TrustAd,
}

/// Whose AD bit is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustAd {
    /// Nobody's: no DANE.
    Never,
    /// A validating resolver's on this machine (all `servers` are loopback addresses).
    #[default]
    Local,
    /// Any resolver's: the network to it is trusted too.
    Always,
}

impl From<TrustAd> for world::dns::real::TrustAd {
    fn from(trust: TrustAd) -> Self {
        match trust {
            TrustAd::Never => Self::Never,
            TrustAd::Local => Self::Local,
            TrustAd::Always => Self::Always,
        }
    }
}

impl Default for Dns {
    fn default() -> Self {
        let trust_ad = TrustAd::default();
        Self { servers: Vec::new(), timeout: Duration::from_secs(5), trust_ad }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest() {
        let retry = Retry::default();
        for (attempts, wait) in [
            (0, minutes(5)), // never asked; no reason to panic
            (1, minutes(5)),
            (2, minutes(10)),
            (6, minutes(160)),
            (7, hours(4)),
            (u32::MAX, hours(4)),
        ] {
            assert_eq!(retry.wait(attempts), wait, "after attempt {attempts}");
        }
        let constant = Retry { factor: 1.0, ..retry };
        assert_eq!(constant.wait(1_000), minutes(5));
    }
}
