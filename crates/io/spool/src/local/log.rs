//! The committer: takes groups, places them in the active segment, syncs once, then tells all who wait.
//!
//! A failed write or sync condemns the segment: it counts only up to where it was durable before, which
//! a `Seal` record at the start of the next one says, and nobody of that batch gets a receipt. Whether
//! the disk works again is found out by trying to begin the next segment.

use std::{
    collections::HashMap,
    io::{self, IoSlice},
    sync::{Arc, atomic::Ordering},
};

use world::disk::{File, Open, write_all_at};

use super::{
    Shared,
    format::{FIRST, Kind, LAST, RECORD_HEADER, SEGMENT_HEADER, SegmentHeader},
    index::{Index, Jobs, Message, Segment},
    lock,
    record::{Effect, Purpose, Record, Request},
};
use crate::{JobId, KeepError, MessageId, Revision};

/// Ids are covered in blocks of this many, ahead of their use.
pub const LIMIT_BLOCK: u64 = 1 << 16;

static ZEROS: [u8; RECORD_HEADER] = [0; RECORD_HEADER];

/// Where the next records go.
#[derive(Default)]
pub struct Log {
    active: Option<Active>,
    /// Number of the next segment.
    pub next_segment: u64,
    /// Number of the next spare file.
    pub next_spare: u64,
    /// Preallocated files, by number.
    pub spares: Vec<u64>,
    /// Segments that count only up to an offset, which no record says yet.
    seals: Vec<(u64, u64)>,
}

struct Active {
    number: u64,
    file: Arc<dyn File>,
    end: u64,
    batch: u32,
    /// The last preallocated space: for changes of what is queued, not for new mail.
    changes_only: bool,
}

/// An I/O error can be told to one; this makes another for the next.
fn again(file: &str, error: &io::Error) -> KeepError {
    let source = match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    };
    KeepError::Io { file: file.to_owned(), source }
}

impl Log {
    /// With nothing active yet.
    pub fn starting_at(next_segment: u64) -> Self {
        Self { next_segment, ..Self::default() }
    }

    /// Octets that new mail may still use in the active segment.
    fn room(&self, segment_size: u64) -> u64 {
        match &self.active {
            Some(active) if !active.changes_only => segment_size.saturating_sub(active.end),
            _ => 0,
        }
    }

    /// Whether there is an active segment.
    pub fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// Commits groups: in as few writes as they need, each synced once.
    pub fn commit(&mut self, shared: &Shared, requests: Vec<Request>) {
        let mut batch = Batch::default();
        for request in requests {
            if let Err(conflict) = batch.check(shared, &request) {
                request.answer(Err(conflict));
                continue;
            }
            let length = request.length();
            if !self.fits(shared, batch.length + length, request.purpose) {
                self.flush(shared, &mut batch);
                if !self.fits(shared, length, request.purpose)
                    && let Err(error) = self.switch(shared, request.purpose, length)
                {
                    request.answer(Err(error));
                    continue;
                }
            }
            batch.add(request, length);
        }
        self.flush(shared, &mut batch);
        shared.room.store(self.room(shared.settings.segment_size), Ordering::Relaxed);
        shared.spares.store(self.spares.len(), Ordering::Relaxed);
    }

    fn fits(&self, shared: &Shared, length: u64, purpose: Purpose) -> bool {
        self.active.as_ref().is_some_and(|active| {
            (purpose == Purpose::Change || !active.changes_only)
                && active.end + length + RECORD_HEADER as u64 <= shared.settings.segment_size
        })
    }

    fn flush(&mut self, shared: &Shared, batch: &mut Batch) {
        let mut requests = std::mem::take(&mut batch.requests);
        let length = std::mem::take(&mut batch.length);
        batch.touched.clear();
        let Some(active) = self.active.as_mut().filter(|_| !requests.is_empty()) else { return };
        active.batch += 1;
        place(active, &mut requests);
        match write(active, &requests) {
            Ok(()) => {
                let start = active.end;
                active.end += length;
                let bodies = shared.apply(active.number, start, active.end, &mut requests);
                for request in requests {
                    request.answer(Ok(()));
                }
                shared.remove_bodies(bodies);
            }
            Err(error) => {
                let file = shared.segment_name(active.number);
                tracing::error!(file, offset = active.end, %error, "spool write failed");
                self.condemn(shared);
                shared.refuse(&again(&file, &error));
                for request in requests {
                    request.answer(Err(again(&file, &error)));
                }
            }
        }
    }

    /// Nothing more goes to the active segment, and what follows its durable end does not count.
    fn condemn(&mut self, shared: &Shared) {
        if let Some(active) = self.active.take() {
            self.seals.push((active.number, active.end));
            lock(&shared.index).segments.entry(active.number).and_modify(|s| s.sealed = true);
        }
    }

