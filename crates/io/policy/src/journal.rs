//! A file of changes, one behind the other: what has to outlive the process, and may lose its last moments.
//!
//! | octets      | what                                              |
//! |-------------|---------------------------------------------------|
//! | 8           | whose it is, and the version: [`Form::head`]      |
//! | 4, 4, n ... | length n and CRC-32C of a change, then the change |
//!
//! Numbers are little-endian, a change is postcard's encoding of a type of its owner's. Where a change is cut
//! off or damaged, reading ends: the file up to there is what its owner knew at some moment. Rewriting makes
//! a new file and renames it, so a crash leaves the old one or the new one.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};
use world::{
    Disk,
    disk::{File, Open, read_exact_at, write_all_at},
};

/// Longer ones were never written: names and some numbers.
const CHANGE_LENGTH_MAX: u32 = 64 * 1024;
/// So many octets are read at a time.
const PIECE: usize = 1 << 20;
/// What waits to be written may take so much; for more than that the whole is written anew.
const UNWRITTEN_MAX: usize = 4 << 20;

/// Whose file it is.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The file's name.
    pub name: &'static str,
    /// What it begins with.
    pub head: &'static [u8; 8],
}

/// What is to be written yet.
#[derive(Debug, Default)]
pub struct News {
    changes: Vec<u8>,
    rewrite: bool,
}

/// The file, open.
pub struct Journal {
    disk: Arc<dyn Disk>,
    head: &'static [u8; 8],
    path: PathBuf,
    file: Arc<dyn File>,
    length: u64,
    /// Changes in it.
    changes: usize,
}

impl News {
    /// Another change.
    pub fn add<C: Serialize>(&mut self, change: &C) {
        match self.changes.len() > UNWRITTEN_MAX {
            true => self.rewrite = true,
            false => encode(&mut self.changes, change),
        }
    }

    /// The file is to be made anew, of what its owner knows.
    pub fn rewrite(&mut self) {
        self.rewrite = true;
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.rewrite
    }
}

/// Appends a change in the file's form.
pub fn encode<C: Serialize>(out: &mut Vec<u8>, change: &C) {
    // Encoding into memory fails for no value of these types.
    let octets = postcard::to_allocvec(change).unwrap_or_default();
    out.extend_from_slice(&(octets.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&octets).to_le_bytes());
    out.extend_from_slice(&octets);
}

/// Takes the change at the front of `octets`: its octets, and what it is. `Ok(None)`: more is needed.
///
/// # Errors
/// Damage.
#[allow(clippy::result_unit_err)] // there is nothing to say but that it is damaged
pub fn decode<C: DeserializeOwned>(octets: &[u8]) -> Result<Option<(usize, C)>, ()> {
    let Some((head, rest)) = octets.split_at_checked(8) else { return Ok(None) };
    let number =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (length, sum) = (number(0), number(4));
    if length == 0 || length > CHANGE_LENGTH_MAX {
        return Err(());
    }
    let Some(change) = rest.get(..length as usize) else { return Ok(None) };
    if crc32c::crc32c(change) != sum {
        return Err(());
    }
    let (change, left) = postcard::take_from_bytes(change).map_err(|_| ())?;
    if left.is_empty() { Ok(Some((8 + length as usize, change))) } else { Err(()) }
}

impl Journal {
    /// Opens the file in `directory`, or makes it. Each change goes to `apply`; gives how many octets at its
    /// end could not be read.
    ///
    /// # Errors
    /// The disk's.
    pub fn open<C: DeserializeOwned>(
        disk: Arc<dyn Disk>,
        directory: &Path,
        form: Form,
        apply: &mut dyn FnMut(C),
    ) -> io::Result<(Self, u64)> {
        disk.create_directory(directory)?;
        if let Some(found) = Self::find(disk.clone(), directory, form, apply)? {
            return Ok(found);
        }
        let path = directory.join(form.name);
        let file = disk.open(&path.with_extension("new"), Open::Any)?;
        let mut journal = Self { disk, head: form.head, path, file, length: 0, changes: 0 };
        journal.rewrite(&[])?;
        Ok((journal, 0))
    }

