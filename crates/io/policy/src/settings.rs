//! `[door]`: what is asked of clients, senders and recipients.
//!
//! By default nothing here needs anybody else: no list is asked, no name is looked up, nobody waits.

use std::{path::PathBuf, time::Duration};

use notation::{Network, units};
use serde::{Deserialize, Serialize};

use crate::{
    dnsbl::List,
    rates::{Count, Per, Rate},
};

/// The whole table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A client without a name in the DNS that leads back to its address.
    pub reverse_name: Action,
    /// EHLO with our own name or address, by a client that is not us.
    pub helo_ours: Action,
    /// EHLO with another address than the client's, `[192.0.2.1]`.
    pub helo_literal: Action,
    /// EHLO with a name without a dot.
    pub helo_name: Action,
    /// EHLO with a name that has neither address nor MX.
    pub helo_unknown: Action,
    /// A reverse-path whose domain could never be answered to: no MX and no address, or a null MX.
    pub sender_domain: Action,
    /// A client that sends commands before our replies to EHLO and the greeting.
    pub pipelining: Action,
    /// How long one lookup may take.
    #[serde(with = "units::duration")]
    pub patience: Duration,
    /// When a lookup has no answer for now: the mail passes, or is deferred.
    pub unanswered: Unanswered,
    /// The lists' weights, summed up, from which mail is rejected.
    pub reject_score: i32,
    /// The sum from which it is deferred instead. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defer_score: Option<i32>,
    /// How long a client that has waited for the greeting need not wait again.
    #[serde(with = "units::duration")]
    pub waited_keep: Duration,
    /// A line that is sent before the wait for the greeting: it lures out who doesn't wait. Default: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub teaser: String,
    /// Who is let through without being asked anything below.
    pub allow: Names,
    /// Who is not let in.
    pub deny: Names,
    /// Greylisting.
    pub greylist: Greylist,
    /// Asking the next hop whether a recipient exists.
    pub ask_next_hop: AskNextHop,
    /// DNS lists.
    pub list: Vec<List>,
    /// Limits on how often. What is given here stands instead of the default ones.
    pub rate: Vec<Rate>,
}

/// What to do about a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is not even looked at.
    #[default]
    Off,
    /// It is only noted.
    Note,
    /// 4yz.
    Defer,
    /// 5yz; 4yz where it could not be found out for now and `unanswered` is `defer`.
    Reject,
}

/// What to do when nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unanswered {
    /// As if nothing were against it.
    #[default]
    Pass,
    /// 4yz.
    Defer,
}

/// Clients, senders and recipients by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Names {
    /// Networks.
    pub clients: Vec<Network>,
    /// A file of them, one a line; read again when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients_file: Option<PathBuf>,
    /// Reverse-paths: `user@example.org`, `example.org`, `*.example.org`, `user@`, `<>`.
    pub senders: Vec<String>,
    /// A file of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub senders_file: Option<PathBuf>,
    /// Forward-paths, likewise.
    pub recipients: Vec<String>,
    /// A file of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients_file: Option<PathBuf>,
}

/// `[door.greylist]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Greylist {
    /// Whether strangers are asked to come again.
    pub on: bool,
    /// How long they have to stay away.
    #[serde(with = "units::duration")]
    pub delay: Duration,
    /// How long they have time to come again.
    #[serde(with = "units::duration")]
    pub window: Duration,
    /// How long who came again is remembered after the last visit.
    #[serde(with = "units::duration")]
    pub keep: Duration,
    /// A network that came again for so many different mails is asked no more; 0: it always is.
    pub allow_after: u32,
    /// Who sends from a name within the reverse-path's domain, confirmed by the DNS, is not asked.
    pub trust_own_names: bool,
    /// Bits of an IPv4 address that count: 24 lets a pool of servers pass as one.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that count.
    pub ipv6_prefix: u8,
    /// Entries that are remembered; each takes about 250 octets.
    pub entries_max: u32,
    /// Who is never asked, as in `[door.allow]`.
    pub except: Names,
}

/// `[door.ask_next_hop]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskNextHop {
    /// Whether recipients of domains that are relayed are asked about at their next hop.
    pub on: bool,
    /// What becomes of a recipient that nothing can be found out about.
    pub unanswered: Unanswered,
    /// How long the asking may take.
    #[serde(with = "units::duration")]
    pub patience: Duration,
    /// How long a yes holds.
    #[serde(with = "units::duration")]
    pub keep_yes: Duration,
    /// How long a no holds.
    #[serde(with = "units::duration")]
    pub keep_no: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            reverse_name: Action::Off,
            helo_ours: Action::Reject,
            helo_literal: Action::Off,
            helo_name: Action::Off,
            helo_unknown: Action::Off,
            sender_domain: Action::Off,
            pipelining: Action::Reject,
            patience: Duration::from_secs(5),
            unanswered: Unanswered::Pass,
            reject_score: 10,
            defer_score: None,
            waited_keep: Duration::from_secs(86_400),
            teaser: String::new(),
            allow: Names::default(),
            deny: Names::default(),
            greylist: Greylist::default(),
            ask_next_hop: AskNextHop::default(),
            list: Vec::new(),
            rate: logins().to_vec(),
        }
    }
}

/// Guessing passwords is slow work then: 20 tries in ten minutes of a client, and at a user.
fn logins() -> [Rate; 2] {
    [Per::Client, Per::User].map(|per| Rate {
        count: Count::AuthFailures,
        per,
        most: 20,
        within: Duration::from_secs(600),
    })
}

impl Default for Greylist {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(86_400 * days);
        Self {
            on: false,
            delay: Duration::from_secs(300),
            window: days(2),
            keep: days(35),
            allow_after: 5,
            trust_own_names: true,
            ipv4_prefix: 24,
            ipv6_prefix: 64,
            entries_max: 100_000,
            except: Names::default(),
        }
    }
}

impl Default for AskNextHop {
    fn default() -> Self {
        Self {
            on: false,
            unanswered: Unanswered::Pass,
            patience: Duration::from_secs(15),
            keep_yes: Duration::from_secs(86_400),
            keep_no: Duration::from_secs(3_600),
        }
    }
}

impl Settings {
    /// The files that allow and deny lists are in, in an order that stays the same.
    pub fn files(&self) -> Vec<&PathBuf> {
        [&self.allow, &self.deny, &self.greylist.except]
            .into_iter()
            .flat_map(|n| [&n.clients_file, &n.senders_file, &n.recipients_file])
            .flatten()
            .collect()
    }
}
