//! Files, as far as a spool, a mailbox and a log need them. All calls block: the caller chooses the
//! thread.
//!
//! What survives a power cut is part of the contract, and what the simulated disk enforces: a file's
//! content up to its last `sync`, and the directory entries (creations, renames, removals) up to the
//! directory's last `sync_directory`. Anything newer may be there, or not, or in part.

pub mod real;

use std::{
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::Arc,
};

pub use real::RealDisk;

/// A place for files.
pub trait Disk: Send + Sync {
    /// Makes a directory and its parents, mode 0700, parents' entries synced.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Opens a file for reading and writing; `Open::New` fails if it exists.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;
    /// Renames within one file system, replacing what is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted; files and directories alike.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes creations, renames and removals in a directory survive a power cut.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Octets that may still be written to the file system that holds `path`.
    fn free(&self, path: &Path) -> io::Result<u64>;
    /// Takes the exclusive lock on `path` (created if missing) until the value is dropped or the
    /// process ends. `WouldBlock` if another holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// It must exist; read only.
    Read,
    /// It must exist; read and write.
    Write,
    /// It must not exist; created with mode 0600.
    New,
    /// Created if missing.
    Any,
}

/// An open file. Positions are explicit, so one handle serves many threads.
pub trait File: Send + Sync {
    /// Reads up to `buffer.len()` octets at `offset`; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all slices one behind the other from `offset` on.
    fn write_at(&self, offset: u64, slices: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// Makes all that was written survive a power cut (fdatasync).
    fn sync(&self) -> io::Result<()>;
    /// Octets.
    fn len(&self) -> io::Result<u64>;
    /// Cuts off, or extends with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Reserves disk space up to `length` and makes the file that long, reading as zeros.
    fn allocate(&self, length: u64) -> io::Result<()>;
}

/// Reads exactly `buffer.len()` octets at `offset`; `UnexpectedEof` if there are fewer.
pub fn read_exact_at(file: &dyn File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(offset, buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                offset += n as u64;
                buffer = &mut buffer[n..];
            }
        }
    }
    Ok(())
}

/// Writes one slice.
pub fn write_all_at(file: &dyn File, offset: u64, octets: &[u8]) -> io::Result<()> {
    file.write_at(offset, &mut [IoSlice::new(octets)])
}

/// A whole file of at most `max` octets; `InvalidData` if it is longer.
pub fn read_whole(disk: &dyn Disk, path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let length = file.len()?;
    if length > max {
        let text = format!("it has {length} octets, more than {max}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut octets = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    read_exact_at(file.as_ref(), 0, &mut octets)?;
    Ok(octets)
}

/// Writes a small file whole: beside it first (`NAME.new`), then renamed, all of it synced. A crash
/// leaves the old one or the new one.
pub fn replace(disk: &dyn Disk, directory: &Path, name: &str, octets: &[u8]) -> io::Result<()> {
    let beside = directory.join(format!("{name}.new"));
    match disk.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.open(&beside, Open::New)?;
    write_all_at(file.as_ref(), 0, octets)?;
    file.sync()?;
    drop(file);
    disk.rename(&beside, &directory.join(name))?;
    disk.sync_directory(directory)
}
