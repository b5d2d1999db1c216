//! `https://host[:port]/path` and, for this machine only, `http://`.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// A name or an address, without brackets.
    pub host: String,
    /// 443 or 80 if the text has none.
    pub port: u16,
    /// With its query; begins with a slash.
    pub path: String,
    /// `https`.
    pub is_encrypted: bool,
}

/// Why a text is no URL that we fetch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {why}")]
pub struct NotAUrl {
    /// As written.
    pub text: String,
    /// What is wrong.
    pub why: &'static str,
}

impl Url {
    /// One that is known to be right.
    pub fn https(host: &str, port: u16, path: &str) -> Self {
        Self { host: host.to_owned(), port, path: path.to_owned(), is_encrypted: true }
    }

    /// Host and port as the field `Host` wants them.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.is_encrypted, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl FromStr for Url {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        let wrong = |why| NotAUrl { text: text.to_owned(), why };
        let (is_encrypted, rest) =
            match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
                (Some(rest), _) => (true, rest),
                (None, Some(rest)) => (false, rest),
                (None, None) => {
                    return Err(wrong("is no URL: write it like `https://id.example/keys`"));
                }
            };
        if !text.bytes().all(|octet| octet.is_ascii_graphic()) || text.contains('#') {
            return Err(wrong("has characters that no URL has here: encode them"));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(wrong("has a user in it; there are settings for that"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(literal) => literal.split_once(']').ok_or_else(|| wrong("has no `]`"))?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| wrong("has a port that is none"))?,
            None if is_encrypted => 443,
            None => 80,
        };
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        let is_here = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !is_encrypted && !is_here {
            return Err(wrong("would be fetched in clear: only this machine is trusted with that"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), port, path, is_encrypted })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Url {
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
            ("https://id.example/keys", "https://id.example/keys"),
            ("https://id.example", "https://id.example/"),
            ("https://id.example:443/a?b=c", "https://id.example/a?b=c"),
            ("https://id.example:8443?x", "https://id.example:8443/?x"),
            ("http://127.0.0.1:8080/token", "http://127.0.0.1:8080/token"),
            ("http://[::1]:81/", "http://[::1]:81/"),
            ("http://localhost/", "http://localhost/"),
        ] {
            assert_eq!(text.parse::<Url>().map(|url| url.to_string()).as_deref(), Ok(shown));
        }
        for text in [
            "id.example/keys",
            "ftp://id.example/",
            "https:///keys",
            "https://id.example:x/",
            "https://a:b@id.example/",
            "https://id.example/ x",
            "https://id.example/\r\nX: y",
            "http://id.example/keys", // in clear
            "https://[::1/",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }
}
