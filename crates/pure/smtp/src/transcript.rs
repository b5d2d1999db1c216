//! What was said in a session: byte-exact lines with times, secrets struck out on entry.
//!
//! The one record that evidence, DSNs, `why`, `send -d` and later the captures show. It is a single
//! buffer, as every message that passes leaves one behind: recording a line is a copy, no allocation
//! of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Party {
    /// The SMTP client.
    Client,
    /// The SMTP server.
    Server,
    /// Neither: a remark of the one who wrote the transcript (connected, TLS established, gap, closed).
    Note,
}

/// A session's lines, in order. Serializes as its buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// Per line: party (1 octet), milliseconds since the line before (LEB128), length (LEB128), text.
    #[serde(serialize_with = "as_octets")]
    buffer: Vec<u8>,
    /// Milliseconds from the origin to the newest line.
    last: u64,
}

/// One line, without its line ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Since the start of the connection, to the millisecond.
    pub at: Duration,
    /// Who said it.
    pub by: Party,
    /// The octets, possibly not UTF-8.
    pub text: &'a [u8],
}

/// What a TLS handshake came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// `TLSv1.3`.
    pub version: String,
    /// `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The name that was asked for by SNI.
    pub server_name: Option<String>,
    /// Whether the peer's certificate was verified, and against what; or why it was not.
    pub verified: Result<String, String>,
    /// Subject, issuer and expiry of the peer's certificate, a line each.
    pub certificate: Vec<String>,
    /// Whether a login can be bound to it: by what it exports (TLS 1.3, RFC 9266), or by the certificate that
    /// the server has shown (RFC 5929 section 4). Only while it lasts: it is not kept.
    #[serde(skip)]
    pub bindable: bool,
}

/// Lines longer than this are kept up to here; the rest is counted in the text.
const LINE_LENGTH_MAX: usize = 2_048;
/// A transcript stops growing here: a hostile peer shall not fill the evidence log.
const BUFFER_LENGTH_MAX: usize = 64 * 1024;

/// Unused memory that a transcript keeps when it gets shorter.
const SPARE_MAX: usize = 4 * 1024;

impl Transcript {
    /// Appends a line. The machine that writes it has struck out secrets before.
    pub fn record(&mut self, at: Duration, by: Party, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        if self.buffer.len() + text.len() > BUFFER_LENGTH_MAX {
            return;
        }
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        self.buffer.push(by as u8);
        push_number(&mut self.buffer, at.saturating_sub(self.last));
        self.last = self.last.max(at);
        if text.len() <= LINE_LENGTH_MAX {
            push_number(&mut self.buffer, text.len() as u64);
            self.buffer.extend_from_slice(text);
        } else {
            let more = format!("... [{} more octets]", text.len() - LINE_LENGTH_MAX);
            push_number(&mut self.buffer, (LINE_LENGTH_MAX + more.len()) as u64);
            self.buffer.extend_from_slice(&text[..LINE_LENGTH_MAX]);
            self.buffer.extend_from_slice(more.as_bytes());
        }
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Lines<'_> {
        Lines { rest: &self.buffer, at: 0 }
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// A mark for [`Transcript::since`]: the end of what was said so far.
    pub fn mark(&self) -> Mark {
        Mark { length: self.buffer.len(), last: self.last }
    }

    /// Copies what was said from `mark` on: the part of a session that belongs to one transaction.
    pub fn since(&self, mark: Mark) -> Self {
        let mut part = Self {
            buffer: Vec::with_capacity(self.buffer.len() - mark.length + 4),
            last: self.last,
        };
        let mut rest = &self.buffer[mark.length..];
        if let [by, tail @ ..] = rest {
            // The first line's delta has to count from the origin now.
            rest = tail;
            let delta = take_number(&mut rest).unwrap_or(0);
            part.buffer.push(*by);
            push_number(&mut part.buffer, mark.last + delta);
            part.buffer.extend_from_slice(rest);
        }
        part
    }

    /// Copies what was said up to `mark`.
    pub fn until(&self, mark: Mark) -> Self {
        Self { buffer: self.buffer[..mark.length].to_vec(), last: mark.last }
    }

    /// Forgets what was said from `mark` on, and gives memory back if that was much.
    pub fn truncate(&mut self, mark: Mark) {
        if mark.length > self.buffer.len() {
            return;
        }
        self.buffer.truncate(mark.length);
        self.last = mark.last;
        if self.buffer.capacity() > self.buffer.len() + SPARE_MAX {
            self.buffer.shrink_to(self.buffer.len() + SPARE_MAX / 4);
        }
    }

    /// Octets that were recorded since `mark`.
    pub fn length_since(&self, mark: Mark) -> usize {
        self.buffer.len().saturating_sub(mark.length)
    }

    /// Appends another transcript's lines behind these.
    pub fn extend(&mut self, other: &Self) {
        for line in other.lines() {
            self.record(line.at, line.by, line.text);
        }
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.last = 0;
    }
}

/// A place in a transcript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    length: usize,
    last: u64,
}

