//! The index of a sealed log file: sorted pairs of key hash and frame offset.
//!
//! Header: `MWIX`, a version octet, three zeros; number of pairs (u32), CRC-32C of the pairs (u32),
//! times of the oldest and newest entry (u64 each), CRC-32C of the header so far (u32), four zeros.
//! Then the pairs: hash (u64), offset (u32). All little-endian. A missing or damaged index is made
//! again from the log file.

use smtp::Timestamp;

use super::{
    frame::{self, Scanned},
    key::each_key,
};

/// Octets of the header.
pub(super) const HEADER_LENGTH: usize = 40;
const PAIR_LENGTH: usize = 12;
const MAGIC: [u8; 8] = *b"MWIX\x01\0\0\0";

/// Where the keys of one log file are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// Hash and frame offset; in the order written, or sorted once sealed.
    pub(super) pairs: Vec<(u64, u32)>,
    /// Time of the oldest and the newest entry; none if there is no entry.
    pub(super) times: Option<(Timestamp, Timestamp)>,
}

impl Index {
    /// Takes an entry's time into account.
    pub(super) fn stretch(&mut self, first: Timestamp, last: Timestamp) {
        let (a, b) = self.times.unwrap_or((first, last));
        self.times = Some((a.min(first), b.max(last)));
    }

    /// Offsets of the frames that may hold `hash`, oldest first.
    pub(super) fn offsets(&self, hash: u64, sorted: bool) -> Vec<u32> {
        let pairs = if sorted {
            let start = self.pairs.partition_point(|pair| pair.0 < hash);
            let end = start + self.pairs[start..].partition_point(|pair| pair.0 == hash);
            &self.pairs[start..end]
        } else {
            &self.pairs[..]
        };
        let mut offsets: Vec<u32> =
            pairs.iter().filter(|pair| pair.0 == hash).map(|pair| pair.1).collect();
        offsets.sort_unstable();
        offsets.dedup();
        offsets
    }

    /// Makes the index of a log file from its content, and counts the damaged places.
    pub(super) fn rebuild(octets: &[u8]) -> (Self, u64) {
        let (mut index, mut damaged) = (Self::default(), 0);
        for scanned in frame::scan(octets) {
            let Scanned::Frame { offset, payload } = scanned else {
                damaged += 1;
                continue;
            };
            let Some(entry) = frame::decode(payload) else {
                damaged += 1;
                continue;
            };
            each_key(&entry, &mut |key| index.pairs.push((key.hash(), offset as u32)));
            index.stretch(entry.at, entry.at);
        }
        index.pairs.sort_unstable();
        index.pairs.dedup();
        (index, damaged)
    }

    /// The file's octets. Sorts.
    pub(super) fn encode(&mut self) -> Vec<u8> {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        let mut body = Vec::with_capacity(self.pairs.len() * PAIR_LENGTH);
        for (hash, offset) in &self.pairs {
            body.extend_from_slice(&hash.to_le_bytes());
            body.extend_from_slice(&offset.to_le_bytes());
        }
        let (first, last) = self.times.unwrap_or_default();
        let mut out = Vec::with_capacity(HEADER_LENGTH + body.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&(self.pairs.len() as u32).to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        out.extend_from_slice(&first.0.to_le_bytes());
        out.extend_from_slice(&last.0.to_le_bytes());
        let sum = crc32c::crc32c(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.append(&mut body);
        out
    }

    /// Reads a whole index file; none if it is damaged.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let header = Header::decode(octets)?;
        let body = &octets[HEADER_LENGTH..];
        if body.len() as u64 != header.body_length() || crc32c::crc32c(body) != header.sum {
            return None;
        }
        let pairs = body.chunks_exact(PAIR_LENGTH).filter_map(|pair| {
            let hash = u64::from_le_bytes(*pair.first_chunk()?);
            Some((hash, u32::from_le_bytes(*pair.last_chunk()?)))
        });
        Some(Self { pairs: pairs.collect(), times: Some(header.times) })
    }
}

/// What can be known of an index file without reading its pairs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    count: u32,
    sum: u32,
    /// Of the oldest and the newest entry.
    pub(super) times: (Timestamp, Timestamp),
}

impl Header {
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_LENGTH] = octets.first_chunk()?;
        let word = |at: usize| header[at..].first_chunk().map(|octets| u32::from_le_bytes(*octets));
        let long = |at: usize| header[at..].first_chunk().map(|octets| u64::from_le_bytes(*octets));
        if !header.starts_with(&MAGIC) || word(32)? != crc32c::crc32c(&header[..32]) {
            return None;
        }
        let times = (Timestamp(long(16)?), Timestamp(long(24)?));
        Some(Self { count: word(8)?, sum: word(12)?, times })
    }

    /// Octets of the pairs.
    pub(super) fn body_length(&self) -> u64 {
        u64::from(self.count) * PAIR_LENGTH as u64
    }
}
