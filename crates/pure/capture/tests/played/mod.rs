//! Playing octets to a follower, and its lines as text.

#![allow(dead_code)] // each test uses a part of it

use std::time::Duration;

use capture::{follow::Follower, keys::KeyLog};
use diagnose::session::{Ending, Endpoint, Event, Kind, Line, Party, Session, Wire};

/// What happens on a connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// Octets of one side.
    Octets(Party, Vec<u8>),
    /// Octets of one side that are missing.
    Gap(Party, u64),
    /// Something that the connection did.
    Event(Party, Event),
}

/// A client's octets.
pub fn c(octets: impl AsRef<[u8]>) -> Step {
    Step::Octets(Party::Client, octets.as_ref().to_vec())
}

/// A server's octets.
pub fn s(octets: impl AsRef<[u8]>) -> Step {
    Step::Octets(Party::Server, octets.as_ref().to_vec())
}

/// A follower of a connection to that port.
pub fn follower(port: u16) -> Follower {
    let end = |port| Endpoint { address: Some(([192, 0, 2, 1], port).into()), name: None };
    Follower::new(end(50_000), end(port), 0)
}

/// Plays steps in pieces of that many octets; each step is a packet of its own number and second.
pub fn play(follower: &mut Follower, steps: &[Step], piece: usize, keys: &KeyLog) {
    for (index, step) in steps.iter().enumerate() {
        let (at, packet) = (Duration::from_secs(index as u64), index as u64 + 1);
        match step {
            Step::Octets(by, octets) => {
                for part in octets.chunks(piece) {
                    follower.octets(at, packet, *by, part, keys);
                }
            }
            Step::Gap(by, octets) => follower.gap(at, packet, *by, *octets),
            Step::Event(by, event) => follower.event(at, packet, *by, *event, ""),
        }
    }
}

/// The session of a connection whose SYN was seen.
pub fn session(port: u16, steps: &[Step]) -> Session {
    let mut follower = follower(port);
    follower.event(Duration::ZERO, 0, Party::Client, Event::Connected, "");
    play(&mut follower, steps, usize::MAX, &KeyLog::default());
    follower.finish(Wire::default())
}

/// Its lines without events of the connection, and with the same whatever the pieces are.
pub fn lines(steps: &[Step]) -> Vec<String> {
    let whole = session(25, steps);
    for piece in [1, 2, 3, 5, 7, 64] {
        let mut follower = follower(25);
        follower.event(Duration::ZERO, 0, Party::Client, Event::Connected, "");
        play(&mut follower, steps, piece, &KeyLog::default());
        assert_eq!(follower.finish(Wire::default()), whole, "in pieces of {piece}");
    }
    shown(&whole)
}

/// Lines as text, without events of the connection.
pub fn shown(session: &Session) -> Vec<String> {
    session.lines.iter().filter_map(line).collect()
}

fn line(line: &Line) -> Option<String> {
    let by = match line.by {
        Party::Client => "C",
        Party::Server => "S",
        Party::Note => "-",
    };
    let text = String::from_utf8_lossy(&line.text).replace('\n', "\\n").replace('\r', "\\r");
    let end = |ending| match ending {
        Ending::Crlf => "",
        Ending::Lf => " [LF]",
        Ending::Cr => " [CR]",
        Ending::Missing => " [cut]",
    };
    Some(match line.kind {
        Kind::Command(ending) | Kind::Reply(ending) => format!("{by} {text}{}", end(ending)),
        Kind::SaslResponse => format!("{by} {text} [SASL]"),
        Kind::Content { octets, finished } => {
            let finished = if finished { "" } else { ", unfinished" };
            format!("{by} [content, {octets}{finished}] {text}")
        }
        Kind::Blob { octets, announced } => format!("{by} [blob, {octets} of {announced}] {text}"),
        Kind::Encrypted { octets } => format!("{by} [encrypted, {octets}]"),
        Kind::Gap { octets } => format!("{by} [gap, {octets}]"),
        Kind::Event(Event::Remark) => format!("- {text}"),
        Kind::Event(Event::Connected) => return None,
        Kind::Event(event) => format!("{by} [{event:?}] {text}").trim_end().to_owned(),
    })
}
