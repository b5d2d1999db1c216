//! A whole analysis: octets of a capture in, sessions out.

use diagnose::Session;

use crate::{
    decode::{self, Content},
    file::{Item, Packet, Reader},
    follow::Follower,
    fragments::Fragments,
    keys::KeyLog,
    limits::Limits,
    problem::{Problem, Problems, Trouble},
    tcp::{Moment, Table},
};

/// Reads one capture. Feed it pieces of any size (256 KiB do well: more makes the sessions of a piece many), take the sessions
/// off now and then, and finish it.
///
/// ```
/// let mut analysis = capture::Analysis::new(capture::Limits::default());
/// let capture = capture::build::File::pcap(capture::build::Link::Ethernet).into_octets();
/// for piece in capture.chunks(10) {
///     analysis.feed(piece);
///     for session in analysis.sessions() {
///         println!("{:?}", session.client);
///     }
/// }
/// analysis.finish();
/// assert!(analysis.sessions().is_empty() && analysis.problems().is_empty());
/// ```
pub struct Analysis {
    reader: Reader,
    work: Work,
}

/// What happens to packets, apart from their reader so that both can be borrowed.
struct Work {
    fragments: Fragments,
    table: Table<Follower>,
    keys: KeyLog,
    problems: Problems,
    packets: u64,
    clock: Clock,
    sessions: u64,
}

/// How far an analysis has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Octets of the capture that were fed.
    pub octets: u64,
    /// Packets in them.
    pub packets: u64,
    /// Sessions handed out.
    pub sessions: u64,
    /// Connections that are followed at the moment.
    pub open: usize,
    /// Octets of memory that they hold, roughly.
    pub memory: usize,
    /// The capture's time, in microseconds since 1970.
    pub at: i64,
}

impl Analysis {
    /// An analysis within these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            reader: Reader::default(),
            work: Work {
                fragments: Fragments::new(limits.fragments_max),
                table: Table::new(limits),
                keys: KeyLog::default(),
                problems: Problems::default(),
                packets: 0,
                clock: Clock::default(),
                sessions: 0,
            },
        }
    }

    /// Secrets of TLS sessions, from a key log file. A capture's own are taken from it.
    pub fn key_log(&mut self, text: &[u8]) {
        self.work.keys.read(text);
    }

    /// The next octets of the capture.
    pub fn feed(&mut self, octets: &[u8]) {
        let offset = self.reader.offset();
        let work = &mut self.work;
        self.reader.feed(octets, &mut |item| work.take(item, offset));
    }

    /// The capture's time has come to `now` (microseconds since 1970) though no packet came: a live view
    /// calls this so that what ended is handed out without waiting for somebody else's packet.
    pub fn advance(&mut self, now: i64) {
        let now = now.saturating_mul(1_000);
        self.work.clock.now = self.work.clock.now.max(now);
        self.work.table.advance(self.work.clock.now, &self.work.keys);
    }

    /// Takes off the sessions that ended, in the order of their end. Whoever reads a long capture has to
    /// take them often: they are not counted in any limit.
    pub fn sessions(&mut self) -> Vec<Session> {
        let sessions = self.work.table.take_sessions();
        self.work.sessions += sessions.len() as u64;
        sessions
    }

    /// Sessions that go on, as far as they have come: those that paused, or fell silent, since this was last
    /// called. Each comes again, when there is more of it, and at last from [`Analysis::sessions`].
    pub fn going_on(&mut self) -> Vec<Session> {
        self.work.table.going_on(&self.work.keys)
    }

    /// The capture ends here. All sessions can be taken off now.
    pub fn finish(&mut self) {
        let (offset, work) = (self.reader.offset(), &mut self.work);
        self.reader.finish(&mut |item| work.take(item, offset));
        work.fragments.finish();
        work.lost_fragments(offset);
        work.table.finish(&work.keys);
    }

    /// What was not as it should be, in the order of the first time.
    pub fn problems(&self) -> &[Problem] {
        self.work.problems.all()
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let Work { table, packets, clock, sessions, .. } = &self.work;
        Progress {
            octets: self.reader.offset(),
            packets: *packets,
            sessions: *sessions,
            open: table.open_connections(),
            memory: table.memory(),
            at: clock.now.div_euclid(1_000),
        }
    }
}

impl Work {
    fn take(&mut self, item: Item<'_>, offset: u64) {
        match item {
            Item::Packet(packet) => self.packet(&packet, offset),
            Item::Secrets(text) => {
                self.keys.read(text);
            }
            Item::Trouble(trouble) => self.problems.note(trouble, self.packets, offset),
        }
    }

    fn packet(&mut self, packet: &Packet<'_>, offset: u64) {
        self.packets += 1;
        let moment = Moment { at: packet.at, packet: self.packets };
        self.table.advance(self.clock.tick(packet.at), &self.keys);
        if packet.octets.len() < packet.length as usize {
            self.problems.note(Trouble::Cut, self.packets, offset);
        }
        let content = decode::frame(packet.link, packet.octets, packet.length);
        self.content(&content, packet.link, moment, offset);
    }

    fn content(&mut self, content: &Content<'_>, link: u16, moment: Moment, offset: u64) {
        let trouble = match content {
            Content::Segment(segment) => self.table.segment(segment, moment, &self.keys),
            Content::Report(report) => {
                self.table.report(report, moment);
                None
            }
            Content::Fragment(fragment) => {
                if let Some(part) = fragment.fragment
                    && let Some(joined) = self.fragments.add(fragment, part, moment.at)
                {
                    let whole = decode::whole(joined.packet(fragment), 0);
                    // A fragment within a tunnel within fragments is nothing that networks make.
                    if !matches!(whole, Content::Fragment(_)) {
                        self.content(&whole, link, moment, offset);
                    }
                }
                self.lost_fragments(offset);
                None
            }
            Content::Malformed => Some(Trouble::Malformed),
            Content::UnknownLink => Some(Trouble::LinkType(link)),
            Content::Other => None,
        };
        if let Some(trouble) = trouble {
            self.problems.note(trouble, moment.packet, offset);
        }
    }

    fn lost_fragments(&mut self, offset: u64) {
        for _ in 0..self.fragments.take_lost() {
            self.problems.note(Trouble::Fragments, self.packets, offset);
        }
    }
}

/// The capture's time. One packet with a time far off, from a damaged file or a bad clock, does not make
/// all connections old: several in a row have to agree.
#[derive(Debug, Default)]
struct Clock {
    /// Nanoseconds since 1970.
    now: i64,
    strange: u32,
}

impl Clock {
    fn tick(&mut self, at: i64) -> i64 {
        const NEAR: u64 = 60_000_000_000;
        const AGREEING: u32 = 8;
        if at.abs_diff(self.now) <= NEAR {
            self.now = self.now.max(at);
            self.strange = 0;
        } else {
            self.strange += 1;
            if self.strange >= AGREEING || self.now == 0 {
                self.now = at;
                self.strange = 0;
            }
        }
        self.now
    }
}
