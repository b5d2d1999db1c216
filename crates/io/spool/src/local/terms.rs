//! What one says to the local spool, and what it says when it opens.

use std::time::Duration;

use super::{FoundJobs, LocalSpool};
use crate::MessageId;

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
