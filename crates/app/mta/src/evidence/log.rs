//! The log itself: taking entries without waiting, and writing them out behind the mail's back.

use std::{
    cell::RefCell,
    io,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tracing::{info, warn};
use world::{Clock, Disk};

use super::{
    entry::Entry,
    files::{Batch, Files},
    frame,
    key::each_key,
};

/// How much is kept, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the files are; made if missing.
    pub directory: PathBuf,
    /// Octets on disk, indexes included.
    pub size_max: u64,
    /// How long an entry is kept at most (files go whole, so up to 1/16 longer).
    pub age_max: Duration,
    /// Octets that may wait in memory for the writer; what comes beyond is dropped and counted.
    pub buffer_max: usize,
    /// How long an entry waits at most before it is written.
    pub flush_every: Duration,
}

impl Settings {
    /// 1 GiB, 30 days, 8 MiB of buffer, 200 ms.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            size_max: 1 << 30,
            age_max: Duration::from_secs(30 * 24 * 3600),
            buffer_max: 8 << 20,
            flush_every: Duration::from_millis(200),
        }
    }
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// An operating system thread.
    Thread,
    /// A task of the current tokio runtime, on its clock: for the simulated world, whose disk does
    /// not block.
    Task,
}

/// The evidence log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The directory or a file in it cannot be read or written.
    #[error("cannot open the evidence log in `{directory}`: {source}; check its owner and mode")]
    Open {
        /// Which.
        directory: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
    /// No thread.
    #[error("cannot start the thread that writes the evidence log: {0}")]
    Thread(io::Error),
}

/// Figures for `status` and metrics, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Octets on disk.
    pub disk: u64,
    /// Files.
    pub files: u64,
    /// Entries written.
    pub written: u64,
    /// Entries that were lost because the writer fell behind, or failed.
    pub dropped: u64,
    /// Damaged places that were skipped.
    pub damaged: u64,
}

/// The evidence log. Share it in an `Arc`; all methods take `&self`.
pub struct Log {
    pub(super) shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

pub(super) struct Shared {
    settings: Settings,
    clock: Clock,
    waiting: Mutex<Waiting>,
    wake: Condvar,
    pub(super) files: Mutex<Files>,
    written: AtomicU64,
    dropped: AtomicU64,
    pub(super) damaged: AtomicU64,
}

/// What the writer has not taken yet.
struct Waiting {
    batch: Batch,
    /// The batch that was written last, for its memory.
    spare: Batch,
    /// Of `dropped`, what an event has told already.
    dropped_told: u64,
    closed: bool,
}

/// A frame under construction; one per thread, so that only a copy happens under the lock.
#[derive(Default)]
struct Scratch {
    frame: Vec<u8>,
    hashes: Vec<u64>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The writer is woken before its time when this many octets wait.
const WAKE_AT: usize = 1 << 20;
/// Memory that a batch keeps between two writes.
const SPARE_MAX: usize = 2 << 20;

impl Log {
    /// Opens or makes the log and starts its writer. [`Pace::Task`] needs a tokio runtime around it.
    /// Blocks while files without an index are read through.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Clock,
        settings: Settings,
        pace: Pace,
    ) -> Result<Self, EvidenceError> {
        let directory = settings.directory.clone();
        let opened = Files::open(disk, directory.clone(), settings.size_max, settings.age_max);
        let (mut files, opened) = opened
            .map_err(|source| EvidenceError::Open { directory: directory.clone(), source })?;
        if opened.rebuilt > 0 || opened.damaged > 0 {
            info!(opened.rebuilt, opened.damaged, "evidence indexes made again");
        }
        if let Err(error) = files.bound(clock.now()) {
            warn!(%error, "old evidence cannot be removed");
        }
        let shared = Arc::new(Shared {
            settings,
            clock,
            waiting: Mutex::new(Waiting {
                batch: Batch::default(),
                spare: Batch::default(),
                dropped_told: 0,
                closed: false,
            }),
            wake: Condvar::new(),
            files: Mutex::new(files),
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            damaged: AtomicU64::new(opened.damaged),
        });
        let thread = start(&shared, pace)?;
        Ok(Self { shared, thread: Mutex::new(thread) })
    }

