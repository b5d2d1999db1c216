//! How the command line (and others) see a running server: over a Unix socket, by lines of JSON.
//!
//! The client sends one [`Request`] on a line. The server answers with any number of [`Response`]s, each
//! on a line, of which the last one is `done` or `refused`; then the next request may come. After
//! [`Response::Content`] its octets follow, as many as it says, before the next line.
//!
//! Only who may open the socket (its owner) can speak here: there is no other authentication.

mod client;
mod wire;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smtp::Timestamp;
use transport::{ClientSettings, TlsLevel};

use crate::{metrics::Snapshot, why::Why};

pub use client::{Client, HandleError};
pub use wire::{read_request, write_response};

/// What can be asked of a running server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// [`Response::Status`].
    Status,
    /// [`Response::Entry`] for each job that fits, by due time.
    QueueList {
        /// Which.
        filter: Filter,
    },
    /// [`Response::Detail`].
    QueueShow {
        /// A queue id.
        id: String,
    },
    /// Try now, whatever the schedule.
    Retry {
        /// Which.
        selector: Selector,
    },
    /// Do not try until released.
    Hold {
        /// Which.
        selector: Selector,
    },
    /// End of `Hold`: due at once.
    Release {
        /// Which.
        selector: Selector,
    },
    /// Give up now: failure reports go out as if the time had run out.
    Bounce {
        /// Which.
        selector: Selector,
        /// What the report says; none: that the operator ended it.
        reason: Option<String>,
    },
    /// Remove without any report.
    Remove {
        /// Which.
        selector: Selector,
    },
    /// Send by another next hop, from now until it is gone, and try at once.
    Reroute {
        /// Which.
        selector: Selector,
        /// As in `next_hop` of a route.
        next_hop: String,
    },
    /// [`Response::Content`]: the message as kept.
    Export {
        /// A queue id.
        id: String,
    },
    /// [`Response::Explanation`].
    Why {
        /// A queue id, an address, a domain or a Message-ID.
        subject: String,
    },
    /// [`Response::Verdict`]: what would happen to such a client. Nothing is remembered of it.
    DoorCheck {
        /// Who.
        #[serde(flatten)]
        visit: Visit,
    },
    /// [`Response::Greylisted`] for each entry that fits, the newest first.
    Greylist {
        /// A client's address, a network as it is listed, an address or a domain; empty: all.
        text: String,
        /// Forget them: these visitors are new again.
        forget: bool,
        /// No more than so many; the end says how many there are in all.
        count_max: Option<u64>,
    },
    /// [`Response::LoginsOf`] for each of whom failed logins are remembered, those locked the longest first.
    Logins,
    /// Forget failed logins.
    Unlock {
        /// An address, a network as it is listed, or a user; empty: all.
        text: String,
    },
    /// [`Response::TlsReport`] for each domain that TLS sessions were counted for.
    TlsReport {
        /// `2026-11-20`; today if none.
        day: Option<String>,
        /// This domain only.
        domain: Option<String>,
    },
    /// Read the configuration again; sessions go on. Refused if it has errors.
    Reload,
    /// End: no new sessions, running ones may finish.
    Stop {
        /// Close sessions at once, with 421.
        now: bool,
    },
}

/// A client that might come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Its address.
    pub client: std::net::IpAddr,
    /// What it would say in EHLO.
    pub helo: Option<String>,
    /// Its reverse-path; empty for the null one.
    pub reverse_path: Option<String>,
    /// Whom its mail would be for.
    pub forward_path: Option<String>,
    /// As whom it would be logged in.
    pub user: Option<String>,
    /// The listener's name. Default: the first one for other servers.
    pub listener: Option<String>,
}

/// What would become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorVerdict {
    /// The listener that was asked.
    pub listener: String,
    /// The rule that refuses; none: it goes through.
    pub rule: Option<String>,
    /// What the client would hear, `550 5.7.1 ...`.
    pub reply: Option<String>,
    /// The lists' weights, summed up.
    pub score: i32,
    /// All checks, in their order.
    pub checks: Vec<policy::Detail>,
}

/// Which jobs an order is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    /// Those of these queue ids. The id of a message means all its jobs.
    Ids(Vec<String>),
    /// All for this recipient domain.
    Domain(String),
    /// All.
    All,
}

/// Which jobs are listed: those that everything given here fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Recipient domain.
    pub domain: Option<String>,
    /// In the queue for longer than so many seconds.
    pub older: Option<u64>,
    /// More octets than this.
    pub larger: Option<u64>,
    /// Part of the last reply (or other trouble), whatever the case.
    pub reply: Option<String>,
    /// Due within so many seconds from now.
    pub due_within: Option<u64>,
    /// Held ones only.
    pub held: bool,
    /// No more than so many; the end says how many there are in all.
    pub count_max: Option<u64>,
}

