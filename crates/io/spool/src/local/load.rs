//! Opening: what is on disk becomes the index and the list of what is queued.
//!
//! Order does not matter to the outcome: a job's highest revision counts, and one `Finish` ends it for
//! good, since ids are never used again. So copies that compaction left in two segments do no harm.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::BuildHasherDefault,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use smtp::Timestamp;
use world::{
    Disk,
    disk::{File, Open, read_exact_at},
};

use super::{
    Damage, OpenError, Pace, Report, Settings, Shared,
    content::LocalContent,
    format::{
        ArrivalMeta, Body, Kind, NotASegment, SEGMENT_HEADER, SegmentHeader, VERSION, take_arrival,
        take_finishes, take_limit, take_seal, take_state,
    },
    hint,
    index::{IdHasher, IdMap, Index, JobPlace, Jobs, Message, Segment},
    lock,
    log::{LIMIT_BLOCK, Log},
    record::Purpose,
    scan::{Place, Scan, scan},
};
use crate::{Found, Job, JobId, MessageId};

/// A segment as it was read.
pub struct ReadSegment {
    pub file: Arc<dyn File>,
    pub disk: u64,
    pub scan: Scan,
    pub hinted: bool,
    pub id_limit: u64,
}

/// All segments, and what is said about them elsewhere.
pub struct ReadLog {
    pub directory: PathBuf,
    pub segments: BTreeMap<u64, ReadSegment>,
    /// Spare files' numbers, and the highest segment number that one of them ever had.
    pub spares: Vec<u64>,
    pub highest: u64,
    pub names: Vec<PathBuf>,
}

pub fn error_at(path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let file = path.display().to_string();
    move |source| OpenError::Io { file, source }
}

/// Takes the directory's lock.
pub fn take_lock(disk: &dyn Disk, directory: &Path) -> Result<Box<dyn Send + Sync>, OpenError> {
    let path = directory.join("lock");
    disk.lock(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => {
            OpenError::Locked { directory: directory.display().to_string() }
        }
        _ => OpenError::Io { file: path.display().to_string(), source },
    })
}

fn number_in(name: &Path, before: &str, after: &str) -> Option<u64> {
    name.to_str()?.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}

/// Reads a whole file.
pub fn read_whole(file: &dyn File) -> io::Result<Bytes> {
    let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut octets = BytesMut::zeroed(length);
    read_exact_at(file, 0, &mut octets)?;
    Ok(octets.freeze())
}

/// Reads all segments, newest first: a newer one may say where an older one ends.
/// `trust_hints` takes sealed segments' hints for their contents.
pub fn read_log(
    disk: &dyn Disk,
    directory: &Path,
    trust_hints: bool,
) -> Result<ReadLog, OpenError> {
    let names = disk.list(directory).map_err(error_at(directory))?;
    let mut log = ReadLog {
        directory: directory.to_owned(),
        segments: BTreeMap::new(),
        spares: names.iter().filter_map(|name| number_in(name, "spare-", ".log")).collect(),
        highest: 0,
        names,
    };
    let numbers: Vec<u64> =
        log.names.iter().filter_map(|name| number_in(name, "segment-", ".log")).collect();
    for &spare in &log.spares {
        let path = directory.join(format!("spare-{spare:010}.log"));
        let file = disk.open(&path, Open::Read).map_err(error_at(&path))?;
        let mut start = [0; SEGMENT_HEADER];
        let header = read_exact_at(&*file, 0, &mut start)
            .ok()
            .and_then(|()| SegmentHeader::decode(&start).ok());
        log.highest = log.highest.max(header.map_or(0, |header| header.number));
    }
    log.highest = log.highest.max(numbers.iter().copied().max().unwrap_or(0));
    let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
    for &number in numbers.iter().rev() {
        let segment =
            read_segment(disk, directory, number, ends.get(&number).copied(), trust_hints)?;
        for item in segment.scan.items.iter().filter(|item| item.header.kind == Kind::Seal) {
            if let Some((sealed, end)) = take_seal(&item.meta) {
                let known = ends.entry(sealed).or_insert(end);
                *known = end.min(*known);
            }
        }
        log.segments.insert(number, segment);
    }
    Ok(log)
}

