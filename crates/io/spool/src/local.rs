//! The spool on local disks: an append-only log of segments. docs/spool.md has the format.
//!
//! Sessions encode and sum their records, hand them to the committer and wait; the committer writes
//! whatever has come in since the last write, syncs once, and answers all. With [`Pace::Thread`] it is a
//! thread of its own; with [`Pace::Task`] the same steps run inside whoever waits, without threads, so
//! that a simulated world stays deterministic.
//!
//! Locks are taken in this order: `log`, then `index`. `pending` is never held with another.

mod committer;
mod content;
pub mod format;
mod found;
pub mod hint;
mod index;
mod inspect;
mod load;
mod log;
mod maintain;
pub mod meta;
mod queue;
mod read;
mod record;
pub mod scan;
mod staged;
mod terms;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::oneshot;
use world::Disk;

use self::{
    committer::{defer_record, finish_record, limit_request},
    content::LocalContent,
    format::Kind,
    index::Index,
    log::{LIMIT_BLOCK, Log},
    meta::put_finish,
    record::{Effect, Kept, Purpose, Record, Request},
    staged::LocalStaged,
};
pub use self::{
    found::FoundJobs,
    inspect::{CheckReport, Exported, check, export, repair},
    terms::{Damage, OpenError, Opened, Pace, Report, Settings},
};
use crate::{
    Accepted, Arrival, Content, Job, JobId, KeepError, MessageId, NewContent, NewJob, Op, Receipt,
    Revision, Spool, Staged, Usage,
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn body_name(number: u64) -> String {
    format!("{number:016x}.body")
}

/// The spool on local disks.
pub struct LocalSpool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

/// What sessions, committer, maintenance and readers have in common.
struct Shared {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    settings: Settings,
    pace: Pace,
    pending: Mutex<Pending>,
    wake: Condvar,
    index: Mutex<Index>,
    log: Mutex<Log>,
    maintenance: Mutex<Maintenance>,
    maintenance_wake: Condvar,
    next_id: AtomicU64,
    /// Ids below are durably marked as used.
    id_limit: AtomicU64,
    next_body: AtomicU64,
    /// Octets that new mail may use in the active segment.
    room: AtomicU64,
    spares: AtomicUsize,
    room_asked: AtomicU32,
    free: AtomicU64,
    refusing: Mutex<Option<String>>,
    is_refusing: AtomicBool,
    closed: AtomicBool,
    /// Given back by `close`, even if somebody still holds content.
    held: Mutex<Option<Box<dyn Send + Sync>>>,
}

/// What waits for the committer.
#[derive(Default)]
struct Pending {
    requests: Vec<Request>,
    finishes: Vec<(JobId, Revision)>,
    /// The committer sleeps.
    idle: bool,
    stop: bool,
    /// A timer for `finishes` runs (`Pace::Task`).
    timer: bool,
}

#[derive(Default)]
struct Maintenance {
    wanted: bool,
    stop: bool,
}

impl Shared {
    fn segment_name(&self, number: u64) -> String {
        format!("segment-{number:010}.log")
    }

    fn segment_path(&self, number: u64) -> PathBuf {
        self.directory.join(self.segment_name(number))
    }

    fn spare_path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("spare-{number:010}.log"))
    }

    fn hint_path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("segment-{number:010}.hint"))
    }

    fn bodies(&self) -> PathBuf {
        self.directory.join("bodies")
    }

    fn body_path(&self, number: u64) -> PathBuf {
        self.bodies().join(body_name(number))
    }
}

