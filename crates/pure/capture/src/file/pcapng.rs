//! The pcapng format (draft-ietf-opsawg-pcapng): several sections and byte orders in a file, packets in
//! enhanced, simple and obsolete packet blocks, and TLS secrets.

use super::{Item, Next, Order, Packet, RECORD_MAX};
use crate::problem::Trouble;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const SECRETS: u32 = 10;
/// Secrets of that type are lines of a key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Octets around a block's body: type, length before, length after.
const FRAME: usize = 12;
/// Interfaces of a section; every one costs memory.
const INTERFACES_MAX: usize = 65_536;
/// Longest block that is believed where blocks are looked for in garbage.
const BLOCK_LIKELY_MAX: usize = 1 << 20;

/// A file that is being read.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// The newest packet's time: simple packet blocks have none.
    newest: i64,
    /// Octets left out since blocks ended; `None` while they follow each other.
    lost: Option<u64>,
    /// The input ends with what is there now.
    is_last: bool,
}

impl Default for Pcapng {
    fn default() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), newest: 0, lost: None, is_last: false }
    }
}

struct Interface {
    link: u16,
    /// Longest packet that was captured; 0 for no limit.
    length_max: u32,
    clock: Clock,
    /// Nanoseconds to be added to every time.
    offset: i64,
}

/// The unit of an interface's times.
#[derive(Clone, Copy)]
enum Clock {
    /// So many nanoseconds.
    Nanoseconds(u64),
    /// So many of them are a nanosecond.
    PerNanosecond(u64),
    /// A second is 2 to the power of this.
    Binary(u32),
}

impl Clock {
    /// From the octet of `if_tsresol`.
    fn new(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        match power {
            _ if resolution & 0x80 != 0 => Self::Binary(power.min(63)),
            0..=9 => Self::Nanoseconds(10_u64.pow(9 - power)),
            _ => Self::PerNanosecond(10_u64.pow((power - 9).min(19))),
        }
    }

    fn nanoseconds(self, count: u64) -> i64 {
        let nanoseconds = match self {
            Self::Nanoseconds(unit) => count.saturating_mul(unit),
            Self::PerNanosecond(units) => count / units,
            Self::Binary(power) => {
                u64::try_from((u128::from(count) * 1_000_000_000) >> power).unwrap_or(u64::MAX)
            }
        };
        i64::try_from(nanoseconds).unwrap_or(i64::MAX)
    }
}

pub(super) fn is_begun(octets: &[u8]) -> bool {
    octets.starts_with(&SECTION.to_be_bytes())
}

