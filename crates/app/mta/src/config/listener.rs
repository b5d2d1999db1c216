//! `[[listener]]`: where clients connect, and what they may do there.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Limits, Network, one_or_many};

/// One `[[listener]]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listener {
    /// What logs and `status` call it. Default: role and port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `IP:PORT`, or several; no default.
    #[serde(with = "one_or_many")]
    pub address: Vec<SocketAddr>,
    /// Whom it is for.
    pub role: Role,
    /// How TLS is offered. Default: STARTTLS.
    pub tls: ListenerTls,
    /// AUTH.
    pub auth: Auth,
    /// MAIL needs AUTH first. Default: yes for submission (RFC 6409 section 4.3), else no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_auth: Option<bool>,
    /// MAIL needs TLS first. Not for a public MX: RFC 3207 section 4 forbids it there.
    pub require_tls: bool,
    /// Who may relay through it without AUTH; needed for the role `relay`.
    pub networks: Vec<Network>,
    /// Whether all of `[door]` is asked here, or only its deny lists and rates. Default: all for `mx`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub door: Option<bool>,
    /// EHLO keywords that are not offered, for clients or boxes in between that break on one.
    pub hide: Vec<String>,
    /// What to do with a bare LF or CR in content.
    pub line_endings: LineEndings,
    /// Limits that differ from `[limits]` here. Unnamed ones are as there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// Whom a listener is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Other servers: mail for our domains only, no AUTH.
    #[default]
    Mx,
    /// Users (RFC 6409): AUTH, then mail to anywhere.
    Submission,
    /// Machines of trusted networks: mail to anywhere without AUTH.
    Relay,
}

/// How a listener offers TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerTls {
    /// Not at all.
    None,
    /// The command STARTTLS (RFC 3207).
    #[default]
    StartTls,
    /// TLS before the greeting (RFC 8314 section 3.3, port 465).
    Implicit,
}

/// `listener.auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Whether AUTH is offered. Default: yes for submission, else no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered: Option<bool>,
    /// Offer it outside TLS too, where the password can be read on the wire (RFC 4954 section 4).
    pub without_tls: bool,
}

/// What to do with a bare LF or CR in content. Neither lets one end a message: that would be smuggling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineEndings {
    /// Reject the message (RFC 5321 section 2.3.8).
    #[default]
    Refuse,
    /// Make CRLF of it, for old programs that can't do it themselves.
    Normalize,
}

impl Listener {
    /// Its name, or role and port.
    pub fn name(&self) -> String {
        match (self.name.as_str(), self.address.first()) {
            ("", Some(address)) => format!("{}-{}", self.role.as_str(), address.port()),
            ("", None) => self.role.as_str().to_owned(),
            (name, _) => name.to_owned(),
        }
    }

    /// Whether AUTH is offered, once TLS is where it must be.
    pub fn offers_auth(&self) -> bool {
        self.auth.offered.unwrap_or(self.role == Role::Submission)
    }

    /// Whether MAIL needs AUTH.
    pub fn requires_auth(&self) -> bool {
        self.require_auth.unwrap_or(self.role == Role::Submission)
    }

    /// Whether strangers are screened by all of `[door]`.
    pub fn screens(&self) -> bool {
        self.door.unwrap_or(self.role == Role::Mx)
    }

    /// Whether a client at `address` may relay through it without AUTH.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether an EHLO keyword is not to be offered.
    pub fn hides(&self, keyword: &str) -> bool {
        self.hide.iter().any(|hidden| hidden.eq_ignore_ascii_case(keyword))
    }
}

impl Role {
    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Submission => "submission",
            Self::Relay => "relay",
        }
    }
}

/// What runs without any `[[listener]]`: reachable from this machine only, on ports that need no
/// privilege.
pub(super) fn defaults() -> Vec<Listener> {
    let at = |role, port| Listener {
        role,
        address: vec![SocketAddr::from(([127, 0, 0, 1], port))],
        ..Listener::default()
    };
    vec![at(Role::Mx, 2525), at(Role::Submission, 2587)]
}
