//! Reading a session: which reply belongs to which command, pipelined or not.
//!
//! Replies answer commands in order (RFC 2920 section 3.1). What the evidence lacks (lines lost by a
//! capture, a start in mid-session) makes pairs doubtful; those are marked, and no rule is sure of them.

mod ending;
pub(crate) mod offer;
mod pairing;
mod verb;

use smtp::{EnhancedStatus, Party, Reply, Stage};

use crate::session::{Kind, Line, Session};

pub use ending::{Ending, How};
pub use offer::Offer;
pub use verb::Verb;

/// A session with every reply paired to its command.
#[derive(Clone, Debug)]
pub struct Dialogue<'a> {
    /// What was read; all indices of lines are into its `lines`.
    pub session: &'a Session,
    /// Commands in the order in which they were sent, without content and SASL responses.
    pub commands: Vec<Command>,
    /// Replies in the order in which they came.
    pub exchanges: Vec<Exchange>,
    /// What the client sent and got no reply to although the evidence has no gap there, as indices of
    /// lines: commands, content, SASL responses.
    pub unanswered: Vec<usize>,
    /// Server lines that are part of no reply.
    pub malformed: Vec<usize>,
    /// Where a reply begins of which the evidence has no last line.
    pub unfinished: Option<usize>,
    /// Whether it is LMTP: LHLO was said.
    pub is_lmtp: bool,
    /// Whether the evidence begins where the session does.
    pub has_start: bool,
    /// How it ended, as far as that can be seen.
    pub ending: Ending,
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its line.
    pub line: usize,
    /// Its first word.
    pub verb: Verb,
    /// The step it belongs to.
    pub stage: Stage,
    /// The transaction it belongs to, counted from 1 by MAIL commands.
    pub transaction: Option<u32>,
    /// Its reply, as an index into [`Dialogue::exchanges`].
    pub answer: Option<usize>,
}

/// One reply, and what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The line that it answers: a command, content, a SASL response; `None` for the greeting, and for a
    /// reply that nothing in the evidence asked for.
    pub command: Option<usize>,
    /// The command's first word; of content DATA, of a SASL response AUTH.
    pub verb: Verb,
    /// The first line of the reply.
    pub first: usize,
    /// The last line of the reply.
    pub reply: usize,
    /// Its code, as the last line has it; may be out of the range that RFC 5321 allows.
    pub code: u16,
    /// The enhanced status of the first line that has one.
    pub status: Option<EnhancedStatus>,
    /// The step that the command belongs to.
    pub stage: Stage,
    /// The transaction it belongs to, counted from 1 by MAIL commands.
    pub transaction: Option<u32>,
    /// Whether the evidence has no gap that could have shifted the pairs.
    pub is_sure: bool,
}

impl<'a> Dialogue<'a> {
    /// Reads a session, in one pass.
    pub fn read(session: &'a Session) -> Self {
        pairing::read(session)
    }

    /// A line of the session.
    pub fn line(&self, index: usize) -> Option<&'a Line> {
        self.session.lines.get(index)
    }

    /// A line's octets; none if there is no such line.
    pub fn octets(&self, index: usize) -> &'a [u8] {
        self.line(index).map_or(b"", |line| &line.text)
    }

    /// A line's text, without octets that are not UTF-8.
    pub fn text(&self, index: usize) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.octets(index))
    }

    /// The exchanges of one stage, in order.
    pub fn at(&self, stage: Stage) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().filter(move |exchange| exchange.stage == stage)
    }

    /// The commands of one verb, in order.
    pub fn of(&self, verb: Verb) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(move |command| command.verb == verb)
    }

    /// A command's reply.
    pub fn answer(&self, command: &Command) -> Option<&Exchange> {
        self.exchanges.get(command.answer?)
    }

    /// The greeting, where the evidence has it.
    pub fn greeting(&self) -> Option<&Exchange> {
        self.exchanges.first().filter(|exchange| exchange.stage == Stage::Greeting)
    }

    /// The lines of a reply, whatever stands between them left out.
    pub fn reply_lines(&self, exchange: &Exchange) -> impl Iterator<Item = (usize, &'a Line)> {
        let lines = self.session.lines.get(exchange.first..=exchange.reply).unwrap_or_default();
        let first = exchange.first;
        let is_reply = |(_, line): &(usize, &Line)| matches!(line.kind, Kind::Reply(_));
        lines.iter().enumerate().map(move |(index, line)| (first + index, line)).filter(is_reply)
    }

    /// A reply as a value, its text lossy where it is no UTF-8.
    pub fn reply(&self, exchange: &Exchange) -> Reply {
        let mut text = String::new();
        for (index, line) in self.reply_lines(exchange) {
            if index != exchange.first {
                text.push('\n');
            }
            let words = String::from_utf8_lossy(line.text.get(4..).unwrap_or_default());
            let words = match EnhancedStatus::split_from(&words) {
                Some((_, rest)) if exchange.status.is_some() => rest,
                _ => &words,
            };
            text.push_str(words);
        }
        Reply { code: exchange.code, status: exchange.status, text: text.into() }
    }

    /// Whether the capture lost something that this side said, as far as the lines show.
    pub fn has_gap(&self, by: Party) -> bool {
        let is_gap = |line: &Line| matches!(line.kind, Kind::Gap { .. }) && line.by == by;
        self.session.lines.iter().any(is_gap)
    }

    /// Whether only one side's packets are in the evidence.
    pub fn is_one_sided(&self) -> bool {
        self.session
            .wire
            .as_ref()
            .is_some_and(|wire| (wire.client.packets == 0) != (wire.server.packets == 0))
    }

    /// Whether that exchange's line was the one, given an index of a line.
    pub fn exchange_of_line(&self, line: usize) -> Option<&Exchange> {
        let after = self.exchanges.partition_point(|exchange| exchange.reply < line);
        self.exchanges.get(after).filter(|exchange| exchange.first <= line)
    }
}

impl Exchange {
    /// 4yz or 5yz.
    pub fn is_refusal(&self) -> bool {
        (400..600).contains(&self.code)
    }

    /// 2yz.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }
}

#[cfg(test)]
mod tests;
