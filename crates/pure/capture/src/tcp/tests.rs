//! Reassembly: order, overlaps, ends, and the facts that diagnoses rest on.

mod bounds;
mod facts;
mod order;

use std::time::Duration;

use diagnose::session::{Endpoint, Event, Party, Wire};

use super::{Listener, Moment, Table};
use crate::{
    build::{Conversation, Timed},
    decode::{Content, frame},
    keys::KeyLog,
    limits::Limits,
    problem::Trouble,
};

const C: Party = Party::Client;
const S: Party = Party::Server;
/// One millisecond, and one second.
const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;

/// Writes down what it is told. Says that a connection is no mail once it hears `GET`.
#[derive(Clone)]
pub(super) struct Recorder {
    client: Endpoint,
    server: Endpoint,
    told: Vec<Told>,
    is_mail: Option<bool>,
}

#[derive(Clone, Debug, PartialEq)]
struct Told {
    at: Duration,
    packet: u64,
    by: Party,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Octets(Vec<u8>),
    Gap(u64),
    Event(Event, String),
}

pub(super) struct Heard {
    client: Endpoint,
    server: Endpoint,
    told: Vec<Told>,
    wire: Wire,
}

impl Listener for Recorder {
    type Outcome = Heard;

    fn new(client: Endpoint, server: Endpoint, _started: i64) -> Self {
        Self { client, server, told: Vec::new(), is_mail: None }
    }

    fn octets(&mut self, at: Duration, packet: u64, by: Party, octets: &[u8], _keys: &KeyLog) {
        if octets.starts_with(b"GET") {
            self.is_mail = Some(false);
        } else if octets.starts_with(b"220") {
            self.is_mail = Some(true);
        }
        self.told.push(Told { at, packet, by, what: What::Octets(octets.to_vec()) });
    }

    fn gap(&mut self, at: Duration, packet: u64, by: Party, octets: u64) {
        self.told.push(Told { at, packet, by, what: What::Gap(octets) });
    }

    fn event(&mut self, at: Duration, packet: u64, by: Party, event: Event, text: &str) {
        self.told.push(Told { at, packet, by, what: What::Event(event, text.into()) });
    }

    fn is_mail(&self) -> Option<bool> {
        self.is_mail
    }

    fn is_mail_after_all(&self) -> bool {
        self.is_mail.unwrap_or(true)
    }

    fn memory(&self) -> usize {
        100 * self.told.len()
    }

    fn finish(self, wire: Wire) -> Heard {
        assert!(self.told.is_sorted_by_key(|one| one.at), "time goes one way: {:?}", self.told);
        let Self { client, server, told, .. } = self;
        Heard { client, server, told, wire }
    }
}

impl Heard {
    /// All in order: `C 4 EHLO a\r\n`, `S 9 gap 12`, `C 12 Closed`. What one side says in a row is one.
    fn story(&self) -> Vec<String> {
        let mut story: Vec<String> = Vec::new();
        let mut before: Option<Party> = None;
        for Told { packet, by, what, .. } in &self.told {
            let name = match by {
                Party::Client => "C",
                Party::Server => "S",
                Party::Note => "-",
            };
            match what {
                What::Octets(octets) if before == Some(*by) => {
                    story.last_mut().unwrap().push_str(&octets.escape_ascii().to_string());
                }
                What::Octets(octets) => {
                    story.push(format!("{name} {packet} {}", octets.escape_ascii()));
                }
                What::Gap(octets) => story.push(format!("{name} {packet} gap {octets}")),
                What::Event(event, text) if text.is_empty() => {
                    story.push(format!("{name} {packet} {event:?}"));
                }
                What::Event(event, text) => {
                    story.push(format!("{name} {packet} {event:?}: {text}"))
                }
            }
            before = matches!(what, What::Octets(_)).then_some(*by);
        }
        story
    }

    /// The same without packet numbers.
    fn plain(&self) -> Vec<String> {
        self.story()
            .iter()
            .map(|line| {
                let (name, rest) = line.split_once(' ').unwrap();
                format!("{name} {}", rest.split_once(' ').unwrap().1)
            })
            .collect()
    }

    /// A side's octets.
    fn octets(&self, who: Party) -> Vec<u8> {
        let mut all = Vec::new();
        for Told { by, what, .. } in &self.told {
            if let What::Octets(octets) = what
                && *by == who
            {
                all.extend(octets);
            }
        }
        all
    }
}

/// Everything at the end of these segments, and the troubles.
fn hear_all(segments: &[Timed], limits: Limits) -> (Vec<Heard>, Vec<Trouble>) {
    let (mut table, keys, mut troubles) =
        (Table::<Recorder>::new(limits), KeyLog::default(), Vec::new());
    for (number, timed) in segments.iter().enumerate() {
        let packet = timed.segment.packet();
        table.advance(timed.at, &keys);
        let moment = Moment { at: timed.at, packet: number as u64 + 1 };
        match frame(101, &packet, packet.len() as u32) {
            Content::Segment(segment) => troubles.extend(table.segment(&segment, moment, &keys)),
            other => panic!("{other:?}"),
        }
    }
    table.finish(&keys);
    assert_eq!(table.open_connections(), 0);
    assert_eq!(table.memory(), 0, "all memory is given back");
    (table.take_sessions(), troubles)
}

/// The only session.
fn hear(segments: &[Timed]) -> Heard {
    let (mut all, _) = hear_all(segments, Limits::default());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// A connection to port 25 that is not opened yet.
fn conversation() -> Conversation {
    let (client, server) = ("192.0.2.1:40000", "198.51.100.9:25");
    Conversation::new(client.parse().unwrap(), server.parse().unwrap(), 1_700_000_000 * SECOND)
}

/// The usual: packets 1 to 3 the handshake, then each line and its ACK.
fn usual() -> Conversation {
    let mut talk = conversation();
    talk.open();
    talk.say(S, "220 a.test\r\n").say(C, "EHLO b.test\r\n").say(S, "250 a.test\r\n");
    talk.say(C, "QUIT\r\n").say(S, "221 bye\r\n").close(S);
    talk
}

const USUAL: [&str; 8] = [
    "C Connected",
    "S 220 a.test\\r\\n",
    "C EHLO b.test\\r\\n",
    "S 250 a.test\\r\\n",
    "C QUIT\\r\\n",
    "S 221 bye\\r\\n",
    "S Closed",
    "C Closed",
];
