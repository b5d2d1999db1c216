//! What records carry beside content: their metadata. docs/spool.md has the layout.
//!
//! As in [`super::format`], decoding never panics and never trusts a length.

use bytes::Bytes;
use smtp::Timestamp;

use super::format::Reader;
use crate::{Job, JobId, MessageId, NewJob, Revision};

/// Where a message's content is, beside its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// In the record, behind the prefix.
    Inline,
    /// In a file of its own.
    File {
        /// Which: its name.
        number: u64,
        /// Checksum of its octets.
        sum: u32,
    },
}

/// An `Arrival` record's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivalMeta {
    /// When it came.
    pub at: Timestamp,
    /// Octets of the prefix.
    pub prefix_length: u32,
    /// Octets of the content as received.
    pub content_length: u64,
    /// Where that is.
    pub body: Body,
    /// As they were then.
    pub jobs: Vec<Job>,
}

/// The part of an `Arrival`'s metadata that comes before its jobs.
#[derive(Clone, Copy, Debug)]
pub struct ArrivalHead {
    /// When it came.
    pub at: Timestamp,
    /// Octets of the prefix.
    pub prefix_length: u32,
    /// Octets of the content as received.
    pub content_length: u64,
    /// Where that is.
    pub body: Body,
    /// How many jobs follow.
    jobs: u16,
}

impl ArrivalHead {
    /// From disk.
    pub fn decode(meta: &[u8]) -> Option<Self> {
        Self::take(&mut Reader(meta))
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let at = Timestamp(reader.u64()?);
        let (prefix_length, content_length) = (reader.u32()?, reader.u64()?);
        let (number, sum) = (reader.u64()?, reader.u32()?);
        let body = if number == 0 { Body::Inline } else { Body::File { number, sum } };
        let jobs = reader.u16()?;
        Some(Self { at, prefix_length, content_length, body, jobs })
    }
}

/// Which job, which version of it, and where its fields begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobHead {
    /// Its number within the message.
    pub part: u16,
    /// Which version.
    pub revision: Revision,
    /// Offset in the metadata.
    pub at: usize,
}

/// The fixed part of an arrival's metadata; jobs follow by [`put_new_job`] or [`put_job`].
pub fn put_arrival(
    out: &mut Vec<u8>,
    at: Timestamp,
    prefix: u32,
    content: u64,
    body: Body,
    jobs: u16,
) {
    let (number, sum) = match body {
        Body::Inline => (0, 0),
        Body::File { number, sum } => (number, sum),
    };
    out.extend_from_slice(&at.0.to_le_bytes());
    out.extend_from_slice(&prefix.to_le_bytes());
    out.extend_from_slice(&content.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&jobs.to_le_bytes());
}

/// A job that begins: revision 1, no attempts.
pub fn put_new_job(out: &mut Vec<u8>, part: u16, job: &NewJob) {
    put_fields(out, part, 1, job.due, 0, job.held, &job.lane, &job.envelope);
}

/// A job as it is.
pub fn put_job(out: &mut Vec<u8>, job: &Job, revision: Revision) {
    put_fields(
        out,
        job.id.part,
        revision,
        job.due,
        job.attempts,
        job.held,
        &job.lane,
        &job.envelope,
    );
}

#[expect(
    clippy::too_many_arguments,
    reason = "one argument for each field on disk, in their order"
)]
fn put_fields(
    out: &mut Vec<u8>,
    part: u16,
    revision: Revision,
    due: Timestamp,
    attempts: u32,
    held: bool,
    lane: &str,
    envelope: &[u8],
) {
    // A lane is a domain name: never near 64 KiB. Cut, it would only be queued under another name.
    let lane = &lane.as_bytes()[..lane.len().min(usize::from(u16::MAX))];
    out.extend_from_slice(&part.to_le_bytes());
    out.extend_from_slice(&revision.to_le_bytes());
    out.extend_from_slice(&due.0.to_le_bytes());
    out.extend_from_slice(&attempts.to_le_bytes());
    out.push(u8::from(held));
    out.extend_from_slice(&(lane.len() as u16).to_le_bytes());
    out.extend_from_slice(&(envelope.len() as u32).to_le_bytes());
    out.extend_from_slice(lane);
    out.extend_from_slice(envelope);
}

