//! The local spool on the simulated disk: what it promised survives whatever the disk does.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;
use smtp::Timestamp;
use spool::{
    Arrival, Content, Found, Job, JobId, KeepError, MessageId, NewContent, NewJob, Op, Spool,
    local::{LocalSpool, OpenError, Opened, Pace, Report, Settings, check, export, repair},
};
use world::{
    Disk,
    disk::{Open, write_all_at},
    sim::disk::SimDisk,
};

const DIRECTORY: &str = "/spool";

fn small() -> Settings {
    Settings {
        segment_size: 16 << 10,
        inline_max: 2 << 10,
        reserve: 32 << 10,
        spares_max: 2,
        ..Settings::default()
    }
}

/// An open spool, and all that it found.
struct Restarted {
    spool: LocalSpool,
    found: Vec<Found>,
    report: Report,
}

fn open(disk: &SimDisk) -> Restarted {
    let opened = try_open(disk)
        .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
    everything(opened)
}

fn everything(opened: Opened) -> Restarted {
    let Opened { spool, found, report } = opened;
    let count = found.len();
    let found: Vec<Found> = found.collect();
    assert_eq!(found.len(), count, "as many as it said");
    Restarted { spool, found, report }
}

fn try_open(disk: &SimDisk) -> Result<Opened, OpenError> {
    LocalSpool::open(Arc::new(disk.clone()), DIRECTORY, small(), Pace::Task)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// Octets that say whose they are.
fn octets(id: MessageId, length: usize) -> Bytes {
    let mut rng = id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let draw = |_| {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        rng as u8
    };
    (0..length).map(draw).collect()
}

fn arrival(id: MessageId, length: usize, jobs: u16) -> Arrival {
    let job = |part| NewJob {
        lane: format!("lane{part}.test").into(),
        due: Timestamp(1000),
        held: false,
        envelope: Bytes::from(format!("envelope of {id} part {part}")),
    };
    Arrival {
        id,
        at: Timestamp(id.0),
        prefix: Bytes::from(format!("Received: {id}\r\n")),
        content: NewContent::Memory(octets(id, length)),
        jobs: (0..jobs).map(job).collect(),
    }
}

async fn whole(content: &dyn Content) -> Result<Vec<u8>, spool::ReadError> {
    let mut all = Vec::new();
    while (all.len() as u64) < content.len() {
        all.extend_from_slice(&content.read(all.len() as u64, 700).await?);
    }
    Ok(all)
}

fn expected(id: MessageId, length: usize) -> Vec<u8> {
    [format!("Received: {id}\r\n").as_bytes(), &octets(id, length)].concat()
}

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    let is_segment = |name: &PathBuf| {
        name.to_str().is_some_and(|n| n.starts_with("segment") && n.ends_with(".log"))
    };
    disk.list(Path::new(DIRECTORY))
        .unwrap()
        .into_iter()
        .filter(is_segment)
        .map(|n| Path::new(DIRECTORY).join(n))
        .collect()
}

/// What the spool promised, by job.
#[derive(Default, Debug)]
struct Model {
    /// Content length and queued jobs with their revision.
    messages: BTreeMap<MessageId, (usize, BTreeMap<u16, u32>)>,
    /// Asked for, but never answered: may have happened or not.
    open: Vec<Change>,
    highest: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Arrive(MessageId, usize, u16),
    Defer(JobId, u32),
    Finish(JobId),
    /// All or none.
    Group(Vec<Change>),
}