impl LocalSpool {
    /// Opens the spool in `directory` (made if missing) and finds what is queued.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: impl AsRef<Path>,
        settings: Settings,
        pace: Pace,
    ) -> Result<Opened, OpenError> {
        let (shared, found, report) = load::load(disk, directory.as_ref(), settings, pace)?;
        let mut threads = Vec::new();
        if pace == Pace::Thread {
            let spawn = |name: &str, run: fn(&Shared)| {
                let shared = shared.clone();
                thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared)).map_err(
                    |source| OpenError::Io {
                        file: directory.as_ref().display().to_string(),
                        source,
                    },
                )
            };
            threads.push(spawn("spool-writer", Shared::run_committer)?);
            threads.push(spawn("spool-maintain", Shared::run_maintenance)?);
            shared.work_for_maintenance();
        } else {
            while shared.maintain() {}
        }
        let spool = Self { shared, threads: Mutex::new(threads) };
        Ok(Opened { spool, found, report })
    }

    /// Waits until a group is durable.
    async fn commit(&self, records: Vec<Record>, purpose: Purpose) -> Result<(), KeepError> {
        if self.shared.closed.load(Ordering::Relaxed) {
            return Err(KeepError::Closed);
        }
        let (reply, mut answer) = oneshot::channel();
        self.shared.push(Request { records, purpose, reply: Some(reply) });
        if self.shared.pace == Pace::Task {
            // Lets others join the group, as they do while a real disk syncs.
            tokio::task::yield_now().await;
            if let Ok(done) = answer.try_recv() {
                return done;
            }
            self.shared.drive();
        }
        answer.await.unwrap_or(Err(KeepError::Closed))
    }

    /// Puts content where a record can name it, and makes the record.
    async fn prepare(&self, arrival: Arrival) -> Result<(Record, Prepared), KeepError> {
        let Arrival { id, at, prefix, content, jobs } = arrival;
        let staged = match content {
            NewContent::Memory(octets) => {
                let size = prefix.len() as u64 + octets.len() as u64;
                if size <= self.shared.settings.segment_size / 4 {
                    let record =
                        Record::arrival(id, at, &prefix, Kept::Inline(octets.clone()), &jobs);
                    let memory = Some([prefix, octets]);
                    return Ok((record, Prepared { id, jobs, memory, size }));
                }
                let mut staged = self.stage().await?;
                staged.write(octets).await?;
                staged
            }
            NewContent::Staged(staged) => staged,
        };
        let staged = staged.as_any().downcast::<LocalStaged>().map_err(|_| KeepError::Io {
            file: self.shared.bodies().display().to_string(),
            source: std::io::Error::other("the content was staged in another spool"),
        })?;
        let kept = staged.keep().await?;
        let Kept::File { length, .. } = kept else { return Err(KeepError::Closed) };
        let size = prefix.len() as u64 + length;
        let record = Record::arrival(id, at, &prefix, kept, &jobs);
        Ok((record, Prepared { id, jobs, memory: None, size }))
    }

    fn accepted(&self, prepared: Prepared) -> Accepted {
        let Prepared { id, jobs, memory, size } = prepared;
        let as_job = |(part, job): (usize, NewJob)| Job {
            id: JobId { message: id, part: part as u16 },
            revision: 1,
            lane: job.lane,
            due: job.due,
            attempts: 0,
            held: job.held,
            envelope: job.envelope,
        };
        Accepted {
            receipt: Receipt { id, text: id.to_string() },
            jobs: jobs.into_iter().enumerate().map(as_job).collect(),
            content: Arc::new(LocalContent::new(self.shared.clone(), id, size, memory)),
        }
    }

    fn stop(&self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        lock(&self.shared.pending).stop = true;
        self.shared.wake.notify_one();
        lock(&self.shared.maintenance).stop = true;
        self.shared.maintenance_wake.notify_one();
    }
}

/// A message whose record is made.
struct Prepared {
    id: MessageId,
    jobs: Vec<NewJob>,
    memory: Option<[bytes::Bytes; 2]>,
    size: u64,
}

impl Drop for LocalSpool {
    fn drop(&mut self) {
        self.stop();
        if self.shared.pace == Pace::Task {
            *lock(&self.shared.held) = None;
        }
    }
}

#[async_trait]
impl Spool for LocalSpool {
    fn reserve(&self) -> MessageId {
        let shared = &self.shared;
        let number = shared.next_id.fetch_add(1, Ordering::Relaxed);
        if number >= shared.id_limit.load(Ordering::Relaxed) {
            // Tens of thousands of ids without one commit: cover more before this one is told to anybody.
            lock(&shared.log).commit(shared, vec![limit_request(number + LIMIT_BLOCK)]);
        }
        MessageId(number)
    }

    async fn stage(&self) -> Result<Box<dyn Staged>, KeepError> {
        if self.shared.closed.load(Ordering::Relaxed) {
            return Err(KeepError::Closed);
        }
        Ok(Box::new(LocalStaged::new(self.shared.clone())))
    }