fn read_segment(
    disk: &dyn Disk,
    directory: &Path,
    number: u64,
    end: Option<u64>,
    trust_hints: bool,
) -> Result<ReadSegment, OpenError> {
    let path = directory.join(format!("segment-{number:010}.log"));
    let file = disk.open(&path, Open::Read).map_err(error_at(&path))?;
    let length = file.len().map_err(error_at(&path))?;
    let mut start = [0; SEGMENT_HEADER];
    let head = if length < SEGMENT_HEADER as u64 {
        Err(NotASegment::Damaged)
    } else {
        read_exact_at(&*file, 0, &mut start).map_err(error_at(&path))?;
        SegmentHeader::decode(&start)
    };
    let (id_limit, header_is_good) = match head {
        Ok(header) => (header.id_limit, header.number == number),
        Err(NotASegment::Damaged) => (0, false),
        Err(NotASegment::Newer(found)) => {
            return Err(OpenError::Newer {
                file: path.display().to_string(),
                found,
                known: VERSION,
            });
        }
    };
    let hint = hint::read(disk, &path.with_extension("hint"), number);
    let hinted = hint.is_some();
    let scan = match hint {
        Some(scan) if trust_hints => scan,
        hint => {
            let mut scan =
                scan_file(&*file, number, end, header_is_good).map_err(error_at(&path))?;
            // What the hint did not know as unfinished was whole when the hint was written.
            if let Some(hint) = hint {
                for place in scan.places.iter_mut().filter(|place| place.offset < hint.end) {
                    place.unfinished =
                        hint.places.iter().any(|p| p.offset == place.offset && p.unfinished);
                }
            }
            scan
        }
    };
    Ok(ReadSegment { file, disk: length, scan, hinted, id_limit })
}

/// Reads and checks every octet of a segment, up to `end` if it was cut off there.
pub fn scan_file(
    file: &dyn File,
    number: u64,
    end: Option<u64>,
    header_is_good: bool,
) -> io::Result<Scan> {
    let mut octets = read_whole(file)?;
    if let Some(end) = end {
        octets.truncate(usize::try_from(end).unwrap_or(usize::MAX));
    }
    let mut found = scan(&octets, number, SEGMENT_HEADER as u64);
    if !header_is_good {
        let place =
            Place { offset: 0, length: SEGMENT_HEADER as u64, message: None, unfinished: false };
        found.places.insert(0, place);
    }
    // What is kept must not keep all the contents in memory with it.
    let total = found.items.iter().map(|item| item.meta.len()).sum();
    let mut metas = BytesMut::with_capacity(total);
    found.items.iter().for_each(|item| metas.extend_from_slice(&item.meta));
    let mut metas = metas.freeze();
    for item in &mut found.items {
        item.meta = metas.split_to(item.meta.len());
    }
    Ok(found)
}

/// A queued message as the records tell it.
pub struct Queued {
    pub home: u64,
    pub offset: u64,
    pub length: u32,
    pub arrival: ArrivalMeta,
    /// Latest states, with the segment and length of their `State` records (0 for the arrival's own).
    pub jobs: Vec<(Job, u64, u32)>,
}

/// What the records of all segments amount to.
#[derive(Default)]
pub struct Queue {
    pub messages: BTreeMap<u64, Queued>,
    /// For each segment, those that must go before it.
    pub pins: BTreeMap<u64, BTreeSet<u64>>,
    /// No id at or above this was ever told to anybody.
    pub next_id: u64,
    pub records: u64,
}

type IdSet = HashSet<JobId, BuildHasherDefault<IdHasher>>;

