//! `[[listener]]`: where clients connect, and what they may do there.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use sasl::Mechanism;
use serde::{Deserialize, Serialize};
use smtp::{
    client::Features,
    extension::{self, Offered},
};

use super::{Gssapi, Limits, Network, SocketMode, one_or_many, units};

/// One `[[listener]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listener {
    /// What logs and `status` call it. Default: role and port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `IP:PORT`, or several; without it there must be a `socket`.
    #[serde(with = "one_or_many")]
    pub address: Vec<SocketAddr>,
    /// Whom it is for.
    pub role: Role,
    /// How TLS is offered. Default: STARTTLS.
    pub tls: ListenerTls,
    /// AUTH.
    pub auth: Auth,
    /// Kerberos for those who sign in here; GSSAPI is offered as soon as it is there. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gssapi: Option<Gssapi>,
    /// Those of `[[accounts]]` that are asked here, by name, in this order. Default: all.
    pub accounts: Vec<String>,
    /// A PEM file of issuers: clients are asked for a certificate, and those of these issuers may sign in by it
    /// (EXTERNAL). Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
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
    /// SMTP, or LMTP (RFC 2033) for programs that hand in mail for our domains.
    pub protocol: Protocol,
    /// A Unix socket to listen on, besides `address` or instead of it. Who may open it counts as
    /// 127.0.0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Who may open it, as chmod has it: a wider one for programs of other users. Default: the server's
    /// user alone.
    pub socket_mode: SocketMode,
    /// EHLO keywords that are offered besides those that are anyway: docs/extensions.md lists them.
    pub advertise: Vec<String>,
    /// EHLO keywords that are not offered, for clients or boxes in between that break on one.
    pub hide: Vec<String>,
    /// VRFY: `off`, `252` (nobody learns who has a mailbox), or `exact`.
    pub vrfy: Disclosure,
    /// EXPN, likewise: `exact` shows whom an alias leads to.
    pub expn: Disclosure,
    /// Clients that may start the queue for a domain by ETRN (RFC 1985). Default: none.
    pub etrn: Vec<Network>,
    /// Proxies that may say by XCLIENT whom they speak for. Default: none.
    pub xclient: Vec<Network>,
    /// Filters that may say by XFORWARD where a message came from. Default: none.
    pub xforward: Vec<Network>,
    /// Proxies (haproxy and the like) whose connections begin with a PROXY protocol header, version 1 or 2. It
    /// is awaited from them, and from nobody else. Default: none.
    pub proxy_protocol: Vec<Network>,
    /// Classes of solicitation that are refused (RFC 3865), like `net.example:ADV`. Default: none.
    pub no_soliciting: Vec<String>,
    /// Least time that DELIVERBY may ask for with `R`; for users in a hurry a promise that can't be kept is none.
    #[serde(with = "units::duration")]
    pub deliver_by_min: Duration,
    /// Longest time that a user may have a message held back by HOLDFOR or HOLDUNTIL (RFC 4865); "0s": none.
    #[serde(with = "units::duration")]
    pub future_release_max: Duration,
    /// Highest MT-PRIORITY (RFC 6710) that a user may ask for; of other clients 0.
    pub priority_max: i8,
    /// What to do with a bare LF or CR in content.
    pub line_endings: LineEndings,
    /// Limits that differ from `[limits]` here. Unnamed ones are as there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// Which language a listener speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// What VRFY and EXPN say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disclosure {
    /// They are not implemented: 502.
    #[serde(rename = "off")]
    Off,
    /// Nothing of anybody: 252 (RFC 5321 section 7.3).
    #[serde(rename = "252")]
    Nothing,
    /// The truth.
    #[serde(rename = "exact")]
    Exact,
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
    /// The mechanisms that are offered. Default: those that every user can use, without the outdated ones.
    pub mechanisms: Vec<String>,
    /// Take NTLM's version 1, too. Whoever hears one login has what is as good as the password, for good: only
    /// for clients that can't do better, inside TLS. Needs `NTLM` in `mechanisms`.
    pub ntlm_v1: bool,
    /// Further names under which mechanisms are offered, for clients that know them by no other: `SPA` and
    /// `MSN` are NTLM.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
}

