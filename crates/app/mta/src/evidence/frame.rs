//! Frames: how entries stand in a log file, and how they are found again behind damage.
//!
//! A file opens with `MWEV`, a version octet and three zeros. A frame is a two-octet mark, the
//! payload's length (u32), the payload's CRC-32C (u32), both little-endian, then the payload: the
//! entry's version octet and its postcard encoding.
//!
//! Where a frame does not hold, the scan looks for the next mark with a frame that does.

use super::entry::Entry;

/// First octets of a log file.
pub(super) const FILE_HEADER: [u8; 8] = *b"MWEV\x01\0\0\0";
/// Octets in front of a payload.
pub(super) const FRAME_HEADER_LENGTH: usize = 10;
/// A longer entry is not written, and a longer length is damage.
pub(super) const PAYLOAD_LENGTH_MAX: usize = 1024 * 1024;

const MARK: [u8; 2] = [0xe7, 0x1d];

/// Writes `entry` as a frame behind what `out` holds. False, and nothing written, if it is too long.
pub(super) fn write(entry: &Entry<'_>, mut out: Vec<u8>) -> (Vec<u8>, bool) {
    let start = out.len();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&[0; FRAME_HEADER_LENGTH - 2]);
    out.push(Entry::VERSION);
    // Only a map or sequence of unknown length can fail here, and entries have none.
    let Ok(mut out) = postcard::to_extend(entry, out) else {
        return (Vec::new(), false);
    };
    let payload = &out[start + FRAME_HEADER_LENGTH..];
    if payload.len() > PAYLOAD_LENGTH_MAX {
        out.truncate(start);
        return (out, false);
    }
    let (length, sum) = (payload.len() as u32, crc32c::crc32c(payload));
    out[start + 2..start + 6].copy_from_slice(&length.to_le_bytes());
    out[start + 6..start + 10].copy_from_slice(&sum.to_le_bytes());
    (out, true)
}

/// The payload of the frame that starts at `offset`, if it holds.
pub(super) fn payload_at(octets: &[u8], offset: usize) -> Option<&[u8]> {
    let header = octets.get(offset..offset + FRAME_HEADER_LENGTH)?;
    let (length, sum) = read_header(header)?;
    let start = offset + FRAME_HEADER_LENGTH;
    let payload = octets.get(start..start + length)?;
    (crc32c::crc32c(payload) == sum).then_some(payload)
}

/// Length and checksum of the payload behind a frame header.
pub(super) fn read_header(header: &[u8]) -> Option<(usize, u32)> {
    let [a, b, l0, l1, l2, l3, c0, c1, c2, c3] = *header.first_chunk()?;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let plausible = [a, b] == MARK && (1..=PAYLOAD_LENGTH_MAX).contains(&length);
    plausible.then_some((length, u32::from_le_bytes([c0, c1, c2, c3])))
}

/// The entry in a payload; none if it is of a version that this program doesn't know.
pub(super) fn decode(payload: &[u8]) -> Option<Entry<'static>> {
    match payload.split_first()? {
        (&Entry::VERSION, encoded) => postcard::from_bytes(encoded).ok(),
        _ => None,
    }
}

/// What a scan comes upon.
#[derive(Debug)]
pub(super) enum Scanned<'a> {
    /// A frame that holds.
    Frame {
        /// Where it starts.
        offset: usize,
        /// What is in it.
        payload: &'a [u8],
    },
    /// Octets that are no frame: damage, or a torn tail.
    Damage,
}

/// Goes through a whole file.
pub(super) fn scan(octets: &[u8]) -> impl Iterator<Item = Scanned<'_>> {
    let mut offset = if octets.starts_with(&FILE_HEADER) { FILE_HEADER.len() } else { 0 };
    std::iter::from_fn(move || {
        if offset >= octets.len() {
            return None;
        }
        if let Some(payload) = payload_at(octets, offset) {
            let frame = Scanned::Frame { offset, payload };
            offset += FRAME_HEADER_LENGTH + payload.len();
            return Some(frame);
        }
        offset = next_frame(octets, offset + 1);
        Some(Scanned::Damage)
    })
}

fn next_frame(octets: &[u8], from: usize) -> usize {
    memchr::memmem::find_iter(&octets[from..], &MARK)
        .map(|distance| from + distance)
        .find(|&offset| payload_at(octets, offset).is_some())
        .unwrap_or(octets.len())
}