    /// Seals the active segment; the next commit begins another.
    pub fn seal(&mut self, shared: &Shared) {
        if let Some(active) = self.active.take() {
            lock(&shared.index).segments.entry(active.number).and_modify(|s| s.sealed = true);
            shared.room.store(0, Ordering::Relaxed);
            shared.work_for_maintenance();
        }
    }

    /// Begins a segment that takes `length` octets for `purpose`.
    pub fn switch(
        &mut self,
        shared: &Shared,
        purpose: Purpose,
        length: u64,
    ) -> Result<(), KeepError> {
        let size = shared.settings.segment_size;
        if SEGMENT_HEADER as u64 + length + 2 * RECORD_HEADER as u64 > size {
            let source =
                io::Error::new(io::ErrorKind::InvalidInput, "a group is longer than a segment");
            return Err(KeepError::Io { file: shared.segment_name(self.next_segment), source });
        }
        let (spare, changes_only) = match self.take_spare(shared, purpose) {
            Ok(taken) => taken,
            Err(error) => {
                shared.refuse(&error);
                return Err(error);
            }
        };
        self.seal(shared);
        let number = self.next_segment;
        self.next_segment += 1;
        let begun = self.begin(shared, spare, number).and_then(|file| {
            self.active =
                Some(Active { number, file, end: SEGMENT_HEADER as u64, batch: 0, changes_only });
            self.write_seals(shared)
        });
        if let Err(error) = begun {
            let file = shared.segment_name(number);
            self.condemn(shared);
            let error = again(&file, &error);
            shared.refuse(&error);
            return Err(error);
        }
        if !changes_only {
            shared.accept_again();
        }
        Ok(())
    }

    /// A preallocated file: the last is kept for changes while new mail is refused.
    fn take_spare(&mut self, shared: &Shared, purpose: Purpose) -> Result<(u64, bool), KeepError> {
        let settings = &shared.settings;
        if self.spares.len() < 2 {
            let free = shared.disk.free(&shared.directory).unwrap_or(0);
            if free >= settings.reserve.saturating_add(settings.segment_size) {
                self.add_spare(shared).map_err(|error| again(&shared.segment_name(0), &error))?;
            } else if purpose == Purpose::Arrival {
                return Err(KeepError::Full { free, reserve: settings.reserve });
            }
        }
        if self.spares.is_empty() {
            self.add_spare(shared).map_err(|error| again(&shared.segment_name(0), &error))?;
        }
        let last = self.spares.len() == 1
            && shared.disk.free(&shared.directory).unwrap_or(0)
                < settings.reserve.saturating_add(settings.segment_size);
        match self.spares.pop() {
            Some(spare) => Ok((spare, last)),
            None => Err(KeepError::Full { free: 0, reserve: settings.reserve }),
        }
    }

    /// Preallocates one more file.
    pub fn add_spare(&mut self, shared: &Shared) -> io::Result<()> {
        let number = self.next_spare;
        self.next_spare += 1;
        let path = shared.spare_path(number);
        let file = shared.disk.open(&path, Open::Any)?;
        if let Err(error) = file.allocate(shared.settings.segment_size) {
            drop(file);
            // Best effort: what is left over is found and used at the next start.
            let _ = shared.disk.remove(&path);
            return Err(error);
        }
        self.spares.push(number);
        Ok(())
    }

    /// Turns a spare into segment `number`: named only when its header is durable.
    fn begin(&mut self, shared: &Shared, spare: u64, number: u64) -> io::Result<Arc<dyn File>> {
        let (from, to) = (shared.spare_path(spare), shared.segment_path(number));
        let file = shared.disk.open(&from, Open::Write)?;
        let limit = shared.next_id.load(Ordering::Relaxed) + LIMIT_BLOCK;
        let mut start = [0; SEGMENT_HEADER + RECORD_HEADER];
        start[..SEGMENT_HEADER]
            .copy_from_slice(&SegmentHeader { number, id_limit: limit }.encode());
        write_all_at(&*file, 0, &start)?;
        file.sync()?;
        shared.disk.rename(&from, &to)?;
        shared.disk.sync_directory(&shared.directory)?;
        shared.id_limit.fetch_max(limit, Ordering::Relaxed);
        let segment = Segment {
            file: file.clone(),
            end: SEGMENT_HEADER as u64,
            disk: shared.settings.segment_size,
            live: 0,
            pins: Default::default(),
            sealed: false,
            hinted: false,
            damaged: false,
        };
        lock(&shared.index).segments.insert(number, segment);
        Ok(file)
    }

    fn write_seals(&mut self, shared: &Shared) -> io::Result<()> {
        let Some(active) = self.active.as_mut().filter(|_| !self.seals.is_empty()) else {
            return Ok(());
        };
        let record = |&(segment, end): &(u64, u64)| {
            Record::new(Kind::Seal, 0, Effect::Pin(vec![segment]), |meta| {
                meta.extend_from_slice(&segment.to_le_bytes());
                meta.extend_from_slice(&end.to_le_bytes());
            })
        };
        let records: Vec<Record> = self.seals.iter().map(record).collect();
        let request = Request { records, purpose: Purpose::Change, reply: None };
        let length = request.length();
        let mut requests = [request];
        active.batch += 1;
        place(active, &mut requests);
        write(active, &requests)?;
        let start = active.end;
        active.end += length;
        shared.apply(active.number, start, active.end, &mut requests);
        self.seals.clear();
        Ok(())
    }
}

