//! Two sides of the same traffic, of which anything may be missing or other: it ends, each session is told of
//! once, and the same on both sides is not called altered.
#![no_main]

use std::time::Duration;

use diagnose::{
    Session,
    compare::{Settings, compare},
    session::{Ending, Kind, Line, Party, Place},
};
use libfuzzer_sys::fuzz_target;

/// Each line: by whom (bit 0), new session (bit 1), not on this side (bits 2 and 3), waits, text.
type Told<'a> = Vec<(u8, u16, &'a [u8])>;

fn side(told: &Told<'_>, missing: u8) -> Vec<Session> {
    let (mut sessions, mut at) = (vec![Session::default()], Duration::ZERO);
    for (choice, wait, text) in told {
        at += Duration::from_millis(u64::from(*wait));
        if choice & 2 != 0 && sessions.len() < 20 {
            sessions.push(Session::default());
        }
        if choice & missing != 0 {
            continue;
        }
        let (by, kind) = match choice & 1 {
            0 => (Party::Client, Kind::Command(Ending::Crlf)),
            _ => (Party::Server, Kind::Reply(Ending::Crlf)),
        };
        let line = Line { at, by, kind, text: text.to_vec(), place: Place::default() };
        sessions.last_mut().expect("there is one").lines.push(line);
    }
    sessions.retain(|session| !session.lines.is_empty());
    sessions
}

fuzz_target!(|told: Told<'_>| {
    let (near, far) = (side(&told, 4), side(&told, 8));
    for first_is_near in [None, Some(true), Some(false)] {
        let settings = Settings { first_is_near, ..Settings::default() };
        let found = compare(&near, &far, &settings);
        let (ours, theirs) =
            (found.pairs.len() + found.only_near.len(), found.pairs.len() + found.only_far.len());
        let mut sizes = [ours, theirs];
        let mut expected = [near.len(), far.len()];
        sizes.sort_unstable();
        expected.sort_unstable();
        assert_eq!(sizes, expected);
        let same = compare(&near, &near, &settings);
        assert!(!same.is_altered(), "{:?}", same.pairs);
    }
});
