//! The follower of dialogues: octets of both sides in any order, gaps and events between them, on a mail
//! port or another. It never panics, stays small, keeps lines in the order of time, lets no password into
//! a line, and reads the same whatever the pieces are.

#![no_main]

use std::time::Duration;

use capture::{follow::Follower, keys::KeyLog};
use diagnose::{
    Session,
    session::{Endpoint, Event, Kind, Party, Wire},
};
use libfuzzer_sys::fuzz_target;

/// What happens: choices, and octets.
type Steps<'a> = Vec<(u8, &'a [u8])>;

fn party(choice: u8) -> Party {
    if choice & 1 == 0 { Party::Client } else { Party::Server }
}

fn play(port: u16, connected: bool, steps: &Steps<'_>, piece: usize) -> Session {
    let end = |port| Endpoint { address: Some(([192, 0, 2, 1], port).into()), name: None };
    let mut follower = Follower::new(end(50_000), end(port), 0);
    let keys = KeyLog::default();
    if connected {
        follower.event(Duration::ZERO, 0, Party::Client, Event::Connected, "");
    }
    for (number, (choice, octets)) in steps.iter().enumerate() {
        let (at, packet, by) =
            (Duration::from_secs(number as u64), number as u64 + 1, party(*choice));
        match choice >> 1 & 15 {
            0 => follower.gap(at, packet, by, octets.len() as u64 + 1),
            1 => follower.event(at, packet, by, Event::Closed, ""),
            _ => {
                for part in octets.chunks(piece) {
                    follower.octets(at, packet, by, part, &keys);
                }
            }
        }
        assert!(follower.memory() < 1_500_000);
    }
    let is_mail = follower.is_mail_after_all();
    let session = follower.finish(Wire::default());
    assert!(is_mail || session.lines.is_empty());
    session
}

fuzz_target!(|input: (u8, Steps<'_>)| {
    let (choice, steps) = input;
    let port = if choice & 1 == 0 { 25 } else { 4_242 };
    let connected = choice & 2 == 0;
    let whole = play(port, connected, &steps, usize::MAX);
    assert!(whole.lines.is_sorted_by_key(|line| line.at));
    for line in &whole.lines {
        if line.kind == Kind::SaslResponse {
            assert!(line.text == b"****" || line.text == b"*");
        }
    }
    assert_eq!(play(port, connected, &steps, 1 + usize::from(choice >> 4)), whole);
});
