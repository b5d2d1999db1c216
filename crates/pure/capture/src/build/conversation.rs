//! Both sides of a TCP connection that goes well: sequence numbers counted, everything acknowledged.
//!
//! What goes wrong is made of it: packets left out, doubled, moved, changed.

use std::net::SocketAddr;

use smtp::Party;

use super::packet::{ACK, FIN, PSH, RST, SYN, Segment};

/// A segment and when it is seen, in nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// When.
    pub at: i64,
    /// What.
    pub segment: Segment,
}

/// A connection, and its segments so far.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// All segments, in order. Time and content are free to be changed.
    pub segments: Vec<Timed>,
    /// The time of the next segment, in nanoseconds since 1970.
    pub now: i64,
    /// What every segment takes, in nanoseconds.
    pub step: i64,
    /// Longest segment.
    pub mss: u16,
    addresses: [SocketAddr; 2],
    next: [u32; 2],
    count: u16,
}

fn end(by: Party) -> usize {
    usize::from(by == Party::Server)
}

impl Conversation {
    /// A connection that is not opened yet. Its segments follow each other by half a millisecond.
    pub fn new(client: SocketAddr, server: SocketAddr, now: i64) -> Self {
        Self {
            segments: Vec::new(),
            now,
            step: 500_000,
            mss: 1_460,
            addresses: [client, server],
            next: [1_000, 70_000],
            count: 0,
        }
    }

    /// The first sequence numbers of client and server.
    pub fn numbered(mut self, client: u32, server: u32) -> Self {
        self.next = [client, server];
        self
    }

    /// A segment of a side as it would be next, without anything in it and not added.
    pub fn segment(&mut self, by: Party, flags: u8) -> Segment {
        let from = end(by);
        self.count = self.count.wrapping_add(1);
        let mut segment = Segment::new(self.addresses[from], self.addresses[1 - from], flags);
        segment.sequence = self.next[from];
        segment.acknowledgment = if flags & ACK != 0 { self.next[1 - from] } else { 0 };
        segment.identification = self.count;
        segment
    }

    /// Adds a segment as it is, and counts what it carries.
    pub fn add(&mut self, by: Party, segment: Segment) -> &mut Timed {
        let counted = segment.octets.len() as u32
            + u32::from(segment.flags & SYN != 0)
            + u32::from(segment.flags & FIN != 0);
        self.next[end(by)] = segment.sequence.wrapping_add(counted);
        let at = self.now;
        self.now += self.step;
        self.segments.push(Timed { at, segment });
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }

    /// SYN, SYN with ACK, ACK.
    pub fn open(&mut self) -> &mut Self {
        let mss = self.mss.to_be_bytes();
        for (by, flags) in [(Party::Client, SYN), (Party::Server, SYN | ACK)] {
            let mut segment = self.segment(by, flags);
            segment.options = vec![2, 4, mss[0], mss[1], 1, 3, 3, 7];
            self.add(by, segment);
        }
        self.acknowledge(Party::Client)
    }

    /// An ACK without octets.
    pub fn acknowledge(&mut self, by: Party) -> &mut Self {
        let segment = self.segment(by, ACK);
        self.add(by, segment);
        self
    }

    /// Octets of a side, in as many segments as they need, and the other side's ACK for all of them.
    pub fn say(&mut self, by: Party, octets: impl AsRef<[u8]>) -> &mut Self {
        self.send(by, octets);
        self.acknowledge(if by == Party::Client { Party::Server } else { Party::Client })
    }

    /// The same without the other side's ACK.
    pub fn send(&mut self, by: Party, octets: impl AsRef<[u8]>) -> &mut Self {
        for part in octets.as_ref().chunks(usize::from(self.mss)) {
            let mut segment = self.segment(by, PSH | ACK);
            segment.octets = part.to_vec();
            self.add(by, segment);
        }
        self
    }

    /// FIN of this side, then of the other, and the last ACK.
    pub fn close(&mut self, by: Party) -> &mut Self {
        let other = if by == Party::Client { Party::Server } else { Party::Client };
        for by in [by, other] {
            let segment = self.segment(by, FIN | ACK);
            self.add(by, segment);
        }
        self.acknowledge(by)
    }

    /// RST of a side.
    pub fn reset(&mut self, by: Party) -> &mut Self {
        let segment = self.segment(by, RST | ACK);
        self.add(by, segment);
        self
    }

    /// Time goes by.
    pub fn wait(&mut self, nanoseconds: i64) -> &mut Self {
        self.now += nanoseconds;
        self
    }
}