impl Model {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Arrive(id, length, jobs) => {
                self.messages.insert(*id, (*length, (0..*jobs).map(|part| (part, 1)).collect()));
            }
            Change::Defer(id, revision) => {
                if let Some((_, jobs)) = self.messages.get_mut(&id.message) {
                    jobs.entry(id.part).and_modify(|r| *r = revision + 1);
                }
            }
            Change::Finish(id) => {
                if let Some((_, jobs)) = self.messages.get_mut(&id.message) {
                    jobs.remove(&id.part);
                    if jobs.is_empty() {
                        self.messages.remove(&id.message);
                    }
                }
            }
            Change::Group(changes) => changes.iter().for_each(|change| self.apply(change)),
        }
    }

    /// Whether `found` shows that an unanswered change happened.
    fn happened(&self, change: &Change, found: &BTreeMap<JobId, u32>) -> bool {
        match change {
            Change::Arrive(id, _, _) => found.keys().any(|job| job.message == *id),
            Change::Defer(id, revision) => found.get(id) == Some(&(revision + 1)),
            Change::Finish(id) => !found.contains_key(id),
            Change::Group(changes) => {
                let each: Vec<bool> =
                    changes.iter().map(|change| self.happened(change, found)).collect();
                assert!(
                    each.iter().all(|&h| h == each[0]),
                    "a group holds or fails as one: {changes:?} {each:?}"
                );
                each[0]
            }
        }
    }

    async fn compare(&mut self, opened: &Restarted) {
        let found: BTreeMap<JobId, u32> =
            opened.found.iter().map(|found| (found.job.id, found.job.revision)).collect();
        for change in std::mem::take(&mut self.open) {
            if self.happened(&change, &found) {
                self.apply(&change);
            }
        }
        let promised: BTreeMap<JobId, u32> = self
            .messages
            .iter()
            .flat_map(|(&message, (_, jobs))| {
                jobs.iter().map(move |(&part, &r)| (JobId { message, part }, r))
            })
            .collect();
        assert_eq!(found, promised, "found and promised");
        for entry in &opened.found {
            let id = entry.job.id.message;
            let (length, _) = self.messages[&id];
            assert_eq!(whole(&*entry.content).await.unwrap(), expected(id, length), "{id}");
            assert_eq!(entry.at, Timestamp(id.0));
            if entry.job.revision == 1 {
                let envelope = format!("envelope of {id} part {}", entry.job.id.part);
                assert_eq!(entry.job.envelope, envelope.as_bytes());
            } else {
                assert_eq!(entry.job.attempts, entry.job.revision - 1);
                assert_eq!(
                    entry.job.envelope,
                    format!("left at {}", entry.job.revision).as_bytes()
                );
            }
        }
        assert_eq!(opened.spool.usage().jobs, found.len() as u64);
        assert!(opened.report.damaged.is_empty(), "a crash is no damage: {:?}", opened.report);
        assert!(opened.spool.reserve().0 > self.highest, "ids are never used again");
    }
}

fn deferred(id: JobId, revision: u32) -> Job {
    Job {
        id,
        revision,
        lane: "later.test".into(),
        due: Timestamp(5000),
        attempts: revision,
        held: false,
        envelope: Bytes::from(format!("left at {}", revision + 1)),
    }
}

#[derive(Clone, Debug)]
enum Action {
    Accept { length: usize, jobs: u16 },
    Stage { length: usize, keep: bool },
    Together(Vec<usize>),
    Defer(usize),
    Finish(usize),
    FinishSoon(usize),
    FinishWithDsn(usize, usize),
    Churn,
    Reopen,
    Crash { steps: u64 },
    FailSync,
    FailWrite,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (0usize..6000, 1u16..4).prop_map(|(length, jobs)| Action::Accept { length, jobs }),
        2 => (0usize..9000, any::<bool>()).prop_map(|(length, keep)| Action::Stage { length, keep }),
        3 => proptest::collection::vec(0usize..3000, 1..6).prop_map(Action::Together),
        5 => any::<usize>().prop_map(Action::Defer),
        8 => any::<usize>().prop_map(Action::Finish),
        4 => any::<usize>().prop_map(Action::FinishSoon),
        4 => (any::<usize>(), 0usize..2000).prop_map(|(n, l)| Action::FinishWithDsn(n, l)),
        2 => Just(Action::Churn),
        1 => Just(Action::Reopen),
        3 => (0u64..12).prop_map(|steps| Action::Crash { steps }),
        1 => Just(Action::FailSync),
        1 => Just(Action::FailWrite),
    ]
}

struct Trial {
    disk: SimDisk,
    opened: Restarted,
    model: Model,
}

