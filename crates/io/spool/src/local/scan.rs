//! Walking through a segment's octets: what holds, what is damaged, where it ends.
//!
//! After an invalid place the walk goes on at the next valid record, wherever that is: nothing that was
//! kept is given up because of its neighbour. A group counts only if all its records are valid and
//! stand one behind the other.
//!
//! | behind the last valid record | what it is |
//! | zeros                        | a clean end |
//! | anything else                | a torn tail: the last write did not finish (or was damaged) |
//! | valid records again          | damage; if they came with the last write, perhaps a torn one |

use bytes::Bytes;

use super::format::{FIRST, Kind, LAST, RECORD_HEADER, RecordHeader};
use crate::MessageId;

/// A record that holds.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where in the segment.
    pub offset: u64,
    /// Its header.
    pub header: RecordHeader,
    /// Its metadata, whose checksum was right.
    pub meta: Bytes,
}

/// A place that does not hold what was once written there, or was being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it starts.
    pub offset: u64,
    /// Octets up to the next valid record; for a torn tail, what is known of it.
    pub length: u64,
    /// Whose record it is, where its header can still be read.
    pub message: Option<MessageId>,
    /// It belongs to the last write: if the machine crashed then, nobody was told that it is kept.
    pub unfinished: bool,
}

/// What a segment holds.
#[derive(Debug, Default)]
pub struct Scan {
    /// In order.
    pub items: Vec<Item>,
    /// In order.
    pub places: Vec<Place>,
    /// Where the last valid group ends.
    pub end: u64,
}

/// Walks through `octets`, a segment from its first octet, from `start` on.
/// Only records of `segment` count; others are left over from an earlier use of the file.
pub fn scan(octets: &Bytes, segment: u64, start: u64) -> Scan {
    let mut walk =
        Walk { octets, segment, found: Scan { end: start, ..Scan::default() }, group: Vec::new() };
    let mut offset = start;
    loop {
        match walk.record(offset) {
            Ok(header) => offset = walk.keep(offset, header),
            Err(Invalid::End) => break,
            Err(Invalid::Record(message, length)) => match walk.next_valid(offset) {
                Some(next) => {
                    walk.spoil_group();
                    walk.place(offset, next - offset, message);
                    offset = next;
                }
                None => {
                    walk.tail(offset, length, message);
                    break;
                }
            },
        }
    }
    walk.spoil_group();
    walk.judge();
    walk.found
}

enum Invalid {
    /// Zeros, or no room for a header.
    End,
    /// Whose it is, and how long, where that is known.
    Record(Option<MessageId>, u64),
}

struct Walk<'a> {
    octets: &'a Bytes,
    segment: u64,
    found: Scan,
    /// Records of a group that has begun.
    group: Vec<Item>,
}

impl Walk<'_> {
    fn header(&self, offset: u64) -> Option<RecordHeader> {
        let octets = self.octets.get(usize::try_from(offset).ok()?..)?;
        let header = RecordHeader::decode(octets)?;
        (header.segment == self.segment && header.length() <= octets.len() as u64).then_some(header)
    }

    fn record(&self, offset: u64) -> Result<RecordHeader, Invalid> {
        let rest = &self.octets[(offset as usize).min(self.octets.len())..];
        if rest.len() < RECORD_HEADER || rest[..RECORD_HEADER].iter().all(|&o| o == 0) {
            // Zeros end the log only if nothing follows: a lost block reads as zeros too.
            return match rest.len() < RECORD_HEADER || self.next_valid(offset).is_none() {
                true => Err(Invalid::End),
                false => Err(Invalid::Record(None, 0)),
            };
        }
        let Some(header) = self.header(offset) else { return Err(Invalid::Record(None, 0)) };
        if self.sums_match(offset, &header) {
            return Ok(header);
        }
        let message = (header.id != 0).then_some(MessageId(header.id));
        Err(Invalid::Record(message, header.length()))
    }

    fn sums_match(&self, offset: u64, header: &RecordHeader) -> bool {
        let meta = offset as usize + RECORD_HEADER;
        let body = meta + header.meta_length as usize;
        header.kind == Kind::Gap
            || crc32c::crc32c(&self.octets[meta..body]) == header.meta_sum
                && crc32c::crc32c(&self.octets[body..body + header.body_length as usize])
                    == header.body_sum
    }

    /// The next place after `offset` that holds a whole record.
    fn next_valid(&self, offset: u64) -> Option<u64> {
        let mut at = offset + 8;
        while at + RECORD_HEADER as u64 <= self.octets.len() as u64 {
            if self.octets[at as usize] == b'M'
                && self.header(at).is_some_and(|header| self.sums_match(at, &header))
            {
                return Some(at);
            }
            at += 8;
        }
        None
    }

    /// Takes a record in; gives where the next one starts.
    fn keep(&mut self, offset: u64, header: RecordHeader) -> u64 {
        let start = offset as usize + RECORD_HEADER;
        let meta = self.octets.slice(start..start + header.meta_length as usize);
        let next = offset + header.length();
        if header.kind == Kind::Gap {
            self.spoil_group();
            self.found.end = next;
            return next;
        }
        if header.flags & FIRST != 0 {
            self.spoil_group();
        } else if self.group.is_empty() {
            // Its group began in a damaged place.
            self.place(offset, header.length(), (header.id != 0).then_some(MessageId(header.id)));
            return next;
        }
        self.group.push(Item { offset, header, meta });
        if header.flags & LAST != 0 {
            self.found.items.append(&mut self.group);
            self.found.end = next;
        }
        next
    }

    /// A group that never came to its last record does not hold.
    fn spoil_group(&mut self) {
        for item in std::mem::take(&mut self.group) {
            let message = (item.header.id != 0).then_some(MessageId(item.header.id));
            self.place(item.offset, item.header.length(), message);
        }
    }

    fn place(&mut self, offset: u64, length: u64, message: Option<MessageId>) {
        self.found.places.push(Place { offset, length, message, unfinished: false });
    }

    fn tail(&mut self, offset: u64, length: u64, message: Option<MessageId>) {
        let rest = self.octets.len() as u64 - offset;
        self.place(offset, length.clamp(RECORD_HEADER as u64, rest), message);
    }

    /// Places behind the end of the last write but one are perhaps only unfinished.
    fn judge(&mut self) {
        let last = self.found.items.last().map(|item| item.header.batch);
        let before = self.found.items.iter().rev().find(|item| Some(item.header.batch) != last);
        let settled = before.map_or(0, |item| item.offset + item.header.length());
        let end = self.found.end;
        for place in &mut self.found.places {
            // Behind the last valid record: a write of its own, so all before it is settled.
            place.unfinished = place.offset >= end || place.offset >= settled;
        }
        self.found.places.sort_by_key(|place| place.offset);
    }
}
