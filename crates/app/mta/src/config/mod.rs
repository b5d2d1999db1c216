//! The configuration: one TOML file, one set of types.
//!
//! The types here are what the file may say; a key that is not among them is refused. The empty file
//! equals [`Config::default`], whose values are safe to run with. [`Config::load`] reads a file and
//! reports all that is wrong in it at once, each with its place and a remedy. What the running server
//! asks of it, for each recipient and connection, is answered by [`Compiled`].
//!
//! docs/mailwright.example.toml has every key with its default; a test holds the two together.

pub mod check;
pub mod compiled;
pub mod domain;
pub mod gssapi;
pub mod limits;
pub mod listener;
pub mod load;
pub mod login;
pub mod next_hop;
pub mod odmr;
pub mod pipe;
pub mod problem;
pub mod queue;
pub mod restart;
pub mod route;
pub mod seen;
pub mod senders;
pub mod show;
pub mod site;
pub mod socket_mode;
pub mod storage;
pub mod users_file;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use accounts::{
    Settings as Accounts,
    users::{self, User},
};
pub use compiled::{Compiled, Disposition};
pub use domain::{Domain, DomainKind, Mailboxes, Relay};
pub use gssapi::Gssapi;
pub use limits::Limits;
pub use listener::{Auth, Disclosure, LineEndings, Listener, ListenerTls, Protocol, Role};
pub use login::Login;
pub use next_hop::NextHop;
pub use notation::{Network, network, one_or_many, units};
pub use odmr::Odmr;
pub use pipe::Pipe;
pub use problem::{ConfigErrors, Problem, Warning};
pub use queue::{Dns, DoubleBounce, Dsn, Queue, Retry, Timeouts};
pub use route::Route;
pub use senders::{Own, Senders};
pub use site::Site;
pub use socket_mode::SocketMode;
pub use storage::{Control, Evidence, Log, LogFormat, LogLevel, Spool, Tls, TlsReports};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name this server goes by: in greetings, EHLO, trace fields and DSNs. Default: the machine's.
    pub hostname: String,
    /// The directory that everything is kept in unless told otherwise; made at first start, mode 0700.
    pub data: PathBuf,
    /// A file of further users, which `mailwright user` writes. Default: `users.toml` in `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users_file: Option<PathBuf>,
    /// What is logged, and how.
    pub log: Log,
    /// The certificate that clients see.
    pub tls: Tls,
    /// What one client may use up. `[listener.limits]` overrides single values.
    pub limits: Limits,
    /// What is asked of clients, senders and recipients before mail is taken.
    pub door: policy::Settings,
    /// Who may relay, and whereto everybody may.
    pub relay: Relay,
    /// When to try again, and when to give up. `retry` in a route overrides single values.
    pub retry: Retry,
    /// How long to wait for a next hop.
    pub timeouts: Timeouts,
    /// The reports of what became of a message.
    pub dsn: Dsn,
    /// How many connections go out.
    pub queue: Queue,
    /// Name resolution.
    pub dns: Dns,
    /// Where accepted mail is kept.
    pub spool: Spool,
    /// The record of every attempt, for `mailwright why`.
    pub evidence: Evidence,
    /// What TLS came to, told to the domains that mail goes to.
    pub tls_reports: TlsReports,
    /// The socket for `mailwright queue`, `status`, `stop` and the like.
    pub control: Control,
    /// Where mail goes that no other route is for: a smarthost. Default: the recipient domain's MX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_route: Option<Route>,
    /// Where clients connect. Default, only if there is none: MX on 127.0.0.1:2525, submission on
    /// 127.0.0.1:2587.
    pub listener: Vec<Listener>,
    /// The domains that mail is accepted for, by name or `*.suffix`. Default, only if there is none:
    /// `localhost` and the hostname, both local.
    pub domains: BTreeMap<String, Domain>,
    /// Routes by recipient domain or `*.suffix`, instead of its MX.
    pub routes: BTreeMap<String, Route>,
    /// What differs at hosts, by the name of the best MX host or `*.suffix`, whichever domain leads there.
    pub sites: BTreeMap<String, Site>,
    /// Providers that our mail is fetched from by ATRN (RFC 2645), for servers without a fixed address.
    pub odmr: Vec<Odmr>,
    /// Who knows users, in the order in which they are asked. Default: those below, and those of the users file.
    pub accounts: Vec<Accounts>,
    /// Which reverse-paths are whose.
    pub senders: Senders,
    /// How often SCRAM hashes the passwords of new users: more is slower for all, and for who stole the file. RFC 7677
    /// section 4 has 4096 as the least.
    pub scram_iterations: u32,
    /// Who may authenticate.
    pub users: BTreeMap<String, User>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hostname: machine_name(),
            data: PathBuf::from("./mailwright-data"),
            users_file: None,
            log: Log::default(),
            tls: Tls::default(),
            limits: Limits::default(),
            door: policy::Settings::default(),
            relay: Relay::default(),
            retry: Retry::default(),
            timeouts: Timeouts::default(),
            dsn: Dsn::default(),
            queue: Queue::default(),
            dns: Dns::default(),
            spool: Spool::default(),
            evidence: Evidence::default(),
            tls_reports: TlsReports::default(),
            control: Control::default(),
            default_route: None,
            listener: Vec::new(),
            domains: BTreeMap::new(),
            routes: BTreeMap::new(),
            sites: BTreeMap::new(),
            odmr: Vec::new(),
            accounts: Vec::new(),
            senders: Senders::default(),
            scram_iterations: sasl::scram::ITERATIONS,
            users: BTreeMap::new(),
        }
    }
}

