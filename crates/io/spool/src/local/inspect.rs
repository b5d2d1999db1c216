//! The operator's tools for a spool that no server has open: look through it, mend it, take mail out.
//!
//! All take the lock, so they cannot run beside a server. `check` and `export` write nothing.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use smtp::Timestamp;
use world::{
    Disk,
    disk::{Open, read_exact_at, write_all_at},
};

use super::{
    Damage, OpenError,
    content::Place,
    format::{Kind, RECORD_HEADER, RecordHeader, SegmentHeader},
    queue::{Queue, QueuedMessage},
    read::{ReadLog, ReadSegment, damage, error_at, read_log, take_lock},
};
use crate::{Job, MessageId, ReadError};

/// What a look at every octet found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Segments.
    pub segments: u64,
    /// Valid records.
    pub records: u64,
    /// Queued messages.
    pub messages: u64,
    /// Queued jobs.
    pub jobs: u64,
    /// Octets of queued content.
    pub content: u64,
    /// Damaged places: in segments, and queued contents whose checksum is wrong.
    pub damaged: Vec<Damage>,
    /// What the last write before a crash did not get through.
    pub unfinished: Vec<Damage>,
}

impl CheckReport {
    /// No damage.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty()
    }
}

struct Look {
    log: ReadLog,
    queue: Queue,
    _lock: Box<dyn Send + Sync>,
}

fn look(disk: &dyn Disk, directory: &Path) -> Result<Look, OpenError> {
    // Listing first: a wrong path must not be given a lock file.
    disk.list(directory).map_err(error_at(directory))?;
    let held = take_lock(disk, directory)?;
    let (log, queue) = read_log(disk, directory, false)?;
    Ok(Look { log, queue, _lock: held })
}

impl Look {
    fn report(&self) -> CheckReport {
        let mut report = CheckReport {
            segments: self.log.segments.len() as u64,
            records: self.queue.records,
            jobs: self.queue.jobs().len() as u64,
            ..CheckReport::default()
        };
        for (message, _) in self.queue.messages() {
            report.messages += 1;
            report.content += message.size;
        }
        for (&number, segment) in &self.log.segments {
            for place in &segment.scan.places {
                let list =
                    if place.unfinished { &mut report.unfinished } else { &mut report.damaged };
                list.push(damage(number, place));
            }
        }
        report
    }

    fn place(&self, disk: &dyn Disk, message: &QueuedMessage) -> Result<Place, ReadError> {
        let (name, offset, id) = (segment_name(message.home), message.offset.into(), message.id);
        let Some(segment) = self.log.segments.get(&message.home) else {
            return Err(ReadError::Damaged { file: name, offset, id });
        };
        Place::find(disk, &self.log.directory, segment.file.clone(), name, offset, id)
    }

    /// Queued messages whose body file does not hold what was written. (Contents in segments were
    /// summed with their records.)
    fn bad_bodies(&self, disk: &dyn Disk) -> Vec<(QueuedMessage, u64)> {
        let is_bad = |message: &QueuedMessage| {
            self.place(disk, message).and_then(|place| place.verify()).is_err()
        };
        let bad = |message: QueuedMessage| {
            let (number, _) = message.body?;
            is_bad(&message).then_some((message, number))
        };
        self.queue.messages().filter_map(|(message, _)| bad(message)).collect()
    }
}

fn segment_name(number: u64) -> String {
    format!("segment-{number:010}.log")
}

fn body_damage(message: &QueuedMessage, number: u64) -> Damage {
    let file = format!("bodies/{}", super::body_name(number));
    Damage { file, offset: 0, length: 0, message: Some(message.id) }
}

/// Reads and checks every segment, record and body file.
pub fn check(disk: &dyn Disk, directory: &Path) -> Result<CheckReport, OpenError> {
    let look = look(disk, directory)?;
    let mut report = look.report();
    report.damaged.extend(
        look.bad_bodies(disk).into_iter().map(|(message, number)| body_damage(&message, number)),
    );
    Ok(report)
}

