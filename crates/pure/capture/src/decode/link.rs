//! Link layers: where the IP packet begins in a frame.

use super::u16_at;

/// What a frame carries above its link layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// An IP packet from this octet on.
    Internet(usize),
    /// Something that is not IP.
    Other,
    /// The headers were cut off or make no sense.
    Malformed,
    /// This link layer is not read here.
    UnknownLink,
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ETHERNET_BRIDGED: u16 = 0x6558;
const ERSPAN: u16 = 0x88be;
/// An Ethernet type below is the length of an 802.3 frame.
const TYPE_MIN: u16 = 0x600;
/// VLAN tags, MPLS labels and PPPoE headers that are taken off a frame.
const LAYERS_MAX: usize = 16;

/// Finds the IP packet in a frame of a link layer, by its `LINKTYPE_` number.
pub(super) fn payload(link: u16, octets: &[u8]) -> Payload {
    let found = match link {
        0 | 108 => loopback(octets, 4), // BSD loopback, OpenBSD loopback
        1 => ethernet(octets, 0),
        9 | 50 => ppp(octets, 0), // PPP, in HDLC-like framing
        12 | 14 | 101 | 228 | 229 => internet(octets, 0), // raw IP
        51 => pppoe(octets, 0),
        104 => u16_at(octets, 2).map(|kind| by_type(kind, octets, 4)), // Cisco HDLC
        109 => loopback(octets, 12),                                   // OpenBSD IPsec
        113 => u16_at(octets, 14).map(|kind| by_type(kind, octets, 16)), // Linux cooked v1
        117 => octets
            .first()
            .and_then(|length| loopback(octets, usize::from(*length).next_multiple_of(4))), // OpenBSD pf
        276 => u16_at(octets, 0).map(|kind| by_type(kind, octets, 20)), // Linux cooked v2
        239 => netfilter(octets),
        _ => return Payload::UnknownLink,
    };
    found.unwrap_or(Payload::Malformed)
}

/// Whether IP begins here, by its version.
fn internet(octets: &[u8], at: usize) -> Option<Payload> {
    Some(match octets.get(at)? >> 4 {
        4 | 6 => Payload::Internet(at),
        _ => Payload::Other,
    })
}

/// A header that ends with nothing but an address family, whose numbers differ between systems.
fn loopback(octets: &[u8], header: usize) -> Option<Payload> {
    internet(octets, header)
}

/// Ethernet II or 802.3, at a place.
fn ethernet(octets: &[u8], at: usize) -> Option<Payload> {
    Some(by_type(u16_at(octets, at + 12)?, octets, at + 14))
}

/// What an Ethernet type stands for that is followed by `octets[at..]`.
fn by_type(kind: u16, octets: &[u8], at: usize) -> Payload {
    layers(kind, octets, at).unwrap_or(Payload::Malformed)
}

fn layers(mut kind: u16, octets: &[u8], mut at: usize) -> Option<Payload> {
    for _ in 0..LAYERS_MAX {
        match kind {
            IPV4 | IPV6 => return internet(octets, at),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                kind = u16_at(octets, at + 2)?;
                at += 4;
            }
            0x8864 => return pppoe(octets, at),
            0x8847 | 0x8848 => return labels(octets, at),
            // LLC with SNAP (RFC 1042): the type follows.
            0..TYPE_MIN if octets.get(at..at + 3) == Some(&[0xaa, 0xaa, 3]) => {
                kind = u16_at(octets, at + 6)?;
                at += 8;
            }
            _ => return Some(Payload::Other),
        }
    }
    Some(Payload::Malformed)
}

/// MPLS labels (RFC 3032) up to the bottom of their stack; what follows tells itself.
fn labels(octets: &[u8], mut at: usize) -> Option<Payload> {
    for _ in 0..LAYERS_MAX {
        let is_bottom = octets.get(at + 2)? & 1 == 1;
        at += 4;
        if is_bottom {
            return match octets.get(at)? >> 4 {
                4 | 6 => internet(octets, at),
                // A pseudowire's control word (RFC 4448 section 4.6), then Ethernet.
                0 => ethernet(octets, at + 4),
                _ => Some(Payload::Other),
            };
        }
    }
    Some(Payload::Malformed)
}

/// PPPoE (RFC 2516): version, code, session, length, then PPP without its framing.
fn pppoe(octets: &[u8], at: usize) -> Option<Payload> {
    ppp(octets, at + 6)
}

/// PPP, with or without the framing's address and control octets.
fn ppp(octets: &[u8], mut at: usize) -> Option<Payload> {
    if octets.get(at..at + 2) == Some(&[0xff, 3]) {
        at += 2;
    }
    Some(match u16_at(octets, at)? {
        0x0021 | 0x0057 => return internet(octets, at + 2),
        // Compressed to one octet (RFC 1661 section 6.5): an odd number.
        protocol if matches!(protocol >> 8, 0x21 | 0x57) => return internet(octets, at + 1),
        _ => Payload::Other,
    })
}

/// What the Linux packet filter logged: a list of lengths, types and values.
fn netfilter(octets: &[u8]) -> Option<Payload> {
    const PAYLOAD: u16 = 9;
    let mut at = 4;
    while at + 4 <= octets.len() {
        let (length, kind) = (
            u16::from_le_bytes([octets[at], octets[at + 1]]),
            u16::from_le_bytes([octets[at + 2], octets[at + 3]]),
        );
        if kind & 0x7fff == PAYLOAD {
            return internet(octets, at + 4);
        }
        if length < 4 {
            return None;
        }
        at += usize::from(length).next_multiple_of(4);
    }
    Some(Payload::Other)
}

/// GRE (RFC 2784, RFC 2890) with IP, bridged Ethernet, or a mirror's copy (ERSPAN) in it.
pub(super) fn generic_routing(octets: &[u8]) -> Payload {
    let inside = || {
        let (flags, kind) = (u16_at(octets, 0)?, u16_at(octets, 2)?);
        let has = |bit: u16| if flags & bit != 0 { 4 } else { 0 };
        let at = 4 + has(0x8000) + has(0x2000) + has(0x1000);
        match kind {
            ETHERNET_BRIDGED => ethernet(octets, at),
            // The second kind of ERSPAN has a sequence number and a header of 8 octets, the first neither.
            ERSPAN => ethernet(octets, if flags & 0x1000 != 0 { at + 8 } else { at }),
            kind => Some(by_type(kind, octets, at)),
        }
    };
    inside().unwrap_or(Payload::Malformed)
}