/// Iterator over the lines of a [`Transcript`].
pub struct Lines<'a> {
    rest: &'a [u8],
    at: u64,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let (&by, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.at = self.at.saturating_add(take_number(&mut self.rest)?);
        let length = usize::try_from(take_number(&mut self.rest)?).ok()?;
        let text = self.rest.get(..length)?;
        self.rest = &self.rest[length..];
        let by = match by {
            0 => Party::Client,
            1 => Party::Server,
            _ => Party::Note,
        };
        Some(Line { at: Duration::from_millis(self.at), by, text })
    }
}

/// One copy instead of a call per octet; the formats in use (postcard, JSON) write both the same way.
fn as_octets<S: serde::Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(octets)
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&octet, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(octet & 0x7f) << shift;
        if octet < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Transcript {
        let mut transcript = Transcript::default();
        transcript.record(Duration::from_millis(3), Party::Server, "220 here");
        transcript.record(Duration::from_millis(300), Party::Client, "EHLO there");
        transcript.record(Duration::from_millis(70_000), Party::Note, b"\xff closed");
        transcript
    }

    #[test]
    fn lines_come_back_as_recorded() {
        let transcript = sample();
        let lines: Vec<_> = transcript.lines().map(|l| (l.at.as_millis(), l.by, l.text)).collect();
        assert_eq!(
            lines,
            [
                (3, Party::Server, &b"220 here"[..]),
                (300, Party::Client, b"EHLO there"),
                (70_000, Party::Note, b"\xff closed"),
            ]
        );
    }

    #[test]
    fn a_part_keeps_its_times() {
        let mut transcript = Transcript::default();
        transcript.record(Duration::from_millis(500), Party::Client, "NOOP");
        let mark = transcript.mark();
        transcript.record(Duration::from_millis(900), Party::Client, "MAIL FROM:<>");
        let part = transcript.since(mark);
        assert_eq!(part.lines().count(), 1);
        assert_eq!(part.lines().next().map(|l| l.at.as_millis()), Some(900));
    }

    #[test]
    fn cut_off_at_a_mark_it_goes_on_from_there() {
        let mut transcript = sample();
        let mark = transcript.mark();
        transcript.record(Duration::from_millis(80_000), Party::Client, "NOOP");
        assert_eq!(transcript.until(mark), sample());
        transcript.truncate(mark);
        assert_eq!(transcript, sample());
        transcript.record(Duration::from_millis(90_000), Party::Client, "RSET");
        assert_eq!(transcript.lines().last().map(|l| l.at.as_millis()), Some(90_000));
    }

    #[test]
    fn a_hostile_peer_does_not_fill_it() {
        let mut transcript = Transcript::default();
        for _ in 0..10_000 {
            transcript.record(Duration::ZERO, Party::Server, [b'x'; 5_000]);
        }
        assert!(transcript.buffer.len() <= BUFFER_LENGTH_MAX + LINE_LENGTH_MAX);
    }
}
