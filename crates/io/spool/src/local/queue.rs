//! What is queued, as the records of all segments tell it.
//!
//! Segments are *gathered* one by one, in any order: of each, only the metadata of arrivals and states
//! is kept, in one piece, with short mentions of what is where. [`Gathered::settle`] then decides.
//!
//! Order does not matter to the outcome: a job's highest revision counts, and one `Finish` ends it for
//! good, since ids are never used again. So copies that compaction left in two segments do no harm.

use std::collections::{BTreeMap, BTreeSet};

use smtp::Timestamp;

use super::{
    format::Kind,
    meta::{
        ArrivalHead, Body, JobHead, take_arrival_jobs, take_finishes, take_job, take_limit,
        take_seal, take_state_head,
    },
    scan::{Item, Scan},
};
use crate::{Job, MessageId};

/// Where an arrival or a state is: in its segment, and in what is kept of that segment's metadata.
#[derive(Clone, Copy)]
struct Mention {
    id: u64,
    /// Which of `sources`.
    source: u32,
    /// Of its record in the segment.
    offset: u32,
    /// Octets of its record.
    length: u32,
    /// Its metadata in the source's.
    at: u32,
    meta_length: u32,
}

/// A job that is done with, and by whose word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Finished {
    message: u64,
    part: u16,
    source: u32,
}

/// One segment's metadata of arrivals and states.
#[derive(Default)]
struct Source {
    number: u64,
    metas: Box<[u8]>,
    /// Queued jobs that have something in it.
    wanted: u32,
}

/// A queued job: where its latest state is.
#[derive(Clone, Copy)]
pub struct QueuedJob {
    /// Which of `arrivals` is its message's home.
    arrival: u32,
    source: u32,
    at: u32,
    /// Octets of its `State` record; 0 while that of its arrival holds.
    pub length: u32,
    /// Its latest.
    pub revision: u32,
    /// Its number within the message.
    pub part: u16,
}

/// A queued message, but for its jobs.
pub struct QueuedMessage {
    /// Which.
    pub id: MessageId,
    /// Segment of its arrival record.
    pub home: u64,
    /// Offset there.
    pub offset: u32,
    /// Octets of that record.
    pub length: u32,
    /// When it came.
    pub at: Timestamp,
    /// Octets of prefix and content.
    pub size: u64,
    /// Octets of content in a body file, if it has one, and that file.
    pub body: Option<(u64, u64)>,
}

/// The records of the segments that were read so far.
#[derive(Default)]
pub struct Gathered {
    sources: Vec<Source>,
    arrivals: Vec<Mention>,
    states: Vec<Mention>,
    finishes: Vec<Finished>,
    pins: BTreeMap<u64, BTreeSet<u64>>,
    next_id: u64,
    records: u64,
}

impl Gathered {
    /// Takes in a segment, of which no id at or above `id_limit` was handed out when it was begun.
    pub fn gather(&mut self, number: u64, id_limit: u64, scan: &Scan) {
        let source = self.sources.len() as u32;
        let is_kept = |item: &&Item| matches!(item.header.kind, Kind::Arrival | Kind::State);
        let kept = scan.items.iter().filter(is_kept).map(|item| item.meta.len()).sum();
        let mut metas = Vec::with_capacity(kept);
        self.next_id = self.next_id.max(id_limit);
        for item in &scan.items {
            self.records += 1;
            self.next_id = self.next_id.max(item.header.id + 1);
            match item.header.kind {
                Kind::Arrival => self.arrivals.push(mention(source, item, &mut metas)),
                Kind::State => self.states.push(mention(source, item, &mut metas)),
                Kind::Finish => {
                    self.finishes.extend(take_finishes(&item.meta).map(|(id, _)| Finished {
                        message: id.message.0,
                        part: id.part,
                        source,
                    }))
                }
                Kind::Limit => {
                    self.next_id = self.next_id.max(take_limit(&item.meta).unwrap_or(0));
                }
                Kind::Seal => {
                    let sealed = take_seal(&item.meta).map(|(sealed, _)| sealed);
                    self.pins.entry(number).or_default().extend(sealed);
                }
                Kind::Gap => {}
            }
        }
        self.sources.push(Source { number, metas: metas.into(), wanted: 0 });
    }