    async fn accept(&self, arrival: Arrival) -> Result<Accepted, KeepError> {
        let (record, prepared) = self.prepare(arrival).await?;
        self.commit(vec![record], Purpose::Arrival).await?;
        Ok(self.accepted(prepared))
    }

    async fn apply(
        &self,
        ops: Vec<Op>,
        arrivals: Vec<Arrival>,
    ) -> Result<Vec<Accepted>, KeepError> {
        let mut records = Vec::with_capacity(ops.len() + arrivals.len());
        let mut finishes = Vec::new();
        for op in &ops {
            match op {
                Op::Defer(job) => records.push(defer_record(job)),
                Op::Finish { id, revision } => finishes.push((*id, *revision)),
            }
        }
        if !finishes.is_empty() {
            records.push(finish_record(finishes));
        }
        let mut prepared = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            let (record, message) = self.prepare(arrival).await?;
            records.push(record);
            prepared.push(message);
        }
        if records.is_empty() {
            return Ok(Vec::new());
        }
        // What ends or moves queued mail may use the space that is kept for that, its DSN with it.
        let purpose = if ops.is_empty() { Purpose::Arrival } else { Purpose::Change };
        self.commit(records, purpose).await?;
        Ok(prepared.into_iter().map(|message| self.accepted(message)).collect())
    }

    fn finish_soon(&self, id: JobId, revision: Revision) {
        let shared = &self.shared;
        let mut pending = lock(&shared.pending);
        pending.finishes.push((id, revision));
        if shared.pace == Pace::Thread {
            let wake = pending.finishes.len() == 1 && pending.idle;
            drop(pending);
            if wake {
                shared.wake.notify_one();
            }
        } else if !std::mem::replace(&mut pending.timer, true) {
            drop(pending);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                let (weak, delay) = (Arc::downgrade(shared), shared.settings.finish_delay_max);
                runtime.spawn(finish_later(weak, delay));
            }
        }
    }

    fn content(&self, id: MessageId) -> Option<Arc<dyn Content>> {
        let size = lock(&self.shared.index).messages.get(&id.0)?.size;
        Some(Arc::new(LocalContent::new(self.shared.clone(), id, size, None)))
    }

    fn has_room(&self, size: u64) -> bool {
        let shared = &self.shared;
        let refusing = shared.is_refusing.load(Ordering::Relaxed);
        // A look at the disk is a system call: one in 16, or whenever the answer would be no.
        if refusing
            || shared.room_asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(16)
            || !shared.fits(size)
        {
            shared.look_at_disk();
        }
        if refusing && shared.pace == Pace::Task {
            shared.recover();
        }
        !shared.closed.load(Ordering::Relaxed)
            && !shared.is_refusing.load(Ordering::Relaxed)
            && shared.fits(size)
    }

    fn usage(&self) -> Usage {
        let refusing = lock(&self.shared.refusing).clone();
        let spares = self.shared.spares.load(Ordering::Relaxed) as u64;
        let index = lock(&self.shared.index);
        let segments: u64 = index.segments.values().map(|segment| segment.disk).sum();
        Usage {
            messages: index.messages.len() as u64,
            jobs: index.jobs,
            disk: segments + spares * self.shared.settings.segment_size + index.body_octets,
            content: index.content,
            damaged: index.damaged,
            refusing,
        }
    }

    async fn close(&self) {
        self.stop();
        let threads = std::mem::take(&mut *lock(&self.threads));
        let shared = self.shared.clone();
        let finish = move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a spool thread had panicked");
                }
            }
            shared.drive();
            shared.put_away();
            *lock(&shared.held) = None;
        };
        if self.shared.pace == Pace::Thread {
            if tokio::task::spawn_blocking(finish).await.is_err() {
                tracing::error!("closing the spool panicked");
            }
        } else {
            finish();
        }
    }
}

/// `Pace::Task`: makes finishes durable that found no company.
async fn finish_later(shared: Weak<Shared>, delay: Duration) {
    tokio::time::sleep(delay).await;
    if let Some(shared) = shared.upgrade() {
        lock(&shared.pending).timer = false;
        shared.drive();
    }
}
