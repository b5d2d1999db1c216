//! `ldap://host[:389]`, `ldaps://host[:636]`, `ldapi:///run/slapd/ldapi` (also as `ldapi://%2Frun...`).

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LdapUrl {
    /// In clear, until StartTLS.
    Clear(String, u16),
    /// TLS from the first octet.
    Encrypted(String, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no URL of a directory: write it like `ldaps://ldap.example.org`")]
pub struct NotAnLdapUrl(String);

impl FromStr for LdapUrl {
    type Err = NotAnLdapUrl;

    fn from_str(text: &str) -> Result<Self, NotAnLdapUrl> {
        let none = || NotAnLdapUrl(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(none)?;
        if scheme == "ldapi" {
            let path = rest.replace("%2F", "/").replace("%2f", "/");
            let path = path.trim_end_matches('/');
            return match path.starts_with('/') {
                true => Ok(Self::Socket(path.into())),
                false => Err(none()),
            };
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.strip_prefix('[') {
            Some(literal) => literal.split_once(']').ok_or_else(none)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        // What an LDAP URL may have behind the host (RFC 4516) are settings here.
        if host.is_empty() || host.contains(['/', '?', '@', ' ']) {
            return Err(none());
        }
        let port = match port.strip_prefix(':') {
            Some(port) => Some(port.parse().map_err(|_| none())?),
            None => None,
        };
        match scheme {
            "ldap" => Ok(Self::Clear(host.to_owned(), port.unwrap_or(389))),
            "ldaps" => Ok(Self::Encrypted(host.to_owned(), port.unwrap_or(636))),
            _ => Err(none()),
        }
    }
}

impl fmt::Display for LdapUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |host: &str| match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        match self {
            Self::Clear(name, port) => write!(f, "ldap://{}:{port}", host(name)),
            Self::Encrypted(name, port) => write!(f, "ldaps://{}:{port}", host(name)),
            Self::Socket(path) => write!(f, "ldapi://{}", path.display()),
        }
    }
}

impl Serialize for LdapUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LdapUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written_back() {
        for (text, shown) in [
            ("ldap://ldap.example.org", "ldap://ldap.example.org:389"),
            ("ldaps://ldap.example.org/", "ldaps://ldap.example.org:636"),
            ("ldap://[::1]:3389", "ldap://[::1]:3389"),
            ("ldapi:///run/slapd/ldapi", "ldapi:///run/slapd/ldapi"),
            ("ldapi://%2Frun%2Fslapd%2Fldapi/", "ldapi:///run/slapd/ldapi"),
        ] {
            assert_eq!(text.parse::<LdapUrl>().map(|url| url.to_string()).as_deref(), Ok(shown));
        }
        for text in
            ["ldap.example.org", "http://x", "ldap://", "ldap://x:y", "ldapi://x", "ldap://x/dc=y"]
        {
            assert!(text.parse::<LdapUrl>().is_err(), "{text}");
        }
    }
}
