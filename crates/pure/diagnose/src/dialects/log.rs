//! The logs of mail servers, read in a stream.
//!
//! Octets go in by [`Reader::feed`], in pieces of any size; [`Record`]s come out by [`Reader::take`].
//! The dialect is found line by line, since a syslog file holds the lines of many programs. Memory is
//! bounded whatever the log's size: a line counts up to [`LINE_LENGTH_MAX`], and what is remembered of
//! open sessions and queue ids is limited in number, the oldest being given up first.

mod date;
mod exchange;
mod exim;
mod line;
mod memory;
mod opensmtpd;
mod peer;
mod postfix;
mod qmail;
mod sendmail;
mod sessions;
mod wrapped;

use std::{borrow::Cow, collections::VecDeque};

use self::line::Line;
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
/// [`finish`](Self::finish), and `take` once more. What is fed and not taken is kept, so feed pieces of
/// a size that fits into memory several times.
#[derive(Debug, Default)]
pub struct Reader {
    /// Octets of a line whose end has not come.
    rest: Vec<u8>,
    dialects: Dialects,
    /// What was read and not yet taken.
    ready: VecDeque<Record>,
}

/// What each dialect remembers.
#[derive(Debug, Default)]
struct Dialects {
    /// Not before this may a date without year lie (microseconds since 1970).
    latest: Option<i64>,
    lines: u64,
    understood: u64,
    sessions: sessions::Sessions,
    exchange: exchange::Exchange,
    postfix: postfix::Postfix,
    exim: exim::Exim,
    sendmail: sendmail::Sendmail,
    qmail: qmail::Qmail,
}

impl Reader {
    /// A reader for a log whose newest line is not later than `latest` (microseconds since 1970; the
    /// file's time of modification, or now). BSD syslog writes no year: its dates get the latest one that
    /// is not after `latest`. Without `latest` such lines have no date. Times without zone count as UTC.
    pub fn new(latest: Option<i64>) -> Self {
        Self { dialects: Dialects { latest, ..Dialects::default() }, ..Self::default() }
    }

    /// Reads what came; pieces of any size, split anywhere.
    pub fn feed(&mut self, octets: &[u8]) {
        let mut octets = octets;
        if !self.rest.is_empty() {
            let Some(end) = memchr::memchr(b'\n', octets) else { return self.keep(octets) };
            self.keep(&octets[..end]);
            let line = std::mem::take(&mut self.rest);
            self.dialects.line(&line, &mut self.ready);
            // The buffer is used again.
            self.rest = line;
            self.rest.clear();
            octets = &octets[end + 1..];
        }
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', octets) {
            self.dialects.line(&octets[begin..end], &mut self.ready);
            begin = end + 1;
        }
        self.keep(&octets[begin..]);
    }

    /// The log is over: reads a last line without ending, and gives out sessions that are still open.
    pub fn finish(&mut self) {
        if !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            self.dialects.line(&line, &mut self.ready);
        }
        let ready = &mut self.ready;
        self.dialects.sessions.close_all(&mut |record| ready.push_back(record));
    }

    /// The next record, in the order of the lines that completed them.
    pub fn take(&mut self) -> Option<Record> {
        self.ready.pop_front()
    }

    /// How many lines were read.
    pub fn lines(&self) -> u64 {
        self.dialects.lines
    }

    /// How many of them a dialect knows, be it that nothing is to be told of them: what tells a log from
    /// another file.
    pub fn understood(&self) -> u64 {
        self.dialects.understood
    }

    /// Appends to the line that has not ended; a NUL line of a damaged disk may be as long as the file.
    fn keep(&mut self, piece: &[u8]) {
        let room = LINE_LENGTH_MAX.saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&piece[..piece.len().min(room)]);
    }
}

impl Dialects {
    fn line(&mut self, octets: &[u8], ready: &mut VecDeque<Record>) {
        self.lines += 1;
        let octets = &octets[..octets.len().min(LINE_LENGTH_MAX)];
        let octets = octets.strip_suffix(b"\r").unwrap_or(octets);
        let text = match str::from_utf8(octets) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(String::from_utf8_lossy(octets).into_owned()),
        };
        let known = self.read(&text, &mut |record| ready.push_back(record));
        self.understood += u64::from(known);
    }

    /// Finds the dialect; whether there is one.
    fn read(&mut self, text: &str, give: &mut dyn FnMut(Record)) -> bool {
        let number = self.lines;
        let could_be = self.exchange.is_sure() || text.starts_with(['#', '\u{feff}', '2']);
        if could_be && self.exchange.read(text, number, &mut self.sessions, give).is_some() {
            return true;
        }
        let inner = wrapped::inner(text);
        let line = &Line::read(&inner, number, self.latest);
        let program = line.program;
        if postfix::is_program(program) {
            self.postfix.read(line, &mut self.sessions, give)
        } else if exim::is_program(program) || program.is_empty() && line.at.is_some() {
            // What has a date and no program is Exim's, or multilog's.
            self.exim.read(line, &mut *give) || self.qmail.read(line, give)
        } else if sendmail::is_program(program) {
            self.sendmail.read(line, give)
        } else if opensmtpd::is_program(program) {
            opensmtpd::read(line, &mut *give)
        } else if qmail::is_program(program) {
            self.qmail.read(line, give)
        } else {
            false
        }
    }
}
