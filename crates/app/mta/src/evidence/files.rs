//! The files of the evidence log: one that grows, the sealed ones before it, and their bounds.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use smtp::Timestamp;
use world::disk::{Disk, File, Open, read_exact_at, write_all_at};

use super::{
    frame::FILE_HEADER,
    index::{self, Index},
};

/// Entries on their way to a file, as frames, with their keys.
#[derive(Default)]
pub(super) struct Batch {
    /// Frames, one behind the other.
    pub(super) octets: Vec<u8>,
    /// Keys; offsets count from the start of the batch.
    pub(super) index: Index,
    /// How many frames.
    pub(super) entries: u64,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.index.pairs.clear();
        self.index.times = None;
        self.entries = 0;
    }
}

/// A file that is not written any more.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub(super) number: u64,
    /// Octets of log and index.
    length: u64,
    /// When its newest entry was made.
    last: Timestamp,
}

/// The file that grows.
pub(super) struct Growing {
    pub(super) number: u64,
    pub(super) file: Arc<dyn File>,
    pub(super) index: Index,
    length: u64,
}

/// All files of a log.
pub(super) struct Files {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: PathBuf,
    pub(super) sealed: VecDeque<Sealed>,
    pub(super) growing: Option<Growing>,
    next_number: u64,
    size_max: u64,
    age_max: Duration,
    file_length_max: u64,
}

/// What opening a log found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Opened {
    /// Places that are no frames, or frames that can't be read.
    pub(super) damaged: u64,
    /// Indexes that had to be made again.
    pub(super) rebuilt: u64,
}

