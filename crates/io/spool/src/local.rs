//! The spool on local disks: an append-only log of segments. docs/spool.md has the format.
//!
//! Sessions encode and sum their records, hand them to the committer and wait; the committer writes
//! whatever has come in since the last write, syncs once, and answers all. With [`Pace::Thread`] it is a
//! thread of its own; with [`Pace::Task`] the same steps run inside whoever waits, without threads, so
//! that a simulated world stays deterministic.
//!
//! Locks are taken in this order: `log`, then `index`. `pending` is never held with another.

mod content;
pub mod format;
mod found;
mod hint;
mod index;
mod inspect;
mod load;
mod log;
mod maintain;
mod meta;
mod queue;
mod read;
mod record;
pub mod scan;
mod staged;

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
};
use crate::{
    Accepted, Arrival, Content, Job, JobId, KeepError, MessageId, NewContent, NewJob, Op, Receipt,
    Revision, Spool, Staged, Usage,
};

/// How the local spool uses its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Octets of a segment, preallocated. A message that is not in a file of its own must fit.
    pub segment_size: u64,
    /// Contents from this many octets on get a file of their own.
    pub inline_max: u64,
    /// Octets of disk that are left free: new mail is refused before they are touched.
    pub reserve: u64,
    /// Octets that are written at once at most. Those who come later wait for the next write.
    pub batch_octets_max: u64,
    /// Groups that are written at once at most.
    pub batch_count_max: usize,
    /// How long a [`Spool::finish_soon`] may wait for company.
    pub finish_delay_max: Duration,
    /// Emptied segments that are kept for use again; one at least.
    pub spares_max: usize,
    /// High 16 bits of every message id.
    pub shard: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_size: 64 << 20,
            inline_max: 1 << 20,
            reserve: 128 << 20,
            batch_octets_max: 8 << 20,
            batch_count_max: 1024,
            finish_delay_max: Duration::from_millis(50),
            spares_max: 4,
            shard: 0,
        }
    }
}

/// Who does the committer's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A thread of its own (and one for compaction): for the real world.
    Thread,
    /// Whoever waits, inside the caller's task: for simulated worlds and one-shot tools.
    Task,
}

/// A place on disk that does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// File name within the spool's directory.
    pub file: String,
    /// Where it starts.
    pub offset: u64,
    /// Octets.
    pub length: u64,
    /// Whose record it is, as far as that can be told.
    pub message: Option<MessageId>,
}

/// What opening found, beside the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments.
    pub segments: u64,
    /// Places that are damaged. What they held is lost, unless another copy of it was found.
    pub damaged: Vec<Damage>,
    /// Places of the last write before a crash that did not get through: nobody was told that they are
    /// kept, unless they were damaged later.
    pub unfinished: Vec<Damage>,
    /// Hint files that were missing or damaged and have been written again.
    pub hints_rebuilt: u64,
    /// Files of big contents that no message named: removed (or put into quarantine, where damage makes
    /// it possible that the name was lost).
    pub orphans: u64,
}

/// An open spool and what it holds.
pub struct Opened {
    /// For use.
    pub spool: LocalSpool,
    /// The queue, by id: read as it is taken.
    pub found: FoundJobs,
    /// What else was seen.
    pub report: Report,
}