impl Queue {
    /// From all segments.
    pub fn new(log: &ReadLog) -> Self {
        let mut queue = Self::default();
        let mut finished = IdSet::default();
        let mut finishes: Vec<(u64, u64)> = Vec::new();
        let mut arrivals: IdMap<u64, u64> = IdMap::default();
        let mut copies: Vec<(u64, u64)> = Vec::new();
        let items = || {
            log.segments.iter().flat_map(|(&n, s)| s.scan.items.iter().map(move |item| (n, item)))
        };
        for (segment, item) in items().filter(|(_, item)| item.header.kind == Kind::Finish) {
            for (id, _) in take_finishes(&item.meta) {
                finished.insert(id);
                finishes.push((segment, id.message.0));
            }
        }
        for (segment, item) in items() {
            queue.records += 1;
            queue.next_id = queue.next_id.max(item.header.id + 1);
            match item.header.kind {
                Kind::Arrival => {
                    if let Some(before) = arrivals.insert(item.header.id, segment) {
                        copies.push((item.header.id, before));
                    }
                    if let Some(arrival) = take_arrival(&item.meta, item.header.id) {
                        let length = item.header.length() as u32;
                        queue.arrive(
                            segment,
                            item.offset,
                            length,
                            item.header.id,
                            arrival,
                            &finished,
                        );
                    }
                }
                Kind::Limit => {
                    queue.next_id = queue.next_id.max(take_limit(&item.meta).unwrap_or(0))
                }
                Kind::Seal => {
                    let sealed = take_seal(&item.meta).map(|(sealed, _)| sealed);
                    queue.pins.entry(segment).or_default().extend(sealed);
                }
                Kind::State | Kind::Finish | Kind::Gap => {}
            }
        }
        for (segment, item) in items().filter(|(_, item)| item.header.kind == Kind::State) {
            if let Some(job) = take_state(&item.meta, item.header.id) {
                queue.change(segment, item.header.length() as u32, job);
            }
        }
        copies.sort_unstable();
        for (segment, id) in finishes {
            let pins = queue.pins.entry(segment).or_default();
            pins.extend(arrivals.get(&id).copied().filter(|&arrival| arrival != segment));
            let first = copies.partition_point(|&(copied, _)| copied < id);
            let more = copies[first..].iter().take_while(|(copied, _)| *copied == id);
            pins.extend(more.map(|&(_, arrival)| arrival).filter(|&arrival| arrival != segment));
        }
        let limits = log.segments.values().map(|segment| segment.id_limit);
        queue.next_id = limits.fold(queue.next_id.max(1), u64::max);
        queue
    }

    fn arrive(
        &mut self,
        home: u64,
        offset: u64,
        length: u32,
        id: u64,
        mut arrival: ArrivalMeta,
        finished: &IdSet,
    ) {
        let jobs =
            std::mem::take(&mut arrival.jobs).into_iter().filter(|job| !finished.contains(&job.id));
        let mut jobs: Vec<(Job, u64, u32)> = jobs.map(|job| (job, 0, 0)).collect();
        if let Some(older) = self.messages.remove(&id) {
            // Compaction's copy and its original: all jobs of both, each as of its latest.
            for job in older.jobs {
                match jobs.iter_mut().find(|(known, ..)| known.id == job.0.id) {
                    Some(known) if known.0.revision >= job.0.revision => {}
                    Some(known) => *known = job,
                    None => jobs.push(job),
                }
            }
        }
        if !jobs.is_empty() {
            self.messages.insert(id, Queued { home, offset, length, arrival, jobs });
        }
    }

    fn change(&mut self, segment: u64, length: u32, job: Job) {
        let Some(message) = self.messages.get_mut(&job.id.message.0) else { return };
        let Some(known) = message.jobs.iter_mut().find(|(known, ..)| known.id == job.id) else {
            return;
        };
        // Equal: compaction's copy, of which the newer segment's counts.
        if job.revision > known.0.revision || job.revision == known.0.revision && known.1 != 0 {
            *known = (job, segment, length);
        }
    }
}

/// A place as it is reported.
pub fn damage(segment: u64, place: &Place) -> Damage {
    Damage {
        file: format!("segment-{segment:010}.log"),
        offset: place.offset,
        length: place.length,
        message: place.message,
    }
}

type Loaded = (Arc<Shared>, Vec<Found>, Report);