    /// The same, if the file is there.
    ///
    /// # Errors
    /// The disk's.
    pub fn find<C: DeserializeOwned>(
        disk: Arc<dyn Disk>,
        directory: &Path,
        form: Form,
        apply: &mut dyn FnMut(C),
    ) -> io::Result<Option<(Self, u64)>> {
        let path = directory.join(form.name);
        let file = match disk.open(&path, Open::Write) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut journal = Self { disk, head: form.head, path, file, length: 0, changes: 0 };
        let lost = journal.read(apply)?;
        if journal.length == 0 {
            journal.rewrite(&[])?;
        }
        Ok(Some((journal, lost)))
    }

    fn read<C: DeserializeOwned>(&mut self, apply: &mut dyn FnMut(C)) -> io::Result<u64> {
        let length = self.file.len()?;
        let mut head = [0; 8];
        if length < head.len() as u64 {
            return Ok(length);
        }
        read_exact_at(&*self.file, 0, &mut head)?;
        if head != *self.head {
            return Ok(length);
        }
        self.length = head.len() as u64;
        let mut octets = Vec::new();
        let mut read = self.length;
        loop {
            let mut used = 0;
            let mut damaged = false;
            loop {
                match decode(&octets[used..]) {
                    Ok(Some((length, change))) => {
                        used += length;
                        self.changes += 1;
                        apply(change);
                    }
                    Ok(None) => break,
                    Err(()) => {
                        damaged = true;
                        break;
                    }
                }
            }
            octets.drain(..used);
            self.length += used as u64;
            if damaged || read >= length {
                return Ok(length - self.length);
            }
            let piece = PIECE.min((length - read) as usize);
            let start = octets.len();
            octets.resize(start + piece, 0);
            read_exact_at(&*self.file, read, &mut octets[start..])?;
            read += piece as u64;
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the news; or `whole` anew, which is asked for where most of the file is past: it makes the
    /// changes that lead from nothing to `entries` entries. `sync`: through a power cut, too.
    ///
    /// # Errors
    /// The disk's; then the whole has to be written next.
    pub fn save(&mut self, news: &News, whole: Option<Vec<u8>>, sync: bool) -> io::Result<()> {
        match whole {
            Some(whole) => self.rewrite(&whole)?,
            None => self.append(&news.changes)?,
        }
        if sync { self.file.sync() } else { Ok(()) }
    }

    /// Whether the file is better written anew than appended to.
    pub fn wants_whole(&self, news: &News, entries: usize) -> bool {
        news.rewrite || self.changes > 1_000 + 2 * entries
    }

    fn append(&mut self, changes: &[u8]) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        write_all_at(&*self.file, self.length, changes)?;
        self.length += changes.len() as u64;
        self.changes += count(changes);
        Ok(())
    }

    /// Puts a new file with these changes in the old one's place.
    fn rewrite(&mut self, changes: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        match self.disk.remove(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.disk.open(&new, Open::New)?;
        write_all_at(&*file, 0, self.head)?;
        write_all_at(&*file, self.head.len() as u64, changes)?;
        file.sync()?;
        self.disk.rename(&new, &self.path)?;
        self.file = file;
        self.length = (self.head.len() + changes.len()) as u64;
        self.changes = count(changes);
        match self.path.parent() {
            Some(directory) => self.disk.sync_directory(directory),
            None => Ok(()),
        }
    }
}

/// How many changes there are in what [`encode`] made.
fn count(mut changes: &[u8]) -> usize {
    let mut count = 0;
    while let Some((length, _)) = changes.split_first_chunk() {
        let length = 8 + u32::from_le_bytes(*length) as usize;
        changes = changes.get(length..).unwrap_or_default();
        count += 1;
    }
    count
}
