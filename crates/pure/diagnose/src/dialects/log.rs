//! The logs of mail servers, read in a stream.
//!
//! Octets go in by [`Reader::feed`], in pieces of any size; [`Record`]s come out by [`Reader::take`].
//! The dialect is found line by line, since a syslog file holds the lines of many programs. Memory is
//! bounded whatever the log's size: a line counts up to [`LINE_LENGTH_MAX`], and what is remembered of
//! open sessions and queue ids is limited in number, the oldest being given up first.

use std::collections::VecDeque;

use crate::{happening::Happening, session::Session, testimony::Testimony};

/// Octets of a line that are read; what is behind them is dropped.
pub const LINE_LENGTH_MAX: usize = 64 * 1024;

/// One thing that a log tells.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // most records are testimonies
pub enum Record {
    /// A dialogue, from a protocol log or a program's verbose log.
    Session(Session),
    /// What became of one recipient, or what was refused of a client.
    Testimony(Testimony),
    /// What happened to a connection or to a message as a whole.
    Happening(Happening),
}

/// Reads a log as it comes.
///
/// Call [`feed`](Self::feed), then [`take`](Self::take) until it is `None`; at the log's end
/// [`finish`](Self::finish), and `take` once more.
#[derive(Debug, Default)]
pub struct Reader {
    /// Octets of a line whose end has not come.
    rest: Vec<u8>,
    /// Whether more of that line came than is kept.
    overlong: bool,
    /// Lines seen.
    lines: u64,
    /// Not before this may a date without year lie (microseconds since 1970).
    #[expect(dead_code, reason = "the dialects that read dates follow")]
    latest: Option<i64>,
    /// What was read and not yet taken.
    ready: VecDeque<Record>,
}

impl Reader {
    /// A reader for a log whose newest line is not later than `latest` (microseconds since 1970; the
    /// file's time of modification, or now). BSD syslog writes no year: its dates get the latest one that
    /// is not after `latest`. Without `latest` such lines have no date. Times without zone count as UTC.
    pub fn new(latest: Option<i64>) -> Self {
        Self { latest, ..Self::default() }
    }

    /// Reads what came; pieces of any size, split anywhere.
    pub fn feed(&mut self, octets: &[u8]) {
        let mut octets = octets;
        while let Some(end) = octets.iter().position(|&octet| octet == b'\n') {
            self.keep(&octets[..end]);
            self.line();
            octets = &octets[end + 1..];
        }
        self.keep(octets);
    }

    /// The log is over: reads a last line without ending, and closes sessions that are still open.
    pub fn finish(&mut self) {
        if !self.rest.is_empty() {
            self.line();
        }
    }

    /// The next record, in the order of the lines that completed them.
    pub fn take(&mut self) -> Option<Record> {
        self.ready.pop_front()
    }

    /// How many lines were read.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// How many of them were understood, be it that nothing is to be told of them.
    pub fn understood(&self) -> u64 {
        0
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LINE_LENGTH_MAX.saturating_sub(self.rest.len());
        self.overlong |= piece.len() > room;
        self.rest.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn line(&mut self) {
        self.lines += 1;
        self.rest.clear();
        self.overlong = false;
    }
}
