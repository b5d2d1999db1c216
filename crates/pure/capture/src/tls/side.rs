//! One side's records and handshake messages, put together again.

use super::open::Opener;

/// RFC 5246 section 6.2.3: 2^14 octets, and 2048 for what sealing adds.
const RECORD_LENGTH_MAX: usize = 16_384 + 2_048;
/// Longer messages than this are not looked into; certificates come to a few thousand octets.
const MESSAGE_LENGTH_MAX: usize = 128 * 1024;

const HEADER: usize = 5;

/// What is remembered of one side.
#[derive(Debug, Default)]
pub(super) struct Side {
    buffer: Vec<u8>,
    handshake: Vec<u8>,
    /// Octets of a message that is too long, still to be passed over.
    pass_over: usize,
    /// Where records begin is not known any more.
    is_lost: bool,
    /// What comes is sealed.
    pub is_sealed: bool,
    /// It sent its Finished.
    pub is_finished: bool,
    pub sealed_records: u64,
    pub opener: Option<Opener>,
    /// What the opener was made from, under TLS 1.3.
    pub secret: Option<Vec<u8>>,
}

/// What stands next.
#[derive(Debug)]
pub(super) enum Record {
    Whole {
        kind: u8,
        version: [u8; 2],
        payload: Vec<u8>,
    },
    /// So many octets that are none.
    Garbage(u64),
    /// From here on there is only garbage; told once, before it.
    Lost,
}

/// A copy is there to be looked at, as far as the session has come: it opens no more records, since keys
/// have no second place.
impl Clone for Side {
    fn clone(&self) -> Self {
        Self {
            buffer: self.buffer.clone(),
            handshake: self.handshake.clone(),
            secret: None,
            opener: None,
            ..*self
        }
    }
}

impl Side {
    /// Takes the next record off `rest`, none if it is not complete.
    pub fn next_record(&mut self, rest: &mut &[u8]) -> Option<Record> {
        if self.is_lost {
            let octets = std::mem::take(rest).len() + std::mem::take(&mut self.buffer).len();
            return (octets > 0).then_some(Record::Garbage(octets as u64));
        }
        self.fill(rest, HEADER);
        let &[kind, major, minor, high, low, ..] = &self.buffer[..] else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(20..=24).contains(&kind) || major != 3 || length > RECORD_LENGTH_MAX {
            self.is_lost = true;
            return Some(Record::Lost);
        }
        self.fill(rest, HEADER + length);
        if self.buffer.len() < HEADER + length {
            return None;
        }
        let payload = self.buffer.split_off(HEADER);
        self.buffer.clear();
        Some(Record::Whole { kind, version: [major, minor], payload })
    }

    fn fill(&mut self, rest: &mut &[u8], length: usize) {
        let (taken, left) = rest.split_at(rest.len().min(length.saturating_sub(self.buffer.len())));
        self.buffer.extend_from_slice(taken);
        *rest = left;
    }

    /// Octets are missing; gives how many of a broken record there were.
    pub fn lose(&mut self) -> u64 {
        (self.is_lost, self.opener) = (true, None);
        self.handshake.clear();
        std::mem::take(&mut self.buffer).len() as u64
    }

    /// Octets of a record that is not complete.
    pub fn left(&self) -> u64 {
        self.buffer.len() as u64
    }

    pub fn memory(&self) -> usize {
        self.buffer.len() + self.handshake.len()
    }

    /// Adds what a handshake record brought.
    pub fn handshake(&mut self, text: &[u8]) {
        let passed = text.len().min(self.pass_over);
        self.pass_over -= passed;
        self.handshake.extend_from_slice(&text[passed..]);
    }

    /// The next handshake message: its type and body.
    pub fn next_message(&mut self) -> Option<(u8, Vec<u8>)> {
        let &[kind, a, b, c, ..] = &self.handshake[..] else { return None };
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if length > MESSAGE_LENGTH_MAX {
            self.pass_over = (4 + length).saturating_sub(self.handshake.len());
            let passed = self.handshake.len().min(4 + length);
            self.handshake.drain(..passed);
            return self.next_message();
        }
        if self.handshake.len() < 4 + length {
            return None;
        }
        let body = self.handshake[4..4 + length].to_vec();
        self.handshake.drain(..4 + length);
        Some((kind, body))
    }
}
