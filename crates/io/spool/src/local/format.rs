//! Octets on disk: the segment headers and record headers. docs/spool.md has the layout;
//! [`super::meta`] has what records carry.
//!
//! All numbers are little-endian. Decoding never panics and never trusts a length: what comes in may be
//! damaged, torn, or left over from an earlier use of the file. A record header is bound to its segment's
//! number, so leftovers in a recycled file are never taken for records.

/// The format that this binary writes; it reads this and older ones.
pub const VERSION: u16 = 1;
/// Octets of a segment header.
pub const SEGMENT_HEADER: usize = 64;
/// Octets of a record header.
pub const RECORD_HEADER: usize = 48;

const SEGMENT_MAGIC: [u8; 8] = *b"MWSEGMNT";
const RECORD_MAGIC: [u8; 4] = *b"MWR\x01";

/// The first octets of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its place in the order of segments.
    pub number: u64,
    /// No message id at or above this had been handed out when the segment was begun.
    pub id_limit: u64,
}

/// Why a segment header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotASegment {
    /// The octets are not those of a segment header.
    Damaged,
    /// Written by a newer version.
    Newer(u16),
}

impl SegmentHeader {
    /// As on disk.
    pub fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut octets = [0; SEGMENT_HEADER];
        octets[..8].copy_from_slice(&SEGMENT_MAGIC);
        octets[8..10].copy_from_slice(&VERSION.to_le_bytes());
        octets[16..24].copy_from_slice(&self.number.to_le_bytes());
        octets[24..32].copy_from_slice(&self.id_limit.to_le_bytes());
        let sum = crc32c::crc32c(&octets[..SEGMENT_HEADER - 4]);
        octets[SEGMENT_HEADER - 4..].copy_from_slice(&sum.to_le_bytes());
        octets
    }

    /// From disk.
    pub fn decode(octets: &[u8]) -> Result<Self, NotASegment> {
        let octets = octets.get(..SEGMENT_HEADER).ok_or(NotASegment::Damaged)?;
        let mut reader = Reader(octets);
        let sum = crc32c::crc32c(&octets[..SEGMENT_HEADER - 4]);
        if octets[..8] != SEGMENT_MAGIC || octets[SEGMENT_HEADER - 4..] != sum.to_le_bytes() {
            return Err(NotASegment::Damaged);
        }
        reader.0 = &octets[8..];
        let version = reader.u16().ok_or(NotASegment::Damaged)?;
        if version > VERSION {
            return Err(NotASegment::Newer(version));
        }
        reader.0 = &octets[16..];
        match (reader.u64(), reader.u64()) {
            (Some(number), Some(id_limit)) => Ok(Self { number, id_limit }),
            _ => Err(NotASegment::Damaged),
        }
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A message with its jobs.
    Arrival = 1,
    /// A new version of a job.
    State = 2,
    /// Jobs that are done with.
    Finish = 3,
    /// Message ids below a number may have been handed out.
    Limit = 4,
    /// An earlier segment counts only up to an offset: what was written there after it failed.
    Seal = 5,
    /// A damaged place that was put into quarantine; its octets are not checked.
    Gap = 6,
}

/// First record of a group.
pub const FIRST: u8 = 1;
/// Last record of a group. A group without it does not hold.
pub const LAST: u8 = 2;

/// A record's first octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// What it is.
    pub kind: Kind,
    /// [`FIRST`], [`LAST`].
    pub flags: u8,
    /// The segment that it was written to.
    pub segment: u64,
    /// Which write of that segment it came with.
    pub batch: u32,
    /// Octets of metadata behind this header.
    pub meta_length: u32,
    /// Octets of content behind the metadata.
    pub body_length: u32,
    /// The message, for `Arrival` and `State`.
    pub id: u64,
    /// Of the metadata.
    pub meta_sum: u32,
    /// Of the content in this record.
    pub body_sum: u32,
}

impl RecordHeader {
    /// As on disk.
    pub fn encode(&self, octets: &mut [u8; RECORD_HEADER]) {
        octets[..4].copy_from_slice(&RECORD_MAGIC);
        octets[4] = self.kind as u8;
        octets[5] = self.flags;
        octets[6..8].copy_from_slice(&VERSION.to_le_bytes());
        octets[16..20].copy_from_slice(&self.batch.to_le_bytes());
        octets[8..16].copy_from_slice(&self.segment.to_le_bytes());
        octets[20..24].copy_from_slice(&self.meta_length.to_le_bytes());
        octets[24..28].copy_from_slice(&self.body_length.to_le_bytes());
        octets[28..36].copy_from_slice(&self.id.to_le_bytes());
        octets[36..40].copy_from_slice(&self.meta_sum.to_le_bytes());
        octets[40..44].copy_from_slice(&self.body_sum.to_le_bytes());
        let sum = crc32c::crc32c(&octets[..44]);
        octets[44..].copy_from_slice(&sum.to_le_bytes());
    }

    /// From disk; `None` unless every octet is as it was written.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let octets = octets.get(..RECORD_HEADER)?;
        if octets[..4] != RECORD_MAGIC
            || octets[44..] != crc32c::crc32c(&octets[..44]).to_le_bytes()
        {
            return None;
        }
        let kind = match octets[4] {
            1 => Kind::Arrival,
            2 => Kind::State,
            3 => Kind::Finish,
            4 => Kind::Limit,
            5 => Kind::Seal,
            6 => Kind::Gap,
            _ => return None,
        };
        let mut reader = Reader(&octets[8..]);
        Some(Self {
            kind,
            flags: octets[5],
            segment: reader.u64()?,
            batch: reader.u32()?,
            meta_length: reader.u32()?,
            body_length: reader.u32()?,
            id: reader.u64()?,
            meta_sum: reader.u32()?,
            body_sum: reader.u32()?,
        })
    }

    /// Octets in all, up to where the next record starts.
    pub fn length(&self) -> u64 {
        (RECORD_HEADER as u64 + u64::from(self.meta_length) + u64::from(self.body_length))
            .next_multiple_of(8)
    }
}

/// Reads numbers off the front.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
    pub fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }
    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }
    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_written_and_one_flipped_bit_is_noticed() {
        let header = RecordHeader {
            kind: Kind::Arrival,
            flags: FIRST | LAST,
            segment: 7,
            batch: 9,
            meta_length: 100,
            body_length: 1001,
            id: 5,
            meta_sum: 1,
            body_sum: 2,
        };
        let mut octets = [0; RECORD_HEADER];
        header.encode(&mut octets);
        assert_eq!(RecordHeader::decode(&octets), Some(header));
        assert_eq!(header.length(), 1152, "padded to 8");
        let segment = SegmentHeader { number: 3, id_limit: 1 << 40 };
        let mut first = segment.encode();
        assert_eq!(SegmentHeader::decode(&first), Ok(segment));
        for bit in 0..RECORD_HEADER * 8 {
            octets[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&octets), None, "bit {bit}");
            octets[bit / 8] ^= 1 << (bit % 8);
        }
        first[9] = 200;
        let sum = crc32c::crc32c(&first[..60]);
        first[60..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&first), Err(NotASegment::Newer(200 << 8 | 1)));
    }
}
