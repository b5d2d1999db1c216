//! `[routes]` and `default_route`: where mail goes instead of the recipient domain's MX, and how.

use std::{
    fmt,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use transport::TlsLevel;

use super::{Retry, domain::is_domain_name, one_or_many};

/// How mail of a domain travels. In the file a table, or for short only its `next_hop`.
///
/// `remote = "Self"` keeps the derived reader apart, for the table form only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct Route {
    /// `host`, `host:port`, `[literal]:port`, `lmtp:host:port` or `lmtp:/path`; several are tried in order.
    /// Without: the recipient domain's MX.
    #[serde(with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub next_hop: Vec<NextHop>,
    /// Look up the MX of `next_hop` instead of its address. Default: only where there is no `next_hop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mx: Option<bool>,
    /// The port where none is named. Default: 25, or 465 with implicit TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How far TLS is insisted on.
    pub tls: TlsLevel,
    /// TLS before the greeting (port 465) instead of STARTTLS.
    pub implicit_tls: bool,
    /// Log in there; needs `tls` of at least `required`, unless the next hop is on loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Credentials>,
    /// The name given in EHLO. Default: `hostname`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehlo_name: Option<String>,
    /// The address connections come from. Default: the operating system's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// Connections at once. Default: `queue.connections_per_site_max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<u32>,
    /// Messages per minute; 0: as fast as it goes.
    pub messages_per_minute: u32,
    /// EHLO keywords that are not used there though offered, for what breaks on them. `EHLO` itself:
    /// the session begins with HELO.
    pub avoid: Vec<String>,
    /// EHLO keywords that are used only where this says so: those of one organisation's servers (the
    /// Exchange family) and of trusted peers. Written `use`.
    #[serde(rename = "use")]
    pub allow: Vec<String>,
    /// Values that differ from `[retry]` here. Unnamed ones are as there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// `route.auth`: what we log in with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password itself; better is `password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A file whose first line is the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// Shows no password: configurations end up in logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// SMTP to a host by name.
    Host(String, Option<u16>),
    /// SMTP to an address.
    Address(IpAddr, Option<u16>),
    /// LMTP to a host by name (there is no port to fall back on, RFC 2033 section 5).
    LmtpHost(String, u16),
    /// LMTP to an address.
    LmtpAddress(SocketAddr),
    /// LMTP to a Unix socket.
    LmtpSocket(PathBuf),
    /// Nowhere: taken over and thrown away. Written `discard:`.
    Discard,
}

impl NextHop {
    /// Whether LMTP is spoken there.
    pub fn is_lmtp(&self) -> bool {
        matches!(self, Self::LmtpHost(..) | Self::LmtpAddress(_) | Self::LmtpSocket(_))
    }

    /// The same place, spoken to by LMTP. `None` if the port is missing.
    pub fn into_lmtp(self) -> Option<Self> {
        match self {
            Self::Host(name, port) => Some(Self::LmtpHost(name, port?)),
            Self::Address(address, port) => Some(Self::LmtpAddress((address, port?).into())),
            lmtp => Some(lmtp),
        }
    }

    /// Whether it is on this machine, so that nothing crosses a wire.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Host(name, _) | Self::LmtpHost(name, _) => name == "localhost",
            Self::Address(address, _) => address.is_loopback(),
            Self::LmtpAddress(address) => address.ip().is_loopback(),
            Self::LmtpSocket(_) | Self::Discard => true,
        }
    }
}

/// The text names no place to connect to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NextHopError {
    /// Nothing that we know.
    #[error(
        "`{0}` is no next hop: write `host:port`, `[address]:port`, `lmtp:host:port` or `lmtp:/path`"
    )]
    NotANextHop(String),
    /// LMTP without port.
    #[error("`{0}` names no port: LMTP has no default one, write `lmtp:host:port`")]
    LmtpPort(String),
    /// 0, or more than 65535.
    #[error("`{0}` is no port: use 1 to 65535")]
    Port(String),
}

impl FromStr for NextHop {
    type Err = NextHopError;

