//! The greylist's file: `greylist.log`, changes one behind the other.
//!
//! | octets      | what                                             |
//! |-------------|--------------------------------------------------|
//! | 8           | `MWGREY1\n`                                      |
//! | 4, 4, n ... | length n and CRC-32C of a change, then the change |
//!
//! Numbers are little-endian, a change is postcard's encoding of [`Change`]. Where a change is cut off
//! or damaged, reading ends: the file up to there is a book as it was at some moment, and whoever is
//! forgotten is only asked to come again once more. Rewriting makes a new file and renames it, so a crash
//! leaves the old one or the new one.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use world::{
    Disk,
    disk::{File, Open, read_exact_at, write_all_at},
};

use super::book::{Book, Change};

const HEAD: &[u8; 8] = b"MWGREY1\n";
/// Longer ones were never written: two paths and some numbers.
const CHANGE_LENGTH_MAX: u32 = 64 * 1024;
/// So many octets are read at a time.
const PIECE: usize = 1 << 20;

/// The file, open.
pub struct Log {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Arc<dyn File>,
    length: u64,
    /// Changes in it.
    changes: usize,
}

/// Appends a change in the file's form.
pub fn encode(out: &mut Vec<u8>, change: &Change) {
    // Encoding into memory fails for no value of this type.
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
pub fn decode(octets: &[u8]) -> Result<Option<(usize, Change)>, ()> {
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

impl Log {
    /// Opens the file in `directory`, or makes it; the book that it holds, and how many octets at its end
    /// could not be read.
    pub fn open(disk: Arc<dyn Disk>, directory: &Path) -> io::Result<(Self, Book, u64)> {
        disk.create_directory(directory)?;
        let path = directory.join("greylist.log");
        let file = match disk.open(&path, Open::Write) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut log = Self::nowhere(disk, path)?;
                log.rewrite(&[])?;
                return Ok((log, Book::default(), 0));
            }
            Err(error) => return Err(error),
        };
        let mut log = Self { disk, path, file, length: 0, changes: 0 };
        let mut book = Book::default();
        let lost = log.read(&mut book)?;
        if log.length == 0 {
            log.rewrite(&[])?;
        }
        Ok((log, book, lost))
    }

    /// A log whose file is yet to be written.
    fn nowhere(disk: Arc<dyn Disk>, path: PathBuf) -> io::Result<Self> {
        let file = disk.open(&path.with_extension("new"), Open::Any)?;
        Ok(Self { disk, path, file, length: 0, changes: 0 })
    }

    fn read(&mut self, book: &mut Book) -> io::Result<u64> {
        let length = self.file.len()?;
        let mut head = [0; HEAD.len()];
        if length < HEAD.len() as u64 {
            return Ok(length);
        }
        read_exact_at(&*self.file, 0, &mut head)?;
        if &head != HEAD {
            return Ok(length);
        }
        self.length = HEAD.len() as u64;
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
                        book.apply(change);
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

    /// Whether less than half of it says something of entries that still are.
    pub fn is_mostly_past(&self, entries: usize) -> bool {
        self.changes > 1_000 + 2 * entries
    }

    /// Writes changes behind those that are there.
    pub fn append(&mut self, changes: &[u8]) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        write_all_at(&*self.file, self.length, changes)?;
        self.length += changes.len() as u64;
        self.changes += count(changes);
        Ok(())
    }

    /// Puts a new file with these changes in the old one's place.
    pub fn rewrite(&mut self, changes: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        match self.disk.remove(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.disk.open(&new, Open::New)?;
        write_all_at(&*file, 0, HEAD)?;
        write_all_at(&*file, HEAD.len() as u64, changes)?;
        file.sync()?;
        self.disk.rename(&new, &self.path)?;
        self.file = file;
        self.length = (HEAD.len() + changes.len()) as u64;
        self.changes = count(changes);
        match self.path.parent() {
            Some(directory) => self.disk.sync_directory(directory),
            None => Ok(()),
        }
    }

    /// Through a power cut.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync()
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
