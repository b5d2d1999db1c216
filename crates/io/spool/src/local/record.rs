//! Records on their way to the log: encoded and summed by the session's thread, so that the one writer
//! only places them.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    format::{Kind, RECORD_HEADER, RecordHeader},
    index::JobPlace,
    meta::{self, Body},
};
use crate::{JobId, KeepError, MessageId, NewJob, Revision};

/// Contents up to this many octets are copied behind their metadata: one slice fewer for the kernel
/// costs less than the copy saves.
const COPY_MAX: usize = 4096;

/// What a record does to the index once it is durable.
pub enum Effect {
    /// Nothing.
    None,
    /// A message is queued.
    Arrive { jobs: Vec<JobPlace>, size: u64, body: Option<(u64, u64)> },
    /// A job has a new state.
    Defer { id: JobId, revision: Revision },
    /// Jobs are done with.
    Finish(Vec<(JobId, Revision)>),
    /// Ids below are covered.
    Limit(u64),
    /// Another segment is cut off, or finishes were copied: these must go first.
    Pin(Vec<u64>),
    /// An arrival was copied, with these of its jobs.
    MoveArrival { from: u64, parts: Vec<u16> },
    /// A state was copied.
    MoveState { id: JobId, revision: Revision, from: u64 },
}

/// One record: header and metadata (and small content) in `head`, big content beside it.
pub struct Record {
    /// Segment, batch and flags are filled in when it is placed.
    pub header: RecordHeader,
    /// Begins with room for the header.
    pub head: Vec<u8>,
    /// Content that is not copied.
    pub big: Bytes,
    /// What it does.
    pub effect: Effect,
}

impl Record {
    /// A record with metadata only.
    pub fn new(kind: Kind, id: u64, effect: Effect, put: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut head = Vec::with_capacity(RECORD_HEADER + 256);
        head.resize(RECORD_HEADER, 0);
        put(&mut head);
        Self::finish_head(kind, id, effect, head, &[], Bytes::new())
    }

    /// A record with metadata, a prefix and content. `head` begins with room for the header.
    pub fn finish_head(
        kind: Kind,
        id: u64,
        effect: Effect,
        mut head: Vec<u8>,
        prefix: &[u8],
        content: Bytes,
    ) -> Self {
        let meta = &head[RECORD_HEADER..];
        let header = RecordHeader {
            kind,
            flags: 0,
            segment: 0,
            batch: 0,
            meta_length: meta.len() as u32,
            body_length: (prefix.len() + content.len()) as u32,
            id,
            meta_sum: crc32c::crc32c(meta),
            body_sum: crc32c::crc32c_append(crc32c::crc32c(prefix), &content),
        };
        head.extend_from_slice(prefix);
        let mut big = content;
        if big.len() <= COPY_MAX {
            head.extend_from_slice(&big);
            big = Bytes::new();
            head.resize(head.len().next_multiple_of(8), 0);
        }
        Self { header, head, big, effect }
    }

    /// An arrival.
    pub fn arrival(
        id: MessageId,
        at: smtp::Timestamp,
        prefix: &[u8],
        kept: Kept,
        jobs: &[NewJob],
    ) -> Self {
        let (content, length, body) = match kept {
            Kept::Inline(content) => (content.clone(), content.len() as u64, Body::Inline),
            Kept::File { number, sum, length } => {
                (Bytes::new(), length, Body::File { number, sum })
            }
        };
        let room: usize = jobs.iter().map(|job| job.lane.len() + job.envelope.len() + 32).sum();
        let copied = if content.len() <= COPY_MAX { content.len() } else { 0 };
        let mut head = Vec::with_capacity(RECORD_HEADER + 48 + room + prefix.len() + copied);
        head.resize(RECORD_HEADER, 0);
        meta::put_arrival(&mut head, at, prefix.len() as u32, length, body, jobs.len() as u16);
        for (part, job) in jobs.iter().enumerate() {
            meta::put_new_job(&mut head, part as u16, job);
        }
        let place = |part| JobPlace { part, revision: 1, segment: 0, length: 0 };
        let effect = Effect::Arrive {
            jobs: (0..jobs.len() as u16).map(place).collect(),
            size: prefix.len() as u64 + length,
            body: match body {
                Body::Inline => None,
                Body::File { number, .. } => Some((number, length)),
            },
        };
        Self::finish_head(Kind::Arrival, id.0, effect, head, prefix, content)
    }

    /// Octets in the log.
    pub fn length(&self) -> u64 {
        self.header.length()
    }
}

/// Content, ready to be named by a record.
pub enum Kept {
    /// To be in the record.
    Inline(Bytes),
    /// In a synced file.
    File { number: u64, sum: u32, length: u64 },
}

/// What a request asks for; decides which space it may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// New mail: refused before the space kept for the others is touched.
    Arrival,
    /// Changes of what is queued, and the log's own business.
    Change,
}

/// One group and who waits for it.
pub struct Request {
    /// Its records, in order.
    pub records: Vec<Record>,
    /// See [`Purpose`].
    pub purpose: Purpose,
    /// Told when it is durable, or why it is not.
    pub reply: Option<oneshot::Sender<Result<(), KeepError>>>,
}

impl Request {
    /// Octets in the log.
    pub fn length(&self) -> u64 {
        self.records.iter().map(Record::length).sum()
    }

    /// Tells who waits; gone waiters are no error.
    pub fn answer(self, result: Result<(), KeepError>) {
        if let Some(reply) = self.reply {
            let _ = reply.send(result);
        }
    }
}
