//! Following the dialogue of one connection: reassembled octets in, lines out.

use std::time::Duration;

use diagnose::session::{Endpoint, Event, Party, Session, Wire};

use crate::keys::KeyLog;

/// One connection. The reassembly calls it in the order of time and of cause: what one side had
/// received when it said something comes before what it said. Who the client is may turn out only from
/// what is said, where the capture starts in mid-session; `by` stays what it was in [`Follower::new`].
pub struct Follower {
    session: Session,
}

impl Follower {
    /// A connection between these two; `client` is the one that sent the SYN, else a guess. `started` is
    /// the first packet's time, in microseconds since 1970.
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

    /// Octets of one side's stream, in order, as `packet` carried them `at` since the start. `keys` are
    /// the TLS secrets known by now.
    pub fn octets(
        &mut self,
        _at: Duration,
        _packet: u64,
        _by: Party,
        _octets: &[u8],
        _keys: &KeyLog,
    ) {
    }

    /// That many octets of one side's stream are missing here. `packet` is the one that shows it.
    pub fn gap(&mut self, _at: Duration, _packet: u64, _by: Party, _octets: u64) {}

    /// Something that the connection did; `text` says more where there is more to say (why it could not
    /// be made, why the evidence ends), and is empty else. [`Event::Connected`] comes before any octets
    /// where the session's SYN was seen: it makes the roles certain, and the dialogue's start.
    pub fn event(&mut self, _at: Duration, _packet: u64, _by: Party, _event: Event, _text: &str) {}

    /// Whether this is mail: `None` until it can be told. The reassembly forgets what is not. It is asked
    /// after each call of [`Follower::octets`] and has to be cheap.
    pub fn is_mail(&self) -> Option<bool> {
        None
    }

    /// The last word on [`is_mail`](Self::is_mail), when nothing more will come.
    pub fn is_mail_after_all(&self) -> bool {
        self.is_mail().unwrap_or(true)
    }

    /// Octets of memory it holds, roughly: lines and whatever waits for more.
    pub fn memory(&self) -> usize {
        0
    }

    /// The session, with what the packets showed. `wire` has the sides as in [`Follower::new`]; where the
    /// dialogue shows that they are the other way round, they are exchanged here.
    pub fn finish(mut self, wire: Wire) -> Session {
        self.session.wire = Some(wire);
        self.session
    }
}