/// A job's fields as they stand in a record.
struct Fields<'a> {
    part: u16,
    revision: Revision,
    due: Timestamp,
    attempts: u32,
    held: bool,
    lane: &'a [u8],
    envelope: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        let part = reader.u16()?;
        let revision = reader.u32()?;
        let due = Timestamp(reader.u64()?);
        let attempts = reader.u32()?;
        let held = reader.u8()? != 0;
        let lane_length = usize::from(reader.u16()?);
        let envelope_length = reader.u32()? as usize;
        let (lane, rest) = reader.0.split_at_checked(lane_length)?;
        let (envelope, rest) = rest.split_at_checked(envelope_length)?;
        reader.0 = rest;
        Some(Self { part, revision, due, attempts, held, lane, envelope })
    }

    /// The envelope is copied: a slice of what was read would keep all of that in memory.
    fn to_job(&self, id: u64) -> Job {
        Job {
            id: JobId { message: MessageId(id), part: self.part },
            revision: self.revision,
            lane: String::from_utf8_lossy(self.lane).into(),
            due: self.due,
            attempts: self.attempts,
            held: self.held,
            envelope: Bytes::copy_from_slice(self.envelope),
        }
    }
}

/// Reads an `Arrival`'s metadata.
pub fn take_arrival(meta: &[u8], id: u64) -> Option<ArrivalMeta> {
    let mut reader = Reader(meta);
    let head = ArrivalHead::take(&mut reader)?;
    let job = |_| Some(Fields::take(&mut reader)?.to_job(id));
    let jobs = (0..head.jobs).map(job).collect::<Option<Vec<_>>>()?;
    let ArrivalHead { at, prefix_length, content_length, body, .. } = head;
    Some(ArrivalMeta { at, prefix_length, content_length, body, jobs })
}

/// Reads of an `Arrival`'s metadata what tells its jobs apart; `None` unless all of it can be read.
pub fn take_arrival_jobs(meta: &[u8]) -> Option<Vec<JobHead>> {
    let mut reader = Reader(meta);
    let head = ArrivalHead::take(&mut reader)?;
    let job = |_| {
        let at = meta.len() - reader.0.len();
        let Fields { part, revision, .. } = Fields::take(&mut reader)?;
        Some(JobHead { part, revision, at })
    };
    (0..head.jobs).map(job).collect()
}

/// Reads of a `State`'s metadata what tells whose it is; `None` unless all of it can be read.
pub fn take_state_head(meta: &[u8]) -> Option<JobHead> {
    let Fields { part, revision, .. } = Fields::take(&mut Reader(meta))?;
    Some(JobHead { part, revision, at: 0 })
}

/// Reads a job off the front: a `State`'s metadata, or an `Arrival`'s from a [`JobHead::at`] on.
pub fn take_job(octets: &[u8], id: u64) -> Option<Job> {
    Some(Fields::take(&mut Reader(octets))?.to_job(id))
}

/// One entry of a `Finish` record.
pub fn put_finish(out: &mut Vec<u8>, id: JobId, revision: Revision) {
    out.extend_from_slice(&id.message.0.to_le_bytes());
    out.extend_from_slice(&id.part.to_le_bytes());
    out.extend_from_slice(&revision.to_le_bytes());
}

/// Reads a `Finish` record's entries.
pub fn take_finishes(meta: &[u8]) -> impl Iterator<Item = (JobId, Revision)> + '_ {
    let mut reader = Reader(meta);
    std::iter::from_fn(move || {
        let (message, part, revision) = (reader.u64()?, reader.u16()?, reader.u32()?);
        Some((JobId { message: MessageId(message), part }, revision))
    })
}

/// Reads a `Limit` record.
pub fn take_limit(meta: &[u8]) -> Option<u64> {
    Reader(meta).u64()
}

/// Reads a `Seal` record: which segment, and up to where it counts.
pub fn take_seal(meta: &[u8]) -> Option<(u64, u64)> {
    let mut reader = Reader(meta);
    Some((reader.u64()?, reader.u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrival_is_read_as_written_and_cut_short_it_is_none() {
        let job = |part: u16, lane: &str| NewJob {
            lane: lane.into(),
            due: Timestamp(u64::from(part) + 5),
            held: part == 1,
            envelope: Bytes::from(vec![part as u8; 40]),
        };
        let mut meta = Vec::new();
        let body = Body::File { number: 4, sum: 99 };
        put_arrival(&mut meta, Timestamp(77), 12, 1 << 33, body, 2);
        put_new_job(&mut meta, 0, &job(0, "a.test"));
        put_new_job(&mut meta, 1, &job(1, "b.test"));
        let meta = Bytes::from(meta);
        let arrival = take_arrival(&meta, 6).unwrap();
        assert_eq!((arrival.body, arrival.content_length, arrival.jobs.len()), (body, 1 << 33, 2));
        assert_eq!(&*arrival.jobs[1].lane, "b.test");
        assert!(arrival.jobs[1].held && arrival.jobs[1].revision == 1);
        for length in 0..meta.len() {
            assert_eq!(take_arrival(&meta.slice(..length), 6), None, "{length}");
        }
    }
}
