//! Diagnosis of a session: whatever its lines are, it ends, and points only at lines that are there.
#![no_main]

use std::time::Duration;

use diagnose::{
    inspect,
    session::{Ending, Event, Kind, Line, Party, Place, Session},
};
use libfuzzer_sys::fuzz_target;

fn kind(tag: u8, length: u64) -> Kind {
    match tag % 12 {
        0..=2 => Kind::Command(Ending::Crlf),
        3 => Kind::SaslResponse,
        4 => Kind::Content { octets: length, finished: tag & 128 == 0 },
        5 => Kind::Blob { octets: length, announced: length + u64::from(tag >> 7) },
        6 => Kind::Gap { octets: length },
        7 => Kind::Event(Event::Closed),
        8 => Kind::Event(Event::Reset),
        9 => Kind::Event(Event::TlsHello),
        10 => Kind::Encrypted { octets: length },
        _ => Kind::Command(Ending::Lf),
    }
}

fuzz_target!(|input: Vec<(u8, u16, Vec<u8>)>| {
    let mut at = Duration::ZERO;
    let mut session = Session::default();
    for (tag, wait, text) in input {
        at += Duration::from_millis(u64::from(wait));
        let length = text.len() as u64;
        let (by, kind) = match tag & 64 {
            0 => (Party::Client, kind(tag, length)),
            _ if tag % 5 == 0 => (Party::Server, kind(6 + tag % 3, length)),
            _ => (Party::Server, Kind::Reply(Ending::Crlf)),
        };
        session.lines.push(Line { at, by, kind, text, place: Place::default() });
    }
    let count = session.lines.len();
    for finding in inspect(&session) {
        assert!(finding.line.is_none_or(|line| line < count));
        assert!(finding.consequences.iter().all(|line| *line < count));
    }
});
