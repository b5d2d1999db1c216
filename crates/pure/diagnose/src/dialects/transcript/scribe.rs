//! Writing sessions down as a transcript's lines go by: where one ends and the next begins.

use std::time::Duration;

use smtp::Party;

use crate::{
    dialects::assembly::{Assembly, begun},
    session::{Ending, Endpoint, Event, Kind, Place, Session, Source, Vantage},
};

/// Sessions of one text that are kept.
const SESSIONS_MAX: usize = 10_000;

/// Takes lines whose speaker is known, and gives sessions.
#[derive(Debug)]
pub(super) struct Scribe {
    vantage: Vantage,
    current: Assembly,
    /// What the connection's notes named, for the session that they begin.
    server: Endpoint,
    done: Vec<Session>,
}

impl Scribe {
    /// For sessions that were seen from that side.
    pub fn new(vantage: Vantage) -> Self {
        let current = Assembly::new(begun(Source::Pasted, vantage));
        Self { vantage, current, server: Endpoint::default(), done: Vec::new() }
    }

    /// A line that somebody said.
    pub fn said(&mut self, by: Party, at: Duration, octets: &[u8], number: u64) {
        if by == Party::Server && octets.starts_with(b"220") && self.current.is_under_way() {
            self.next();
        }
        self.current.said(by, at, octets, Ending::Crlf, Place::at(number));
    }

    /// What the connection did.
    pub fn happened(&mut self, by: Party, event: Event, at: Duration, text: &[u8], number: u64) {
        let begins = matches!(event, Event::Connected | Event::NotConnected);
        if begins && self.current.has_replies() {
            self.next();
        }
        self.current.event(by, event, at, text, Place::at(number));
    }

    /// Another connection is about to be made, to that server if it is told.
    pub fn begins(&mut self, server: Endpoint) {
        if self.current.has_replies() {
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
        self.current.is_answered()
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
        let fresh = Assembly::new(begun(Source::Pasted, self.vantage));
        let mut session = std::mem::replace(&mut self.current, fresh).finish();
        if session.lines.is_empty() {
            return;
        }
        session.server = std::mem::take(&mut self.server);
        if self.done.len() < SESSIONS_MAX {
            self.done.push(session);
        }
    }
}

fn has_replies(session: &Session) -> bool {
    session.lines.iter().any(|line| matches!(line.kind, Kind::Reply(_)))
}
