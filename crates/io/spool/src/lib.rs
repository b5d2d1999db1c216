//! Keeping messages through crashes.
//!
//! [`Spool`] is the interface; [`local::LocalSpool`] the append-only segment log of DESIGN's section 4
//! (docs/spool.md has the format). The words leave room for a replicated backend: work is cut into
//! *shards*, each with one *owner*; a *lane* is what jobs are queued by (the recipient domain); each
//! change of a job has a *revision*; changes come in *groups* that hold or fail as one.
//!
//! The spool does not know SMTP: a job's envelope is octets to it, written and read by `mta`.
//!
//! | after            | content | jobs     | who may act                                  |
//! | nothing          | -       | -        | the client: it has no Receipt and will retry |
//! | staging          | partly  | -        | opening the spool: removes it                |
//! | accept (synced)  | +       | +        | the queue: it is ours now                    |
//! | defer            | +       | new rev  | the queue, at `due`                          |
//! | finish of some   | +       | the rest | the queue                                    |
//! | finish of all    | dead    | -        | the spool: gives the space back              |

use std::{fmt, io};

use async_trait::async_trait;
use bytes::Bytes;
use smtp::Timestamp;

pub mod id;
pub mod local;
pub use id::{JobId, MessageId};
pub use local::LocalSpool;

/// Version of a job: 1 when accepted, one more with each `Op::Defer`.
pub type Revision = u32;

/// One lane's share of a message: what is queued, tried and finished as a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which.
    pub id: JobId,
    /// Which version of it this is.
    pub revision: Revision,
    /// What it is queued by: the recipients' domain, lower case.
    pub lane: Box<str>,
    /// When it is to be tried next.
    pub due: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Held jobs are not tried until released.
    pub held: bool,
    /// The envelope with the recipients that are left: octets of `mta`'s making.
    pub envelope: Bytes,
}

/// A job to be.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// See [`Job::lane`].
    pub lane: Box<str>,
    /// See [`Job::due`].
    pub due: Timestamp,
    /// See [`Job::held`].
    pub held: bool,
    /// See [`Job::envelope`].
    pub envelope: Bytes,
}

/// A message to be kept.
pub struct Arrival {
    /// Reserved by [`Spool::reserve`] (so that the trace field can name it).
    pub id: MessageId,
    /// When it came.
    pub at: Timestamp,
    /// What the transfer agent puts in front of the content: the trace fields.
    pub prefix: Bytes,
    /// The content as received.
    pub content: NewContent,
    /// One for each lane; at least one.
    pub jobs: Vec<NewJob>,
}

/// Content on its way in.
pub enum NewContent {
    /// Small: whole in memory.
    Memory(Bytes),
    /// Big: streamed to disk beforehand, by [`Spool::stage`].
    Staged(Box<dyn Staged>),
}

/// Big content while it arrives. Dropped without being accepted, it leaves nothing behind.
#[async_trait]
pub trait Staged: Send {
    /// Appends; returns when it was written (not synced).
    async fn write(&mut self, octets: Bytes) -> Result<(), KeepError>;
    /// Octets so far.
    fn len(&self) -> u64;
    /// For the implementation that made it.
    fn as_any(self: Box<Self>) -> Box<dyn std::any::Any + Send>;
}

/// A kept message's content: prefix and content as received, one behind the other.
/// Cheap to clone; memory, or a place on disk.
#[async_trait]
pub trait Content: Send + Sync + fmt::Debug {
    /// Octets in all, prefix included.
    fn len(&self) -> u64;
    /// The whole, if it is in memory: prefix and content. Never after a restart.
    fn in_memory(&self) -> Option<[Bytes; 2]>;
    /// Reads up to `length` octets from `offset` on (fewer only at the end). The checksum of the whole
    /// is verified by the time the last octet has been read in order; damage is an error, not data.
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, ReadError>;
}

/// Proof that a message survives a crash. Nothing outside this crate makes one.
#[derive(Debug)]
pub struct Receipt {
    pub(crate) id: MessageId,
    pub(crate) text: String,
}

impl Receipt {
    /// Which message.
    pub fn id(&self) -> MessageId {
        self.id
    }
}

impl smtp::Proof for Receipt {
    fn queue_id(&self) -> &str {
        &self.text
    }
}