    /// Takes an entry. Never waits for a disk, never fails: see the module's contract.
    pub fn record(&self, entry: &Entry<'_>) {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut frame = std::mem::take(&mut scratch.frame);
            frame.clear();
            let (frame, whole) = frame::write(entry, frame);
            scratch.frame = frame;
            scratch.hashes.clear();
            each_key(entry, &mut |key| scratch.hashes.push(key.hash()));
            if !(whole && self.shared.put(scratch, entry)) {
                self.shared.dropped.fetch_add(1, Relaxed);
            }
        });
    }

    /// Writes what waits, now, on the caller's thread.
    pub fn flush(&self) {
        self.shared.flush();
    }

    /// Writes what waits and ends the file. What is recorded later is dropped and counted.
    pub fn close(&self) {
        locked(&self.shared.waiting).closed = true;
        self.shared.wake.notify_all();
        if let Some(thread) = locked(&self.thread).take() {
            // A writer that panicked has said so by itself.
            let _ = thread.join();
        }
        self.shared.flush();
        if let Err(error) = locked(&self.shared.files).seal() {
            warn!(%error, "evidence index cannot be written, the next start makes it again");
        }
    }

    /// Figures.
    pub fn usage(&self) -> Usage {
        let files = locked(&self.shared.files);
        Usage {
            disk: files.size(),
            files: files.sealed.len() as u64 + u64::from(files.growing.is_some()),
            written: self.shared.written.load(Relaxed),
            dropped: self.shared.dropped.load(Relaxed),
            damaged: self.shared.damaged.load(Relaxed),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn put(&self, scratch: &Scratch, entry: &Entry<'_>) -> bool {
        let mut waiting = locked(&self.waiting);
        let before = waiting.batch.octets.len();
        let after = before + scratch.frame.len();
        if waiting.closed || after > self.settings.buffer_max {
            return false;
        }
        let batch = &mut waiting.batch;
        batch.octets.extend_from_slice(&scratch.frame);
        batch.index.pairs.extend(scratch.hashes.iter().map(|hash| (*hash, before as u32)));
        batch.index.stretch(entry.at, entry.at);
        batch.entries += 1;
        drop(waiting);
        if before < WAKE_AT && after >= WAKE_AT {
            self.wake.notify_one();
        }
        true
    }

    /// Writes what waits. One at a time: the lock on the files is taken first.
    pub(super) fn flush(&self) {
        let mut files = locked(&self.files);
        let mut waiting = locked(&self.waiting);
        let spare = std::mem::take(&mut waiting.spare);
        let mut batch = std::mem::replace(&mut waiting.batch, spare);
        drop(waiting);
        let now = self.clock.now();
        let written = if batch.entries > 0 { files.append(&batch, now) } else { files.bound(now) };
        match written {
            Ok(()) => drop(self.written.fetch_add(batch.entries, Relaxed)),
            Err(error) => {
                self.dropped.fetch_add(batch.entries, Relaxed);
                warn!(%error, entries = batch.entries, "evidence cannot be written");
            }
        }
        batch.clear();
        let mut waiting = locked(&self.waiting);
        if batch.octets.capacity() <= SPARE_MAX {
            waiting.spare = batch;
        }
        let dropped = self.dropped.load(Relaxed);
        let untold = dropped - std::mem::replace(&mut waiting.dropped_told, dropped);
        drop(waiting);
        if untold > 0 {
            warn!(dropped = untold, "evidence dropped: mail was faster than its log");
        }
    }

    /// Waits for the next flush. False when there will be none.
    fn wait(&self) -> bool {
        let waiting = locked(&self.waiting);
        if waiting.closed {
            return false;
        }
        if waiting.batch.octets.len() < WAKE_AT {
            let every = self.settings.flush_every;
            let waited = self.wake.wait_timeout(waiting, every);
            return !waited.unwrap_or_else(PoisonError::into_inner).0.closed;
        }
        true
    }
}

fn start(
    shared: &Arc<Shared>,
    pace: Pace,
) -> Result<Option<thread::JoinHandle<()>>, EvidenceError> {
    let shared = Arc::clone(shared);
    match pace {
        Pace::Thread => {
            let work = move || {
                while shared.wait() {
                    shared.flush();
                }
            };
            let builder = thread::Builder::new().name("evidence".to_owned());
            builder.spawn(work).map(Some).map_err(EvidenceError::Thread)
        }
        Pace::Task => {
            tokio::spawn(async move {
                while !locked(&shared.waiting).closed {
                    shared.flush();
                    tokio::time::sleep(shared.settings.flush_every).await;
                }
            });
            Ok(None)
        }
    }
}

/// What a panicking thread left is still a batch of whole frames.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
