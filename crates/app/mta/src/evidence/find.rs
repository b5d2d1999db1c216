//! Looking things up, on the caller's thread, without holding up the writer.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use tracing::warn;
use world::disk::{Disk, File, Open, read_exact_at, write_all_at};

use super::{
    entry::Entry,
    files::{index_path, log_path, read_whole},
    frame::{FRAME_HEADER_LENGTH, decode, read_header},
    index::Index,
    key::Key,
    log::{Log, locked},
};

/// Which entries come first, and so which are left out by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they happened.
    OldestFirst,
    /// The latest first.
    NewestFirst,
}

/// A file as it stood when the search began.
struct Place {
    number: u64,
    /// For the file that grows: its handle and the offsets found in its index in memory.
    growing: Option<(Arc<dyn File>, Vec<u32>)>,
}

impl Log {
    /// The entries about `key`, at most `limit`. Blocks on the disk; sees all that was recorded
    /// before the call. What is damaged is left out and counted in [`Usage`](super::Usage).
    pub fn find(&self, key: &Key, order: Order, limit: usize) -> Vec<Entry<'static>> {
        self.flush();
        let (disk, directory, mut places) = self.places(key.hash());
        if order == Order::NewestFirst {
            places.reverse();
        }
        let search = Search { log: self, disk: &*disk, directory, key, order };
        let mut found = Vec::new();
        for place in places {
            if found.len() >= limit {
                break;
            }
            search.in_file(place, limit, &mut found);
        }
        found
    }

    fn places(&self, hash: u64) -> (Arc<dyn Disk>, PathBuf, Vec<Place>) {
        let files = locked(&self.shared.files);
        let sealed = files.sealed.iter().map(|file| Place { number: file.number, growing: None });
        let growing = files.growing.as_ref().map(|growing| Place {
            number: growing.number,
            growing: Some((Arc::clone(&growing.file), growing.index.offsets(hash, false))),
        });
        (Arc::clone(&files.disk), files.directory.clone(), sealed.chain(growing).collect())
    }
}

struct Search<'s> {
    log: &'s Log,
    disk: &'s dyn Disk,
    directory: PathBuf,
    key: &'s Key,
    order: Order,
}

impl Search<'_> {
    fn in_file(&self, place: Place, limit: usize, found: &mut Vec<Entry<'static>>) {
        let number = place.number;
        let (file, mut offsets) = match place.growing {
            Some(growing) => growing,
            None => {
                let offsets = self.sealed_offsets(number);
                if offsets.is_empty() {
                    return;
                }
                match self.disk.open(&log_path(&self.directory, number), Open::Read) {
                    Ok(file) => (file, offsets),
                    // It was removed, being the oldest, since the search began.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
                    Err(error) => return self.damage(number, &error),
                }
            }
        };
        if self.order == Order::NewestFirst {
            offsets.reverse();
        }
        for offset in offsets {
            if found.len() >= limit {
                return;
            }
            match read_entry(&*file, offset) {
                Ok(Some(entry)) if self.key.matches(&entry) => found.push(entry),
                Ok(Some(_)) => {} // another key with the same hash
                Ok(None) => self.damage(number, &format_args!("no entry at offset {offset}")),
                Err(error) => self.damage(number, &error),
            }
        }
    }

    fn sealed_offsets(&self, number: u64) -> Vec<u32> {
        let path = index_path(&self.directory, number);
        let index = read_whole(self.disk, &path).ok().and_then(|octets| Index::decode(&octets));
        if let Some(index) = index {
            return index.offsets(self.key.hash(), true);
        }
        // The index is damaged or gone: the log file has all that is needed.
        let Ok(octets) = read_whole(self.disk, &log_path(&self.directory, number)) else {
            return Vec::new();
        };
        self.damage(number, &"its index was damaged and is made again");
        let (mut index, _) = Index::rebuild(&octets);
        let encoded = index.encode();
        let written = self.disk.open(&path, Open::Any).and_then(|file| {
            file.set_len(encoded.len() as u64)?;
            write_all_at(&*file, 0, &encoded)
        });
        if let Err(error) = written {
            warn!(file = %path.display(), %error, "evidence index cannot be written");
        }
        index.offsets(self.key.hash(), true)
    }

    fn damage(&self, number: u64, why: &dyn std::fmt::Display) {
        self.log.shared.damaged.fetch_add(1, Relaxed);
        let file = log_path(&self.directory, number);
        warn!(file = %file.display(), %why, "damaged evidence skipped");
    }
}

fn read_entry(file: &dyn File, offset: u32) -> std::io::Result<Option<Entry<'static>>> {
    let mut header = [0; FRAME_HEADER_LENGTH];
    read_exact_at(file, u64::from(offset), &mut header)?;
    let Some((length, sum)) = read_header(&header) else { return Ok(None) };
    let mut payload = vec![0; length];
    read_exact_at(file, u64::from(offset) + FRAME_HEADER_LENGTH as u64, &mut payload)?;
    Ok((crc32c::crc32c(&payload) == sum).then(|| decode(&payload)).flatten())
}
