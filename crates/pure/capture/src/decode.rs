//! From a captured frame to the TCP segment or the ICMP error in it.
//!
//! | below IP                                        | IP                                          |
//! |-------------------------------------------------|---------------------------------------------|
//! | Ethernet (II, 802.3), VLAN, QinQ, PPPoE, MPLS   | IPv4, IPv6 with extension headers           |
//! | Linux cooked v1, v2; BSD loopback; raw IP; PPP  | IP in IP, GRE (with IP, Ethernet or ERSPAN) |
//!
//! Nothing is copied and nothing kept: fragments are handed out for [`crate::fragments`] to join.

mod icmp;
mod internet;
mod link;
mod segment;

pub(crate) use icmp::Report;
pub(crate) use internet::{Fragment, Internet, address};
pub(crate) use segment::Segment;

/// What a frame carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// An ICMP error about a TCP segment.
    Report(Report),
    /// A part of a packet.
    Fragment(Internet<'a>),
    /// Something else.
    Other,
    /// Headers that contradict themselves, or that were cut off.
    Malformed,
    /// A link layer that is not read here.
    UnknownLink,
}

/// Tunnels in tunnels that are entered.
const DEPTH_MAX: u8 = 4;

const ICMP: u8 = 1;
const IP_IN_IP: u8 = 4;
const TCP: u8 = 6;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const ICMPV6: u8 = 58;

/// Decodes a frame of a link layer (a `LINKTYPE_` number), of which `octets` were captured.
pub(crate) fn frame(link: u16, octets: &[u8], length: u32) -> Content<'_> {
    match link::payload(link, octets) {
        link::Payload::Internet(at) => internet(&octets[at..], length as usize - at, 0),
        link::Payload::Other => Content::Other,
        link::Payload::Malformed => Content::Malformed,
        link::Payload::UnknownLink => Content::UnknownLink,
    }
}

/// Decodes an IP packet. `length` is what its frame had room for.
fn internet(octets: &[u8], length: usize, depth: u8) -> Content<'_> {
    match Internet::decode(octets, length) {
        None => Content::Malformed,
        Some(packet) if packet.fragment.is_some() => Content::Fragment(packet),
        Some(packet) => whole(packet, depth),
    }
}

/// Decodes what a whole IP packet carries.
pub(crate) fn whole(packet: Internet<'_>, depth: u8) -> Content<'_> {
    match packet.protocol {
        TCP => Segment::decode(&packet).map_or(Content::Malformed, Content::Segment),
        ICMP | ICMPV6 => Report::decode(&packet).map_or(Content::Other, Content::Report),
        IP_IN_IP | IPV6_IN_IP if depth < DEPTH_MAX => {
            internet(packet.octets, packet.length, depth + 1)
        }
        GRE if depth < DEPTH_MAX => match link::generic_routing(packet.octets) {
            link::Payload::Internet(at) => {
                internet(&packet.octets[at..], packet.length.saturating_sub(at), depth + 1)
            }
            link::Payload::Malformed => Content::Malformed,
            link::Payload::Other | link::Payload::UnknownLink => Content::Other,
        },
        _ => Content::Other,
    }
}

/// Two octets in network order, if they are there.
fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]))
}

/// Four octets in network order, if they are there.
fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16_at(octets, at)?) << 16 | u32::from(u16_at(octets, at + 2)?))
}

#[cfg(test)]
mod tests;