impl Files {
    /// Finds what is there. Files without an index are read through, and get one.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        size_max: u64,
        age_max: Duration,
    ) -> io::Result<(Self, Opened)> {
        disk.create_directory(&directory)?;
        // A quarter, so that giving up the oldest file leaves most of what may be kept.
        let file_length_max = (size_max / 4).clamp(16 * 1024, 16 * 1024 * 1024);
        let mut files = Self {
            disk,
            directory,
            sealed: VecDeque::new(),
            growing: None,
            next_number: 1,
            size_max,
            age_max,
            file_length_max,
        };
        let mut opened = Opened::default();
        for number in files.numbers()? {
            files.next_number = number + 1;
            files.adopt(number, &mut opened)?;
        }
        Ok((files, opened))
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let names = self.disk.list(&self.directory)?;
        let mut numbers: Vec<u64> = names
            .iter()
            .filter(|name| name.extension().is_some_and(|extension| extension == "log"))
            .filter_map(|name| name.file_stem()?.to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn adopt(&mut self, number: u64, opened: &mut Opened) -> io::Result<()> {
        let log_length = self.disk.open(&self.log_path(number), Open::Read)?.len()?;
        if let Some((header, index_length)) = self.index_header(number) {
            let length = log_length + index_length;
            self.sealed.push_back(Sealed { number, length, last: header.times.1 });
            return Ok(());
        }
        let octets = read_whole(&*self.disk, &self.log_path(number))?;
        let (mut index, damaged) = Index::rebuild(&octets);
        opened.damaged += damaged;
        if index.times.is_none() {
            return self.remove(number);
        }
        opened.rebuilt += 1;
        let last = index.times.map_or_else(Timestamp::default, |times| times.1);
        let written = self.write_index(number, log_length, &mut index);
        // A full disk must not keep the server down for it: whoever searches makes the index.
        self.sealed.push_back(written.unwrap_or_else(|error| {
            tracing::warn!(number, %error, "evidence index cannot be written");
            Sealed { number, length: log_length, last }
        }));
        Ok(())
    }

    /// The header of an index that is whole as far as its length goes.
    fn index_header(&self, number: u64) -> Option<(index::Header, u64)> {
        let file = self.disk.open(&self.index_path(number), Open::Read).ok()?;
        let mut octets = [0; index::HEADER_LENGTH];
        read_exact_at(&*file, 0, &mut octets).ok()?;
        let header = index::Header::decode(&octets)?;
        let length = file.len().ok()?;
        (length == index::HEADER_LENGTH as u64 + header.body_length()).then_some((header, length))
    }

    /// Appends a batch, in a new file if the one that grows is full or old, and drops what is over
    /// the bounds. On an error nothing of the batch counts as written.
    pub(super) fn append(&mut self, batch: &Batch, now: Timestamp) -> io::Result<()> {
        if self.is_full(batch.octets.len() as u64) || self.is_old(now) {
            self.seal()?;
        }
        if self.growing.is_none() {
            self.start()?;
        }
        let Some(growing) = &mut self.growing else { return Ok(()) };
        write_all_at(&*growing.file, growing.length, &batch.octets)?;
        let base = growing.length as u32;
        let moved = batch.index.pairs.iter().map(|(hash, offset)| (*hash, base + offset));
        growing.index.pairs.extend(moved);
        if let Some((first, last)) = batch.index.times {
            growing.index.stretch(first, last);
        }
        growing.length += batch.octets.len() as u64;
        self.bound(now)
    }

    fn is_full(&self, more: u64) -> bool {
        self.growing.as_ref().is_some_and(|growing| {
            growing.index.times.is_some() && growing.length + more > self.file_length_max
        })
    }

    /// Whether the file that grows holds so old entries that it should end, so that it can go in time.
    fn is_old(&self, now: Timestamp) -> bool {
        let first = self.growing.as_ref().and_then(|growing| growing.index.times);
        first.is_some_and(|(first, _)| now.since(first) > self.age_max / 16)
    }

    fn start(&mut self) -> io::Result<()> {
        let number = self.next_number;
        // An index whose log file a crash has lost would speak for this one.
        self.remove(number)?;
        let file = self.disk.open(&self.log_path(number), Open::Any)?;
        write_all_at(&*file, 0, &FILE_HEADER)?;
        self.next_number += 1;
        let length = FILE_HEADER.len() as u64;
        self.growing = Some(Growing { number, file, index: Index::default(), length });
        Ok(())
    }

    /// Ends the file that grows. Called at close, too, so that the next start need not read it.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        let Some(mut growing) = self.growing.take() else { return Ok(()) };
        if growing.index.times.is_none() {
            return self.remove(growing.number);
        }
        match self.write_index(growing.number, growing.length, &mut growing.index) {
            Ok(sealed) => {
                self.sealed.push_back(sealed);
                Ok(())
            }
            Err(error) => {
                self.growing = Some(growing);
                Err(error)
            }
        }
    }

    fn write_index(&self, number: u64, log_length: u64, index: &mut Index) -> io::Result<Sealed> {
        let octets = index.encode();
        let file = self.disk.open(&self.index_path(number), Open::Any)?;
        file.set_len(octets.len() as u64)?;
        write_all_at(&*file, 0, &octets)?;
        let last = index.times.map_or_else(Timestamp::default, |times| times.1);
        Ok(Sealed { number, length: log_length + octets.len() as u64, last })
    }

    /// Removes the oldest files that are over the size or too old.
    pub(super) fn bound(&mut self, now: Timestamp) -> io::Result<()> {
        while let Some(oldest) = self.sealed.front() {
            let too_old = now.since(oldest.last) > self.age_max;
            if !too_old && self.size() <= self.size_max {
                break;
            }
            self.remove(oldest.number)?;
            self.sealed.pop_front();
        }
        Ok(())
    }

    /// Octets on disk, and in the index that is still to be written.
    pub(super) fn size(&self) -> u64 {
        let growing = self.growing.as_ref();
        let growing = growing.map_or(0, |file| file.length + 12 * file.index.pairs.len() as u64);
        growing + self.sealed.iter().map(|sealed| sealed.length).sum::<u64>()
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        for path in [self.index_path(number), self.log_path(number)] {
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn log_path(&self, number: u64) -> PathBuf {
        log_path(&self.directory, number)
    }

    fn index_path(&self, number: u64) -> PathBuf {
        index_path(&self.directory, number)
    }
}

pub(super) fn log_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}.log"))
}

pub(super) fn index_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}.idx"))
}

pub(super) fn read_whole(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut octets = vec![0; length];
    read_exact_at(&*file, 0, &mut octets)?;
    Ok(octets)
}