impl Trial {
    fn spool(&self) -> &LocalSpool {
        &self.opened.spool
    }

    fn reserve(&mut self) -> MessageId {
        let id = self.opened.spool.reserve();
        assert!(id.0 > self.model.highest);
        self.model.highest = id.0;
        id
    }

    fn pick(&self, n: usize) -> Option<(JobId, u32)> {
        let jobs: Vec<(JobId, u32)> = self
            .model
            .messages
            .iter()
            .flat_map(|(&message, (_, jobs))| {
                jobs.iter().map(move |(&part, &r)| (JobId { message, part }, r))
            })
            .collect();
        (!jobs.is_empty()).then(|| jobs[n % jobs.len()])
    }

    /// A refused change did not happen, but after a crash it may have.
    fn note<T>(&mut self, change: Change, result: Result<T, KeepError>) {
        match result {
            Ok(_) => self.model.apply(&change),
            Err(_) => self.model.open.push(change),
        }
    }

    async fn accept(&mut self, length: usize, jobs: u16) {
        let id = self.reserve();
        let result = self.spool().accept(arrival(id, length, jobs)).await;
        if let Ok(accepted) = &result {
            assert_eq!(accepted.jobs.len(), usize::from(jobs));
            assert_eq!(accepted.receipt.id(), id);
        }
        self.note(Change::Arrive(id, length, jobs), result);
    }

    async fn step(&mut self, action: Action) {
        match action {
            Action::Accept { length, jobs } => self.accept(length, jobs).await,
            Action::Stage { length, keep } => {
                let id = self.reserve();
                let result = async {
                    let mut staged = self.spool().stage().await?;
                    for piece in octets(id, length).chunks(1000) {
                        staged.write(Bytes::copy_from_slice(piece)).await?;
                    }
                    if !keep {
                        return Ok(None);
                    }
                    let content = NewContent::Staged(staged);
                    self.spool().accept(Arrival { content, ..arrival(id, 0, 1) }).await.map(Some)
                };
                match result.await {
                    Ok(None) => {}
                    Ok(Some(_)) => self.note(Change::Arrive(id, length, 1), Ok(())),
                    Err(error) => self.note::<()>(Change::Arrive(id, length, 1), Err(error)),
                }
            }
            Action::Together(lengths) => {
                let ids: Vec<(MessageId, usize)> =
                    lengths.iter().map(|&l| (self.reserve(), l)).collect();
                let mut waiting = tokio::task::JoinSet::new();
                let mut results = Vec::new();
                let spool = &self.opened.spool;
                let mut futures: Vec<_> =
                    ids.iter().map(|&(id, l)| Box::pin(spool.accept(arrival(id, l, 1)))).collect();
                waiting.spawn(async {});
                for future in &mut futures {
                    // Each is polled once, so that all wait; then each to its end.
                    let first =
                        std::future::poll_fn(|c| std::task::Poll::Ready(future.as_mut().poll(c)))
                            .await;
                    assert!(first.is_pending());
                }
                for future in futures {
                    results.push(future.await.map(|_| ()));
                }
                for ((id, length), result) in ids.into_iter().zip(results) {
                    self.note(Change::Arrive(id, length, 1), result);
                }
            }
            Action::Defer(n) => {
                let Some((id, revision)) = self.pick(n) else { return };
                let result =
                    self.spool().apply(vec![Op::Defer(deferred(id, revision))], vec![]).await;
                self.note(Change::Defer(id, revision), result);
            }
            Action::Finish(n) => {
                let Some((id, revision)) = self.pick(n) else { return };
                let result = self.spool().apply(vec![Op::Finish { id, revision }], vec![]).await;
                self.note(Change::Finish(id), result);
            }
            Action::FinishSoon(n) => {
                let Some((id, revision)) = self.pick(n) else { return };
                self.spool().finish_soon(id, revision);
                tokio::time::sleep(Duration::from_millis(60)).await;
                let gone = self.spool().usage().jobs < self.job_count();
                self.note(Change::Finish(id), if gone { Ok(()) } else { Err(KeepError::Closed) });
            }
            Action::FinishWithDsn(n, length) => {
                let Some((id, revision)) = self.pick(n) else { return };
                let dsn = self.reserve();
                let ops = vec![Op::Finish { id, revision }];
                let result = self.spool().apply(ops, vec![arrival(dsn, length, 1)]).await;
                self.note(
                    Change::Group(vec![Change::Finish(id), Change::Arrive(dsn, length, 1)]),
                    result,
                );
            }
            Action::Churn => {
                for length in [500, 3000, 1500, 800, 2500, 4000, 100, 3500] {
                    self.accept(length, 1).await;
                    if let Some((id, revision)) = self.pick(usize::MAX / 3) {
                        let result =
                            self.spool().apply(vec![Op::Finish { id, revision }], vec![]).await;
                        self.note(Change::Finish(id), result);
                    }
                }
            }
            Action::Reopen => {
                self.spool().close().await;
                self.boot().await;
            }
            Action::Crash { steps } => self.disk.crash_after(steps),
            Action::FailSync => self.disk.fail_sync(1),
            Action::FailWrite => self.disk.fail_write(1),
        }
        if self.disk.is_down() {
            self.disk.crash();
            self.boot().await;
        } else if !self.model.open.is_empty() {
            // Refused by a failing disk: what it comes to shows after a reboot.
            self.disk.crash();
            self.boot().await;
        }
    }