    /// Nothing more is to come: what does it amount to?
    pub fn settle(mut self) -> Queue {
        self.finishes.sort_unstable();
        let sources = &self.sources;
        let age = |m: &Mention| (m.id, sources[m.source as usize].number, m.offset);
        self.arrivals.sort_unstable_by_key(age);
        self.states.sort_unstable_by_key(age);
        self.pin_arrivals();
        let mut queue = Queue {
            jobs: Vec::with_capacity(self.arrivals.len()),
            pins: std::mem::take(&mut self.pins),
            next_id: self.next_id.max(1),
            records: self.records,
            ..Queue::default()
        };
        let (mut first, mut states, mut finishes) = (0, &self.states[..], &self.finishes[..]);
        let mut candidates = Vec::new();
        for copies in self.arrivals.chunk_by(|a, b| a.id == b.id) {
            let id = copies[0].id;
            states = &states[states.partition_point(|state| state.id < id)..];
            let (changes, later) = states.split_at(states.partition_point(|state| state.id == id));
            states = later;
            finishes = &finishes[finishes.partition_point(|finished| finished.message < id)..];
            let (ended, later) =
                finishes.split_at(finishes.partition_point(|finished| finished.message == id));
            finishes = later;
            self.candidates(&mut candidates, copies, changes, first as u32);
            first += copies.len();
            latest(&mut candidates, &mut queue.jobs, |part| {
                ended.binary_search_by_key(&part, |finished| finished.part).is_ok()
            });
        }
        for job in &queue.jobs {
            let home = self.arrivals[job.arrival as usize].source;
            self.sources[home as usize].wanted += 1;
            self.sources[job.source as usize].wanted += 1;
        }
        for source in self.sources.iter_mut().filter(|source| source.wanted == 0) {
            source.metas = Box::default();
        }
        Queue { sources: self.sources, arrivals: self.arrivals, ..queue }
    }

    /// A finish keeps the segments of the message's arrival, or it would rise again.
    fn pin_arrivals(&mut self) {
        for finished in &self.finishes {
            let first = self.arrivals.partition_point(|arrival| arrival.id < finished.message);
            let copies = self.arrivals[first..].iter().take_while(|a| a.id == finished.message);
            let others = copies.filter(|arrival| arrival.source != finished.source);
            let numbers = others.map(|arrival| self.sources[arrival.source as usize].number);
            let number = self.sources[finished.source as usize].number;
            self.pins.entry(number).or_default().extend(numbers);
        }
    }

    /// All that is said about a message's jobs, oldest first of each kind. `first` is the first copy.
    fn candidates(
        &self,
        candidates: &mut Vec<Candidate>,
        copies: &[Mention],
        changes: &[Mention],
        first: u32,
    ) {
        candidates.clear();
        let meta = |m: &Mention| {
            let at = m.at as usize;
            &self.sources[m.source as usize].metas[at..at + m.meta_length as usize]
        };
        let job = |mention: &Mention, head: JobHead, length| QueuedJob {
            arrival: first,
            source: mention.source,
            at: mention.at + head.at as u32,
            length,
            revision: head.revision,
            part: head.part,
        };
        for change in changes {
            if let Some(head) = take_state_head(meta(change)) {
                candidates.push((false, job(change, head, change.length)));
            }
        }
        let mut home = first;
        for (copy, number) in copies.iter().zip(first..) {
            if let Some(heads) = take_arrival_jobs(meta(copy)) {
                home = number;
                candidates.extend(heads.into_iter().map(|head| (true, job(copy, head, 0))));
            }
        }
        // The newest copy is the message's home, also of what an older one alone tells.
        candidates.iter_mut().for_each(|(_, job)| job.arrival = home);
    }
}

