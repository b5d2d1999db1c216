//! What was not as it should be in a capture, and what was given up: told, never fatal.

use std::fmt;

use diagnose::session::Place;

/// One kind of trouble, and how often it was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub kind: Trouble,
    /// How many times.
    pub count: u64,
    /// Packet numbers of the first and the last; 0 where it was before any packet.
    pub place: Place,
    /// How many octets of the input had been read at the first.
    pub offset: u64,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The input is no capture; nothing of it was read.
    NoCapture,
    /// The input is compressed or of a format of another program, which is named.
    OtherFormat(&'static str),
    /// The input ends in the middle of a packet.
    CutOff,
    /// Octets that are no packet; reading went on where packets follow again.
    Garbage {
        /// How many in all.
        octets: u64,
    },
    /// Packets of a link layer (its `LINKTYPE_` number) that is not read here.
    LinkType(u16),
    /// Packets whose headers contradict themselves, such as an IP header longer than its packet.
    Malformed,
    /// Packets that were captured only in part; what is missing is a gap in their streams.
    Cut,
    /// Packets that the capture holds twice; the second is not counted as a retransmission.
    Twice,
    /// IP packets of which not all fragments came.
    Fragments,
    /// Connections that were given up because more went on at once than fits into memory.
    TooMany,
    /// Connections of which more waited for missing octets than fits; the missing are a gap.
    TooMuchWaiting,
}

/// All kinds that were met so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

/// Different kinds kept: link types are the input's to choose.
const KINDS_MAX: usize = 64;

impl Problems {
    /// Notes one; `packet` is the newest packet's number.
    pub fn note(&mut self, kind: Trouble, packet: u64, offset: u64) {
        let same = |known: &&mut Problem| {
            known.kind == kind
                || matches!((known.kind, kind), (Trouble::Garbage { .. }, Trouble::Garbage { .. }))
        };
        if let Some(known) = self.0.iter_mut().find(same) {
            known.count += 1;
            known.place.last = packet;
            if let (Trouble::Garbage { octets }, Trouble::Garbage { octets: more }) =
                (&mut known.kind, kind)
            {
                *octets += more;
            }
        } else if self.0.len() < KINDS_MAX {
            self.0.push(Problem { kind, count: 1, place: Place::at(packet), offset });
        }
    }

    /// In the order of their first time.
    pub fn all(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, count, place, offset } = self;
        let first = place.first;
        match kind {
            Trouble::NoCapture => {
                f.write_str("this is no capture: it begins neither as pcap nor as pcapng")
            }
            Trouble::OtherFormat(name) => {
                write!(f, "this is {name}; pcap and pcapng are read, without compression")
            }
            Trouble::CutOff => {
                write!(f, "the capture ends in the middle of a packet, after packet {first}")
            }
            Trouble::Garbage { octets } => write!(
                f,
                "{octets} octets are no packets, first at octet {offset} after packet {first}; they were left out"
            ),
            Trouble::LinkType(number) => write!(
                f,
                "{count} packets of link layer {number} were left out, the first is packet {first}; \
                 Ethernet, Linux cooked, raw IP, loopback, PPP and PPPoE are read"
            ),
            Trouble::Malformed => {
                write!(
                    f,
                    "{count} packets with contradictory headers were left out, the first is packet {first}"
                )
            }
            Trouble::Cut => write!(
                f,
                "{count} packets were captured only in part, the first is packet {first}; \
                 a capture with the whole packets (`tcpdump -s 0`) shows more"
            ),
            Trouble::Twice => write!(
                f,
                "{count} packets stand twice in the capture, the first is packet {first}; they were counted once"
            ),
            Trouble::Fragments => {
                write!(f, "of {count} IP packets fragments are missing, first at packet {first}")
            }
            Trouble::TooMany => write!(
                f,
                "{count} connections were given up at packet {first} and later: more at once than fit into memory"
            ),
            Trouble::TooMuchWaiting => write!(
                f,
                "{count} times more waited for missing octets than fits into memory, first at packet {first}; \
                 the missing octets are shown as gaps"
            ),
        }
    }
}