/// What `accept` gives: the proof, and all that is needed to deliver from memory at once.
pub struct Accepted {
    /// For the `250`.
    pub receipt: Receipt,
    /// The jobs, in the order given.
    pub jobs: Vec<Job>,
    /// The content, in memory where it came that way.
    pub content: std::sync::Arc<dyn Content>,
}

/// One change. A group of them holds or fails as one.
#[derive(Clone, Debug)]
pub enum Op {
    /// Try again later (or hold, release, re-route: any new version of the job). `job.revision` is the
    /// revision it is based on; the new one is one higher.
    Defer(Job),
    /// Done with: relayed, failed (its DSN made in the same group), removed.
    Finish {
        /// Which.
        id: JobId,
        /// The revision that was finished.
        revision: Revision,
    },
}

/// One entry of the queue as it was found at start.
pub struct Found {
    /// As of its last durable change.
    pub job: Job,
    /// When its message came.
    pub at: Timestamp,
    /// Its content.
    pub content: std::sync::Arc<dyn Content>,
}

/// The place where accepted mail is kept.
#[async_trait]
pub trait Spool: Send + Sync {
    /// An id that no message has had. Not durable by itself: unused ids leave gaps.
    fn reserve(&self) -> MessageId;
    /// Room for content that is too big for memory.
    async fn stage(&self) -> Result<Box<dyn Staged>, KeepError>;
    /// Keeps a message. `Ok` = content and jobs are on stable storage.
    async fn accept(&self, arrival: Arrival) -> Result<Accepted, KeepError>;
    /// Carries out a group of changes, together with messages to be kept (a DSN and the end of the job
    /// that it reports are one group: a crash leaves both or neither). `Ok` = on stable storage.
    async fn apply(&self, ops: Vec<Op>, arrivals: Vec<Arrival>)
    -> Result<Vec<Accepted>, KeepError>;
    /// Finishes a job without waiting: durable with the next group, at the latest after
    /// `finish_delay_max`. A crash before that repeats the delivery.
    fn finish_soon(&self, id: JobId, revision: Revision);
    /// The content of a message that is queued.
    fn content(&self, id: MessageId) -> Option<std::sync::Arc<dyn Content>>;
    /// Whether a message of `size` octets would fit now: for `452 4.3.1` before the content.
    fn has_room(&self, size: u64) -> bool;
    /// Figures for `status` and metrics.
    fn usage(&self) -> Usage;
    /// Writes out what is pending and ends. Later calls fail with `Closed`.
    async fn close(&self);
}

/// What a spool holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Queued messages.
    pub messages: u64,
    /// Queued jobs.
    pub jobs: u64,
    /// Octets on disk.
    pub disk: u64,
    /// Octets of content that are queued.
    pub content: u64,
    /// Damaged places found so far.
    pub damaged: u64,
    /// Why mail is refused now, if it is.
    pub refusing: Option<String>,
}

/// Why a message was not kept. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The disk is full, or would be.
    #[error("the spool has {free} octets left and keeps {reserve} free")]
    Full {
        /// Octets left.
        free: u64,
        /// What is kept free.
        reserve: u64,
    },
    /// Writing or syncing failed; nothing that was not acknowledged before is trusted any more.
    #[error("cannot write `{file}`: {source}")]
    Io {
        /// Path.
        file: String,
        /// The operating system's word.
        source: io::Error,
    },
    /// The job has moved on: somebody else changed it.
    #[error("job {id} is at revision {current:?}, not {given}")]
    Conflict {
        /// Which.
        id: JobId,
        /// Its revision; `None` if it is finished.
        current: Option<Revision>,
        /// What the change was based on.
        given: Revision,
    },
    /// The spool was closed.
    #[error("the spool is closed")]
    Closed,
}

/// Why content can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The octets are not those that were written.
    #[error(
        "damage in `{file}` at offset {offset}: the checksum of {id} does not match; run `mailwright spool check`"
    )]
    Damaged {
        /// Path.
        file: String,
        /// Where the record starts.
        offset: u64,
        /// Whose content.
        id: MessageId,
    },
    /// The operating system's word.
    #[error("cannot read `{file}` at offset {offset}: {source}")]
    Io {
        /// Path.
        file: String,
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}
