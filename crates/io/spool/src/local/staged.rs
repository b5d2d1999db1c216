//! Big content on its way to a file of its own.
//!
//! Written as it comes, in pieces of about 1 MiB, so memory stays bounded whatever the size; summed on
//! the way. The file is synced, and then its name, before any record names it. A file that no record
//! names is removed: by dropping this, or at the next start.

use std::{io, io::IoSlice, sync::Arc, sync::atomic::Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use world::disk::{File, Open};

use super::{Pace, Shared, record::Kept};
use crate::{KeepError, Staged};

/// Octets that are gathered before they are written.
const PIECE: usize = 1 << 20;

pub struct LocalStaged {
    shared: Arc<Shared>,
    number: u64,
    file: Option<Arc<dyn File>>,
    gathered: Vec<Bytes>,
    gathered_length: usize,
    length: u64,
    sum: u32,
    kept: bool,
}

impl LocalStaged {
    pub fn new(shared: Arc<Shared>) -> Self {
        let number = shared.next_body.fetch_add(1, Ordering::Relaxed);
        Self {
            shared,
            number,
            file: None,
            gathered: Vec::new(),
            gathered_length: 0,
            length: 0,
            sum: 0,
            kept: false,
        }
    }

    /// Writes what was gathered; `last` also syncs, and makes the name durable.
    async fn flush(&mut self, last: bool) -> Result<(), KeepError> {
        let (shared, file) = (self.shared.clone(), self.file.clone());
        let pieces = std::mem::take(&mut self.gathered);
        let offset = self.length - self.gathered_length as u64;
        self.gathered_length = 0;
        let (number, sum) = (self.number, self.sum);
        let work = move || write(&shared, number, file, offset, sum, &pieces, last);
        let done = if self.shared.pace == Pace::Thread {
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(io_error(panic)))
        } else {
            work()
        };
        let path = self.shared.body_path(self.number);
        let free = self.shared.free.load(Ordering::Relaxed);
        let (file, sum) = done.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull => {
                KeepError::Full { free, reserve: self.shared.settings.reserve }
            }
            _ => KeepError::Io { file: path.display().to_string(), source },
        })?;
        (self.file, self.sum) = (Some(file), sum);
        Ok(())
    }

    /// Makes it durable, for a record that names it. If that record never comes, the next start removes
    /// the file.
    pub async fn keep(mut self) -> Result<Kept, KeepError> {
        self.flush(true).await?;
        self.kept = true;
        Ok(Kept::File { number: self.number, sum: self.sum, length: self.length })
    }
}

fn io_error(panic: tokio::task::JoinError) -> io::Error {
    io::Error::other(panic)
}

fn write(
    shared: &Shared,
    number: u64,
    file: Option<Arc<dyn File>>,
    offset: u64,
    mut sum: u32,
    pieces: &[Bytes],
    last: bool,
) -> io::Result<(Arc<dyn File>, u32)> {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let free = shared.disk.free(&shared.directory)?;
    shared.free.store(free, Ordering::Relaxed);
    if free < shared.settings.reserve.saturating_add(length as u64) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let file = match file {
        Some(file) => file,
        None => shared.disk.open(&shared.body_path(number), Open::New)?,
    };
    for piece in pieces {
        sum = crc32c::crc32c_append(sum, piece);
    }
    if length > 0 {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        file.write_at(offset, &mut slices)?;
    }
    if last {
        file.sync()?;
        shared.disk.sync_directory(&shared.bodies())?;
    }
    Ok((file, sum))
}

#[async_trait]
impl Staged for LocalStaged {
    async fn write(&mut self, octets: Bytes) -> Result<(), KeepError> {
        self.length += octets.len() as u64;
        self.gathered_length += octets.len();
        self.gathered.push(octets);
        // Many small pieces cost more memory than they hold.
        if self.gathered_length >= PIECE || self.gathered.len() >= 1024 {
            self.flush(false).await?;
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn as_any(self: Box<Self>) -> Box<dyn std::any::Any + Send> {
        self
    }
}

impl Drop for LocalStaged {
    fn drop(&mut self) {
        if self.kept || self.file.is_none() {
            return;
        }
        let path = self.shared.body_path(self.number);
        if let Err(error) = self.shared.disk.remove(&path) {
            tracing::debug!(file = %path.display(), %error, "staged content not removed; the next start will");
        }
    }
}