    fn job_count(&self) -> u64 {
        self.model.messages.values().map(|(_, jobs)| jobs.len() as u64).sum()
    }

    async fn boot(&mut self) {
        // The old spool must be gone before the lock is free.
        let disk = self.disk.clone();
        let placeholder = SimDisk::new(0);
        self.opened = open(&placeholder);
        loop {
            match try_open(&disk) {
                // The power went while opening: all that it did must be harmless.
                _ if disk.is_down() => disk.crash(),
                Ok(opened) => break self.opened = everything(opened),
                Err(error) => assert!(matches!(error, OpenError::Io { .. }), "{error}"),
            }
        }
        self.model.compare(&self.opened).await;
        self.model.highest = self.model.highest.max(self.opened.spool.reserve().0);
    }
}

async fn trial(seed: u64, actions: Vec<Action>) {
    let disk = SimDisk::new(seed);
    let opened = open(&disk);
    let mut trial = Trial { disk, opened, model: Model::default() };
    for action in actions {
        trial.step(action).await;
    }
    trial.spool().close().await;
    trial.boot().await;
    let queued: u64 = trial.opened.spool.usage().content;
    trial.opened = open(&SimDisk::new(0));
    let report = check(&trial.disk, Path::new(DIRECTORY)).unwrap();
    assert!(report.is_clean() && report.content == queued, "{report:?} {queued}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_was_promised_is_found_whatever_happens(seed: u64, actions in proptest::collection::vec(action(), 1..60)) {
        run(trial(seed, actions));
    }
}

#[test]
fn a_crash_after_any_step_loses_nothing_that_was_promised() {
    let script = || {
        use Action::*;
        vec![
            Accept { length: 900, jobs: 2 },
            Stage { length: 5000, keep: true },
            Together(vec![10, 2000, 300]),
            Defer(0),
            FinishWithDsn(1, 400),
            Finish(0),
            Churn,
            FinishSoon(2),
            Churn,
            Reopen,
            Churn,
            Defer(3),
            Churn,
        ]
    };
    let mut crashes = 0;
    for steps in 0..250 {
        for seed in 0..3 {
            let trials = async {
                let disk = SimDisk::new(seed * 1000 + steps);
                let opened = open(&disk);
                let before = disk.steps();
                disk.crash_after(steps + 1);
                let mut trial = Trial { disk, opened, model: Model::default() };
                let mut crashed = false;
                for action in script() {
                    let incarnation_steps = trial.disk.steps() - before;
                    trial.step(action).await;
                    crashed |= incarnation_steps >= steps;
                }
                trial.spool().close().await;
                trial.boot().await;
                crashed
            };
            crashes += usize::from(run(trials));
        }
    }
    assert!(crashes > 450, "the script is long enough to be cut at many places: {crashes}");
}