impl Pcapng {
    pub fn next<'a>(&mut self, octets: &'a [u8]) -> Next<'a> {
        if let Some(lost) = self.lost {
            return self.search(octets, lost);
        }
        if octets.len() < FRAME {
            return Next::More(FRAME);
        }
        if is_begun(octets) {
            match byte_order(octets) {
                Some(order) => self.order = order,
                None => return self.lose(),
            }
        }
        let (kind, length) = (self.order.u32(octets, 0), self.order.u32(octets, 4) as usize);
        if !(FRAME..=RECORD_MAX).contains(&length) {
            return self.lose();
        }
        let length = length.next_multiple_of(4);
        if octets.len() < length {
            return Next::More(length);
        }
        // Writers disagree on rounding here, so the copy may be either.
        let copy = self.order.u32(octets, length - 4) as usize;
        if copy.next_multiple_of(4) != length {
            return self.lose();
        }
        match self.block(kind, &octets[8..length - 4]) {
            Some(item) => Next::Item(length, item),
            None => Next::Nothing(length as u64),
        }
    }

    fn lose<'a>(&mut self) -> Next<'a> {
        self.lost = Some(0);
        Next::Nothing(0)
    }

    /// What a block's body holds for us.
    fn block<'a>(&mut self, kind: u32, body: &'a [u8]) -> Option<Item<'a>> {
        const MALFORMED: Option<Item<'_>> = Some(Item::Trouble(Trouble::Malformed));
        match kind {
            SECTION => {
                self.interfaces.clear();
                None
            }
            INTERFACE => {
                if body.len() < 8 {
                    return MALFORMED;
                }
                if self.interfaces.len() < INTERFACES_MAX {
                    self.interfaces.push(self.interface(body));
                }
                None
            }
            ENHANCED_PACKET | OBSOLETE_PACKET => {
                self.packet(kind, body).map_or(MALFORMED, |packet| Some(Item::Packet(packet)))
            }
            SIMPLE_PACKET => {
                self.simple(body).map_or(MALFORMED, |packet| Some(Item::Packet(packet)))
            }
            SECRETS if body.len() >= 8 && self.order.u32(body, 0) == TLS_KEY_LOG => {
                let length = self.order.u32(body, 4) as usize;
                Some(Item::Secrets(&body[8..][..length.min(body.len() - 8)]))
            }
            _ => None,
        }
    }

    /// An interface description block.
    fn interface(&self, body: &[u8]) -> Interface {
        let (mut clock, mut offset) = (Clock::Nanoseconds(1_000), 0);
        let mut options = &body[8..];
        while options.len() >= 4 {
            let (code, length) =
                (self.order.u16(options, 0), usize::from(self.order.u16(options, 2)));
            let Some(value) = options.get(4..4 + length) else { break };
            match (code, value) {
                (0, _) => break,
                (9, [resolution]) => clock = Clock::new(*resolution),
                (14, value) if value.len() == 8 => offset = self.seconds(value),
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        Interface {
            link: self.order.u16(body, 0),
            length_max: self.order.u32(body, 4),
            clock,
            offset,
        }
    }

    /// Eight octets with seconds, in nanoseconds.
    fn seconds(&self, value: &[u8]) -> i64 {
        let (first, second) = (self.order.u32(value, 0), self.order.u32(value, 4));
        let (high, low) = match self.order {
            Order::Little => (second, first),
            Order::Big => (first, second),
        };
        ((i64::from(high) << 32) | i64::from(low)).saturating_mul(1_000_000_000)
    }

    /// An enhanced packet block, or an obsolete one, which differs in its first four octets.
    fn packet<'a>(&mut self, kind: u32, body: &'a [u8]) -> Option<Packet<'a>> {
        if body.len() < 20 {
            return None;
        }
        let order = self.order;
        let interface = match kind {
            OBSOLETE_PACKET => u32::from(order.u16(body, 0)),
            _ => order.u32(body, 0),
        };
        let interface = self.interfaces.get(interface as usize)?;
        let count = u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8));
        let octets = body[20..].get(..order.u32(body, 12) as usize)?;
        self.newest = interface.clock.nanoseconds(count).saturating_add(interface.offset);
        let length = order.u32(body, 16).max(octets.len() as u32);
        Some(Packet { at: self.newest, link: interface.link, octets, length })
    }

    /// A simple packet block: the first interface's, without a time.
    fn simple<'a>(&self, body: &'a [u8]) -> Option<Packet<'a>> {
        let interface = self.interfaces.first()?;
        if body.len() < 4 {
            return None;
        }
        let length = self.order.u32(body, 0);
        let limit = if interface.length_max == 0 { u32::MAX } else { interface.length_max };
        let captured = (length.min(limit) as usize).min(body.len() - 4);
        let octets = &body[4..][..captured];
        Some(Packet { at: self.newest, link: interface.link, octets, length })
    }

    /// Looks for a whole block.
    fn search<'a>(&mut self, octets: &[u8], lost: u64) -> Next<'a> {
        let mut at = 0;
        loop {
            let rest = &octets[at..];
            let more = match self.judge(rest) {
                Some(0) => {
                    self.lost = None;
                    let octets = lost + at as u64;
                    return Next::Item(at, Item::Trouble(Trouble::Garbage { octets }));
                }
                Some(more) => more,
                None => {
                    at += 1;
                    continue;
                }
            };
            if at == 0 {
                return Next::More(more);
            }
            self.lost = Some(lost + at as u64);
            return Next::Nothing(at as u64);
        }
    }

    /// How many octets are needed to know of a block here; 0 where one stands, `None` where none does.
    fn judge(&self, octets: &[u8]) -> Option<usize> {
        if octets.len() < FRAME {
            return Some(FRAME);
        }
        let order = if is_begun(octets) { byte_order(octets)? } else { self.order };
        let (kind, length) = (order.u32(octets, 0), order.u32(octets, 4) as usize);
        let known = matches!(kind, SECTION | INTERFACE..=ENHANCED_PACKET | SECRETS);
        if !known || !length.is_multiple_of(4) || !(FRAME + 4..=BLOCK_LIKELY_MAX).contains(&length)
        {
            return None;
        }
        if octets.len() < length {
            return (!self.is_last).then_some(length);
        }
        (order.u32(octets, length - 4) as usize == length).then_some(0)
    }

    /// What is there now is all.
    pub fn ends(&mut self) {
        self.is_last = true;
    }

    /// Octets left out since blocks ended, if they did.
    pub fn lost(&self) -> Option<u64> {
        self.lost
    }
}

/// A section's byte order, by its magic number.
fn byte_order(octets: &[u8]) -> Option<Order> {
    match octets.get(8..12)? {
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(Order::Little),
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(Order::Big),
        _ => None,
    }
}
