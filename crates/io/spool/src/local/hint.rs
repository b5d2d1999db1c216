//! Hint files: a sealed segment's metadata without its contents, so that opening the spool need not read
//! them. A hint is made from its segment alone; missing or damaged, it is made again.
//!
//! What begins and ends within the segment is left out. A message that was finished by a record in a
//! *later* segment stays in: only while this segment is known to hold it is that record kept.

use std::{collections::HashSet, io};

use bytes::Bytes;
use world::disk::{Open, read_exact_at, write_all_at};

use super::{
    Shared,
    format::{Kind, RECORD_HEADER, RecordHeader, VERSION},
    index::IdMap,
    meta::{take_arrival_jobs, take_finishes},
    scan::{Item, Place, Scan},
};
use crate::{JobId, MessageId};

const MAGIC: [u8; 8] = *b"MWHINT\0\0";
const HEADER: usize = 40;
const PLACE: usize = 25;

/// Leaves out what the segment itself finished, and all but the latest state of a job.
pub fn condense(items: Vec<Item>) -> Vec<Item> {
    let mut finished: HashSet<JobId> = HashSet::new();
    let mut latest: IdMap<JobId, u64> = IdMap::default();
    for item in &items {
        match item.header.kind {
            Kind::Finish => finished.extend(take_finishes(&item.meta).map(|(id, _)| id)),
            Kind::State => {
                latest.insert(job_of(item), item.offset);
            }
            _ => {}
        }
    }
    let is_needed = |item: &Item| match item.header.kind {
        Kind::Arrival => take_arrival_jobs(&item.meta).is_none_or(|jobs| {
            let message = MessageId(item.header.id);
            jobs.iter().any(|job| !finished.contains(&JobId { message, part: job.part }))
        }),
        Kind::State => {
            let id = job_of(item);
            !finished.contains(&id) && latest.get(&id) == Some(&item.offset)
        }
        _ => true,
    };
    items.into_iter().filter(is_needed).collect()
}

/// Whose state it is: the part comes first in the metadata.
fn job_of(item: &Item) -> JobId {
    let part = item.meta.first_chunk().map_or(0, |octets| u16::from_le_bytes(*octets));
    JobId { message: MessageId(item.header.id), part }
}

/// As on disk.
pub fn encode(segment: u64, scan: &Scan) -> Vec<u8> {
    let metas: usize = scan.items.iter().map(|item| item.meta.len() + RECORD_HEADER + 8).sum();
    let mut out = Vec::with_capacity(HEADER + metas + scan.places.len() * PLACE + 4);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&u64::from(VERSION).to_le_bytes());
    out.extend_from_slice(&segment.to_le_bytes());
    out.extend_from_slice(&scan.end.to_le_bytes());
    out.extend_from_slice(&(scan.items.len() as u32).to_le_bytes());
    out.extend_from_slice(&(scan.places.len() as u32).to_le_bytes());
    for item in &scan.items {
        let mut header = [0; RECORD_HEADER];
        item.header.encode(&mut header);
        out.extend_from_slice(&item.offset.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&item.meta);
    }
    for place in &scan.places {
        out.extend_from_slice(&place.offset.to_le_bytes());
        out.extend_from_slice(&place.length.to_le_bytes());
        out.extend_from_slice(&place.message.map_or(0, |id| id.0).to_le_bytes());
        out.push(u8::from(place.unfinished));
    }
    let sum = crc32c::crc32c(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// From disk; `None` unless every octet is as it was written, for this segment, by this version.
pub fn decode(octets: &Bytes, segment: u64) -> Option<Scan> {
    let (content, sum) = octets.split_at_checked(octets.len().checked_sub(4)?)?;
    if content.get(..8)? != MAGIC || *sum != crc32c::crc32c(content).to_le_bytes() {
        return None;
    }
    let number = |at: usize| -> Option<u64> {
        content.get(at..)?.first_chunk().map(|octets| u64::from_le_bytes(*octets))
    };
    if number(8)? != u64::from(VERSION) || number(16)? != segment {
        return None;
    }
    let (end, counts) = (number(24)?, number(32)?);
    let (items, places) = (counts & 0xffff_ffff, counts >> 32);
    let mut scan = Scan { end, ..Scan::default() };
    let mut at = HEADER;
    for _ in 0..items {
        let offset = number(at)?;
        let header = RecordHeader::decode(content.get(at + 8..)?)?;
        let start = at + 8 + RECORD_HEADER;
        at = start.checked_add(header.meta_length as usize)?;
        if at > content.len() {
            return None;
        }
        scan.items.push(Item { offset, header, meta: octets.slice(start..at) });
    }
    for _ in 0..places {
        let (offset, length, id) = (number(at)?, number(at + 8)?, number(at + 16)?);
        let message = (id != 0).then_some(MessageId(id));
        let unfinished = *content.get(at + 24)? != 0;
        scan.places.push(Place { offset, length, message, unfinished });
        at += PLACE;
    }
    Some(scan)
}

/// Writes a segment's hint; it is there whole or not at all.
pub(super) fn write(shared: &Shared, segment: u64, scan: &Scan) -> io::Result<()> {
    let path = shared.hint_path(segment);
    let draft = path.with_extension("draft");
    let file = shared.disk.open(&draft, Open::Any)?;
    file.set_len(0)?;
    write_all_at(&*file, 0, &encode(segment, scan))?;
    file.sync()?;
    shared.disk.rename(&draft, &path)
}

/// Reads a segment's hint, if there is a good one.
pub(super) fn read(disk: &dyn world::Disk, path: &std::path::Path, segment: u64) -> Option<Scan> {
    let file = disk.open(path, Open::Read).ok()?;
    let mut octets = vec![0; usize::try_from(file.len().ok()?).ok()?];
    read_exact_at(&*file, 0, &mut octets).ok()?;
    decode(&Bytes::from(octets), segment)
}