/// Opens the spool.
pub fn load(
    disk: Arc<dyn Disk>,
    directory: &Path,
    settings: Settings,
    pace: Pace,
) -> Result<Loaded, OpenError> {
    disk.create_directory(&directory.join("bodies")).map_err(error_at(directory))?;
    let held = take_lock(&*disk, directory)?;
    let mut log = read_log(&*disk, directory, true)?;
    let queue = Queue::new(&log);
    // A million records weigh; only segments without a hint need theirs once more.
    log.segments.values_mut().filter(|s| s.hinted).for_each(|s| s.scan.items = Vec::new());
    let mut report = report(&log);
    let next_id = next_id(&queue, &report, settings.shard);
    let listed = list_bodies(&*disk, directory)?;
    let next_body = listed.last().map_or(0, |last| last + 1).max(next_id);
    let shared = Arc::new(Shared {
        index: Mutex::new(index(&log, &queue, &report)),
        log: Mutex::new(Log::starting_at(log.highest + 1)),
        disk,
        directory: directory.to_owned(),
        settings,
        pace,
        pending: Mutex::default(),
        wake: Condvar::new(),
        maintenance: Mutex::default(),
        maintenance_wake: Condvar::new(),
        next_id: AtomicU64::new(next_id),
        id_limit: AtomicU64::new(0),
        next_body: AtomicU64::new(next_body),
        room: AtomicU64::new(0),
        spares: AtomicUsize::new(0),
        room_asked: AtomicU32::new(0),
        free: AtomicU64::new(0),
        refusing: Mutex::new(None),
        is_refusing: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        held: Mutex::new(Some(held)),
    });
    report.orphans = shared.clear_orphans(&queue, &listed, &report)?;
    shared.write_hints(&log, &mut report);
    shared.begin_log(&log);
    drop(log);
    for place in &report.damaged {
        tracing::error!(
            file = place.file,
            offset = place.offset,
            length = place.length,
            "damage in the spool"
        );
    }
    for place in &report.unfinished {
        tracing::warn!(
            file = place.file,
            offset = place.offset,
            "the last write before a crash was not finished"
        );
    }
    let found = found(&shared, queue);
    Ok((shared, found, report))
}

fn report(log: &ReadLog) -> Report {
    let mut report = Report { segments: log.segments.len() as u64, ..Report::default() };
    for (&number, segment) in &log.segments {
        for place in &segment.scan.places {
            match (place.unfinished, segment.hinted) {
                (false, _) => report.damaged.push(damage(number, place)),
                (true, false) => report.unfinished.push(damage(number, place)),
                // Told when it was found.
                (true, true) => {}
            }
        }
    }
    report
}

fn next_id(queue: &Queue, report: &Report, shard: u16) -> u64 {
    // A damaged place may have held the record that covers more ids.
    let lost =
        if report.damaged.is_empty() && report.unfinished.is_empty() { 0 } else { 4 * LIMIT_BLOCK };
    (queue.next_id + lost).max(u64::from(shard) << 48)
}