/// Copies each damaged place to `quarantine/` and marks it in its segment, so that opening is clean
/// again. What was not damaged stays as it is. Gives what was found before.
pub fn repair(disk: &dyn Disk, directory: &Path) -> Result<CheckReport, OpenError> {
    let look = look(disk, directory)?;
    let mut report = look.report();
    let quarantine = directory.join("quarantine");
    disk.create_directory(&quarantine).map_err(error_at(&quarantine))?;
    for (message, number) in look.bad_bodies(disk) {
        report.damaged.push(body_damage(&message, number));
        let from = directory.join("bodies").join(super::body_name(number));
        let to = quarantine.join(super::body_name(number));
        match disk.rename(&from, &to) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(error_at(&from)(source));
            }
            _ => {}
        }
        // Without its content the message can't be delivered: its record goes the same way.
        if let Some(segment) = look.log.segments.get(&message.home) {
            let range = (message.offset.into(), message.length.into());
            set_aside(disk, &look.log.directory, message.home, segment, range)?;
        }
    }
    for (&number, segment) in &look.log.segments {
        for place in segment.scan.places.iter().filter(|place| !place.unfinished) {
            let range = (place.offset, place.length);
            set_aside(disk, directory, number, segment, range)?;
        }
    }
    disk.sync_directory(directory).map_err(error_at(directory))?;
    Ok(report)
}

/// Copies a range of a segment to the quarantine and puts a `Gap` over it.
fn set_aside(
    disk: &dyn Disk,
    directory: &Path,
    number: u64,
    segment: &ReadSegment,
    (offset, length): (u64, u64),
) -> Result<(), OpenError> {
    let path = directory.join(segment_name(number));
    let length = length.min(segment.disk.saturating_sub(offset));
    let copy: PathBuf =
        directory.join("quarantine").join(format!("segment-{number:010}-{offset}.octets"));
    let mut octets = vec![0; usize::try_from(length).unwrap_or(0)];
    read_exact_at(&*segment.file, offset, &mut octets).map_err(error_at(&path))?;
    let file = disk.open(&copy, Open::Any).map_err(error_at(&copy))?;
    write_all_at(&*file, 0, &octets).and_then(|()| file.sync()).map_err(error_at(&copy))?;
    disk.sync_directory(&directory.join("quarantine")).map_err(error_at(&copy))?;
    let file = disk.open(&path, Open::Write).map_err(error_at(&path))?;
    let mark = if offset == 0 {
        SegmentHeader { number, id_limit: segment.id_limit }.encode().to_vec()
    } else {
        gap(number, length)
    };
    write_all_at(&*file, offset, &mark).and_then(|()| file.sync()).map_err(error_at(&path))?;
    match disk.remove(&path.with_extension("hint")) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(error_at(&path)(source)),
        _ => Ok(()),
    }
}

fn gap(segment: u64, length: u64) -> Vec<u8> {
    let header = RecordHeader {
        kind: Kind::Gap,
        flags: 0,
        segment,
        batch: 0,
        meta_length: 0,
        body_length: (length as usize).saturating_sub(RECORD_HEADER) as u32,
        id: 0,
        meta_sum: 0,
        body_sum: 0,
    };
    let mut octets = [0; RECORD_HEADER];
    header.encode(&mut octets);
    octets.to_vec()
}

/// A message on its way out.
pub struct Exported {
    /// Which.
    pub id: MessageId,
    /// When it came.
    pub at: Timestamp,
    /// Its queued jobs.
    pub jobs: Vec<Job>,
    place: Place,
}

impl Exported {
    /// Octets of prefix and content.
    pub fn size(&self) -> u64 {
        self.place.size()
    }

    /// Checks the whole content against its checksum.
    pub fn verify(&self) -> Result<(), ReadError> {
        self.place.verify()
    }

    /// Reads a piece of prefix and content: as it stands, checked only by [`Exported::verify`].
    /// Empty at the end.
    pub fn read(&self, offset: u64, length: usize) -> Result<Bytes, ReadError> {
        self.place.read(offset, length)
    }
}

/// Hands each queued message (or the one named) to `into`, by id. Gives their number; stops at an error
/// of `into`. A message whose place can't be read is handed over as that error.
pub fn export(
    disk: &dyn Disk,
    directory: &Path,
    which: Option<MessageId>,
    into: &mut dyn FnMut(Result<Exported, ReadError>) -> io::Result<()>,
) -> Result<u64, OpenError> {
    let look = look(disk, directory)?;
    let mut count = 0;
    for (message, jobs) in look.queue.messages() {
        if which.is_some_and(|which| which != message.id) {
            continue;
        }
        count += 1;
        let exported = look.place(disk, &message).map(|place| Exported {
            id: message.id,
            at: message.at,
            jobs: jobs.iter().filter_map(|job| look.queue.job(job)).collect(),
            place,
        });
        into(exported).map_err(error_at(directory))?;
    }
    Ok(count)
}
