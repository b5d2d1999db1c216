//! Writing sessions down as a transcript's lines go by: where one ends and the next begins.

use std::time::Duration;

use smtp::Party;

use super::{is_final, is_reply};
use crate::{
    dialects::assembly::{Assembly, begun, is_verb},
    session::{Ending, Endpoint, Event, Kind, Place, Session, Source, Vantage},
};

/// Sessions of one text that are kept.
const SESSIONS_MAX: usize = 10_000;

/// Takes lines whose speaker is known, and gives sessions.
#[derive(Debug)]
pub(super) struct Scribe {
    source: Source,
    vantage: Vantage,
    current: Assembly,
    /// What the connection's notes named, for the session that they begin.
    server: Endpoint,
    done: Vec<Session>,
}

impl Scribe {
    /// For lines of that tool.
    pub fn new(tool: &str, vantage: Vantage) -> Self {
        let source = match tool {
            "" => Source::Pasted,
            tool => Source::Log(tool.to_owned()),
        };
        let current = Assembly::new(begun(source.clone(), vantage));
        Self { source, vantage, current, server: Endpoint::default(), done: Vec::new() }
    }

    /// A line that somebody said.
    pub fn said(&mut self, by: Party, at: Duration, octets: &[u8], number: u64) {
        if by == Party::Server && octets.starts_with(b"220") && self.is_elsewhere() {
            self.next();
        }
        self.current.said(by, at, octets, Ending::Crlf, Place::at(number));
    }

    /// What the connection did.
    pub fn happened(&mut self, by: Party, event: Event, at: Duration, text: &[u8], number: u64) {
        let begins = matches!(event, Event::Connected | Event::NotConnected);
        if begins && self.has_replies() {
            self.next();
        }
        self.current.event(by, event, at, text, Place::at(number));
    }

    /// Another connection is about to be made, to that server if it is told.
    pub fn begins(&mut self, server: Endpoint) {
        if self.has_replies() {
            self.next();
        }
        if server != Endpoint::default() {
            self.server = server;
        }
    }

    /// Names the server, where the name comes behind the connection.
    pub fn server(&mut self, server: Endpoint) {
        self.server.address = server.address.or(self.server.address);
        if server.name.is_some() {
            self.server.name = server.name;
        }
    }

    /// Whether the client's next line is content.
    pub fn is_in_content(&self) -> bool {
        self.current.is_in_content()
    }

    /// Whether the client's next line answers a challenge.
    pub fn is_challenged(&self) -> bool {
        self.current.is_challenged()
    }

    /// Whether a final reply was the last that was said.
    pub fn is_answered(&self) -> bool {
        let said = |line: &&crate::session::Line| line.by != Party::Note;
        let last = self.current.session().lines.iter().rev().find(said);
        last.is_some_and(|line| line.by == Party::Server && is_final(&line.text))
    }

    /// All sessions with at least one reply; `None` if there are none.
    pub fn finish(mut self) -> Option<Vec<Session>> {
        self.next();
        let failed = |session: &Session| {
            session.lines.iter().any(|line| line.kind == Kind::Event(Event::NotConnected))
        };
        self.done.retain(|session| has_replies(session) || failed(session));
        let any = self.done.iter().any(has_replies) || self.done.iter().any(failed);
        any.then_some(self.done)
    }

    fn next(&mut self) {
        let fresh = Assembly::new(begun(self.source.clone(), self.vantage));
        let mut session = std::mem::replace(&mut self.current, fresh).finish();
        if session.lines.is_empty() {
            return;
        }
        session.server = std::mem::take(&mut self.server);
        if self.done.len() < SESSIONS_MAX {
            self.done.push(session);
        }
    }

    fn has_replies(&self) -> bool {
        has_replies(self.current.session())
    }

    /// Whether a `220` can only be another session's greeting: commands or replies were before it, and
    /// STARTTLS was not the last.
    fn is_elsewhere(&self) -> bool {
        let said = |line: &&crate::session::Line| {
            matches!(line.kind, Kind::Command(_) | Kind::Reply(_) | Kind::SaslResponse)
        };
        let lines = &self.current.session().lines;
        let Some(last) = lines.iter().rev().find(said) else { return false };
        // A greeting of several lines goes on.
        !is_verb(&last.text, b"STARTTLS")
            && !is_verb(&last.text, b"X-ANONYMOUSTLS")
            && !last.text.starts_with(b"220")
            && !matches!(last.kind, Kind::Command(_) if !lines.iter().any(|line| is_reply(&line.text)))
    }
}

fn has_replies(session: &Session) -> bool {
    session.lines.iter().any(|line| matches!(line.kind, Kind::Reply(_)))
}