impl Auth {
    /// The further names, in capitals. The check of the configuration refuses mechanisms that are none.
    pub fn further_names(&self) -> Vec<(Box<str>, Mechanism)> {
        let known = |(name, of): (&String, &String)| {
            Some((name.to_ascii_uppercase().into(), Mechanism::by_name(of)?))
        };
        self.names.iter().filter_map(known).collect()
    }
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

impl Default for Listener {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            name: String::new(),
            address: Vec::new(),
            role: Role::default(),
            tls: ListenerTls::default(),
            auth: Auth::default(),
            gssapi: None,
            accounts: Vec::new(),
            client_ca: None,
            require_auth: None,
            require_tls: false,
            networks: Vec::new(),
            protocol: Protocol::default(),
            socket: None,
            socket_mode: SocketMode::default(),
            door: None,
            advertise: Vec::new(),
            hide: Vec::new(),
            vrfy: Disclosure::Nothing,
            expn: Disclosure::Off,
            etrn: Vec::new(),
            xclient: Vec::new(),
            xforward: Vec::new(),
            proxy_protocol: Vec::new(),
            no_soliciting: Vec::new(),
            deliver_by_min: Duration::ZERO,
            future_release_max: 7 * DAY,
            priority_max: 4,
            line_endings: LineEndings::default(),
            limits: None,
        }
    }
}

impl Listener {
    /// Its name, or role and port.
    pub fn name(&self) -> String {
        match (self.name.as_str(), self.address.first()) {
            ("", Some(address)) => format!("{}-{}", self.role.as_str(), address.port()),
            ("", None) if self.socket.is_some() => format!("{}-socket", self.role.as_str()),
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

    /// The EHLO keywords that are offered here, before it is asked to whom and inside what.
    /// `knows_owners` says whether there is anything to judge RRVS by.
    pub fn features(&self, knows_owners: bool) -> Features {
        let on = |on: bool, feature| if on { feature } else { Features::NONE };
        let auth = Features::AUTH.with(Features::AUTH_EQUALS);
        extension::offered(Offered::Always)
            .with(on(self.role == Role::Submission, extension::offered(Offered::Users)))
            .without(auth)
            .with(on(self.offers_auth(), auth))
            .with(on(self.vrfy == Disclosure::Exact, Features::VRFY))
            .with(on(self.expn == Disclosure::Exact, Features::EXPN))
            .with(on(!self.etrn.is_empty(), Features::ETRN))
            .with(on(!self.xclient.is_empty(), Features::XCLIENT))
            .with(on(!self.xforward.is_empty(), Features::XFORWARD))
            .with(on(!self.no_soliciting.is_empty(), Features::NO_SOLICITING))
            .with(on(knows_owners, Features::RRVS))
            .with(listed(&self.advertise))
            .without(self.hidden())
    }

    /// The EHLO keywords that are switched off here.
    pub fn hidden(&self) -> Features {
        listed(&self.hide)
    }

    /// Which of the features that are not for everybody a client may use.
    pub fn grants(&self, client: IpAddr) -> Features {
        let among = |networks: &[Network], feature| match networks {
            networks if networks.iter().any(|network| network.contains(client)) => feature,
            _ => Features::NONE,
        };
        among(&self.etrn, Features::ETRN)
            .with(among(&self.xclient, Features::XCLIENT))
            .with(among(&self.xforward, Features::XFORWARD))
    }

    /// Whether connections from there begin with a PROXY protocol header.
    pub fn is_proxied(&self, peer: IpAddr) -> bool {
        self.proxy_protocol.iter().any(|network| network.contains(peer))
    }
}

/// The check of the configuration refuses names that are none.
fn listed(names: &[String]) -> Features {
    Features::by_names(names.iter().map(String::as_str)).unwrap_or_default()
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
