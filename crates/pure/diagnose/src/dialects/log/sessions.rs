//! Sessions whose lines come one by one, among those of other sessions.

use std::time::Duration;

use smtp::Party;

use super::{Record, line::Line, memory::Memory};
use crate::{
    dialects::assembly::Assembly,
    session::{Ending, Event, Place, Session},
};

/// Sessions that may be open at a time; the oldest is given out unfinished when there are more.
const OPEN_MAX: usize = 2_048;

/// The open ones, by the name that the log has for them.
#[derive(Debug)]
pub(super) struct Sessions {
    open: Memory<Open>,
}

#[derive(Debug)]
struct Open {
    assembly: Assembly,
    /// The newest line's number, and its time.
    last: (u64, Option<i64>),
    /// The server has said farewell.
    is_over: bool,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { open: Memory::new(OPEN_MAX) }
    }
}

impl Sessions {
    /// Whether a session of that name is open.
    pub fn session(&self, key: &str) -> Option<&Session> {
        self.open.find(key).map(|open| open.assembly.session())
    }

    /// A line of the session with that name, which begins with it if there is none; `begin` then sets what
    /// is known of it. A second greeting begins another session. The server's farewell ends it, for logs that do
    /// not tell of the connection's end.
    pub fn said(
        &mut self,
        key: &str,
        by_client: bool,
        text: &[u8],
        line: &Line<'_>,
        begin: impl FnOnce(&mut Session),
        give: &mut dyn FnMut(Record),
    ) {
        self.said_within(key, by_client, text, line, begin, give);
        if self.open.find(key).is_some_and(|open| open.is_over) {
            self.close(key, give);
        }
    }

    /// The same in a log that tells of the connection's end: the farewell is a line as others.
    pub fn said_within(
        &mut self,
        key: &str,
        by_client: bool,
        text: &[u8],
        line: &Line<'_>,
        begin: impl FnOnce(&mut Session),
        give: &mut dyn FnMut(Record),
    ) {
        let is_greeting = !by_client && text.starts_with(b"220");
        if is_greeting && self.open.find(key).is_some_and(|open| open.assembly.is_under_way()) {
            self.close(key, give);
        }
        let at = self.opened(key, line, begin, give);
        let Some(open) = self.open.find_mut(key) else { return };
        let by = if by_client { Party::Client } else { Party::Server };
        open.assembly.said(by, at, text, Ending::Crlf, Place::at(line.number));
        open.is_over = !by_client && text.starts_with(b"221") && text.get(3) != Some(&b'-');
    }

    /// An event of the session with that name.
    #[allow(clippy::too_many_arguments)] // what an event is, and where it belongs
    pub fn happened(
        &mut self,
        key: &str,
        by: Party,
        event: Event,
        text: &[u8],
        line: &Line<'_>,
        begin: impl FnOnce(&mut Session),
        give: &mut dyn FnMut(Record),
    ) {
        let at = self.opened(key, line, begin, give);
        if let Some(open) = self.open.find_mut(key) {
            open.assembly.event(by, event, at, text, Place::at(line.number));
        }
    }

    /// Gives the session with that name out.
    pub fn close(&mut self, key: &str, give: &mut dyn FnMut(Record)) {
        if let Some(open) = self.open.remove(key) {
            give(Record::Session(open.assembly.finish()));
        }
    }

    /// Gives all out: the log is over, and they are not.
    pub fn close_all(&mut self, give: &mut dyn FnMut(Record)) {
        while let Some(open) = self.open.forget_oldest() {
            give(Record::Session(open.unfinished()));
        }
    }

    /// Makes sure that it is open; gives the time since it began.
    fn opened(
        &mut self,
        key: &str,
        line: &Line<'_>,
        begin: impl FnOnce(&mut Session),
        give: &mut dyn FnMut(Record),
    ) -> Duration {
        if self.open.find(key).is_none() {
            let mut session = Session { started: line.at, ..Session::default() };
            begin(&mut session);
            let open = Open { assembly: Assembly::new(session), last: (0, None), is_over: false };
            if let Some(oldest) = self.open.put(key, open) {
                give(Record::Session(oldest.unfinished()));
            }
        }
        let Some(open) = self.open.find_mut(key) else { return Duration::ZERO };
        open.last = (line.number, line.at);
        since(open.assembly.session().started, line.at)
    }
}

impl Open {
    fn unfinished(mut self) -> Session {
        if self.is_over {
            return self.assembly.finish();
        }
        let at = since(self.assembly.session().started, self.last.1);
        let place = Place::at(self.last.0);
        self.assembly.event(Party::Note, Event::EvidenceEnds, at, b"the log ends here", place);
        self.assembly.finish()
    }
}

/// Between two dates; zero where one is missing or the clock went back.
fn since(started: Option<i64>, at: Option<i64>) -> Duration {
    let between =
        started.zip(at).and_then(|(started, at)| u64::try_from(at.checked_sub(started)?).ok());
    between.map_or(Duration::ZERO, Duration::from_micros)
}