/// Groups that are written together.
#[derive(Default)]
struct Batch {
    requests: Vec<Request>,
    length: u64,
    /// What earlier groups of this batch do to jobs: their new revision, or `None` when finished.
    touched: HashMap<JobId, Option<Revision>>,
}

impl Batch {
    fn add(&mut self, request: Request, length: u64) {
        for record in &request.records {
            match &record.effect {
                Effect::Defer { id, revision } => {
                    self.touched.insert(*id, Some(*revision));
                }
                Effect::Finish(list) => self.touched.extend(list.iter().map(|(id, _)| (*id, None))),
                _ => {}
            }
        }
        self.length += length;
        self.requests.push(request);
    }

    /// Whether the group's changes are based on what is there.
    fn check(&self, shared: &Shared, request: &Request) -> Result<(), KeepError> {
        if request.records.iter().all(|r| matches!(r.effect, Effect::Arrive { .. } | Effect::None))
        {
            return Ok(());
        }
        let index = lock(&shared.index);
        let check = |id: JobId, given: Revision| {
            let current = self.touched.get(&id).copied().unwrap_or_else(|| index.revision(id));
            if current == Some(given) {
                Ok(())
            } else {
                Err(KeepError::Conflict { id, current, given })
            }
        };
        for record in &request.records {
            match &record.effect {
                Effect::Defer { id, revision } => check(*id, revision - 1)?,
                Effect::Finish(list) => {
                    list.iter().try_for_each(|(id, given)| check(*id, *given))?
                }
                Effect::MoveArrival { parts, .. } => {
                    // A copy must not name a job that was finished after it was read.
                    let message = MessageId(record.header.id);
                    for &part in parts {
                        let id = JobId { message, part };
                        let current = index.revision(id);
                        if current.is_none() {
                            return Err(KeepError::Conflict { id, current, given: 0 });
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Fills in what only the place decides.
fn place(active: &Active, requests: &mut [Request]) {
    for request in requests {
        let last = request.records.len().saturating_sub(1);
        for (n, record) in request.records.iter_mut().enumerate() {
            let header = &mut record.header;
            header.segment = active.number;
            header.batch = active.batch;
            header.flags = if n == 0 { FIRST } else { 0 } | if n == last { LAST } else { 0 };
            if let Some(octets) = record.head.first_chunk_mut() {
                header.encode(octets);
            }
        }
    }
}

/// Writes a batch with zeros behind it (where the log ends must not look like a record) and syncs.
fn write(active: &Active, requests: &[Request]) -> io::Result<()> {
    let records = requests.iter().map(|request| request.records.len()).sum::<usize>();
    let mut slices = Vec::with_capacity(records * 3 + 1);
    for record in requests.iter().flat_map(|request| &request.records) {
        slices.push(IoSlice::new(&record.head));
        if !record.big.is_empty() {
            slices.push(IoSlice::new(&record.big));
            let written = record.head.len() + record.big.len();
            let padding = record.length() as usize - written;
            if padding > 0 {
                slices.push(IoSlice::new(&ZEROS[..padding]));
            }
        }
    }
    slices.push(IoSlice::new(&ZEROS));
    active.file.write_at(active.end, &mut slices)?;
    active.file.sync()
}

/// What a durable record changes. Gives body files that nobody needs any more.
pub fn apply(
    index: &mut Index,
    segment: u64,
    offset: u64,
    record: &mut Record,
    bodies: &mut Vec<u64>,
) {
    let length = record.length() as u32;
    let id = MessageId(record.header.id);
    match std::mem::replace(&mut record.effect, Effect::None) {
        Effect::None | Effect::Limit(_) => {}
        Effect::Arrive { jobs, size, body } => {
            if let Some(jobs) = Jobs::new(jobs) {
                let message = Message { home: segment, offset: offset as u32, length, size, jobs };
                index.arrive(id, message, body);
            }
        }
        Effect::Defer { id, revision } => index.defer(id, revision, segment, length),
        Effect::Finish(list) => {
            bodies.extend(list.iter().filter_map(|(id, _)| index.finish(*id, segment)));
        }
        Effect::Pin(pinned) => {
            if let Some(segment) = index.segments.get_mut(&segment) {
                segment.pins.extend(pinned);
            }
        }
        Effect::MoveArrival { from, .. } => {
            index.move_arrival(id, from, segment, offset as u32, length)
        }
        Effect::MoveState { id, revision, from } => {
            index.move_state(id, revision, from, segment, length)
        }
    }
}