    fn from_str(text: &str) -> Result<Self, NextHopError> {
        let wrong = || NextHopError::NotANextHop(text.to_owned());
        if text == "discard:" {
            return Ok(Self::Discard);
        }
        let lmtp = text.strip_prefix("lmtp:").or_else(|| text.strip_prefix("lmtp://"));
        let place = lmtp.or_else(|| text.strip_prefix("smtp:")).unwrap_or(text);
        if place.starts_with('/') {
            return Ok(Self::LmtpSocket(PathBuf::from(place)));
        }
        let (host, port) = split_port(place).ok_or_else(wrong)?;
        let port = port
            .map(|port| match port.parse() {
                Ok(0) | Err(_) => Err(NextHopError::Port(port.to_owned())),
                Ok(port) => Ok(port),
            })
            .transpose()?;
        let next_hop = match host.parse::<IpAddr>() {
            Ok(address) => Self::Address(address, port),
            Err(_) if is_domain_name(host) => Self::Host(host.to_ascii_lowercase(), port),
            Err(_) => return Err(wrong()),
        };
        match lmtp {
            Some(_) => next_hop.into_lmtp().ok_or_else(|| NextHopError::LmtpPort(text.to_owned())),
            None => Ok(next_hop),
        }
    }
}

/// `host:port`, `[literal]:port`, or either without port; a bare IPv6 address too.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (literal, after) = rest.split_once(']')?;
        // `[IPv6:::1]` is how SMTP writes it (RFC 5321 section 4.1.3).
        let literal = literal.strip_prefix("IPv6:").unwrap_or(literal);
        return match after {
            "" => Some((literal, None)),
            after => Some((literal, Some(after.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name, None) => f.write_str(name),
            Self::Host(name, Some(port)) => write!(f, "{name}:{port}"),
            Self::Address(address, None) => write!(f, "[{address}]"),
            Self::Address(address, Some(port)) => SocketAddr::new(*address, *port).fmt(f),
            Self::LmtpHost(name, port) => write!(f, "lmtp:{name}:{port}"),
            Self::LmtpAddress(address) => write!(f, "lmtp:{address}"),
            Self::LmtpSocket(path) => write!(f, "lmtp:{}", path.display()),
            Self::Discard => f.write_str("discard:"),
        }
    }
}

impl Serialize for Route {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // The derived one, inherent by `remote`.
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ReadRoute)
    }
}

struct ReadRoute;

impl<'de> Visitor<'de> for ReadRoute {
    type Value = Route;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a next hop like \"mx.example.org:25\", a list of them, or a table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Route, E> {
        let next_hop = one_or_many::OneOrMany(PhantomData).visit_str(text)?;
        Ok(Route { next_hop, ..Route::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Route, A::Error> {
        let next_hop = one_or_many::OneOrMany(PhantomData).visit_seq(list)?;
        Ok(Route { next_hop, ..Route::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Route, A::Error> {
        Route::deserialize(MapAccessDeserializer::new(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops() {
        for (text, shown) in [
            ("mx.example.org", Some("mx.example.org")),
            ("MX.example.org:2525", Some("mx.example.org:2525")),
            ("smtp:mx.example.org:25", Some("mx.example.org:25")),
            ("192.0.2.1:25", Some("192.0.2.1:25")),
            ("[192.0.2.1]:25", Some("192.0.2.1:25")), // as Postfix writes it
            ("[192.0.2.1]", Some("[192.0.2.1]")),
            ("[IPv6:2001:db8::1]:25", Some("[2001:db8::1]:25")),
            ("2001:db8::1", Some("[2001:db8::1]")),
            ("[mx.example.org]:25", Some("mx.example.org:25")), // "no MX lookup" in Postfix; ours never
            ("lmtp:localhost:24", Some("lmtp:localhost:24")),
            ("lmtp:[::1]:24", Some("lmtp:[::1]:24")),
            ("lmtp:/run/dovecot/lmtp", Some("lmtp:/run/dovecot/lmtp")),
            ("lmtp:localhost", None), // LMTP has no default port
            ("mx.example.org:0", None),
            ("mx.example.org:99999", None),
            ("mx..example.org", None),
            ("", None),
            ("[::1", None),
        ] {
            let parsed = text.parse::<NextHop>();
            assert_eq!(parsed.as_ref().ok().map(ToString::to_string).as_deref(), shown, "{text}");
            if let Ok(next_hop) = parsed {
                assert_eq!(next_hop.to_string().parse(), Ok(next_hop), "{text}");
            }
        }
    }
}
