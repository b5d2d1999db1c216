//! `[domains]` and `[relay]`: what mail is accepted for.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};

use super::{Network, NextHop, one_or_many};

/// One `[domains."name"]`: a domain that mail is accepted for from everybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Domain {
    /// What becomes of its mail. Default: local.
    pub kind: DomainKind,
    /// Where it goes, for `lmtp` and `smtp`: `host:port`, `[literal]:port`, or for LMTP `/path` of a
    /// socket. Several are tried in order.
    #[serde(with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub next_hop: Vec<NextHop>,
    /// The local-parts that exist: a list, or "any". Others get 550. Default: any.
    pub mailboxes: Mailboxes,
    /// Local-parts that get 550 though `mailboxes` would have them.
    pub refuse: Vec<String>,
    /// The Maildir of a mailbox, for `local`; `{domain}` and `{user}` are filled in. Default:
    /// `mail/{domain}/{user}` in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maildir: Option<String>,
    /// Since when mailboxes have had their owners, for RRVS (RFC 7293): `anna = "2024-01-31"`, or a time
    /// like "2024-01-31T12:00:00Z". Others are taken to have had them always.
    pub mailbox_since: BTreeMap<String, String>,
    /// Local-parts whose mail goes to others: `info = ["anna", "bob@example.org"]`. Without `@`, a target
    /// is in the same domain.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// Who gets the mail of local-parts that don't exist, instead of 550.
    #[serde(with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub catch_all: Vec<String>,
}

/// What becomes of a domain's mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainKind {
    /// Into a Maildir on this machine.
    #[default]
    Local,
    /// On to its route or MX; this server is a backup or a gateway.
    Relay,
    /// To `next_hop` by LMTP (RFC 2033).
    Lmtp,
    /// To `next_hop` by SMTP.
    Smtp,
    /// To the customer that fetches it by ATRN (RFC 2645).
    Odmr,
}

/// A time of `mailbox_since`: a day (its beginning in UTC), or a time as RFC 3339 has it.
pub(super) fn since(text: &str) -> Option<smtp::Timestamp> {
    smtp::Timestamp::from_rfc3339(text)
        .or_else(|| smtp::Timestamp::from_rfc3339(&format!("{text}T00:00:00Z")))
}

impl DomainKind {
    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Relay => "relay",
            Self::Lmtp => "lmtp",
            Self::Smtp => "smtp",
            Self::Odmr => "odmr",
        }
    }
}

/// Which local-parts exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mailboxes {
    /// All that make a safe file name; for other kinds than local, all.
    #[default]
    Any,
    /// These.
    Listed(Vec<String>),
}

/// `[relay]`: who may relay, and whereto everybody may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// Clients that may relay to anywhere, without AUTH, at every listener. Default: none; but loopback
    /// as long as no `[[listener]]` is configured, for the default ones are bound to loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<Network>>,
    /// Domains, or `*.suffix`, that everybody may relay to: short for `[domains]` of kind `relay`.
    pub domains: Vec<String>,
}

pub(super) fn loopback() -> [Network; 2] {
    // Both are constant texts, which the tests of `Network` read.
    ["127.0.0.0/8", "::1"].map(|text| text.parse().expect("a network"))
}

/// Whether a text can be a domain name in the sense of RFC 5321 section 4.1.2: labels of letters, digits
/// and hyphens. Underscores are let through (they are met in host names), other characters of UTF-8 too
/// (RFC 6531).
pub(super) fn is_domain_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || !c.is_ascii())
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// A domain name, an address literal, or `*.` and a domain name.
pub(super) fn is_pattern(text: &str) -> bool {
    let literal = text.starts_with('[') && text.ends_with(']') && text.len() > 2;
    literal || is_domain_name(text.strip_prefix("*.").unwrap_or(text))
}

impl Serialize for Mailboxes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => to.serialize_str("any"),
            Self::Listed(list) => list.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Mailboxes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ReadMailboxes)
    }
}

struct ReadMailboxes;

impl<'de> Visitor<'de> for ReadMailboxes {
    type Value = Mailboxes;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"any\" or a list of local-parts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Mailboxes, E> {
        match text {
            "any" => Ok(Mailboxes::Any),
            other => {
                Err(E::custom(format!("`{other}`: write \"any\", or a list like [\"{other}\"]")))
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Mailboxes, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element()? {
            names.push(name);
        }
        Ok(Mailboxes::Listed(names))
    }
}
