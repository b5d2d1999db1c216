//! `[spool]`, `[evidence]`, `[control]`, `[log]` and `[tls]`: files on this machine.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::units;

/// `[spool]`: where accepted mail is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spool {
    /// Default: `spool` in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Kept free on its disk: below it new mail gets 452, so that what is queued can still move.
    #[serde(with = "units::size")]
    pub reserve: u64,
    /// Content up to this size is received in memory, bigger content goes to disk while it arrives.
    #[serde(with = "units::size")]
    pub inline_max: u64,
    /// Size of one segment file. Space is given back by whole segments.
    #[serde(with = "units::size")]
    pub segment_size: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self { directory: None, reserve: 256 << 20, inline_max: 256 << 10, segment_size: 64 << 20 }
    }
}

/// `[evidence]`: the record of every attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evidence {
    /// Whether it is written. Without it `mailwright why` knows only what is queued.
    pub on: bool,
    /// Default: `evidence` in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Octets on disk; the oldest goes first.
    #[serde(with = "units::size")]
    pub size_max: u64,
    /// Older evidence is removed. It names who wrote to whom, so keep it no longer than you may.
    #[serde(with = "units::duration")]
    pub age_max: Duration,
}

impl Default for Evidence {
    fn default() -> Self {
        let age_max = Duration::from_secs(30 * 86_400);
        Self { on: true, directory: None, size_max: 1 << 30, age_max }
    }
}

/// `[control]`: how the command line reaches the running server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// A Unix socket, mode 0600. Default: `control.sock` in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
}

/// `[log]`: events on standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// How much.
    pub level: LogLevel,
}

/// For whom events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, as JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Which events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed on our side.
    Error,
    /// And what may become trouble.
    Warn,
    /// And one line per step of a message.
    #[default]
    Info,
    /// And sessions that did nothing.
    Debug,
    /// And everything else.
    Trace,
}

/// `[tls]`: what clients see, and what we trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain, PEM. Default: a self-signed one for the hostname, made in `tls` of the data
    /// directory at first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Roots, PEM, that next hops' certificates may lead to besides the operating system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
}

/// `[tls_reports]`: what TLS came to, for the domains that mail goes to (RFC 8460).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsReports {
    /// Whether sessions are counted, for `mailwright tls-report`.
    pub keep: bool,
    /// Whether domains that ask for it get a report each day.
    pub send: bool,
    /// Whom a domain may turn to, in reports. Default: the postmaster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// How long a day's counts are kept.
    #[serde(with = "units::duration")]
    pub age_max: Duration,
}

impl Default for TlsReports {
    fn default() -> Self {
        let age_max = Duration::from_secs(14 * 86_400);
        Self { keep: true, send: false, contact: None, age_max }
    }
}

impl TlsReports {
    /// The contact in effect.
    pub fn contact(&self, config: &super::Compiled) -> String {
        self.contact.clone().unwrap_or_else(|| config.postmaster().to_string())
    }
}
