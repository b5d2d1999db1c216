//! What goes out and what is written down: every reply passes here, and every line heard.

use std::time::Duration;

use crate::{
    reply::Reply,
    transcript::{Mark, Party, Transcript},
};

/// Octets of transcript that commands outside a transaction may take, and the session's opening.
const CHATTER_LENGTH_MAX: usize = 8 * 1024;
/// Memory that an empty reply buffer keeps.
const REPLIES_SPARE_MAX: usize = 2 * 1024;

/// The replies that wait to be sent, and the transcript.
#[derive(Debug, Default)]
pub(super) struct Voice {
    pub(super) replies: Vec<u8>,
    pub(super) transcript: Transcript,
    /// Leave enhanced statuses out: the listener does not offer them.
    plain: bool,
    /// The end of the session's opening, which every transaction's evidence starts with.
    opening: Mark,
    /// The start of the transaction, or of the one that just ended.
    transaction: Mark,
    /// That transaction has ended: the next line heard ends its evidence, too.
    ended: bool,
}

impl Voice {
    /// Nothing said yet; `plain` leaves enhanced statuses out.
    pub(super) fn new(plain: bool) -> Self {
        Self { plain, ..Self::default() }
    }

    /// Gives memory back that a burst of replies took.
    pub(super) fn rest(&mut self) {
        if self.replies.is_empty() && self.replies.capacity() > REPLIES_SPARE_MAX {
            self.replies = Vec::new();
        }
    }

    /// Says a reply.
    pub(super) fn say(&mut self, now: Duration, reply: &Reply) {
        let start = self.replies.len();
        if self.plain {
            reply.write_plain_to(&mut self.replies);
        } else {
            reply.write_to(&mut self.replies);
        }
        let mut rest = &self.replies[start..];
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.transcript.record(now, Party::Server, &rest[..end - 1]);
            rest = &rest[end + 1..];
        }
    }

    /// Writes down a line of the client's; secrets have been struck out.
    pub(super) fn hear(&mut self, now: Duration, line: &[u8]) {
        self.transcript.record(now, Party::Client, line);
    }

    /// Writes down a remark.
    pub(super) fn note(&mut self, now: Duration, text: impl AsRef<[u8]>) {
        self.transcript.record(now, Party::Note, text);
    }

    /// Before a line is heard: drops the lines of a transaction that is over, or of too much chatter
    /// outside of one.
    pub(super) fn trim(&mut self, now: Duration, in_transaction: bool) {
        if std::mem::take(&mut self.ended) {
            self.transcript.truncate(self.opening);
            self.transaction = self.opening;
        } else if !in_transaction && self.transcript.length_since(self.opening) > CHATTER_LENGTH_MAX
        {
            self.transcript.truncate(self.opening);
            self.transaction = self.opening;
            self.note(now, "lines outside of transactions left out");
        }
    }

    /// A transaction may start with the next line.
    pub(super) fn begin_transaction(&mut self) {
        self.transaction = self.transcript.mark();
    }

    /// The transaction is over; its lines stay until the next command.
    pub(super) fn end_transaction(&mut self) {
        self.ended = true;
    }

    /// All that was said up to now is the opening, unless that is too much.
    pub(super) fn end_opening(&mut self) {
        if self.transcript.length_since(Mark::default()) <= CHATTER_LENGTH_MAX {
            self.opening = self.transcript.mark();
            self.transaction = self.opening;
            self.ended = false;
        }
    }

    /// The opening, and the lines of the transaction.
    pub(super) fn evidence(&self) -> Transcript {
        if self.transaction == self.opening {
            return self.transcript.clone();
        }
        let mut evidence = self.transcript.until(self.opening);
        evidence.extend(&self.transcript.since(self.transaction));
        evidence
    }
}