/// The machine's name, if it can serve in EHLO; else `localhost`.
fn machine_name() -> String {
    let name = gethostname::gethostname().to_string_lossy().to_ascii_lowercase();
    match domain::is_domain_name(&name) {
        true => name,
        false => "localhost".to_owned(),
    }
}

impl Config {
    /// The listeners in effect: those of the file, or the two default ones.
    pub fn listeners(&self) -> Vec<Listener> {
        match self.listener.is_empty() {
            true => listener::defaults(),
            false => self.listener.clone(),
        }
    }

    /// The domains in effect: those of the file, or `localhost` and the hostname.
    pub fn domains(&self) -> BTreeMap<String, Domain> {
        match self.domains.is_empty() {
            true => ["localhost", &self.hostname]
                .map(|name| (name.to_ascii_lowercase(), Domain::default()))
                .into(),
            false => self.domains.clone(),
        }
    }

    /// The networks in effect that may relay through any listener.
    ///
    /// Without any listener in the file, loopback may: the default listeners are bound to loopback, so
    /// nobody else reaches them, and a first try needs no further setting. As soon as listeners are
    /// configured this ends, for a proxy or tunnel in front would make strangers look local.
    pub fn relay_networks(&self) -> Vec<Network> {
        match (&self.relay.networks, self.listener.is_empty()) {
            (Some(networks), _) => networks.clone(),
            (None, true) => domain::loopback().to_vec(),
            (None, false) => Vec::new(),
        }
    }

    /// Where the spool's segments are.
    pub fn spool_directory(&self) -> PathBuf {
        self.within(self.spool.directory.as_deref(), "spool")
    }

    /// Where evidence is.
    pub fn evidence_directory(&self) -> PathBuf {
        self.within(self.evidence.directory.as_deref(), "evidence")
    }

    /// Where counts of TLS sessions are kept.
    pub fn tls_reports_directory(&self) -> PathBuf {
        self.data.join("tls-reports")
    }

    /// Where MTA-STS policies are kept.
    pub fn mta_sts_directory(&self) -> PathBuf {
        self.data.join("mta-sts")
    }

    /// The control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.within(self.control.socket.as_deref(), "control.sock")
    }

    /// The file that `mailwright user` writes.
    pub fn users_file(&self) -> PathBuf {
        self.within(self.users_file.as_deref(), "users.toml")
    }

    /// Certificate and key: the configured ones, or where the self-signed ones are made.
    pub fn certificate_files(&self) -> (PathBuf, PathBuf) {
        let within = |path: &Option<PathBuf>, name| self.within(path.as_deref(), name);
        (within(&self.tls.certificate, "tls/certificate.pem"), within(&self.tls.key, "tls/key.pem"))
    }

    /// Whether the certificate is to be made at first start: none is configured.
    pub fn is_self_signed(&self) -> bool {
        self.tls.certificate.is_none()
    }

    fn within(&self, configured: Option<&Path>, name: &str) -> PathBuf {
        configured.map_or_else(|| self.data.join(name), Path::to_path_buf)
    }
}
