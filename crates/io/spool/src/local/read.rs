//! Reading all segments, by their hints where those hold, else octet by octet.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use world::{
    Disk,
    disk::{File, Open, read_exact_at},
};

use super::{
    Damage, OpenError,
    format::{Kind, NotASegment, SEGMENT_HEADER, SegmentHeader, VERSION},
    hint,
    meta::take_seal,
    queue::{Gathered, Queue},
    scan::{Place, Scan, scan},
};

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

/// Reads all segments, newest first: a newer one may say where an older one ends. Gives them without
/// their records, and what those amount to.
/// `trust_hints` takes sealed segments' hints for their contents, and keeps the records of those that
/// have none, to make it.
pub fn read_log(
    disk: &dyn Disk,
    directory: &Path,
    trust_hints: bool,
) -> Result<(ReadLog, Queue), OpenError> {
    let mut gathered = Gathered::default();
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
        let mut segment =
            read_segment(disk, directory, number, ends.get(&number).copied(), trust_hints)?;
        for item in segment.scan.items.iter().filter(|item| item.header.kind == Kind::Seal) {
            if let Some((sealed, end)) = take_seal(&item.meta) {
                let known = ends.entry(sealed).or_insert(end);
                *known = end.min(*known);
            }
        }
        gathered.gather(number, segment.id_limit, &segment.scan);
        let items = std::mem::take(&mut segment.scan.items);
        if trust_hints && !segment.hinted {
            segment.scan.items = hint::condense(items);
        }
        log.segments.insert(number, segment);
    }
    Ok((log, gathered.settle()))
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

/// A place as it is reported.
pub fn damage(segment: u64, place: &Place) -> Damage {
    Damage {
        file: format!("segment-{segment:010}.log"),
        offset: place.offset,
        length: place.length,
        message: place.message,
    }
}
