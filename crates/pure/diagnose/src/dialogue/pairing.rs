//! Pairing replies with commands, line by line.

use std::collections::VecDeque;

use smtp::{EnhancedStatus, Party, Stage};

use super::{Command, Dialogue, Ending, Exchange, Verb, verb};
use crate::session::{Event, Kind, Line, Session, Source};

/// In doubt, so many waiting commands are looked at for the one that a reply fits. Clients send groups of
/// tens; a hostile one shall not make each reply cost a walk over all that it ever sent.
const SEARCHED_MAX: usize = 1_000;

/// A reply that is due.
#[derive(Clone, Copy, Debug)]
struct Due {
    /// The line that it will answer.
    line: usize,
    /// Index into `commands`, if it is one.
    command: Option<usize>,
    verb: Verb,
    stage: Stage,
    transaction: Option<u32>,
    /// LMTP: one more for each recipient that was accepted (RFC 2033 section 4.2).
    is_for_each: bool,
}

struct Pairing<'a> {
    dialogue: Dialogue<'a>,
    waiting: VecDeque<Due>,
    /// The reply under way: its first line, and its status so far.
    partial: Option<(usize, Option<EnhancedStatus>)>,
    is_greeted: bool,
    /// Something is missing, so that what waits may not be what is answered.
    in_doubt: bool,
    /// Octets of the client's are missing.
    client_had_gap: bool,
    /// Replies were lost: what waits when the client goes on has been answered.
    lost_replies: bool,
    transaction: Option<u32>,
    transactions: u32,
    accepted: u32,
    answered_for_each: u32,
}

pub(super) fn read(session: &Session) -> Dialogue<'_> {
    let mut pairing = Pairing {
        dialogue: Dialogue {
            session,
            commands: Vec::new(),
            exchanges: Vec::new(),
            unanswered: Vec::new(),
            malformed: Vec::new(),
            unfinished: None,
            is_lmtp: false,
            has_start: has_start(session),
            ending: Ending::default(),
        },
        waiting: VecDeque::new(),
        partial: None,
        is_greeted: false,
        in_doubt: false,
        client_had_gap: false,
        lost_replies: false,
        transaction: None,
        transactions: 0,
        accepted: 0,
        answered_for_each: 0,
    };
    for (index, line) in session.lines.iter().enumerate() {
        pairing.take(index, line);
    }
    pairing.finish()
}

/// Whether the session's beginning is in the evidence.
fn has_start(session: &Session) -> bool {
    if let Some(wire) = &session.wire {
        return wire.handshake_seen;
    }
    let first = session
        .lines
        .iter()
        .find(|line| !matches!(line.kind, Kind::Event(Event::Remark | Event::EvidenceEnds)));
    let begins = first.is_some_and(|line| {
        line.by == Party::Server || matches!(line.kind, Kind::Event(Event::Connected))
    });
    begins || session.source == Source::Own
}

impl<'a> Pairing<'a> {
    fn take(&mut self, index: usize, line: &'a Line) {
        match line.kind {
            Kind::Command(_) => self.command(index, &line.text),
            Kind::SaslResponse => self.push(index, Verb::Auth, Stage::Auth),
            // Its end may be in what the capture lacks: then a reply says that it came.
            Kind::Content { finished: false, .. } if !self.client_had_gap => {
                self.dialogue.unanswered.push(index);
            }
            Kind::Content { .. } => self.content(index),
            Kind::Blob { .. } => self.blob(index),
            Kind::Reply(_) => self.reply_line(index, line),
            Kind::Gap { .. } => self.gap(line.by),
            Kind::Encrypted { .. } | Kind::Event(_) => {}
        }
    }

