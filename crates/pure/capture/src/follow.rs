//! Following the dialogue of one connection: reassembled octets in, lines out.
//!
//! `sniff` finds out whether it is mail and who is the client; `dialogue` follows both sides, `client` and
//! `server` read each; `tls` looks at, and with a key log into, what is under TLS. No secret gets into a
//! line, and no session holds more than about a megabyte.

mod client;
mod command;
mod content;
mod dialogue;
mod fingerprint;
mod held;
mod line;
mod protocol;
mod record;
mod resolve;
mod server;
mod sniff;
mod state;
mod tunnel;
mod verb;

use std::time::Duration;

use diagnose::session::{Endpoint, Event, Party, Session, Source, Wire};
use dialogue::Dialogue;
use held::Stamp;
pub(crate) use protocol::is_mail_port;
use sniff::{Sniff, Verdict, role};

use crate::keys::KeyLog;

/// One connection. The reassembly calls it in the order of time and of cause: what one side had
/// received when it said something comes before what it said. Who the client is may turn out only from
/// what is said, where the capture starts in mid-session; `by` stays what it was in [`Follower::new`].
///
/// Where the pieces are cut makes no difference; their order between the two sides does.
#[derive(Clone, Debug)]
pub struct Follower {
    session: Session,
    stage: Stage,
    /// The client is the one that was thought to be the server.
    swapped: bool,
    newest: Stamp,
}

#[derive(Clone, Debug)]
enum Stage {
    Sniffing(Box<Sniff>),
    Speaking(Box<Dialogue>),
    Other,
}

impl Follower {
    /// A connection between these two; `client` is the one that sent the SYN, else a guess. `started` is
    /// the first packet's time, in microseconds since 1970.
    pub fn new(client: Endpoint, server: Endpoint, started: i64) -> Self {
        let port = |end: &Endpoint| end.address.map(|address| address.port());
        let sniff = Sniff::new(port(&server), port(&client));
        let started = Some(started);
        let session =
            Session { source: Source::Capture, client, server, started, ..Session::default() };
        Self {
            session,
            stage: Stage::Sniffing(Box::new(sniff)),
            swapped: false,
            newest: Stamp::default(),
        }
    }

    /// Octets of one side's stream, in order, as `packet` carried them `at` since the start. `keys` are
    /// the TLS secrets known by now.
    pub fn octets(&mut self, at: Duration, packet: u64, by: Party, octets: &[u8], keys: &KeyLog) {
        let stamp = self.stamp(at, packet);
        let mut rest = octets;
        while !rest.is_empty() {
            match &mut self.stage {
                Stage::Sniffing(sniff) => {
                    let (used, tells) = sniff.octets(stamp, by, rest);
                    rest = &rest[used..];
                    if tells {
                        self.judge(false, keys);
                    }
                }
                Stage::Speaking(dialogue) => {
                    return dialogue.octets(stamp, role(by, self.swapped), rest, keys);
                }
                Stage::Other => return,
            }
        }
    }

    /// That many octets of one side's stream are missing here. `packet` is the one that shows it.
    pub fn gap(&mut self, at: Duration, packet: u64, by: Party, octets: u64) {
        let stamp = self.stamp(at, packet);
        match &mut self.stage {
            Stage::Sniffing(sniff) => {
                sniff.gap(stamp, by, octets);
                self.judge(false, &KeyLog::default());
            }
            Stage::Speaking(dialogue) => dialogue.gap(stamp, role(by, self.swapped), octets),
            Stage::Other => {}
        }
    }

    /// Something that the connection did; `text` says more where there is more to say (why it could not
    /// be made, why the evidence ends), and is empty else. [`Event::Connected`] comes before any octets
    /// where the session's SYN was seen: it makes the roles certain, and the dialogue's start.
    pub fn event(&mut self, at: Duration, packet: u64, by: Party, event: Event, text: &str) {
        let stamp = self.stamp(at, packet);
        match &mut self.stage {
            Stage::Sniffing(sniff) => sniff.event(stamp, by, event, text),
            Stage::Speaking(dialogue) => {
                dialogue.event(stamp, role(by, self.swapped), event, text);
            }
            Stage::Other => {}
        }
    }

    /// Whether this is mail: `None` until it can be told. The reassembly forgets what is not. It is asked
    /// after each call of [`Follower::octets`] and has to be cheap.
    pub fn is_mail(&self) -> Option<bool> {
        match self.stage {
            Stage::Sniffing(_) => None,
            Stage::Speaking(_) => Some(true),
            Stage::Other => Some(false),
        }
    }

    /// The last word on [`is_mail`](Self::is_mail), when nothing more will come. A connection to a mail
    /// port that never brought a word is mail.
    pub fn is_mail_after_all(&self) -> bool {
        match &self.stage {
            Stage::Sniffing(sniff) => {
                !matches!(sniff.verdict(true), Verdict::Other | Verdict::Undecided)
            }
            Stage::Speaking(_) => true,
            Stage::Other => false,
        }
    }

    /// Octets of memory it holds, roughly: lines and whatever waits for more.
    pub fn memory(&self) -> usize {
        match &self.stage {
            Stage::Sniffing(sniff) => sniff.memory(),
            Stage::Speaking(dialogue) => dialogue.memory(),
            Stage::Other => 0,
        }
    }

    /// The session, with what the packets showed. `wire` has the sides as in [`Follower::new`]; where the
    /// dialogue shows that they are the other way round, they are exchanged here.
    pub fn finish(mut self, mut wire: Wire) -> Session {
        self.judge(true, &KeyLog::default());
        if let Stage::Speaking(dialogue) = self.stage {
            let finished = dialogue.finish();
            (self.session.lines, self.session.tls) = (finished.lines, finished.tls);
            self.session.contents = finished.contents;
        }
        if self.swapped {
            std::mem::swap(&mut self.session.client, &mut self.session.server);
            std::mem::swap(&mut wire.client, &mut wire.server);
        }
        self.session.wire = Some(wire);
        self.session
    }

    fn stamp(&mut self, at: Duration, packet: u64) -> Stamp {
        let (order, at) = (self.newest.order + 1, self.newest.at.max(at));
        self.newest = Stamp { order, at, packet };
        self.newest
    }

    fn judge(&mut self, last: bool, keys: &KeyLog) {
        while let Stage::Sniffing(sniff) = &mut self.stage {
            match sniff.verdict(last) {
                Verdict::Undecided => return,
                Verdict::Other => self.stage = Stage::Other,
                Verdict::Tunnel { client, server, what } => sniff.strip(client, server, what),
                Verdict::Mail { swapped } => {
                    let sniff = std::mem::take(&mut **sniff);
                    self.swapped = swapped;
                    self.stage = Stage::Speaking(Box::new(sniff.begin(swapped, keys)));
                }
            }
        }
    }
}