/// What a running server answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    /// To `Status`.
    Status(Box<Status>),
    /// To `QueueList`, one each.
    Entry(Box<Entry>),
    /// To `QueueShow`.
    Detail(Box<Detail>),
    /// To `Export`: so many octets follow behind the line.
    Content {
        /// How many.
        length: u64,
    },
    /// To `Why`.
    Explanation {
        /// For programs as it is, for people by [`Why::render`].
        why: Box<Why>,
    },
    /// To `DoorCheck`.
    Verdict(Box<DoorVerdict>),
    /// To `Greylist`, one each.
    Greylisted(Box<policy::greylist::Shown>),
    /// To `Logins`, one each.
    LoginsOf(Box<policy::guard::Shown>),
    /// To `TlsReport`, one each: a report as RFC 8460 section 4.4 has it.
    TlsReport {
        /// The report.
        report: serde_json::Value,
    },
    /// The last one: it is done.
    Done {
        /// How many jobs it concerned (for `QueueList`: how many fit, listed or not).
        count: u64,
        /// What else is to be said, such as warnings of a reload.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// The last one: it is not done.
    Refused {
        /// Why.
        message: String,
        /// What would help.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
}

/// A job in the queue, on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Queue id of the job.
    pub id: String,
    /// What it does.
    pub state: EntryState,
    /// Recipient domain.
    pub domain: String,
    /// Empty for the null reverse-path.
    pub reverse_path: String,
    /// Those that are left.
    pub recipients: Vec<String>,
    /// Octets.
    pub size: u64,
    /// When it came.
    pub at: Timestamp,
    /// When it is tried next.
    pub due: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt met, with the next hop's name: `mx1.b.test: 451 4.7.1 try later`.
    pub last: Option<String>,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryState {
    /// For its time to come.
    Waiting,
    /// Its time has come; a connection has not.
    Ready,
    /// Being tried now.
    Active,
    /// Not tried until released.
    Held,
}

/// All that is known of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Its line in the list.
    pub entry: Entry,
    /// Message-ID field, where there is one.
    pub message_id: Option<String>,
    /// ENVID of the client, decoded.
    pub envid: Option<String>,
    /// When it is given up.
    pub gives_up: Timestamp,
    /// Where it goes and why, a line each.
    pub route: Vec<String>,
    /// What each recipient's last attempt met.
    pub recipients: Vec<RecipientDetail>,
    /// How a session for it is opened now; none where no server takes it.
    #[serde(default)]
    pub sending: Option<Sending>,
}

/// How a session with a job's next hop is opened at present: what its route says, and what was learned of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sending {
    /// The domain whose MX is looked up; none where `hosts` are configured.
    pub mx_of: Option<String>,
    /// Configured next hops, as `host:port` or the path of a socket.
    pub hosts: Vec<String>,
    /// The port of MX hosts.
    pub port: u16,
    /// LMTP instead of SMTP.
    pub lmtp: bool,
    /// The name in EHLO.
    pub ehlo_name: String,
    /// Addresses that connections come from; the operating system's choice if empty.
    pub source: Vec<IpAddr>,
    /// What is asked of TLS.
    pub tls: TlsLevel,
    /// Names that a certificate may be for, instead of the host's.
    pub tls_names: Vec<String>,
    /// Issuers, own certificate and oldest version.
    pub tls_settings: ClientSettings,
    /// The same for whatever has no route: a web server with an MTA-STS policy.
    pub tls_general: ClientSettings,
    /// TLS before the greeting.
    pub implicit_tls: bool,
    /// The message was sent with REQUIRETLS.
    pub require_tls: bool,
    /// EHLO keywords that are not used: the route's, and what broke.
    pub avoid: Vec<String>,
    /// EHLO keywords that are used only because the route says so.
    pub allow: Vec<String>,
}

/// A recipient of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientDetail {
    /// The forward-path.
    pub address: String,
    /// What its last attempt met.
    pub last: Option<String>,
}

/// How the server is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// What it calls itself.
    pub hostname: String,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub started: Timestamp,
    /// What time it has.
    pub now: Timestamp,
    /// Whether it is ending.
    pub stopping: bool,
    /// The file it was configured by; `None`: the defaults.
    pub config: Option<String>,
    /// The data directory.
    pub data: String,
    /// Where clients connect.
    pub listeners: Vec<ListenerStatus>,
    /// The queue.
    pub queue: QueueStatus,
    /// The spool.
    pub spool: SpoolStatus,
    /// What happened since the start.
    pub counts: Snapshot,
    /// How often each rule of the door has refused since then.
    pub rules: Vec<(String, u64)>,
}

/// One listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListenerStatus {
    /// As configured.
    pub name: String,
    /// `mx`, `submission` or `relay`.
    pub role: String,
    /// `ip:port`.
    pub address: String,
    /// Open now.
    pub sessions: u64,
}

/// The queue in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueStatus {
    /// All jobs.
    pub jobs: u64,
    /// Being tried now.
    pub active: u64,
    /// Due, without a connection yet.
    pub ready: u64,
    /// For their time to come.
    pub waiting: u64,
    /// Held.
    pub held: u64,
    /// Connections to next hops.
    pub connections: u64,
    /// When the oldest message came.
    pub oldest: Option<Timestamp>,
    /// When the next one is due.
    pub next_due: Option<Timestamp>,
}

/// The spool in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpoolStatus {
    /// Queued messages.
    pub messages: u64,
    /// Octets on disk.
    pub disk: u64,
    /// Octets of queued content.
    pub content: u64,
    /// Damaged places.
    pub damaged: u64,
    /// Why new mail is refused, if it is.
    pub refusing: Option<String>,
}

#[cfg(test)]
mod tests;
