//! What keeps disk use in step with what is queued: hints for sealed segments, compaction of mostly dead
//! ones, and giving back those that nothing needs.
//!
//! Each call of [`Shared::maintain`] is one bounded step. One segment is compacted at a time, the oldest
//! first. Survivors are copied as groups like any other and the original goes only when all copies are
//! durable; a crash in between leaves both, which opening understands.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;
use world::disk::{Open, read_exact_at};

use super::{
    Shared,
    format::{Kind, RECORD_HEADER},
    hint, lock,
    meta::{put_arrival, put_job, take_arrival, take_finishes, take_job, take_seal},
    read::scan_file,
    record::{Effect, Purpose, Record, Request},
    scan::{Item, Scan},
};
use crate::{KeepError, MessageId};

/// Octets that one step of compaction copies.
const STEP: u64 = 1 << 20;

impl Shared {
    /// One step. True if there may be more to do.
    pub fn maintain(&self) -> bool {
        let step = self.drop_segments().and_then(|dropped| {
            if dropped { Ok(true) } else { Ok(self.write_next_hint()? || self.compact()?) }
        });
        step.unwrap_or_else(|error| {
            tracing::warn!(%error, "spool maintenance postponed");
            false
        })
    }

    /// Gives back what nothing needs. The removal is durable before anything else relies on it.
    fn drop_segments(&self) -> io::Result<bool> {
        let droppable = lock(&self.index).droppable();
        if droppable.is_empty() {
            return Ok(false);
        }
        let mut recycled = Vec::new();
        for &number in &droppable {
            let disk = lock(&self.index).segments.get(&number).map_or(0, |segment| segment.disk);
            let mut log = lock(&self.log);
            let spares = log.spares.len() + recycled.len();
            if disk >= self.settings.segment_size && spares < self.settings.spares_max.max(1) {
                let spare = log.next_spare;
                log.next_spare += 1;
                drop(log);
                self.disk.rename(&self.segment_path(number), &self.spare_path(spare))?;
                recycled.push(spare);
            } else {
                drop(log);
                self.disk.remove(&self.segment_path(number))?;
            }
            match self.disk.remove(&self.hint_path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.disk.sync_directory(&self.directory)?;
        let mut log = lock(&self.log);
        log.spares.extend(recycled);
        self.spares.store(log.spares.len(), std::sync::atomic::Ordering::Relaxed);
        drop(log);
        let mut index = lock(&self.index);
        droppable.iter().for_each(|number| drop(index.segments.remove(number)));
        Ok(true)
    }

    fn write_next_hint(&self) -> io::Result<bool> {
        let index = lock(&self.index);
        let next = index.segments.iter().find(|(_, segment)| segment.sealed && !segment.hinted);
        let Some((number, file, end)) = next.map(|(&n, s)| (n, s.file.clone(), s.end)) else {
            return Ok(false);
        };
        drop(index);
        let scan = scan_file(&*file, number, Some(end), true)?;
        let damaged = scan.places.len() as u64;
        let scan = Scan { items: hint::condense(scan.items), ..scan };
        hint::write(self, number, &scan)?;
        let mut index = lock(&self.index);
        index.damaged += damaged;
        index.segments.entry(number).and_modify(|s| {
            s.hinted = true;
            s.damaged |= damaged > 0;
        });
        Ok(true)
    }

    /// Empties the oldest mostly dead segment, step by step under the locks of the others.
    fn compact(&self) -> io::Result<bool> {
        let Some((number, file, end)) = self.begin_compaction() else { return Ok(false) };
        let result = self.copy_survivors(number, &*file, end);
        let mut index = lock(&self.index);
        index.compacting = None;
        if let Ok(false) = result {
            // Something in it can't be read: it stays as it is, for `repair`.
            index.segments.entry(number).and_modify(|s| s.damaged = true);
            index.damaged += 1;
        }
        result
    }

    fn begin_compaction(&self) -> Option<(u64, std::sync::Arc<dyn world::disk::File>, u64)> {
        let mut index = lock(&self.index);
        let number = index.compactable()?;
        let segment = index.segments.get(&number)?;
        let (file, end) = (segment.file.clone(), segment.end);
        index.compacting = Some(number);
        Some((number, file, end))
    }

    /// False if a survivor could not be copied because it is damaged.
    fn copy_survivors(
        &self,
        number: u64,
        file: &dyn world::disk::File,
        end: u64,
    ) -> io::Result<bool> {
        let scan = match hint::read(&*self.disk, &self.hint_path(number), number) {
            Some(scan) => scan,
            None => scan_file(file, number, Some(end), true)?,
        };
        let (mut copies, mut octets, mut whole) = (Vec::new(), 0, true);
        for item in &scan.items {
            match self.copy(number, file, item)? {
                Copied::Dead => {}
                Copied::Damaged => whole = false,
                Copied::Record(record) => {
                    octets += record.length();
                    copies.push(record);
                }
            }
            if octets >= STEP {
                octets = 0;
                self.commit_copies(std::mem::take(&mut copies))?;
            }
        }
        self.commit_copies(copies)?;
        // Copied finishes and seals keep what they need by their own pins now.
        if whole && let Some(segment) = lock(&self.index).segments.get_mut(&number) {
            segment.pins.clear();
        }
        Ok(whole)
    }

    fn commit_copies(&self, records: Vec<Record>) -> io::Result<()> {
        let mut answers = Vec::with_capacity(records.len());
        let mut requests = Vec::with_capacity(records.len());
        for record in records {
            let (reply, answer) = oneshot::channel();
            answers.push(answer);
            requests.push(Request {
                records: vec![record],
                purpose: Purpose::Change,
                reply: Some(reply),
            });
        }
        lock(&self.log).commit(self, requests);
        for mut answer in answers {
            match answer.try_recv() {
                // Overtaken: what was to be copied has changed or ended meanwhile.
                Ok(Ok(()) | Err(KeepError::Conflict { .. })) => {}
                Ok(Err(error)) => return Err(io::Error::other(error)),
                Err(_) => return Err(io::Error::other("the committer gave no answer")),
            }
        }
        Ok(())
    }

    fn copy(&self, from: u64, file: &dyn world::disk::File, item: &Item) -> io::Result<Copied> {
        match item.header.kind {
            Kind::Arrival => self.copy_arrival(from, file, item),
            Kind::State => {
                let Some(job) = take_job(&item.meta, item.header.id) else {
                    return Ok(Copied::Damaged);
                };
                let index = lock(&self.index);
                let is_latest = |known: &&super::index::JobPlace| {
                    known.segment == from && known.revision == job.revision
                };
                if index.job(job.id).filter(is_latest).is_none() {
                    return Ok(Copied::Dead);
                }
                let effect = Effect::MoveState { id: job.id, revision: job.revision, from };
                let put = |meta: &mut Vec<u8>| put_job(meta, &job, job.revision);
                Ok(Copied::Record(Record::new(Kind::State, item.header.id, effect, put)))
            }
            Kind::Finish => Ok(self.copy_pinning(from, item, Kind::Finish)),
            Kind::Seal => match take_seal(&item.meta) {
                Some((sealed, _)) if lock(&self.index).segments.contains_key(&sealed) => {
                    Ok(self.copy_pinning(from, item, Kind::Seal))
                }
                _ => Ok(Copied::Dead),
            },
            Kind::Limit | Kind::Gap => Ok(Copied::Dead),
        }
    }

    /// A record that others must outlive, while any of those is there.
    fn copy_pinning(&self, from: u64, item: &Item, kind: Kind) -> Copied {
        let index = lock(&self.index);
        let pins =
            index.segments.get(&from).map(|segment| segment.pins.clone()).unwrap_or_default();
        let pins: Vec<u64> =
            pins.into_iter().filter(|pinned| index.segments.contains_key(pinned)).collect();
        if pins.is_empty() || kind == Kind::Finish && take_finishes(&item.meta).next().is_none() {
            return Copied::Dead;
        }
        let put = |meta: &mut Vec<u8>| meta.extend_from_slice(&item.meta);
        Copied::Record(Record::new(kind, 0, Effect::Pin(pins), put))
    }

    fn copy_arrival(
        &self,
        from: u64,
        file: &dyn world::disk::File,
        item: &Item,
    ) -> io::Result<Copied> {
        let id = item.header.id;
        let Some(mut arrival) = take_arrival(&item.meta, id) else { return Ok(Copied::Damaged) };
        let index = lock(&self.index);
        if index.messages.get(&id).is_none_or(|message| message.home != from) {
            return Ok(Copied::Dead);
        }
        arrival.jobs.retain(|job| index.job(job.id).is_some());
        drop(index);
        let mut octets = BytesMut::zeroed(item.header.body_length as usize);
        let offset = item.offset + RECORD_HEADER as u64 + u64::from(item.header.meta_length);
        read_exact_at(file, offset, &mut octets)?;
        if crc32c::crc32c(&octets) != item.header.body_sum {
            let name = self.segment_name(from);
            tracing::error!(file = name, offset = item.offset, message = %MessageId(id), "damage in the spool");
            return Ok(Copied::Damaged);
        }
        let content: Bytes = octets.freeze();
        let mut head = vec![0; RECORD_HEADER];
        let count = arrival.jobs.len() as u16;
        let (prefix, length) = (arrival.prefix_length, arrival.content_length);
        put_arrival(&mut head, arrival.at, prefix, length, arrival.body, count);
        arrival.jobs.iter().for_each(|job| put_job(&mut head, job, job.revision));
        let parts = arrival.jobs.iter().map(|job| job.id.part).collect();
        let effect = Effect::MoveArrival { from, parts };
        Ok(Copied::Record(Record::finish_head(Kind::Arrival, id, effect, head, &[], content)))
    }

    /// After the last commit of a run: the active segment is sealed, gets its hint, and gives back what
    /// it did not use.
    pub fn put_away(&self) {
        lock(&self.log).seal(self);
        while self.maintain() {}
        let index = lock(&self.index);
        let last = index.segments.iter().next_back();
        let Some((number, end)) =
            last.filter(|(_, s)| s.hinted && s.disk > s.end).map(|(&n, s)| (n, s.end))
        else {
            return;
        };
        drop(index);
        let cut = self.disk.open(&self.segment_path(number), Open::Write).and_then(|file| {
            file.set_len(end)?;
            file.sync()
        });
        if let Err(error) = cut {
            tracing::warn!(segment = number, %error, "unused space not given back");
        }
    }
}

enum Copied {
    /// Nothing of it is needed any more.
    Dead,
    /// It can't be read.
    Damaged,
    /// To be written.
    Record(Record),
}