/// 300 messages of about 1 KiB in one segment log, then the power is cut; nothing unsynced.
fn filled(seed: u64) -> (SimDisk, Vec<MessageId>) {
    let disk = SimDisk::new(seed);
    let ids = run(async {
        let opened = open(&disk);
        let mut ids = Vec::new();
        for n in 0..300 {
            let id = opened.spool.reserve();
            opened.spool.accept(arrival(id, 600 + n % 700, 1)).await.unwrap();
            ids.push(id);
        }
        ids
    });
    disk.crash();
    (disk, ids)
}

/// Opens and tells which messages are lost or unreadable, and how many places were reported.
fn lost(disk: &SimDisk, ids: &[MessageId]) -> (Vec<MessageId>, usize) {
    run(async {
        let opened = open(disk);
        let mut intact = Vec::new();
        for found in &opened.found {
            let id = found.job.id.message;
            let length = 600 + ids.iter().position(|known| *known == id).unwrap() % 700;
            match whole(&*found.content).await {
                Ok(octets) => {
                    assert_eq!(octets, expected(id, length), "never wrong octets");
                    intact.push(id);
                }
                Err(error) => assert!(matches!(error, spool::ReadError::Damaged { .. }), "{error}"),
            }
        }
        let lost = ids.iter().filter(|id| !intact.contains(id)).copied().collect();
        let told = opened.report.damaged.len() + opened.report.unfinished.len();
        let unreadable = opened.spool.usage().damaged as usize - opened.report.damaged.len();
        (lost, told + unreadable)
    })
}

#[test]
fn one_flipped_octet_costs_at_most_the_message_hit_and_is_told() {
    let mut hits = 0;
    for seed in 0..120u64 {
        let (disk, ids) = filled(seed);
        let segments = segments(&disk);
        // Half of the trials hit the newest segment, which has no hint; the others any.
        let hit = if seed % 2 == 0 { segments.len() - 1 } else { seed as usize % segments.len() };
        let offset = seed * 7919 % (15 << 10);
        disk.flip(&segments[hit], offset, 1 << (seed % 8)).unwrap();
        let (lost, told) = lost(&disk, &ids);
        assert!(lost.len() <= 1, "seed {seed}: {lost:?}");
        if !lost.is_empty() {
            assert!(told >= 1, "seed {seed}: loss without a word");
            hits += 1;
        }
    }
    assert!(hits > 60, "{hits}");
}

