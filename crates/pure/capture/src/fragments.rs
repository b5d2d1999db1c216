//! Joining the fragments of IP packets (RFC 791, RFC 8200 section 4.5), in bounded memory.
//!
//! Where fragments overlap, what came first stays. A packet of which something is missing after 30
//! seconds of capture time, or when room is needed, is given up and counted.

use std::collections::{BTreeMap, VecDeque};

use crate::decode::{Fragment, Internet};

/// Nanoseconds that a packet's fragments may be apart.
const PATIENCE: i64 = 30_000_000_000;
/// Longest IP packet.
const LENGTH_MAX: usize = 65_535;
/// What a piece costs besides its octets.
const PIECE: usize = 96;

/// Packets whose fragments are being gathered.
pub(crate) struct Fragments {
    packets: BTreeMap<Name, Packet>,
    /// In the order of their beginning.
    order: VecDeque<(i64, Name)>,
    memory: usize,
    memory_max: usize,
    /// Packets given up since this was last asked for.
    lost: u64,
}

/// What the fragments of a packet share: addresses, number, and for IPv4 the protocol.
type Name = (u128, u128, u32, u8);

struct Packet {
    /// When the first one came, which also tells it from a later packet of the same name.
    begun: i64,
    pieces: BTreeMap<usize, Piece>,
    /// Octets of all pieces, which do not overlap.
    covered: usize,
    /// Length of the whole, once the last piece is there.
    total: Option<usize>,
    memory: usize,
}

struct Piece {
    octets: Vec<u8>,
    /// Length on the wire, of which the octets may be only the beginning.
    length: usize,
}

/// A packet put together; `header` is its first fragment's.
pub(crate) struct Joined {
    octets: Vec<u8>,
    length: usize,
}

impl Joined {
    /// The whole packet, with the rest of its header from one of its fragments.
    pub fn packet<'a>(&'a self, fragment: &Internet<'_>) -> Internet<'a> {
        Internet { octets: &self.octets, length: self.length, fragment: None, ..*fragment }
    }
}

impl Fragments {
    pub fn new(memory_max: usize) -> Self {
        Self { packets: BTreeMap::new(), order: VecDeque::new(), memory: 0, memory_max, lost: 0 }
    }

    /// How many packets were given up since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Takes a fragment and gives back its packet if it is whole now.
    pub fn add(&mut self, packet: &Internet<'_>, part: Fragment, at: i64) -> Option<Joined> {
        self.expire(at);
        let end = part.offset + packet.length;
        if end > LENGTH_MAX || packet.length == 0 {
            return None;
        }
        // Addresses as IPv4 has them are below this.
        let is_version_4 = packet.source >> 32 == 0xffff;
        let protocol = if is_version_4 { packet.protocol } else { 0 };
        let name = (packet.source, packet.destination, packet.identification, protocol);
        let order = &mut self.order;
        let known = self.packets.entry(name).or_insert_with(|| {
            order.push_back((at, name));
            Packet { begun: at, pieces: BTreeMap::new(), covered: 0, total: None, memory: 0 }
        });
        if !part.more && known.total.is_none() {
            known.ends_at(end);
        }
        // What goes beyond the end is of another packet, or made to confuse.
        if known.total.is_some_and(|total| end > total) {
            return None;
        }
        let grown = known.insert(part.offset, packet.octets, packet.length);
        known.memory += grown;
        self.memory += grown;
        if known.total == Some(known.covered) {
            return self.remove(name).map(Packet::join);
        }
        while self.memory > self.memory_max {
            self.give_up_oldest();
        }
        None
    }

    fn remove(&mut self, name: Name) -> Option<Packet> {
        let packet = self.packets.remove(&name)?;
        self.memory -= packet.memory;
        Some(packet)
    }

    fn expire(&mut self, at: i64) {
        while self.order.front().is_some_and(|(begun, _)| at.saturating_sub(*begun) > PATIENCE) {
            self.give_up_oldest();
        }
    }

    fn give_up_oldest(&mut self) {
        let Some((begun, name)) = self.order.pop_front() else { return };
        // A packet that was joined meanwhile left its place in the order behind.
        if self.packets.get(&name).is_some_and(|packet| packet.begun == begun) {
            self.remove(name);
            self.lost += 1;
        }
    }

    /// Nothing comes any more.
    pub fn finish(&mut self) {
        self.lost += self.packets.len() as u64;
        self.packets.clear();
        self.order.clear();
        self.memory = 0;
    }
}

impl Packet {
    /// Keeps what is new of a piece; gives back how much memory that takes.
    fn insert(&mut self, offset: usize, octets: &[u8], length: usize) -> usize {
        let (mut from, end, mut grown) = (offset, offset + length, 0);
        if let Some((before, piece)) = self.pieces.range(..=offset).next_back() {
            from = from.max(before + piece.length);
        }
        while from < end {
            let next = self.pieces.range(from..).next().map(|(at, piece)| (*at, at + piece.length));
            let (until, after) = match next {
                Some((at, after)) if at < end => (at, after),
                _ => (end, end),
            };
            if until > from {
                let captured = octets.len().min(until - offset);
                let new = octets.get(from - offset..captured).unwrap_or_default().to_vec();
                grown += new.len() + PIECE;
                self.covered += until - from;
                self.pieces.insert(from, Piece { octets: new, length: until - from });
            }
            from = after;
        }
        grown
    }

    /// The last piece is known: pieces beyond it are none.
    fn ends_at(&mut self, total: usize) {
        self.total = Some(total);
        self.pieces.retain(|at, piece| at + piece.length <= total);
        self.covered = self.pieces.values().map(|piece| piece.length).sum();
    }

    fn join(self) -> Joined {
        let length = self.total.unwrap_or_default();
        let mut octets = Vec::with_capacity(length);
        for piece in self.pieces.values() {
            octets.extend_from_slice(&piece.octets);
            // What was captured only in part ends what is known in a row.
            if piece.octets.len() < piece.length {
                break;
            }
        }
        octets.truncate(length);
        Joined { octets, length }
    }
}
