//! From the octets of a capture file to its packets, as they come and without copies where a packet
//! lies whole in what was fed.
//!
//! Fed with any pieces it gives the same packets. What is no packet is skipped until packets follow
//! again, and told; memory is bounded by the longest packet of the format.

mod pcap;
mod pcapng;

use crate::problem::Trouble;

/// One packet as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    /// Nanoseconds since 1970 (UTC).
    pub at: i64,
    /// The link layer, a `LINKTYPE_` number.
    pub link: u16,
    /// What was captured of it.
    pub octets: &'a [u8],
    /// How long it was on the wire, at least as much as was captured.
    pub length: u32,
}

/// What a capture file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Packet(Packet<'a>),
    /// Lines of a TLS key log.
    Secrets(&'a [u8]),
    Trouble(Trouble),
}

/// What the octets at a place are.
enum Next<'a> {
    /// That many octets from here on are needed to tell.
    More(usize),
    /// That many octets are this item.
    Item(usize, Item<'a>),
    /// That many octets hold nothing for us; they may be more than are there yet.
    Nothing(u64),
}

/// Longest record of either format that is read; no link has packets near to it.
const RECORD_MAX: usize = 16 << 20;

/// A capture file that is being read.
#[derive(Default)]
pub(crate) struct Reader {
    format: Format,
    /// The beginning of a record that was not yet fed whole, from `start` on.
    carry: Vec<u8>,
    start: usize,
    /// Octets from the whole carried beginning that are needed to go on.
    need: usize,
    /// Octets that follow and hold nothing for us.
    skip: u64,
    /// Octets fed so far.
    fed: u64,
}

#[derive(Default)]
enum Format {
    #[default]
    Unknown,
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
    /// No capture: the rest is ignored.
    Foreign,
}

/// Octets that tell the format.
const BEGINNING: usize = 24;

/// Beginnings of what people take for a capture.
const FOREIGN: [(&[u8], &str); 11] = [
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ", "xz"),
    (b"BZh", "bzip2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"snoop\0", "a Solaris snoop capture"),
    (b"GMBU", "a Microsoft Network Monitor capture"),
    (b"RTSS", "a Microsoft Network Monitor capture"),
    (b"TRSNIFF data", "a Sniffer capture"),
    (b"ObserverPktBuffe", "a Network Instruments Observer capture"),
];

/// Whether these first octets of an input (4 are enough) are a capture's that is read here.
pub fn is_capture(beginning: &[u8]) -> bool {
    pcapng::is_begun(beginning) || pcap::is_begun(beginning)
}

/// The name of another program's format that begins so (16 octets are enough).
pub fn foreign(beginning: &[u8]) -> Option<&'static str> {
    FOREIGN.iter().find(|(magic, _)| beginning.starts_with(magic)).map(|(_, name)| *name)
}

impl Reader {
    /// Octets fed so far.
    pub fn offset(&self) -> u64 {
        self.fed
    }

