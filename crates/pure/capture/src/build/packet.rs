//! IP packets: TCP segments, fragments, ICMP errors.

use std::net::{IpAddr, SocketAddr};

/// TCP flag: no more from the sender.
pub const FIN: u8 = 1;
/// TCP flag: the first segment.
pub const SYN: u8 = 2;
/// TCP flag: the connection is broken off.
pub const RST: u8 = 4;
/// TCP flag: hand it on at once.
pub const PSH: u8 = 8;
/// TCP flag: the acknowledgment counts.
pub const ACK: u8 = 16;

/// A TCP segment with the IP header around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes to; of the same IP version.
    pub destination: SocketAddr,
    /// Number of its first octet.
    pub sequence: u32,
    /// Number of the octet that is due from the other side.
    pub acknowledgment: u32,
    /// [`SYN`], [`ACK`] and so on.
    pub flags: u8,
    /// Room, before scaling.
    pub window: u16,
    /// TCP options, padded to four octets.
    pub options: Vec<u8>,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Whether routers may not cut it (IPv4).
    pub dont_fragment: bool,
    /// Number of its packet (IPv4).
    pub identification: u16,
    /// What it carries.
    pub octets: Vec<u8>,
}

impl Segment {
    /// A segment without octets, as of a host with usual settings.
    pub fn new(source: SocketAddr, destination: SocketAddr, flags: u8) -> Self {
        Self {
            source,
            destination,
            sequence: 0,
            acknowledgment: 0,
            flags,
            window: 64_240,
            options: Vec::new(),
            ttl: 64,
            dont_fragment: true,
            identification: 0,
            octets: Vec::new(),
        }
    }

    /// The IP packet.
    pub fn packet(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 1);
        let header = 20 + options.len();
        let mut tcp = Vec::with_capacity(header + self.octets.len());
        tcp.extend(self.source.port().to_be_bytes());
        tcp.extend(self.destination.port().to_be_bytes());
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledgment.to_be_bytes());
        tcp.extend([(header as u8 / 4) << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(&options);
        tcp.extend(&self.octets);
        let (source, destination) = (self.source.ip(), self.destination.ip());
        let sum = checksum(&[&pseudo_header(source, destination, 6, tcp.len()), &tcp]);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        internet(source, destination, 6, self.ttl, self.dont_fragment, self.identification, &tcp)
    }
}

/// An IP header and what follows it. Addresses of different versions are a mistake of the caller.
fn internet(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    ttl: u8,
    dont_fragment: bool,
    identification: u16,
    content: &[u8],
) -> Vec<u8> {
    let mut packet = Vec::with_capacity(40 + content.len());
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            packet.extend([0x45, 0]);
            packet.extend(((20 + content.len()) as u16).to_be_bytes());
            packet.extend(identification.to_be_bytes());
            packet.extend([if dont_fragment { 0x40 } else { 0 }, 0, ttl, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let sum = checksum(&[&packet]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend((content.len() as u16).to_be_bytes());
            packet.extend([protocol, ttl]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
        }
        _ => panic!("a packet goes between addresses of one IP version"),
    }
    packet.extend(content);
    packet
}

/// What TCP and ICMPv6 checksums cover besides the content (RFC 9293 section 3.1, RFC 8200 section 8.1).
fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(40);
    for address in [source, destination] {
        match address {
            IpAddr::V4(address) => header.extend(address.octets()),
            IpAddr::V6(address) => header.extend(address.octets()),
        }
    }
    header.extend((length as u32).to_be_bytes());
    header.extend([0, 0, 0, protocol]);
    header
}

/// The Internet checksum (RFC 1071); all parts but the last have an even length.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Cuts an IP packet into fragments with at most `length` octets of content each (a multiple of 8).
pub fn fragments(packet: &[u8], length: usize, identification: u16) -> Vec<Vec<u8>> {
    let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
    let content = &packet[header..];
    let mut fragments = Vec::new();
    for (number, part) in content.chunks(length).enumerate() {
        let offset = number * length;
        let more = offset + part.len() < content.len();
        let mut fragment = packet[..header].to_vec();
        if header == 20 {
            let place = (offset / 8) as u16 | if more { 0x2000 } else { 0 };
            fragment[2..4].copy_from_slice(&((20 + part.len()) as u16).to_be_bytes());
            fragment[4..6].copy_from_slice(&identification.to_be_bytes());
            fragment[6..8].copy_from_slice(&place.to_be_bytes());
            fragment[10..12].fill(0);
            let sum = checksum(&[&fragment]);
            fragment[10..12].copy_from_slice(&sum.to_be_bytes());
        } else {
            fragment[4..6].copy_from_slice(&((8 + part.len()) as u16).to_be_bytes());
            fragment.extend([packet[6], 0]);
            fragment.extend((offset as u16 | u16::from(more)).to_be_bytes());
            fragment.extend(u32::from(identification).to_be_bytes());
            fragment[6] = 44;
        }
        fragment.extend(part);
        fragments.push(fragment);
    }
    fragments
}

/// The ICMP error `kind` and `code` about a packet, sent by `reporter` to the packet's source; `mtu` for
/// those that have one.
pub fn unreachable(reporter: IpAddr, kind: u8, code: u8, mtu: u32, about: &[u8]) -> Vec<u8> {
    let is_version_4 = about[0] >> 4 == 4;
    let mut message = vec![kind, code, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend(&about[..about.len().min(if is_version_4 { 28 } else { 1_232 })]);
    let (source, protocol, sum) = if is_version_4 {
        let source: [u8; 4] = [about[12], about[13], about[14], about[15]];
        (IpAddr::from(source), 1, checksum(&[&message]))
    } else {
        let mut source = [0; 16];
        source.copy_from_slice(&about[8..24]);
        let source = IpAddr::from(source);
        let header = pseudo_header(reporter, source, 58, message.len());
        (source, 58, checksum(&[&header, &message]))
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    internet(reporter, source, protocol, 64, false, 0, &message)
}