fn list_bodies(disk: &dyn Disk, directory: &Path) -> Result<Vec<u64>, OpenError> {
    let bodies = directory.join("bodies");
    let names = disk.list(&bodies).map_err(error_at(&bodies))?;
    let number =
        |name: &PathBuf| u64::from_str_radix(name.to_str()?.strip_suffix(".body")?, 16).ok();
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn index(log: &ReadLog, queue: &Queue, report: &Report) -> Index {
    let mut index = Index { damaged: report.damaged.len() as u64, ..Index::default() };
    for (&number, segment) in &log.segments {
        let entry = Segment {
            file: segment.file.clone(),
            end: segment.scan.end,
            disk: segment.disk,
            live: 0,
            pins: queue.pins.get(&number).cloned().unwrap_or_default(),
            sealed: true,
            hinted: segment.hinted,
            damaged: segment.scan.places.iter().any(|place| !place.unfinished),
        };
        index.segments.insert(number, entry);
    }
    index.messages.reserve(queue.messages.len());
    for (&id, queued) in &queue.messages {
        let place = |(job, segment, length): &(Job, u64, u32)| JobPlace {
            part: job.id.part,
            revision: job.revision,
            segment: *segment,
            length: *length,
        };
        let Some(jobs) = Jobs::new(queued.jobs.iter().map(place).collect()) else { continue };
        let arrival = &queued.arrival;
        let message = Message {
            home: queued.home,
            offset: queued.offset as u32,
            length: queued.length,
            size: u64::from(arrival.prefix_length) + arrival.content_length,
            jobs,
        };
        let body = match arrival.body {
            Body::Inline => None,
            Body::File { number, .. } => Some((number, arrival.content_length)),
        };
        index.arrive(MessageId(id), message, body);
    }
    index
}

fn found(shared: &Arc<Shared>, queue: Queue) -> Vec<Found> {
    let mut found = Vec::with_capacity(queue.messages.len());
    for (id, mut queued) in queue.messages {
        let arrival = &queued.arrival;
        let size = u64::from(arrival.prefix_length) + arrival.content_length;
        let at: Timestamp = arrival.at;
        let content = Arc::new(LocalContent::new(shared.clone(), MessageId(id), size, None));
        queued.jobs.sort_by_key(|(job, ..)| job.id);
        found.extend(queued.jobs.into_iter().map(|(job, ..)| Found {
            job,
            at,
            content: content.clone(),
        }));
    }
    found
}

impl Shared {
    /// Removes body files that no queued message names. Where damage may have hidden the name, they go
    /// into quarantine instead.
    fn clear_orphans(
        &self,
        queue: &Queue,
        listed: &[u64],
        report: &Report,
    ) -> Result<u64, OpenError> {
        let named: BTreeSet<u64> = queue
            .messages
            .values()
            .filter_map(|queued| match queued.arrival.body {
                Body::File { number, .. } => Some(number),
                Body::Inline => None,
            })
            .collect();
        let doubtful = !report.damaged.is_empty() || !report.unfinished.is_empty();
        let quarantine = self.directory.join("quarantine");
        let mut orphans = 0;
        for &number in listed.iter().filter(|number| !named.contains(number)) {
            let path = self.body_path(number);
            orphans += 1;
            if doubtful {
                self.disk.create_directory(&quarantine).map_err(error_at(&quarantine))?;
                let to = quarantine.join(super::body_name(number));
                self.disk.rename(&path, &to).map_err(error_at(&path))?;
            } else {
                self.disk.remove(&path).map_err(error_at(&path))?;
            }
        }
        Ok(orphans)
    }

    /// Seals what the last run left open: each segment gets its hint.
    fn write_hints(&self, log: &ReadLog, report: &mut Report) {
        for (&number, segment) in log.segments.iter().filter(|(_, segment)| !segment.hinted) {
            let scan = Scan {
                items: hint::condense(segment.scan.items.clone()),
                places: segment.scan.places.clone(),
                end: segment.scan.end,
            };
            match hint::write(self, number, &scan) {
                Ok(()) => {
                    report.hints_rebuilt += 1;
                    lock(&self.index).segments.entry(number).and_modify(|s| s.hinted = true);
                }
                // Only costs time at the next start; maintenance tries again.
                Err(error) => tracing::warn!(segment = number, %error, "hint file not written"),
            }
        }
    }

    /// Finds spare files, begins the first segment and puts one spare aside.
    fn begin_log(&self, read: &ReadLog) {
        let mut log = lock(&self.log);
        log.next_spare = read.spares.iter().max().map_or(1, |last| last + 1);
        for &spare in &read.spares {
            let path = self.spare_path(spare);
            let length = self.disk.open(&path, Open::Read).and_then(|file| file.len()).unwrap_or(0);
            if length >= self.settings.segment_size {
                log.spares.push(spare);
            } else if let Err(error) = self.disk.remove(&path) {
                tracing::warn!(file = %path.display(), %error, "unfinished spare segment not removed");
            }
        }
        self.look_at_disk();
        // Where it fails, the spool says why and tries again by itself.
        let _ = log.switch(self, Purpose::Arrival, 0);
        if log.spares.is_empty()
            && let Err(error) = log.add_spare(self)
        {
            tracing::warn!(%error, "no spare segment for the queue's own changes");
        }
        log.commit(self, Vec::new());
        self.id_limit.fetch_max(1, Ordering::Relaxed);
    }
}
