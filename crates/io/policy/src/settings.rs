//! `[door]`: what is asked of clients, senders and recipients.
//!
//! By default nothing here needs anybody else: no list is asked, no name is looked up, nobody waits.

use std::{path::PathBuf, time::Duration};

use notation::{Network, units};
use serde::{Deserialize, Serialize};

use crate::{dnsbl::List, rates::Rate};

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
    /// Limits on how often.
    pub rate: Vec<Rate>,
    /// Failed logins.
    pub logins: Logins,
}

/// `[door.logins]`: how guessing passwords is slowed and locked. [`guard`](crate::guard) has the whole of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logins {
    /// Failures that lock an address (IPv6: a /64); the second and each further name that is tried counts more than
    /// the one before, up to five. 0: never.
    pub per_client: u32,
    /// Failures that lock a /24 (IPv6: a /48).
    pub per_network: u32,
    /// Failures that lock a user: for clients that he never signed in from, and each other one by itself.
    pub per_user: u32,
    /// The period in which they count.
    #[serde(with = "units::duration")]
    pub within: Duration,
    /// How long a lock lasts; for addresses and networks twice as long each time.
    #[serde(with = "units::duration")]
    pub lock: Duration,
    /// The longest lock.
    #[serde(with = "units::duration")]
    pub lock_max: Duration,
    /// How long the first refusal is held back; twice as long each time. It also hides how long the back ends took.
    #[serde(with = "units::duration")]
    pub delay: Duration,
    /// The longest a refusal is held back.
    #[serde(with = "units::duration")]
    pub delay_max: Duration,
    /// Sessions that may wait for their refusal at a time; further ones are refused at once.
    pub held_max: u32,
    /// How long a client is known for a user who has signed in from it.
    #[serde(with = "units::duration")]
    pub known_keep: Duration,
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
            rate: Vec::new(),
            logins: Logins::default(),
        }
    }
}

impl Default for Logins {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            per_client: 20,
            per_network: 100,
            per_user: 20,
            within: minutes(10),
            lock: minutes(15),
            lock_max: minutes(24 * 60),
            delay: Duration::from_secs(1),
            delay_max: Duration::from_secs(15),
            held_max: 500,
            known_keep: minutes(35 * 24 * 60),
        }
    }
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
