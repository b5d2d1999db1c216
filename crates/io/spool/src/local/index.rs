//! What is queued and where it stands, in memory: about 100 octets a message, and no envelopes.
//!
//! It changes only after what it tells is on stable storage, so whatever reads it (compaction, hints,
//! dropping of segments) never acts on a change that a crash could take back.
//!
//! **When a segment may go** (`droppable`): it is sealed, holds no content of a queued message and no
//! latest state of a queued job, and each segment that it *pins* is gone. A `Finish` record pins the
//! segment that holds the message's arrival: dropped earlier, the arrival would rise again at the next
//! start. A `Seal` record pins the segment that it cuts off.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use world::disk::File;

use crate::{JobId, MessageId, Revision};

/// Spreads numbers that come one after the other; nobody outside chooses them.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.write_u64(u64::from(octet));
        }
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }
}

/// A map by ids. Never iterated where order would show.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// A job that is queued.
#[derive(Clone, Copy, Debug)]
pub struct JobPlace {
    /// Its number within the message.
    pub part: u16,
    /// Its latest.
    pub revision: Revision,
    /// Segment of its latest `State` record; 0 while that of its arrival holds.
    pub segment: u64,
    /// Octets of that record.
    pub length: u32,
}

/// A message with queued jobs.
#[derive(Debug)]
pub struct Message {
    /// Segment of its arrival record.
    pub home: u64,
    /// Offset there.
    pub offset: u32,
    /// Octets of the record.
    pub length: u32,
    /// Octets of prefix and content.
    pub size: u64,
    /// Its queued jobs: nearly always one.
    pub jobs: Jobs,
}

/// One job without an allocation, or several.
#[derive(Debug)]
pub enum Jobs {
    /// The usual case.
    One(JobPlace),
    /// By part.
    Many(Vec<JobPlace>),
}

impl Jobs {
    /// From a list with at least one entry.
    pub fn new(mut list: Vec<JobPlace>) -> Option<Self> {
        match list.len() {
            0 => None,
            1 => list.pop().map(Self::One),
            _ => Some(Self::Many(list)),
        }
    }

    /// All.
    pub fn list(&self) -> &[JobPlace] {
        match self {
            Self::One(job) => std::slice::from_ref(job),
            Self::Many(jobs) => jobs,
        }
    }

    fn list_mut(&mut self) -> &mut [JobPlace] {
        match self {
            Self::One(job) => std::slice::from_mut(job),
            Self::Many(jobs) => jobs,
        }
    }
}

/// A segment as it is used.
pub struct Segment {
    /// For reading.
    pub file: Arc<dyn File>,
    /// Octets up to which it counts.
    pub end: u64,
    /// Octets on disk.
    pub disk: u64,
    /// Octets of records that are needed.
    pub live: u64,
    /// Segments that must go before this one.
    pub pins: BTreeSet<u64>,
    /// Nothing more is written to it.
    pub sealed: bool,
    /// It has its hint file.
    pub hinted: bool,
    /// It has damaged places that are not in quarantine yet, so it stays.
    pub damaged: bool,
}

/// All of it.
#[derive(Default)]
pub struct Index {
    /// Queued messages.
    pub messages: IdMap<u64, Message>,
    /// Body files of queued messages.
    pub bodies: IdMap<u64, u64>,
    /// Existing segments.
    pub segments: BTreeMap<u64, Segment>,
    /// The segment that is being compacted: each `Finish` pins it, wherever the arrival is by now.
    pub compacting: Option<u64>,
    /// A segment has become mostly or wholly dead.
    pub wants_maintenance: bool,
    /// Queued jobs.
    pub jobs: u64,
    /// Octets of queued content.
    pub content: u64,
    /// Octets of body files.
    pub body_octets: u64,
    /// Damaged places found.
    pub damaged: u64,
}

impl Index {
    /// A job's revision, if it is queued.
    pub fn revision(&self, id: JobId) -> Option<Revision> {
        self.job(id).map(|job| job.revision)
    }

    /// A queued job.
    pub fn job(&self, id: JobId) -> Option<&JobPlace> {
        let message = self.messages.get(&id.message.0)?;
        message.jobs.list().iter().find(|job| job.part == id.part)
    }

