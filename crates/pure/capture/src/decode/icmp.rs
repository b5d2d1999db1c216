//! ICMP errors (RFC 792, RFC 1191, RFC 1812, RFC 4443) about a TCP segment.

use super::{Internet, u16_at, u32_at};

/// What an error says, and about which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Who says so.
    pub reporter: u128,
    /// The segment's sender, and its addressee.
    pub source: (u128, u16),
    pub destination: (u128, u16),
    /// The segment's first sequence number.
    pub sequence: u32,
    /// What went wrong.
    pub text: &'static str,
    /// The largest packet that passes, where the error says it.
    pub mtu: Option<u32>,
}

const TCP: u8 = 6;

impl Report {
    /// Decodes an ICMP message; `None` where it is no error about a TCP segment.
    pub fn decode(packet: &Internet<'_>) -> Option<Self> {
        let octets = packet.octets;
        let (kind, code) = (*octets.first()?, *octets.get(1)?);
        let is_version_6 = packet.protocol == super::ICMPV6;
        let text = if is_version_6 { version_6(kind, code) } else { version_4(kind, code) }?;
        // A router before RFC 1191 leaves the size zero.
        let mtu = match (is_version_6, kind, code) {
            (false, 3, 4) => u16_at(octets, 6).map(u32::from).filter(|mtu| *mtu > 0),
            (true, 2, _) => u32_at(octets, 4),
            _ => None,
        };
        let cited = octets.get(8..)?;
        // Its length is the cited packet's own, of which at least 8 octets after the header are there.
        let cited = Internet::decode(cited, usize::from(u16::MAX))?;
        let is_first = cited.fragment.is_none_or(|fragment| fragment.offset == 0);
        if cited.protocol != TCP || !is_first {
            return None;
        }
        Some(Self {
            reporter: packet.source,
            source: (cited.source, u16_at(cited.octets, 0)?),
            destination: (cited.destination, u16_at(cited.octets, 2)?),
            sequence: u32_at(cited.octets, 4)?,
            text,
            mtu,
        })
    }
}

fn version_4(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "fragmentation needed",
        (3, 5) => "source route failed",
        (3, 6) => "network unknown",
        (3, 7) => "host unknown",
        (3, 9) => "network administratively prohibited",
        (3, 10) => "host administratively prohibited",
        (3, 13) => "communication administratively prohibited",
        (3, _) => "destination unreachable",
        (4, _) => "source quench",
        (11, 0) => "time to live exceeded",
        (11, _) => "fragment reassembly time exceeded",
        (12, _) => "parameter problem",
        _ => return None,
    })
}

fn version_6(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (1, 0) => "no route to destination",
        (1, 1) => "communication administratively prohibited",
        (1, 2) => "beyond scope of source address",
        (1, 3) => "address unreachable",
        (1, 4) => "port unreachable",
        (1, 5) => "source address failed policy",
        (1, 6) => "route rejected",
        (1, _) => "destination unreachable",
        (2, _) => "packet too big",
        (3, 0) => "hop limit exceeded",
        (3, _) => "fragment reassembly time exceeded",
        (4, _) => "parameter problem",
        _ => return None,
    })
}
