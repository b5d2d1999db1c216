//! TCP segments (RFC 9293) and the options that matter here.

use super::{Internet, u16_at, u32_at};

/// A segment, with what its IP packet says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// Address and port it comes from.
    pub source: (u128, u16),
    /// Address and port it goes to.
    pub destination: (u128, u16),
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: Flags,
    pub window: u16,
    pub options: Options,
    pub ttl: u8,
    pub dont_fragment: bool,
    /// Its IP packet's number; 0 where it has none.
    pub identification: u32,
    /// What was captured of its octets.
    pub octets: &'a [u8],
    /// How many octets it carried.
    pub length: u32,
}

/// A segment's control bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(pub u8);

impl Flags {
    pub fn fin(self) -> bool {
        self.0 & 1 != 0
    }

    pub fn syn(self) -> bool {
        self.0 & 2 != 0
    }

    pub fn rst(self) -> bool {
        self.0 & 4 != 0
    }

    pub fn ack(self) -> bool {
        self.0 & 16 != 0
    }
}

/// Options of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    /// Blocks that arrived after a missing one (RFC 2018), first and past the last octet; unused ones
    /// are empty.
    pub selective: [(u32, u32); 4],
}

impl<'a> Segment<'a> {
    /// Decodes a whole packet's segment; `None` where its header is not there or contradicts itself.
    pub fn decode(packet: &Internet<'a>) -> Option<Self> {
        let octets = packet.octets;
        let header = usize::from(octets.get(12)? >> 4) * 4;
        if header < 20 || header > packet.length {
            return None;
        }
        let flags = Flags(*octets.get(13)?);
        // Options that were cut off are not known; the rest of the segment counts.
        let options = octets.get(20..header.min(octets.len())).unwrap_or_default();
        let octets_captured = octets.get(header..).unwrap_or_default();
        Some(Self {
            source: (packet.source, u16_at(octets, 0)?),
            destination: (packet.destination, u16_at(octets, 2)?),
            sequence: u32_at(octets, 4)?,
            acknowledgment: u32_at(octets, 8)?,
            flags,
            window: u16_at(octets, 14)?,
            options: Options::decode(options),
            ttl: packet.ttl,
            dont_fragment: packet.dont_fragment,
            identification: packet.identification,
            octets: octets_captured,
            length: (packet.length - header) as u32,
        })
    }
}

impl Options {
    fn decode(mut octets: &[u8]) -> Self {
        let mut options = Self::default();
        // Nearly all segments of an open connection: a time stamp and nothing else.
        if octets.len() == 12 && octets.starts_with(&[1, 1, 8, 10]) {
            return options;
        }
        while let [kind, rest @ ..] = octets {
            match (kind, rest) {
                (0, _) => break,
                (1, _) => octets = rest,
                (_, [length, ..]) if (2..=octets.len()).contains(&usize::from(*length)) => {
                    options.take(*kind, &octets[2..usize::from(*length)]);
                    octets = &octets[usize::from(*length)..];
                }
                _ => break,
            }
        }
        options
    }

    fn take(&mut self, kind: u8, value: &[u8]) {
        match (kind, value) {
            (2, [high, low]) => self.mss = Some(u16::from_be_bytes([*high, *low])),
            (3, [scale]) => self.window_scale = Some((*scale).min(14)),
            (5, blocks) => {
                for (block, pair) in self.selective.iter_mut().zip(blocks.chunks_exact(8)) {
                    if let (Some(first), Some(past)) = (u32_at(pair, 0), u32_at(pair, 4)) {
                        *block = (first, past);
                    }
                }
            }
            _ => {}
        }
    }
}
