//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{u16_at, u32_at};

/// An IP packet, or a fragment of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Internet<'a> {
    /// Addresses; IPv4 ones are mapped (RFC 4291 section 2.5.5.2).
    pub source: u128,
    pub destination: u128,
    /// What the octets are.
    pub protocol: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Whether routers may not cut it, which for IPv6 they never may.
    pub dont_fragment: bool,
    /// The packet's number; 0 where it has none.
    pub identification: u32,
    /// Which part this is, if it is one.
    pub fragment: Option<Fragment>,
    /// What was captured after the headers.
    pub octets: &'a [u8],
    /// How many octets that were on the wire.
    pub length: usize,
}

/// A fragment's place in its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Octets before it.
    pub offset: usize,
    /// Whether more come after it.
    pub more: bool,
}

/// The address that a number stands for.
pub(crate) fn address(number: u128) -> IpAddr {
    Ipv6Addr::from(number).to_canonical()
}

fn mapped(four: &[u8]) -> Option<u128> {
    let four: [u8; 4] = four.try_into().ok()?;
    Some(u128::from(u32::from(Ipv4Addr::from(four))) | 0xffff << 32)
}

fn sixteen(octets: &[u8]) -> Option<u128> {
    Some(u128::from_be_bytes(octets.try_into().ok()?))
}

impl<'a> Internet<'a> {
    /// Decodes the headers; `length` is what the frame had room for, padding included.
    pub fn decode(octets: &'a [u8], length: usize) -> Option<Self> {
        match octets.first()? >> 4 {
            4 => Self::version_4(octets, length),
            6 => Self::version_6(octets, length),
            _ => None,
        }
    }

    fn version_4(octets: &'a [u8], length: usize) -> Option<Self> {
        let header = usize::from(octets[0] & 15) * 4;
        let stated = usize::from(u16_at(octets, 2)?);
        // Zero is what a network card will still fill in, cutting the packet into many.
        let total = if stated == 0 { length } else { stated };
        if header < 20 || octets.len() < header || total < header {
            return None;
        }
        let place = u16_at(octets, 6)?;
        let fragment =
            Fragment { offset: usize::from(place & 0x1fff) * 8, more: place & 0x2000 != 0 };
        let end = octets.len().min(total);
        Some(Self {
            source: mapped(&octets[12..16])?,
            destination: mapped(&octets[16..20])?,
            protocol: octets[9],
            ttl: octets[8],
            dont_fragment: place & 0x4000 != 0,
            identification: u32::from(u16_at(octets, 4)?),
            fragment: (fragment.more || fragment.offset > 0).then_some(fragment),
            octets: &octets[header..end],
            length: total - header,
        })
    }

    fn version_6(octets: &'a [u8], length: usize) -> Option<Self> {
        const HEADER: usize = 40;
        if octets.len() < HEADER {
            return None;
        }
        let stated = usize::from(u16_at(octets, 4)?);
        let total = if stated == 0 { length } else { stated + HEADER };
        let end = octets.len().min(total);
        let mut packet = Self {
            source: sixteen(&octets[8..24])?,
            destination: sixteen(&octets[24..40])?,
            protocol: octets[6],
            ttl: octets[7],
            dont_fragment: true,
            identification: 0,
            fragment: None,
            octets: octets.get(HEADER..end)?,
            length: total.checked_sub(HEADER)?,
        };
        packet.skip_extensions()?;
        Some(packet)
    }

    /// Goes past the extension headers (RFC 8200 section 4), each of 8 octets or more.
    fn skip_extensions(&mut self) -> Option<()> {
        const FRAGMENT: u8 = 44;
        const AUTHENTICATION: u8 = 51;
        loop {
            let length = match self.protocol {
                // Hop-by-hop, routing, destination options, mobility, host identity, shim.
                0 | 43 | 60 | 135 | 139 | 140 => (usize::from(*self.octets.get(1)?) + 1) * 8,
                AUTHENTICATION => (usize::from(*self.octets.get(1)?) + 2) * 4,
                FRAGMENT => {
                    let place = u16_at(self.octets, 2)?;
                    let fragment =
                        Fragment { offset: usize::from(place & 0xfff8), more: place & 1 != 0 };
                    self.identification = u32_at(self.octets, 4)?;
                    if fragment.more || fragment.offset > 0 {
                        self.fragment = Some(fragment);
                    }
                    8
                }
                _ => return Some(()),
            };
            self.protocol = *self.octets.first()?;
            self.octets = self.octets.get(length..)?;
            self.length = self.length.checked_sub(length)?;
            // What follows the fragment header belongs to the whole packet.
            if self.fragment.is_some() {
                return Some(());
            }
        }
    }
}