#[test]
fn a_zeroed_block_costs_only_the_messages_in_it_and_repair_makes_opening_clean() {
    for seed in 0..30u64 {
        let (disk, ids) = filled(seed);
        let segments = segments(&disk);
        let segment = &segments[segments.len() / 2];
        disk.zero(segment, 4096, 4096).unwrap();
        // Without hints the scan must find it.
        disk.remove(&segment.with_extension("hint")).unwrap();
        let before = check(&disk, Path::new(DIRECTORY)).unwrap();
        assert!(!before.is_clean(), "{before:?}");
        assert!(
            before.damaged.iter().all(|d| d.file == segment.file_name().unwrap().to_str().unwrap())
        );
        let (gone, told) = lost(&disk, &ids);
        assert!((1..=9).contains(&gone.len()) && told >= 1, "seed {seed}: {gone:?} {told}");
        let repaired = repair(&disk, Path::new(DIRECTORY)).unwrap();
        assert!(!repaired.is_clean());
        let after = check(&disk, Path::new(DIRECTORY)).unwrap();
        assert!(after.is_clean() && after.messages == (ids.len() - gone.len()) as u64, "{after:?}");
        assert!(!disk.list(Path::new("/spool/quarantine")).unwrap().is_empty());
        assert_eq!(lost(&disk, &ids), (gone, 0), "the others are all there");
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_said() {
    let mut told = 0;
    for seed in 0..40 {
        let disk = SimDisk::new(seed);
        let ids = run(async {
            let opened = open(&disk);
            let mut ids = Vec::new();
            for _ in 0..5 {
                ids.push(opened.spool.reserve());
                opened.spool.accept(arrival(*ids.last().unwrap(), 1500, 1)).await.unwrap();
            }
            // The write gets through, its sync does not.
            disk.crash_after(1);
            let id = opened.spool.reserve();
            assert!(opened.spool.accept(arrival(id, 3000, 1)).await.is_err());
            ids
        });
        disk.crash();
        run(async {
            let opened = open(&disk);
            assert!(opened.report.damaged.is_empty(), "{:?}", opened.report);
            assert!(opened.found.len() >= ids.len());
            told += opened.report.unfinished.len();
            opened.spool.close().await;
        });
        assert_eq!(open(&disk).report.unfinished, [], "told once");
    }
    assert!(told >= 5, "{told}");
}

#[test]
fn a_full_disk_refuses_new_mail_keeps_the_queue_moving_and_recovers() {
    run(async {
        let disk = SimDisk::new(1);
        let opened = open(&disk);
        let spool = &opened.spool;
        disk.limit(200 << 10);
        let mut ids = Vec::new();
        let refused = loop {
            let id = spool.reserve();
            match spool.accept(arrival(id, 1500, 1)).await {
                Ok(_) => ids.push(id),
                Err(error) => break error,
            }
            assert!(ids.len() < 200);
        };
        assert!(matches!(refused, KeepError::Full { .. }), "{refused}");
        assert!(!spool.has_room(1500) && spool.usage().refusing.is_some());
        assert!(disk.free(Path::new("/")).unwrap() >= small().reserve, "the reserve is untouched");
        assert_eq!(spool.usage().messages, ids.len() as u64);
        let first = JobId { message: ids[0], part: 0 };
        spool.apply(vec![Op::Defer(deferred(first, 1))], vec![]).await.unwrap();
        spool.apply(vec![Op::Finish { id: first, revision: 2 }], vec![]).await.unwrap();
        for &message in &ids[1..] {
            let id = JobId { message, part: 0 };
            spool.apply(vec![Op::Finish { id, revision: 1 }], vec![]).await.unwrap();
        }
        assert!(spool.has_room(1500), "{:?}", spool.usage());
        assert_eq!(spool.usage().refusing, None);
        let id = spool.reserve();
        spool.accept(arrival(id, 1500, 1)).await.unwrap();
        let staged = async {
            let mut staged = spool.stage().await?;
            staged.write(vec![0; 2 << 20].into()).await
        };
        assert!(matches!(staged.await, Err(KeepError::Full { .. })));
    });
}

#[test]
fn a_failed_sync_gives_no_receipt_and_the_next_message_another_segment() {
    run(async {
        let disk = SimDisk::new(3);
        let opened = open(&disk);
        let good = opened.spool.reserve();
        opened.spool.accept(arrival(good, 100, 1)).await.unwrap();
        disk.fail_sync(1);
        let bad = opened.spool.reserve();
        let refused = opened.spool.accept(arrival(bad, 100, 1)).await.err().unwrap();
        assert!(matches!(refused, KeepError::Io { .. }), "{refused}");
        let after = opened.spool.reserve();
        opened.spool.accept(arrival(after, 100, 1)).await.unwrap();
        disk.crash();
        drop(opened);
        let found: Vec<MessageId> =
            open(&disk).found.iter().map(|found| found.job.id.message).collect();
        assert_eq!(found, [good, after], "what failed stays away, even if its octets got through");
    });
}

#[test]
fn a_finish_that_could_not_be_written_is_not_forgotten() {
    run(async {
        let disk = SimDisk::new(9);
        let opened = open(&disk);
        let id = opened.spool.reserve();
        opened.spool.accept(arrival(id, 100, 1)).await.unwrap();
        disk.fail_sync(1);
        opened.spool.finish_soon(JobId { message: id, part: 0 }, 1);
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(opened.spool.usage().jobs, 1, "the sync failed");
        let next = opened.spool.reserve();
        opened.spool.accept(arrival(next, 100, 1)).await.unwrap();
        disk.crash();
        drop(opened);
        let found: Vec<MessageId> =
            open(&disk).found.iter().map(|found| found.job.id.message).collect();
        assert_eq!(found, [next]);
    });
}

#[test]
fn disk_use_follows_what_is_queued() {
    run(async {
        let disk = SimDisk::new(4);
        let opened = open(&disk);
        let spool = &opened.spool;
        let mut queued = Vec::new();
        for n in 0..200 {
            let id = spool.reserve();
            spool.accept(arrival(id, 1800, 1)).await.unwrap();
            queued.push(JobId { message: id, part: 0 });
            if n % 10 == 0 {
                let job = queued[queued.len() - 1];
                spool.apply(vec![Op::Defer(deferred(job, 1))], vec![]).await.unwrap();
            }
        }
        let full = disk.used();
        for (n, &id) in queued.iter().enumerate().filter(|(n, _)| n % 10 != 0) {
            spool.apply(vec![Op::Finish { id, revision: 1 }], vec![]).await.unwrap();
            assert!(n < 200);
        }
        let kept = disk.used();
        assert!(kept * 2 < full, "a tenth is queued: {kept} of {full}");
        for &id in queued.iter().step_by(10) {
            let content = spool.content(id.message).unwrap();
            assert_eq!(whole(&*content).await.unwrap(), expected(id.message, 1800));
        }
        spool.close().await;
        drop(opened);
        let opened = open(&disk);
        assert_eq!(opened.found.len(), 20);
        assert!(opened.found.iter().all(|found| found.job.revision == 2));
    });
}

#[test]
fn big_contents_have_files_of_their_own_and_leave_nothing_behind() {
    run(async {
        let disk = SimDisk::new(5);
        let opened = open(&disk);
        let spool = &opened.spool;
        let bodies = || disk.list(Path::new("/spool/bodies")).unwrap().len();
        let id = spool.reserve();
        let mut staged = spool.stage().await.unwrap();
        let octets = octets(id, 3 << 20);
        for piece in octets.chunks(100_000) {
            staged.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        assert_eq!(staged.len(), 3 << 20);
        let accepted = spool
            .accept(Arrival { content: NewContent::Staged(staged), ..arrival(id, 0, 1) })
            .await
            .unwrap();
        assert!(accepted.content.in_memory().is_none());
        assert_eq!(whole(&*accepted.content).await.unwrap(), expected(id, 3 << 20));
        let mut dropped = spool.stage().await.unwrap();
        dropped.write(vec![1; 2 << 20].into()).await.unwrap();
        assert_eq!(bodies(), 2);
        drop(dropped);
        assert_eq!(bodies(), 1);
        let body = disk.list(Path::new("/spool/bodies")).unwrap().remove(0);
        let path = Path::new("/spool/bodies").join(body);
        disk.flip(&path, 1 << 20, 1).unwrap();
        assert!(whole(&*accepted.content).await.is_ok(), "this reader has seen it whole before");
        let fresh = spool.content(id).unwrap();
        assert!(matches!(whole(&*fresh).await, Err(spool::ReadError::Damaged { .. })));
        let fresh = spool.content(id).unwrap();
        let last = fresh.read(fresh.len() - 10, 10).await;
        assert!(matches!(last, Err(spool::ReadError::Damaged { .. })), "not even its end");
        spool
            .apply(vec![Op::Finish { id: JobId { message: id, part: 0 }, revision: 1 }], vec![])
            .await
            .unwrap();
        assert_eq!(bodies(), 0);
        // An orphan, as a crash between body and record leaves it.
        drop(opened);
        let orphan =
            disk.open(Path::new("/spool/bodies/00000000000000ff.body"), Open::New).unwrap();
        write_all_at(&*orphan, 0, b"x").unwrap();
        assert_eq!(open(&disk).report.orphans, 1);
        assert_eq!(bodies(), 0);
    });
}

#[test]
fn conflicting_changes_are_refused_whole() {
    run(async {
        let disk = SimDisk::new(6);
        let opened = open(&disk);
        let spool = &opened.spool;
        let id = spool.reserve();
        spool.accept(arrival(id, 10, 1)).await.unwrap();
        let job = JobId { message: id, part: 0 };
        let (defer, finish) = (Op::Defer(deferred(job, 1)), Op::Finish { id: job, revision: 1 });
        let (first, second) = tokio::join!(
            spool.apply(vec![defer], vec![]),
            spool.apply(vec![finish], vec![arrival(spool.reserve(), 10, 1)])
        );
        first.unwrap();
        let refused = second.err().unwrap();
        assert!(
            matches!(refused, KeepError::Conflict { current: Some(2), given: 1, .. }),
            "{refused}"
        );
        assert_eq!(spool.usage().messages, 1, "the DSN of the refused group is not there");
    });
}

#[test]
fn a_newer_format_is_named_and_a_second_process_kept_out() {
    let disk = SimDisk::new(7);
    let opened = open(&disk);
    assert!(matches!(try_open(&disk), Err(OpenError::Locked { .. })));
    assert!(matches!(check(&disk, Path::new(DIRECTORY)), Err(OpenError::Locked { .. })));
    drop(opened);
    let path = Path::new("/spool/segment-0000000099.log");
    let mut header = spool::local::format::SegmentHeader { number: 99, id_limit: 5 }.encode();
    header[8] = 9;
    let sum = crc32c::crc32c(&header[..60]);
    header[60..].copy_from_slice(&sum.to_le_bytes());
    write_all_at(&*disk.open(path, Open::New).unwrap(), 0, &header).unwrap();
    let error = try_open(&disk).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 9, .. }), "{error}");
}