/// Why a spool can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the spool in `{directory}` is in use by another process")]
    Locked {
        /// Path.
        directory: String,
    },
    /// Written by a newer version.
    #[error(
        "`{file}` has format {found}, this version reads up to {known}: use the newer version again"
    )]
    Newer {
        /// Path.
        file: String,
        /// Its format.
        found: u16,
        /// Ours.
        known: u16,
    },
    /// The operating system's word.
    #[error("cannot use `{file}`: {source}")]
    Io {
        /// Path.
        file: String,
        /// Why.
        source: std::io::Error,
    },
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Hands a group to the committer.
    fn push(&self, request: Request) {
        let mut pending = lock(&self.pending);
        pending.requests.push(request);
        let idle = std::mem::take(&mut pending.idle);
        drop(pending);
        if idle {
            self.wake.notify_one();
        }
    }

    /// Takes what waits, up to the bounds of one write, with the finishes that may come along.
    fn take(&self, pending: &mut Pending) -> (Vec<Request>, Vec<(JobId, Revision)>) {
        let mut octets = 0;
        let fits = |request: &Request| {
            octets += request.length();
            octets <= self.settings.batch_octets_max
        };
        let count =
            pending.requests.iter().take(self.settings.batch_count_max).take_while_with(fits);
        let taken = if count == pending.requests.len() {
            std::mem::take(&mut pending.requests)
        } else {
            pending.requests.drain(..count).collect()
        };
        (taken, std::mem::take(&mut pending.finishes))
    }

    /// One turn of the committer. False if finishes could not be written: they wait for the next turn.
    fn commit_round(&self, requests: Vec<Request>, finishes: Vec<(JobId, Revision)>) -> bool {
        let mut all = Vec::with_capacity(requests.len() + 2);
        all.extend(self.limit_request());
        let mut answer = None;
        if let Some(mut request) = self.finish_request(&finishes) {
            let (reply, receiver) = oneshot::channel();
            request.reply = Some(reply);
            answer = Some(receiver);
            all.push(request);
        }
        all.extend(requests);
        lock(&self.log).commit(self, all);
        match answer.map(|mut answer| answer.try_recv()) {
            Some(Ok(Err(KeepError::Full { .. } | KeepError::Io { .. }))) => {
                lock(&self.pending).finishes.extend(finishes);
                false
            }
            _ => true,
        }
    }

    /// Covers more ids, when those covered run low.
    fn limit_request(&self) -> Option<Request> {
        let next = self.next_id.load(Ordering::Relaxed);
        if next + LIMIT_BLOCK / 2 < self.id_limit.load(Ordering::Relaxed) {
            return None;
        }
        Some(limit_request(next + LIMIT_BLOCK))
    }

    fn finish_request(&self, finishes: &[(JobId, Revision)]) -> Option<Request> {
        if finishes.is_empty() {
            return None;
        }
        let index = lock(&self.index);
        let mut seen = std::collections::HashSet::with_capacity(finishes.len());
        let valid: Vec<_> = finishes
            .iter()
            .copied()
            .filter(|(id, revision)| {
                let is_current = index.revision(*id) == Some(*revision) && seen.insert(*id);
                if !is_current {
                    tracing::debug!(job = %id, revision, "finished job has moved on");
                }
                is_current
            })
            .collect();
        drop(index);
        (!valid.is_empty()).then(|| Request {
            records: vec![finish_record(valid)],
            purpose: Purpose::Change,
            reply: None,
        })
    }

    /// Brings the index up to what has become durable.
    fn apply(&self, segment: u64, start: u64, end: u64, requests: &mut [Request]) -> Vec<u64> {
        let mut index = lock(&self.index);
        let mut offset = start;
        let mut bodies = Vec::new();
        for record in requests.iter_mut().flat_map(|request| &mut request.records) {
            if let Effect::Limit(limit) = record.effect {
                self.id_limit.fetch_max(limit, Ordering::Relaxed);
            }
            log::apply(&mut index, segment, offset, record, &mut bodies);
            offset += record.length();
        }
        if let Some(segment) = index.segments.get_mut(&segment) {
            segment.end = end;
        }
        let wants_maintenance = std::mem::take(&mut index.wants_maintenance);
        drop(index);
        if wants_maintenance {
            self.work_for_maintenance();
        }
        bodies
    }

    fn remove_bodies(&self, bodies: Vec<u64>) {
        for number in bodies {
            let path = self.body_path(number);
            if let Err(error) = self.disk.remove(&path) {
                // The next start removes what no message names.
                tracing::warn!(file = %path.display(), %error, "body file not removed");
            }
        }
    }

    fn refuse(&self, error: &KeepError) {
        let mut refusing = lock(&self.refusing);
        if refusing.is_none() {
            tracing::error!(reason = %error, "spool refuses new mail");
        }
        *refusing = Some(error.to_string());
        self.is_refusing.store(true, Ordering::Relaxed);
    }

    fn accept_again(&self) {
        if self.is_refusing.swap(false, Ordering::Relaxed) {
            *lock(&self.refusing) = None;
            tracing::info!("spool takes new mail again");
        }
    }

    /// Tries whether the disk takes new mail again.
    fn recover(&self) {
        self.look_at_disk();
        let mut log = lock(&self.log);
        if log.is_active() {
            if self.fits(self.settings.segment_size / 8) {
                self.accept_again();
            }
        } else if log.switch(self, Purpose::Arrival, 0).is_ok() {
            log.commit(self, Vec::new());
        }
    }

    fn work_for_maintenance(&self) {
        lock(&self.maintenance).wanted = true;
        self.maintenance_wake.notify_one();
    }

    /// Whether `size` octets of new mail would fit, by the figures of the last look at the disk.
    fn fits(&self, size: u64) -> bool {
        let settings = &self.settings;
        let (free, room) = (self.free.load(Ordering::Relaxed), self.room.load(Ordering::Relaxed));
        let record = if size >= settings.inline_max { 1 << 16 } else { size + (1 << 16) };
        let segment = room >= record.min(settings.segment_size / 8 + size)
            || self.spares.load(Ordering::Relaxed) >= 2
            || free >= settings.reserve.saturating_add(settings.segment_size);
        segment && (size < settings.inline_max || free >= settings.reserve.saturating_add(size))
    }

    fn look_at_disk(&self) {
        let free = self.disk.free(&self.directory).unwrap_or(0);
        self.free.store(free, Ordering::Relaxed);
    }

    /// `Pace::Task`: does the committer's work until nothing waits.
    fn drive(&self) {
        loop {
            let (requests, finishes) = self.take(&mut lock(&self.pending));
            if requests.is_empty() && finishes.is_empty() {
                break;
            }
            let only_finishes = requests.is_empty();
            if !self.commit_round(requests, finishes) && only_finishes {
                break;
            }
        }
        if std::mem::take(&mut lock(&self.maintenance).wanted) {
            while self.maintain() {}
        }
    }

    /// `Pace::Thread`: the committer.
    fn run_committer(&self) {
        let mut wrote = true;
        loop {
            let mut pending = lock(&self.pending);
            while pending.requests.is_empty() && !pending.stop {
                pending.idle = true;
                if pending.finishes.is_empty() {
                    pending = self.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                let wait = self.wake.wait_timeout(pending, self.settings.finish_delay_max);
                let (guard, timeout) = wait.unwrap_or_else(PoisonError::into_inner);
                pending = guard;
                if timeout.timed_out() {
                    break;
                }
            }
            pending.idle = false;
            let (requests, finishes) = self.take(&mut pending);
            let stop = pending.stop && requests.is_empty() && (finishes.is_empty() || !wrote);
            drop(pending);
            if stop {
                return;
            }
            wrote = self.commit_round(requests, finishes);
        }
    }

    /// `Pace::Thread`: hints, compaction, dropping; and while mail is refused, trying again.
    fn run_maintenance(&self) {
        const REST: Duration = Duration::from_secs(1);
        loop {
            let mut work = lock(&self.maintenance);
            if !work.wanted && !work.stop {
                let wait = self.maintenance_wake.wait_timeout(work, REST);
                work = wait.unwrap_or_else(PoisonError::into_inner).0;
            }
            if work.stop {
                return;
            }
            work.wanted = false;
            drop(work);
            self.look_at_disk();
            if self.is_refusing.load(Ordering::Relaxed) {
                self.recover();
            }
            while self.maintain() && !lock(&self.maintenance).stop {
                // Leaves the disk to the committer for a moment after each bounded step.
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// Counts as long as the test holds.
trait TakeWhileWith: Iterator + Sized {
    fn take_while_with(self, mut test: impl FnMut(Self::Item) -> bool) -> usize {
        let mut count = 0;
        for item in self {
            // One is always taken, however long.
            if !test(item) && count > 0 {
                break;
            }
            count += 1;
        }
        count
    }
}

impl<I: Iterator> TakeWhileWith for I {}

fn body_name(number: u64) -> String {
    format!("{number:016x}.body")
}

fn limit_request(limit: u64) -> Request {
    let record = Record::new(Kind::Limit, 0, Effect::Limit(limit), |meta| {
        meta.extend_from_slice(&limit.to_le_bytes());
    });
    Request { records: vec![record], purpose: Purpose::Change, reply: None }
}

fn finish_record(list: Vec<(JobId, Revision)>) -> Record {
    let mut head = Vec::with_capacity(format::RECORD_HEADER + 8 + 14 * list.len());
    head.resize(format::RECORD_HEADER, 0);
    list.iter().for_each(|(id, revision)| put_finish(&mut head, *id, *revision));
    Record::finish_head(Kind::Finish, 0, Effect::Finish(list), head, &[], bytes::Bytes::new())
}

fn defer_record(job: &Job) -> Record {
    let effect = Effect::Defer { id: job.id, revision: job.revision + 1 };
    Record::new(Kind::State, job.id.message.0, effect, |octets| {
        meta::put_job(octets, job, job.revision + 1);
    })
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