    /// Takes the next octets and hands out what they complete.
    pub fn feed(&mut self, mut octets: &[u8], take: &mut impl FnMut(Item<'_>)) {
        self.fed += octets.len() as u64;
        while !octets.is_empty() {
            if self.skip > 0 {
                let skipped = octets.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= skipped as u64;
                octets = &octets[skipped..];
            } else if self.start == self.carry.len() {
                self.carry.clear();
                self.start = 0;
                let (used, need) = self.read(octets, take);
                self.carry.extend_from_slice(&octets[used..]);
                self.need = need;
                return;
            } else {
                octets = self.complete(octets, take);
            }
        }
    }

    /// Completes the carried record from the octets that follow, and gives back the rest.
    fn complete<'a>(&mut self, octets: &'a [u8], take: &mut impl FnMut(Item<'_>)) -> &'a [u8] {
        let carried = self.carry.len() - self.start;
        // Where records have to be looked for, more than the next one's octets are of use.
        let wanted = if self.is_lost() { octets.len() } else { self.need.saturating_sub(carried) };
        let (taken, rest) = octets.split_at(wanted.clamp(1, octets.len()));
        self.carry.extend_from_slice(taken);
        if self.carry.len() - self.start >= self.need {
            let carry = std::mem::take(&mut self.carry);
            let (used, need) = self.read(&carry[self.start..], take);
            self.carry = carry;
            self.start += used;
            self.need = need;
            if self.start > self.carry.len() / 2 {
                self.carry.drain(..self.start);
                self.start = 0;
            }
        }
        rest
    }

    /// Reads whole records. Gives back how many octets they were, and how many the next one needs.
    fn read(&mut self, octets: &[u8], take: &mut impl FnMut(Item<'_>)) -> (usize, usize) {
        let mut used = 0;
        loop {
            let rest = &octets[used..];
            if rest.is_empty() {
                return (used, 1);
            }
            match self.next(rest) {
                Next::More(need) => return (used, need.max(rest.len() + 1)),
                Next::Item(length, item) => {
                    used += length;
                    take(item);
                }
                Next::Nothing(length) if length > rest.len() as u64 => {
                    self.skip = length - rest.len() as u64;
                    return (octets.len(), 1);
                }
                Next::Nothing(length) => used += length as usize,
            }
        }
    }

    fn next<'a>(&mut self, octets: &'a [u8]) -> Next<'a> {
        match &mut self.format {
            Format::Pcap(file) => file.next(octets),
            Format::Pcapng(file) => file.next(octets),
            Format::Foreign => Next::Nothing(octets.len() as u64),
            Format::Unknown => self.begin(octets),
        }
    }

    /// Tells the format by the first octets.
    fn begin<'a>(&mut self, octets: &'a [u8]) -> Next<'a> {
        if octets.len() < BEGINNING {
            return Next::More(BEGINNING);
        }
        if pcapng::is_begun(octets) {
            self.format = Format::Pcapng(pcapng::Pcapng::default());
            Next::Nothing(0)
        } else if let Some(file) = pcap::Pcap::begin(octets) {
            self.format = Format::Pcap(file);
            Next::Nothing(pcap::HEADER as u64)
        } else {
            self.format = Format::Foreign;
            Next::Item(octets.len(), Item::Trouble(no_capture(octets)))
        }
    }

    /// The input ends here.
    pub fn finish(&mut self, take: &mut impl FnMut(Item<'_>)) {
        let mut rest = self.carry.split_off(std::mem::take(&mut self.start));
        match &mut self.format {
            Format::Pcap(file) => file.ends(),
            Format::Pcapng(file) => file.ends(),
            Format::Unknown => {
                take(Item::Trouble(no_capture(&rest)));
                self.format = Format::Foreign;
            }
            Format::Foreign => {}
        }
        // What looked like the beginning of a long packet may have hidden shorter ones.
        if self.is_lost() {
            let (used, _) = self.read(&rest, take);
            rest.drain(..used);
        }
        match self.lost() {
            Some(lost) => {
                let octets = lost + rest.len() as u64;
                take(Item::Trouble(Trouble::Garbage { octets }));
            }
            None if matches!(self.format, Format::Foreign) => {}
            None if self.skip > 0 || !rest.is_empty() => take(Item::Trouble(Trouble::CutOff)),
            None => {}
        }
    }

    fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    /// Octets left out since packets ended, while they have not begun again.
    fn lost(&self) -> Option<u64> {
        match &self.format {
            Format::Pcap(file) => file.lost(),
            Format::Pcapng(file) => file.lost(),
            Format::Unknown | Format::Foreign => None,
        }
    }
}

fn no_capture(beginning: &[u8]) -> Trouble {
    foreign(beginning).map_or(Trouble::NoCapture, Trouble::OtherFormat)
}

/// Byte order of a file's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    /// Two octets at a place that is there.
    fn u16(self, octets: &[u8], at: usize) -> u16 {
        let pair = [octets[at], octets[at + 1]];
        match self {
            Self::Little => u16::from_le_bytes(pair),
            Self::Big => u16::from_be_bytes(pair),
        }
    }

    /// Four octets at a place that is there.
    fn u32(self, octets: &[u8], at: usize) -> u32 {
        let four = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
        match self {
            Self::Little => u32::from_le_bytes(four),
            Self::Big => u32::from_be_bytes(four),
        }
    }
}

#[cfg(test)]
mod tests;
