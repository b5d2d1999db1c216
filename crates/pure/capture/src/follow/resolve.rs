//! Deciding what octets are that waited for a reply.
//!
//! If the reply never comes (it was not captured, or too much waits), the first line tells what they are
//! likely to be: a command, or what the command before leads to.

use super::{
    dialogue::{Asked, Dialogue},
    state::{Blob, Client, LooseEnd, Then, Wait},
    verb,
};

/// So much of a line is looked at to tell a command.
const PEEK_MAX: usize = 512;

impl Dialogue {
    /// Decides what waiting octets are, if that can be told; gives whether it did.
    pub(super) fn resolve(&mut self, last: bool) -> bool {
        let no_reply = last || self.client.holds_too_much() || self.server.reply_lost;
        let guess = no_reply && !self.client.held.is_empty();
        let wait = match std::mem::take(&mut self.client.state) {
            Client::Peek(then) => return self.resolve_peek(then, last),
            Client::Waiting(Wait::LooseEnd(end)) => return self.resolve_loose_end(end, last),
            Client::Waiting(wait) => wait,
            state => {
                self.client.state = state;
                return false;
            }
        };
        let tls = matches!(wait, Wait::StartTls) && self.client.holds_tls();
        let decided = guess || tls;
        self.client.state = match wait {
            wait if !decided => Client::Waiting(wait),
            Wait::Data => Client::Peek(Then::Content(Client::content(self.client.held.since()))),
            Wait::Auth => Client::Peek(Then::Sasl),
            Wait::Xexch50(octets) => {
                Client::Peek(Then::Blob(Blob::new(octets, Some(Asked::Other))))
            }
            Wait::StartTls | Wait::LooseEnd(_) => Client::Lines,
        };
        decided
    }

    fn resolve_peek(&mut self, then: Then, last: bool) -> bool {
        let lines = if matches!(then, Then::Midway(_)) { 2 } else { 1 };
        let (text, more) = self.client.held.beginning(PEEK_MAX, lines);
        if self.client.held.is_empty() || more && !last {
            self.client.state = Client::Peek(then);
            return false;
        }
        let is_command = text.split(|&octet| octet == b'\n').any(verb::looks_like_command);
        self.client.state = match then {
            Then::Content(content) | Then::Midway(content) if is_command => {
                self.end_content(*content, false);
                Client::Lines
            }
            Then::Blob(blob) if is_command => {
                self.end_blob(blob);
                Client::Lines
            }
            Then::Sasl if is_command => Client::Lines,
            Then::Content(content) | Then::Midway(content) => Client::Content(content),
            Then::Blob(blob) => Client::Blob(blob),
            Then::Sasl => Client::Sasl,
        };
        true
    }

    /// Whether the dot was the end for the server, or a line of the content: a reply speaks for the
    /// former, a strict end behind it for the latter.
    fn resolve_loose_end(&mut self, mut end: LooseEnd, last: bool) -> bool {
        let (line, more) = self.client.held.beginning(PEEK_MAX, 1);
        let nothing = self.client.held.is_empty();
        let too_much = self.client.holds_too_much();
        if end.answered || last || too_much || end.strict_found {
            if nothing || (end.answered && !more || last) && verb::looks_like_command(&line) {
                self.end_loosely(end);
                return true;
            }
            if !more || last || end.strict_found || too_much {
                end.content.strict_only = end.strict_found || too_much;
                self.client.state = Client::Content(end.content);
                return true;
            }
        }
        self.client.state = Client::Waiting(Wait::LooseEnd(end));
        false
    }

    fn end_loosely(&mut self, end: LooseEnd) {
        let stamp = end.content.last;
        self.end_content(*end.content, true);
        if end.answered {
            // Its reply was the first that came; over LMTP more may come.
            self.take_asked(250);
        }
        self.record.remark(stamp, "a bare LF stands beside the dot that ended the content");
    }
}