/// Whether it is an arrival's word, and which.
type Candidate = (bool, QueuedJob);

/// Of each part the latest: the highest revision; the arrival's of equal ones, then the newest copy.
/// States of a job that no arrival names are of no use.
fn latest(
    candidates: &mut [Candidate],
    jobs: &mut Vec<QueuedJob>,
    is_finished: impl Fn(u16) -> bool,
) {
    // Stable: they came oldest first.
    candidates.sort_by_key(|(arrival, job)| (job.part, job.revision, *arrival));
    for part in candidates.chunk_by(|(_, a), (_, b)| a.part == b.part) {
        if let Some((_, job)) = part.last()
            && part.iter().any(|(arrival, _)| *arrival)
            && !is_finished(job.part)
        {
            jobs.push(*job);
        }
    }
}

fn mention(source: u32, item: &Item, metas: &mut Vec<u8>) -> Mention {
    let at = metas.len() as u32;
    metas.extend_from_slice(&item.meta);
    Mention {
        id: item.header.id,
        source,
        offset: item.offset as u32,
        length: item.header.length() as u32,
        at,
        meta_length: item.header.meta_length,
    }
}

/// What is queued.
#[derive(Default)]
pub struct Queue {
    sources: Vec<Source>,
    arrivals: Vec<Mention>,
    /// By message, then part.
    jobs: Vec<QueuedJob>,
    /// For each segment, those that must go before it.
    pub pins: BTreeMap<u64, BTreeSet<u64>>,
    /// No id at or above this was ever told to anybody.
    pub next_id: u64,
    /// Records read.
    pub records: u64,
}

impl Queue {
    /// Queued jobs, by message and part.
    pub fn jobs(&self) -> &[QueuedJob] {
        &self.jobs
    }

    /// Queued messages by id, each with its jobs.
    pub fn messages(&self) -> impl Iterator<Item = (QueuedMessage, &[QueuedJob])> {
        let messages = self.jobs.chunk_by(|a, b| a.arrival == b.arrival);
        messages.filter_map(|jobs| Some((self.message(jobs.first()?)?, jobs)))
    }

    /// How many messages.
    pub fn messages_count(&self) -> usize {
        self.jobs.chunk_by(|a, b| a.arrival == b.arrival).count()
    }

    /// A job's message.
    pub fn message(&self, job: &QueuedJob) -> Option<QueuedMessage> {
        let mention = self.arrivals.get(job.arrival as usize)?;
        let source = self.sources.get(mention.source as usize)?;
        let head = ArrivalHead::decode(source.metas.get(mention.at as usize..)?)?;
        Some(QueuedMessage {
            id: MessageId(mention.id),
            home: source.number,
            offset: mention.offset,
            length: mention.length,
            at: head.at,
            size: u64::from(head.prefix_length) + head.content_length,
            body: match head.body {
                Body::Inline => None,
                Body::File { number, .. } => Some((number, head.content_length)),
            },
        })
    }

    /// Segment of a job's `State` record; 0 while that of its arrival holds.
    pub fn segment(&self, job: &QueuedJob) -> u64 {
        if job.length == 0 { 0 } else { self.sources[job.source as usize].number }
    }

    /// A job as it is.
    pub fn job(&self, job: &QueuedJob) -> Option<Job> {
        let id = self.arrivals.get(job.arrival as usize)?.id;
        take_job(self.sources.get(job.source as usize)?.metas.get(job.at as usize..)?, id)
    }

    /// A job has been read for the last time: segments whose jobs are all read need no memory any more.
    pub fn forget(&mut self, job: &QueuedJob) {
        let home = self.arrivals.get(job.arrival as usize).map(|arrival| arrival.source);
        for source in home.into_iter().chain([job.source]) {
            if let Some(source) = self.sources.get_mut(source as usize) {
                source.wanted = source.wanted.saturating_sub(1);
                if source.wanted == 0 {
                    source.metas = Box::default();
                }
            }
        }
    }
}
