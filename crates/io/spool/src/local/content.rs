//! Reading a kept message: from memory while that lasts, else from its segment or its file.
//!
//! Where the record stands is looked up for each read, since compaction moves it. No read that touches
//! the last octet succeeds before the checksum of the whole was found right: readers who go from front
//! to back pay for it on the way, others with one pass over the content.

use std::{fmt, io, sync::Arc, sync::Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use world::{
    Disk,
    disk::{File, Open, read_exact_at},
};

use super::{
    Pace, Shared,
    format::{Kind, RECORD_HEADER, RecordHeader},
    lock,
    meta::{ArrivalHead, Body},
};
use crate::{Content, MessageId, ReadError};

/// Octets that a checking pass reads at once.
const PIECE: usize = 256 << 10;

pub struct LocalContent {
    shared: Arc<Shared>,
    id: MessageId,
    size: u64,
    /// Boxed, like `progress`: a million of these wait in a long queue, and few are ever read.
    memory: Option<Box<[Bytes; 2]>>,
    progress: Mutex<Option<Box<Progress>>>,
}

/// How far a front-to-back reader has come.
#[derive(Clone, Copy, Default)]
struct Progress {
    next: u64,
    prefix_sum: u32,
    content_sum: u32,
    verified: bool,
}

/// Where a message's octets are. Used for reading a running spool and by the tools.
pub struct Place {
    file: Arc<dyn File>,
    name: String,
    /// Of the record.
    offset: u64,
    id: MessageId,
    body_offset: u64,
    prefix: u64,
    size: u64,
    body_sum: u32,
    big: Option<(Arc<dyn File>, u32)>,
}

impl Place {
    /// Reads the record at `offset` of a segment as far as its content's place needs.
    pub fn find(
        disk: &dyn Disk,
        directory: &std::path::Path,
        file: Arc<dyn File>,
        name: String,
        offset: u64,
        id: MessageId,
    ) -> Result<Self, ReadError> {
        let io = |source| ReadError::Io { file: name.clone(), offset, source };
        let damaged = || ReadError::Damaged { file: name.clone(), offset, id };
        let mut octets = [0; RECORD_HEADER];
        read_exact_at(&*file, offset, &mut octets).map_err(io)?;
        let header = RecordHeader::decode(&octets).ok_or_else(damaged)?;
        if header.id != id.0 || header.kind != Kind::Arrival || header.meta_length > 256 << 20 {
            return Err(damaged());
        }
        let mut meta = vec![0; header.meta_length as usize];
        read_exact_at(&*file, offset + RECORD_HEADER as u64, &mut meta).map_err(io)?;
        let meta = Some(Bytes::from(meta)).filter(|meta| crc32c::crc32c(meta) == header.meta_sum);
        let arrival = meta.and_then(|meta| ArrivalHead::decode(&meta)).ok_or_else(damaged)?;
        let big = match arrival.body {
            Body::Inline => None,
            Body::File { number, sum } => {
                let path = directory.join("bodies").join(super::body_name(number));
                let open = disk.open(&path, Open::Read);
                let name = path.display().to_string();
                let file =
                    open.map_err(|source| ReadError::Io { file: name, offset: 0, source })?;
                Some((file, sum))
            }
        };
        Ok(Self {
            body_offset: offset + RECORD_HEADER as u64 + u64::from(header.meta_length),
            prefix: u64::from(arrival.prefix_length),
            size: u64::from(arrival.prefix_length) + arrival.content_length,
            body_sum: header.body_sum,
            big,
            file,
            name,
            offset,
            id,
        })
    }

    /// Octets of prefix and content.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads up to `length` octets: to the prefix's end at most where the content is in another file.
    pub fn read(&self, offset: u64, length: usize) -> Result<Bytes, ReadError> {
        let (file, at, end) = match &self.big {
            Some((big, _)) if offset >= self.prefix => (big, offset - self.prefix, self.size),
            Some(_) => (&self.file, self.body_offset + offset, self.prefix),
            None => (&self.file, self.body_offset + offset, self.size),
        };
        let length = length.min(usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX));
        let mut octets = BytesMut::zeroed(length);
        match read_exact_at(&**file, at, &mut octets) {
            Ok(()) => Ok(octets.freeze()),
            Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged()),
            Err(source) => Err(ReadError::Io { file: self.name.clone(), offset: at, source }),
        }
    }

    fn damaged(&self) -> ReadError {
        ReadError::Damaged { file: self.name.clone(), offset: self.offset, id: self.id }
    }

    fn add(&self, progress: &mut Progress, octets: &[u8]) {
        // A record's sum covers what is in the record; a body file has its own.
        let inside = self.big.is_none() || progress.next < self.prefix;
        let sum = if inside { &mut progress.prefix_sum } else { &mut progress.content_sum };
        *sum = crc32c::crc32c_append(*sum, octets);
        progress.next += octets.len() as u64;
    }

    fn matches(&self, progress: &Progress) -> bool {
        progress.prefix_sum == self.body_sum
            && self.big.as_ref().is_none_or(|(_, sum)| *sum == progress.content_sum)
    }

    /// Reads all of it once.
    pub fn verify(&self) -> Result<(), ReadError> {
        let mut progress = Progress::default();
        while progress.next < self.size {
            let octets = self.read(progress.next, PIECE)?;
            self.add(&mut progress, &octets);
        }
        if self.matches(&progress) { Ok(()) } else { Err(self.damaged()) }
    }
}

