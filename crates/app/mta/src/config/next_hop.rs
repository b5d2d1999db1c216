//! A next hop as configurations and operators write it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use super::domain::is_domain_name;

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

    /// Its host's name, where it has one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Host(name, _) | Self::LmtpHost(name, _) => Some(name),
            _ => None,
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