    fn add_live(&mut self, segment: u64, length: u32) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.live += u64::from(length);
        }
    }

    fn sub_live(&mut self, segment: u64, length: u32) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            let before = segment.live;
            segment.live = before.saturating_sub(u64::from(length));
            let half = segment.disk / 2;
            let crossed = before >= half && segment.live < half || segment.live == 0;
            self.wants_maintenance |= segment.sealed && crossed;
        }
    }

    /// A message is queued. `body` is its body file, if it has one, and that file's length.
    pub fn arrive(&mut self, id: MessageId, message: Message, body: Option<(u64, u64)>) {
        self.jobs += message.jobs.list().len() as u64;
        self.content += message.size;
        self.add_live(message.home, message.length);
        for n in 0..message.jobs.list().len() {
            let job = message.jobs.list()[n];
            self.add_live(job.segment, job.length);
        }
        if let Some((number, length)) = body {
            self.bodies.insert(id.0, number);
            self.body_octets += length;
        }
        self.messages.insert(id.0, message);
    }

    /// A job has a new state, in `segment`.
    pub fn defer(&mut self, id: JobId, revision: Revision, segment: u64, length: u32) {
        let Some(message) = self.messages.get_mut(&id.message.0) else { return };
        let Some(job) = message.jobs.list_mut().iter_mut().find(|job| job.part == id.part) else {
            return;
        };
        let (old, old_length) = (job.segment, job.length);
        (job.revision, job.segment, job.length) = (revision, segment, length);
        self.sub_live(old, old_length);
        self.add_live(segment, length);
    }

    /// A job is done with, by a record in `segment`. Gives the body file that nobody needs any more.
    pub fn finish(&mut self, id: JobId, segment: u64) -> Option<u64> {
        let message = self.messages.get_mut(&id.message.0)?;
        let at = message.jobs.list().iter().position(|job| job.part == id.part)?;
        let job = message.jobs.list()[at];
        let home = message.home;
        let last = match &mut message.jobs {
            Jobs::One(_) => true,
            Jobs::Many(jobs) => {
                jobs.remove(at);
                jobs.is_empty()
            }
        };
        self.jobs -= 1;
        self.sub_live(job.segment, job.length);
        let compacting = self.compacting;
        if let Some(finishing) = self.segments.get_mut(&segment) {
            finishing
                .pins
                .extend([Some(home), compacting].into_iter().flatten().filter(|&s| s != segment));
        }
        if !last {
            return None;
        }
        let message = self.messages.remove(&id.message.0)?;
        self.content = self.content.saturating_sub(message.size);
        self.sub_live(home, message.length);
        let body = self.bodies.remove(&id.message.0);
        if body.is_some() {
            self.body_octets = self.body_octets.saturating_sub(message.size);
        }
        body
    }

    /// An arrival was copied from `from` to `to`. What happened to the message meanwhile decides.
    pub fn move_arrival(&mut self, id: MessageId, from: u64, to: u64, offset: u32, length: u32) {
        let Some(message) = self.messages.get_mut(&id.0).filter(|m| m.home == from) else { return };
        let old = message.length;
        (message.home, message.offset, message.length) = (to, offset, length);
        self.sub_live(from, old);
        self.add_live(to, length);
        // Until the original is gone for good, so must not be what may finish the copy.
        if let Some(segment) = self.segments.get_mut(&to) {
            segment.pins.insert(from);
        }
    }

    /// A state was copied from `from` to `to`.
    pub fn move_state(&mut self, id: JobId, revision: Revision, from: u64, to: u64, length: u32) {
        if self.job(id).is_some_and(|job| job.revision == revision && job.segment == from) {
            self.defer(id, revision, to, length);
        }
    }

    /// Segments that nothing needs any more. Each stays until its removal is durable, so two of which
    /// one pins the other are never given together.
    pub fn droppable(&self) -> Vec<u64> {
        let free = |segment: &Segment| {
            segment.sealed
                && segment.live == 0
                && !segment.damaged
                && segment.pins.iter().all(|pinned| !self.segments.contains_key(pinned))
        };
        // The newest one says which ids were handed out.
        let newest = self.segments.keys().next_back().copied();
        let busy = |number: u64| self.compacting == Some(number) || newest == Some(number);
        let droppable = self.segments.iter().filter(|(number, s)| free(s) && !busy(**number));
        droppable.map(|(&number, _)| number).collect()
    }

    /// The oldest sealed segment that is mostly dead, if copying its rest is worth while.
    pub fn compactable(&self) -> Option<u64> {
        let mostly_dead = |s: &Segment| {
            let waits = s.pins.iter().any(|pinned| self.segments.contains_key(pinned));
            s.sealed && !s.damaged && s.live * 2 < s.disk && (s.live > 0 || waits)
        };
        // The newest sealed one is left alone: most of its mail is still on its way out by itself.
        let newest = self.segments.iter().rfind(|(_, s)| s.sealed).map(|(&n, _)| n);
        let mut old = self.segments.iter().filter(|(number, _)| Some(**number) != newest);
        old.find(|(_, s)| mostly_dead(s)).map(|(&number, _)| number)
    }
}
