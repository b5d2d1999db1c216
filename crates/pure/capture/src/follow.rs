//! Following the dialogue of one connection: reassembled octets in, lines out.

use std::time::Duration;

use diagnose::session::{Endpoint, Event, Party, Session, Wire};

/// One connection. The reassembly calls it in the order of time; who the client is may turn out
/// only from what is said, where the capture starts in mid-session.
pub struct Follower {
    session: Session,
}

impl Follower {
    /// A connection between these two; `client` is the one that sent the SYN, else a guess.
    pub fn new(client: Endpoint, server: Endpoint, started: i64) -> Self {
        let session = Session {
            source: diagnose::session::Source::Capture,
            client,
            server,
            started: Some(started),
            ..Session::default()
        };
        Self { session }
    }

    /// Octets of one side's stream, in order, as `packet` carried them `at` since the start.
    pub fn octets(&mut self, _at: Duration, _packet: u64, _by: Party, _octets: &[u8]) {}

    /// That many octets of one side's stream are missing here.
    pub fn gap(&mut self, _at: Duration, _packet: u64, _by: Party, _octets: u64) {}

    /// Something that the connection did.
    pub fn event(&mut self, _at: Duration, _packet: u64, _by: Party, _event: Event) {}

    /// Whether this is mail: `None` until it can be told. The reassembly forgets what is not.
    pub fn is_mail(&self) -> Option<bool> {
        None
    }

    /// The session, with what the packets showed.
    pub fn finish(mut self, wire: Wire) -> Session {
        self.session.wire = Some(wire);
        self.session
    }
}
