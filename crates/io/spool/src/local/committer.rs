//! The committer: takes what has come in, writes it, syncs once, answers all.
//!
//! With `Pace::Thread` it sleeps until somebody pushes; with `Pace::Task` whoever waits drives it.

use super::*;

impl Shared {
    /// Hands a group to the committer.
    pub(super) fn push(&self, request: Request) {
        let mut pending = lock(&self.pending);
        pending.requests.push(request);
        let idle = std::mem::take(&mut pending.idle);
        drop(pending);
        if idle {
            self.wake.notify_one();
        }
    }

    /// Takes what waits, up to the bounds of one write, with the finishes that may come along.
    pub(super) fn take(&self, pending: &mut Pending) -> (Vec<Request>, Vec<(JobId, Revision)>) {
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
    pub(super) fn commit_round(
        &self,
        requests: Vec<Request>,
        finishes: Vec<(JobId, Revision)>,
    ) -> bool {
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
    pub(super) fn limit_request(&self) -> Option<Request> {
        let next = self.next_id.load(Ordering::Relaxed);
        if next + LIMIT_BLOCK / 2 < self.id_limit.load(Ordering::Relaxed) {
            return None;
        }
        Some(limit_request(next + LIMIT_BLOCK))
    }

    pub(super) fn finish_request(&self, finishes: &[(JobId, Revision)]) -> Option<Request> {
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
    pub(super) fn apply(
        &self,
        segment: u64,
        start: u64,
        end: u64,
        requests: &mut [Request],
    ) -> Vec<u64> {
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

    pub(super) fn remove_bodies(&self, bodies: Vec<u64>) {
        for number in bodies {
            let path = self.body_path(number);
            if let Err(error) = self.disk.remove(&path) {
                // The next start removes what no message names.
                tracing::warn!(file = %path.display(), %error, "body file not removed");
            }
        }
    }

    pub(super) fn refuse(&self, error: &KeepError) {
        let mut refusing = lock(&self.refusing);
        if refusing.is_none() {
            tracing::error!(reason = %error, "spool refuses new mail");
        }
        *refusing = Some(error.to_string());
        self.is_refusing.store(true, Ordering::Relaxed);
    }

    pub(super) fn accept_again(&self) {
        if self.is_refusing.swap(false, Ordering::Relaxed) {
            *lock(&self.refusing) = None;
            tracing::info!("spool takes new mail again");
        }
    }

    /// Tries whether the disk takes new mail again.
    pub(super) fn recover(&self) {
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

    pub(super) fn work_for_maintenance(&self) {
        lock(&self.maintenance).wanted = true;
        self.maintenance_wake.notify_one();
    }

    /// Whether `size` octets of new mail would fit, by the figures of the last look at the disk.
    pub(super) fn fits(&self, size: u64) -> bool {
        let settings = &self.settings;
        let (free, room) = (self.free.load(Ordering::Relaxed), self.room.load(Ordering::Relaxed));
        let record = if size >= settings.inline_max { 1 << 16 } else { size + (1 << 16) };
        let segment = room >= record.min(settings.segment_size / 8 + size)
            || self.spares.load(Ordering::Relaxed) >= 2
            || free >= settings.reserve.saturating_add(settings.segment_size);
        segment && (size < settings.inline_max || free >= settings.reserve.saturating_add(size))
    }

    pub(super) fn look_at_disk(&self) {
        let free = self.disk.free(&self.directory).unwrap_or(0);
        self.free.store(free, Ordering::Relaxed);
    }

    /// `Pace::Task`: does the committer's work until nothing waits.
    pub(super) fn drive(&self) {
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
    pub(super) fn run_committer(&self) {
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
    pub(super) fn run_maintenance(&self) {
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

pub(super) fn limit_request(limit: u64) -> Request {
    let record = Record::new(Kind::Limit, 0, Effect::Limit(limit), |meta| {
        meta.extend_from_slice(&limit.to_le_bytes());
    });
    Request { records: vec![record], purpose: Purpose::Change, reply: None }
}

pub(super) fn finish_record(list: Vec<(JobId, Revision)>) -> Record {
    let mut head = Vec::with_capacity(format::RECORD_HEADER + 8 + 14 * list.len());
    head.resize(format::RECORD_HEADER, 0);
    list.iter().for_each(|(id, revision)| put_finish(&mut head, *id, *revision));
    Record::finish_head(Kind::Finish, 0, Effect::Finish(list), head, &[], bytes::Bytes::new())
}

pub(super) fn defer_record(job: &Job) -> Record {
    let effect = Effect::Defer { id: job.id, revision: job.revision + 1 };
    Record::new(Kind::State, job.id.message.0, effect, |octets| {
        meta::put_job(octets, job, job.revision + 1);
    })
}