#[test]
fn export_gives_every_message_with_its_jobs() {
    let (disk, ids) = filled(8);
    let mut seen = Vec::new();
    let count = export(&disk, Path::new(DIRECTORY), None, &mut |message| {
        let message = message.unwrap();
        message.verify().unwrap();
        let length = message.size() as usize;
        let octets = message.read(0, length).unwrap();
        assert!(octets.starts_with(format!("Received: {}\r\n", message.id).as_bytes()));
        assert_eq!(message.jobs.len(), 1);
        seen.push(message.id);
        Ok(())
    });
    assert_eq!((count.unwrap(), &seen), (300, &ids));
    let one = export(&disk, Path::new(DIRECTORY), Some(ids[7]), &mut |_| Ok(()));
    assert_eq!(one.unwrap(), 1);
}

#[test]
fn threads_keep_what_they_acknowledge() {
    let directory = std::env::temp_dir().join(format!("mailwright-spool-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let settings = Settings {
        segment_size: 1 << 20,
        inline_max: 100_000,
        reserve: 1 << 20,
        ..Settings::default()
    };
    let disk: Arc<dyn Disk> = Arc::new(world::disk::RealDisk);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let open = || LocalSpool::open(disk.clone(), &directory, settings, Pace::Thread).unwrap();
    let kept = runtime.block_on(async {
        let spool = Arc::new(open().spool);
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..20 {
            let spool = spool.clone();
            writers.spawn(async move {
                let mut kept = Vec::new();
                for n in 0..50 {
                    let id = spool.reserve();
                    spool.accept(arrival(id, 3000, 1)).await.unwrap();
                    match (writer + n) % 3 {
                        0 => spool.finish_soon(JobId { message: id, part: 0 }, 1),
                        1 => kept.push(id),
                        _ => {
                            let op = Op::Finish { id: JobId { message: id, part: 0 }, revision: 1 };
                            spool.apply(vec![op], vec![]).await.unwrap();
                        }
                    }
                }
                kept
            });
        }
        let mut kept = writers.join_all().await.concat();
        spool.close().await;
        assert!(matches!(spool.stage().await, Err(KeepError::Closed)));
        kept.sort();
        kept
    });
    let opened = everything(open());
    let found: Vec<MessageId> = opened.found.iter().map(|found| found.job.id.message).collect();
    assert_eq!(found, kept);
    runtime.block_on(async {
        for found in opened.found.iter().step_by(17) {
            assert_eq!(whole(&*found.content).await.unwrap(), expected(found.job.id.message, 3000));
        }
        opened.spool.close().await;
    });
    std::fs::remove_dir_all(&directory).unwrap();
}
