//! `[[odmr]]`: a provider that keeps our mail until we fetch it by ATRN (RFC 2645).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use transport::TlsLevel;

use super::{Login, NextHop, one_or_many, units};

/// One `[[odmr]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Odmr {
    /// `host`, `host:port` or `[literal]:port`, or several that are tried in order; port 366 where none is
    /// named.
    #[serde(with = "one_or_many")]
    pub provider: Vec<NextHop>,
    /// As whom we sign in.
    pub auth: Login,
    /// The domains whose mail is asked for. Default: all that the provider has for us.
    #[serde(default)]
    pub domains: Vec<String>,
    /// How far TLS is insisted on; less than `required` is for a provider on this machine only.
    #[serde(default = "verified")]
    pub tls: TlsLevel,
    /// How often; a dialled line would be paid for each time.
    #[serde(with = "units::duration", default = "quarter")]
    pub every: Duration,
}

fn verified() -> TlsLevel {
    TlsLevel::Verified
}

fn quarter() -> Duration {
    Duration::from_secs(15 * 60)
}