    fn command(&mut self, index: usize, text: &[u8]) {
        self.client_goes_on();
        let verb = Verb::of(text);
        let mut stage = verb.stage();
        match verb {
            Verb::Mail => {
                self.transactions += 1;
                self.transaction = Some(self.transactions);
                (self.accepted, self.answered_for_each) = (0, 0);
            }
            Verb::Ehlo | Verb::Helo | Verb::Lhlo | Verb::Rset | Verb::Quit | Verb::StartTls => {
                self.transaction = None;
                self.dialogue.is_lmtp |= verb == Verb::Lhlo;
            }
            Verb::Bdat if verb::is_last_chunk(text) => stage = Stage::EndOfData,
            _ => {}
        }
        let number = self.dialogue.commands.len();
        let transaction = self.transaction;
        let command = Command { line: index, verb, stage, transaction, answer: None };
        self.dialogue.commands.push(command);
        self.push(index, verb, stage);
        if let Some(due) = self.waiting.back_mut() {
            due.command = Some(number);
            due.is_for_each = self.dialogue.is_lmtp && stage == Stage::EndOfData;
        }
    }

    /// The client sent another line. Where replies were lost, what it was waiting for came meanwhile.
    fn client_goes_on(&mut self) {
        if self.lost_replies {
            self.waiting.clear();
            self.lost_replies = false;
        }
        if self.in_doubt && self.waiting.is_empty() {
            self.in_doubt = false;
        }
    }

    fn push(&mut self, line: usize, verb: Verb, stage: Stage) {
        let transaction = self.transaction;
        let due = Due { line, command: None, verb, stage, transaction, is_for_each: false };
        self.waiting.push_back(due);
    }

    fn content(&mut self, index: usize) {
        self.client_goes_on();
        self.push(index, Verb::Data, Stage::EndOfData);
        if let Some(due) = self.waiting.back_mut() {
            due.is_for_each = self.dialogue.is_lmtp;
        }
    }

    /// A chunk's reply answers the BDAT before it; after another blob, one is due if it was asked for.
    fn blob(&mut self, index: usize) {
        let owner = self.dialogue.commands.last().map_or(Verb::None, |command| command.verb);
        let asked = self.dialogue.exchanges.last().is_some_and(|exchange| exchange.code == 354);
        if owner != Verb::Bdat && asked {
            self.push(index, owner, Stage::Other);
        }
    }

    fn gap(&mut self, by: Party) {
        self.in_doubt = true;
        self.client_had_gap |= by == Party::Client;
        if by == Party::Server {
            self.partial = None;
            self.lost_replies = true;
            // The greeting may be what is missing.
            self.is_greeted |= self.dialogue.exchanges.is_empty();
        }
    }

    fn reply_line(&mut self, index: usize, line: &Line) {
        let Some(code) = code_of(&line.text) else {
            if self.partial.is_none() {
                self.dialogue.malformed.push(index);
            }
            return;
        };
        let status = status_of(&line.text);
        let (first, before) = self.partial.take().unwrap_or((index, None));
        let status = before.or(status);
        if line.text.get(3) == Some(&b'-') {
            self.partial = Some((first, status));
            return;
        }
        self.complete(first, index, code, status);
    }

    fn complete(&mut self, first: usize, reply: usize, code: u16, status: Option<EnhancedStatus>) {
        let is_sure = !self.in_doubt && (self.dialogue.has_start || self.waiting.len() == 1);
        let mut exchange = Exchange {
            command: None,
            verb: Verb::None,
            first,
            reply,
            code,
            status,
            stage: Stage::Other,
            transaction: None,
            is_sure,
        };
        if self.is_greeting(code) {
            exchange.stage = Stage::Greeting;
            self.is_greeted = true;
        } else if let Some(due) = self.answered(code) {
            (exchange.command, exchange.verb) = (Some(due.line), due.verb);
            (exchange.stage, exchange.transaction) = (due.stage, due.transaction);
            if let Some(command) = due.command {
                self.dialogue.commands[command].answer = Some(self.dialogue.exchanges.len());
            }
        } else if let Some(last) = self.dialogue.exchanges.last().filter(|e| goes_on(e)) {
            // A log or a person left the client's line out.
            exchange.verb = last.verb;
            exchange.transaction = last.transaction;
            exchange.stage = if last.stage == Stage::Data { Stage::EndOfData } else { last.stage };
            exchange.command = last.command;
        } else {
            exchange.is_sure = false;
        }
        self.account(&exchange);
        self.dialogue.exchanges.push(exchange);
    }