impl LocalContent {
    pub fn new(shared: Arc<Shared>, id: MessageId, size: u64, memory: Option<[Bytes; 2]>) -> Self {
        Self { shared, id, size, memory: memory.map(Box::new), progress: Mutex::default() }
    }
}

fn find(shared: &Shared, id: MessageId) -> Result<Place, ReadError> {
    let index = lock(&shared.index);
    let found = index.messages.get(&id.0).and_then(|message| {
        let segment = index.segments.get(&message.home)?;
        Some((segment.file.clone(), message.home, u64::from(message.offset)))
    });
    drop(index);
    let Some((file, home, offset)) = found else {
        let source =
            io::Error::new(io::ErrorKind::NotFound, format!("{id} is not queued any more"));
        return Err(ReadError::Io {
            file: shared.directory.display().to_string(),
            offset: 0,
            source,
        });
    };
    Place::find(&*shared.disk, &shared.directory, file, shared.segment_name(home), offset, id)
}

/// One read, with the checks that it owes. `progress` is where the front-to-back reader stands.
fn read(
    shared: &Shared,
    id: MessageId,
    mut progress: Progress,
    offset: u64,
    length: usize,
) -> Result<(Bytes, Progress), ReadError> {
    let place = find(shared, id)?;
    let mut octets = place.read(offset, length)?;
    let short = octets.len() < length && offset + (octets.len() as u64) < place.size();
    if short {
        // The prefix ended and the content is elsewhere: readers are promised both in one.
        let rest = place.read(offset + octets.len() as u64, length - octets.len())?;
        octets = [octets, rest].concat().into();
    }
    let end = offset + octets.len() as u64;
    if offset == 0 {
        progress = Progress { verified: progress.verified, ..Progress::default() };
    }
    if progress.next == offset {
        let split = place.prefix.saturating_sub(offset).min(octets.len() as u64) as usize;
        place.add(&mut progress, &octets[..split]);
        place.add(&mut progress, &octets[split..]);
    }
    if end >= place.size() && !progress.verified {
        if progress.next != end {
            place.verify()?;
        } else if !place.matches(&progress) {
            return Err(place.damaged());
        }
        progress.verified = true;
    }
    Ok((octets, progress))
}

#[async_trait]
impl Content for LocalContent {
    fn len(&self) -> u64 {
        self.size
    }

    fn in_memory(&self) -> Option<[Bytes; 2]> {
        self.memory.as_deref().cloned()
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, ReadError> {
        let length =
            length.min(usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX));
        if length == 0 && self.size > 0 {
            return Ok(Bytes::new());
        }
        if let Some([prefix, content]) = self.memory.as_deref() {
            return Ok(from_memory(prefix, content, offset as usize, length));
        }
        let progress = lock(&self.progress).as_deref().copied().unwrap_or_default();
        let (shared, id) = (self.shared.clone(), self.id);
        let work = move || read(&shared, id, progress, offset, length);
        let done = if self.shared.pace == Pace::Thread {
            let failed = |panic| ReadError::Io {
                file: self.id.to_string(),
                offset,
                source: io::Error::other(panic),
            };
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(failed(panic)))
        } else {
            work()
        };
        let (octets, progress) = done.inspect_err(|error| {
            if matches!(error, ReadError::Damaged { .. }) {
                tracing::error!(message = %self.id, %error, "damage in the spool");
                lock(&self.shared.index).damaged += 1;
            }
        })?;
        *lock(&self.progress) = Some(Box::new(progress));
        Ok(octets)
    }
}

fn from_memory(prefix: &Bytes, content: &Bytes, offset: usize, length: usize) -> Bytes {
    let end = offset + length;
    if end <= prefix.len() {
        prefix.slice(offset..end)
    } else if offset >= prefix.len() {
        content.slice(offset - prefix.len()..end - prefix.len())
    } else {
        [&prefix[offset..], &content[..end - prefix.len()]].concat().into()
    }
}

impl fmt::Debug for LocalContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalContent({}, {} octets)", self.id, self.size)
    }
}
