//! Networks in CIDR notation (RFC 4632), and the question which of them an address is in.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// Host bits are zero.
    address: IpAddr,
    length: u8,
}

impl Network {
    /// Whether `address` lies within. IPv4 in IPv6 (`::ffff:192.0.2.1`) counts as the IPv4 it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()) & mask_v4(self.length) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()) & mask_v6(self.length) == 0
            }
            _ => false,
        }
    }
}

fn mask_v4(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask_v6(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// Why a text is no network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address in front of the slash.
    #[error("`{0}` is no network: write it like `192.0.2.0/24` or `2001:db8::/32`")]
    NotANetwork(String),
    /// The prefix is longer than the address.
    #[error("`/{given}` is too long: an {family} network has at most /{most}")]
    TooLong {
        /// As written.
        given: String,
        /// IPv4 or IPv6.
        family: &'static str,
        /// 32 or 128.
        most: u8,
    },
    /// Bits behind the prefix: a typing error more often than not.
    #[error("`{given}` has bits set behind its prefix; that network is `{meant}`")]
    HostBits {
        /// As written.
        given: String,
        /// With those bits cleared.
        meant: Network,
    },
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| NetworkError::NotANetwork(text.to_owned()))?;
        let (family, most) = if address.is_ipv4() { ("IPv4", 32) } else { ("IPv6", 128) };
        let length = match length {
            None => most,
            Some(given) => {
                given.parse().ok().filter(|&length| length <= most).ok_or_else(|| {
                    NetworkError::TooLong { given: given.to_owned(), family, most }
                })?
            }
        };
        let cleared = match address {
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & mask_v4(length)).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & mask_v6(length)).into()),
        };
        let network = Self { address: cleared, length };
        match cleared == address {
            true => Ok(network),
            false => Err(NetworkError::HostBits { given: text.to_owned(), meant: network }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.length) {
            (IpAddr::V4(address), 32) => address.fmt(f),
            (IpAddr::V6(address), 128) => address.fmt(f),
            (address, length) => write!(f, "{address}/{length}"),
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_their_networks() {
        for (network, address, inside) in [
            ("127.0.0.0/8", "127.9.9.9", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true), // a dual-stack socket shows IPv4 so
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false), // all of IPv4 is not all of IPv6
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{address} in {network}");
            assert_eq!(parsed.to_string(), network);
        }
    }

    #[test]
    fn errors_say_what_was_meant() {
        let error = "192.0.2.1/24".parse::<Network>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`192.0.2.1/24` has bits set behind its prefix; that network is `192.0.2.0/24`"
        );
        for wrong in ["", "10.0.0/8", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "localhost"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
