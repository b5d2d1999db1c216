//! The pcap format (draft-ietf-opsawg-pcap): both byte orders, micro- and nanoseconds, and the
//! "modified" records of old patched kernels.

use super::{Item, Next, Order, Packet};
use crate::problem::Trouble;

/// Octets of the file's header.
pub(super) const HEADER: usize = 24;
/// Longest packet that libpcap writes, whatever the file's own limit says.
const PACKET_MAX: u32 = 262_144;
/// How far from the packet before a packet may be, in seconds, where packets are looked for in garbage.
const FAR: i64 = 366 * 86_400;

/// A file whose header was read.
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in a fraction's unit.
    unit: u32,
    /// Octets of a record's header.
    record: usize,
    packet_max: u32,
    link: u16,
    /// Seconds of the newest packet.
    newest: Option<i64>,
    /// Octets left out since packets ended; `None` while they follow each other.
    lost: Option<u64>,
    /// The input ends with what is there now.
    is_last: bool,
}

/// A record's header.
struct Record {
    seconds: i64,
    fraction: u32,
    captured: u32,
    length: u32,
}

/// Byte order, nanoseconds in a unit, octets of a record's header.
fn magic(octets: &[u8]) -> Option<(Order, u32, usize)> {
    let magic = [*octets.first()?, *octets.get(1)?, *octets.get(2)?, *octets.get(3)?];
    for (order, number) in
        [(Order::Little, u32::from_le_bytes(magic)), (Order::Big, u32::from_be_bytes(magic))]
    {
        match number {
            0xa1b2_c3d4 => return Some((order, 1_000, 16)),
            0xa1b2_3c4d => return Some((order, 1, 16)),
            0xa1b2_cd34 => return Some((order, 1_000, 24)),
            _ => {}
        }
    }
    None
}

pub(super) fn is_begun(octets: &[u8]) -> bool {
    magic(octets).is_some()
}

/// Whether another file's header stands where a packet's is due: files that were joined by `cat`. As a
/// packet's time its magic number would be a year after 2050.
fn is_another_file(octets: &[u8]) -> bool {
    magic(octets).is_some_and(|(order, ..)| order.u16(octets, 4) == 2 && order.u16(octets, 6) == 4)
}

impl Pcap {
    /// Reads the header, [`HEADER`] octets.
    pub fn begin(octets: &[u8]) -> Option<Self> {
        let (order, unit, record) = magic(octets)?;
        // All files there are have version 2; what else begins so is no capture.
        if octets.len() < HEADER || order.u16(octets, 4) != 2 {
            return None;
        }
        Some(Self {
            order,
            unit,
            record,
            packet_max: order.u32(octets, 16).clamp(PACKET_MAX, super::RECORD_MAX as u32),
            // The upper half has the length of a check sequence, which the IP header's length cuts off.
            link: (order.u32(octets, 20) & 0xffff) as u16,
            newest: None,
            lost: None,
            is_last: false,
        })
    }

    fn record(&self, octets: &[u8]) -> Record {
        Record {
            seconds: i64::from(self.order.u32(octets, 0)),
            fraction: self.order.u32(octets, 4),
            captured: self.order.u32(octets, 8),
            length: self.order.u32(octets, 12),
        }
    }

    pub fn next<'a>(&mut self, octets: &'a [u8]) -> Next<'a> {
        if let Some(lost) = self.lost {
            return self.search(octets, lost);
        }
        if octets.len() < self.record {
            return Next::More(self.record);
        }
        let record = self.record(octets);
        if record.captured > self.packet_max || is_another_file(octets) {
            if octets.len() < HEADER {
                return Next::More(HEADER);
            }
            return self.lose(octets);
        }
        let whole = self.record + record.captured as usize;
        if octets.len() < whole {
            return Next::More(whole);
        }
        self.newest = Some(record.seconds);
        Next::Item(whole, Item::Packet(self.packet(&record, &octets[self.record..whole])))
    }

    fn packet<'a>(&self, record: &Record, octets: &'a [u8]) -> Packet<'a> {
        let fraction = i64::from(record.fraction) * i64::from(self.unit);
        Packet {
            at: record.seconds * 1_000_000_000 + fraction,
            link: self.link,
            octets,
            length: record.length.max(record.captured),
        }
    }

    /// What stands here is no packet.
    fn lose<'a>(&mut self, octets: &[u8]) -> Next<'a> {
        if let Some(other) = Self::begin(octets) {
            *self = other;
            return Next::Nothing(HEADER as u64);
        }
        self.lost = Some(0);
        Next::Nothing(0)
    }

    /// Looks for two packets in a row.
    fn search<'a>(&mut self, octets: &[u8], lost: u64) -> Next<'a> {
        let mut at = 0;
        loop {
            let rest = &octets[at..];
            let more = match self.judge(rest) {
                Judgement::Packets => {
                    self.lost = None;
                    let octets = lost + at as u64;
                    return Next::Item(at, Item::Trouble(Trouble::Garbage { octets }));
                }
                Judgement::None => {
                    at += 1;
                    continue;
                }
                Judgement::More(more) => more,
            };
            if at == 0 {
                return Next::More(more);
            }
            self.lost = Some(lost + at as u64);
            return Next::Nothing(at as u64);
        }
    }

    /// Whether a packet stands here, and after it another one or the end of the input.
    fn judge(&self, octets: &[u8]) -> Judgement {
        if octets.len() < self.record {
            return Judgement::More(self.record);
        }
        let first = self.record(octets);
        if !self.is_likely(&first) {
            return Judgement::None;
        }
        let second = self.record + first.captured as usize;
        if octets.len() < second + self.record {
            return match self.is_last {
                true if octets.len() == second => Judgement::Packets,
                true => Judgement::None,
                false => Judgement::More(second + self.record),
            };
        }
        let second = self.record(&octets[second..]);
        let near = (second.seconds - first.seconds).abs() <= FAR;
        if near && self.is_likely(&second) { Judgement::Packets } else { Judgement::None }
    }

    fn is_likely(&self, record: &Record) -> bool {
        let near = self.newest.is_none_or(|newest| (record.seconds - newest).abs() <= FAR);
        let second = 1_000_000_000 / self.unit;
        near && record.fraction < second
            && (14..=self.packet_max).contains(&record.captured)
            && record.length >= record.captured
            && record.length <= super::RECORD_MAX as u32
    }

    /// What is there now is all.
    pub fn ends(&mut self) {
        self.is_last = true;
    }

    /// Octets left out since packets ended, if they did.
    pub fn lost(&self) -> Option<u64> {
        self.lost
    }
}

enum Judgement {
    Packets,
    None,
    More(usize),
}
