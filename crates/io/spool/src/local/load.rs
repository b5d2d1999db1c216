//! Opening: what was read from disk becomes the index and the list of what is queued; what the last run
//! left open or half done is put in order.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use world::{Disk, disk::Open};

use super::{
    OpenError, Pace, Report, Settings, Shared,
    found::FoundJobs,
    hint,
    index::{Index, JobPlace, Jobs, Message, Segment},
    lock,
    log::{LIMIT_BLOCK, Log},
    queue::{Queue, QueuedJob},
    read::{ReadLog, damage, error_at, read_log, take_lock},
    record::Purpose,
    scan::Scan,
};

type Loaded = (Arc<Shared>, FoundJobs, Report);

/// Opens the spool.
pub fn load(
    disk: Arc<dyn Disk>,
    directory: &Path,
    settings: Settings,
    pace: Pace,
) -> Result<Loaded, OpenError> {
    disk.create_directory(&directory.join("bodies")).map_err(error_at(directory))?;
    let held = take_lock(&*disk, directory)?;
    let (mut log, queue) = read_log(&*disk, directory, true)?;
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
    shared.write_hints(&mut log, &mut report);
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
    let found = FoundJobs::new(shared.clone(), queue);
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
    index.messages.reserve(queue.messages_count());
    for (queued, jobs) in queue.messages() {
        let place = |job: &QueuedJob| JobPlace {
            part: job.part,
            revision: job.revision,
            segment: queue.segment(job),
            length: job.length,
        };
        let Some(jobs) = Jobs::new(jobs.iter().map(place).collect()) else { continue };
        let message = Message {
            home: queued.home,
            offset: queued.offset,
            length: queued.length,
            size: queued.size,
            jobs,
        };
        index.arrive(queued.id, message, queued.body);
    }
    index
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
        let bodies = queue.messages().filter_map(|(message, _)| message.body);
        let named: BTreeSet<u64> = bodies.map(|(number, _)| number).collect();
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
    fn write_hints(&self, log: &mut ReadLog, report: &mut Report) {
        for (&number, segment) in log.segments.iter_mut().filter(|(_, segment)| !segment.hinted) {
            let scan = Scan {
                items: std::mem::take(&mut segment.scan.items),
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