    /// Whether a reply is the greeting. Where the beginning is missing, only one that could be nothing
    /// else is taken for it.
    fn is_greeting(&self, code: u16) -> bool {
        if self.is_greeted || !self.dialogue.exchanges.is_empty() {
            return false;
        }
        if self.dialogue.has_start {
            return true;
        }
        let front = self.waiting.front().map(|due| due.verb);
        code == 220 && !matches!(front, Some(Verb::StartTls | Verb::Xclient))
    }

    /// What the next reply answers. In doubt, what such a code can't answer is passed over.
    fn answered(&mut self, code: u16) -> Option<Due> {
        if self.in_doubt {
            let fitting = self.waiting.iter().take(SEARCHED_MAX).position(|due| fits(due, code))?;
            self.waiting.drain(..fitting);
        }
        let due = *self.waiting.front()?;
        if due.is_for_each && self.answered_for_each + 1 < self.accepted {
            self.answered_for_each += 1;
        } else {
            self.waiting.pop_front();
        }
        Some(due)
    }

    /// What the reply changes for those after it.
    fn account(&mut self, exchange: &Exchange) {
        match exchange.stage {
            Stage::Rcpt if exchange.is_positive() && exchange.transaction == self.transaction => {
                self.accepted += 1;
            }
            Stage::EndOfData
                if exchange.transaction == self.transaction
                    && !self.waiting.front().is_some_and(|due| due.is_for_each) =>
            {
                self.transaction = None;
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Dialogue<'a> {
        let lines = &self.dialogue.session.lines;
        let is_cut =
            |due: &&Due| matches!(lines[due.line].kind, Kind::Content { finished: false, .. });
        if !self.lost_replies && !self.in_doubt {
            self.dialogue.unanswered.extend(self.waiting.iter().map(|due| due.line));
        } else {
            let cut = self.waiting.iter().filter(is_cut).map(|due| due.line);
            self.dialogue.unanswered.extend(cut);
        }
        self.dialogue.unanswered.sort_unstable();
        self.dialogue.unfinished = self.partial.map(|(first, _)| first);
        self.dialogue.ending = Ending::of(&self.dialogue);
        self.dialogue
    }
}

/// Whether the reply asks for a line, so that the next one answers that.
fn goes_on(exchange: &Exchange) -> bool {
    matches!(
        (exchange.stage, exchange.code),
        (Stage::Auth, 334) | (Stage::Data, 354) | (Stage::Other, 354)
    )
}

/// Whether a command may have such an answer.
fn fits(due: &Due, code: u16) -> bool {
    match code {
        354 => matches!(due.verb, Verb::Data | Verb::Xexch50) && due.stage != Stage::EndOfData,
        334 | 235 => due.verb == Verb::Auth,
        221 => due.verb == Verb::Quit,
        220 => matches!(due.verb, Verb::StartTls | Verb::Xclient),
        200..=299 => !(due.verb == Verb::Data && due.stage == Stage::Data),
        _ => true,
    }
}

/// The three digits of a reply's line, if it has the form of one: digits, then a blank, a hyphen or
/// nothing (RFC 5321 section 4.2). The range is not looked at.
pub(crate) fn code_of(text: &[u8]) -> Option<u16> {
    let digits = text.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    if !matches!(text.get(3), None | Some(b' ' | b'-' | b'\t' | b'\r')) {
        return None;
    }
    Some(digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

fn status_of(text: &[u8]) -> Option<EnhancedStatus> {
    let words = text.get(4..)?;
    // The greeting and EHLO's reply have none (RFC 2034 section 4), and a version number may look like one.
    if text.starts_with(b"220") {
        return None;
    }
    let end = words.iter().position(u8::is_ascii_whitespace).unwrap_or(words.len());
    str::from_utf8(&words[..end]).ok()?.parse().ok()
}
