//! Whatever comes in whatever pieces: no panic, no secret, bounded memory, and the same session.

mod played;

use std::time::Duration;

use capture::{follow::Follower, keys::KeyLog};
use diagnose::session::{Event, Party, Session, Wire};
use played::{Step, follower, play};
use proptest::prelude::*;

/// Pieces of dialogues, and what breaks them.
const WORDS: [&str; 40] = [
    "EHLO a.test\r\n",
    "MAIL FROM:<a@a.test>\r\n",
    "RCPT TO:<b@b.test>\r\n",
    "DATA\r\n",
    "RSET\r\n",
    "QUIT\r\n",
    "BDAT 5\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT x\r\n",
    "AUTH LOGIN\r\n",
    "AUTH PLAIN c2VjcmV0\r\n",
    "c2VjcmV0\r\n",
    "STARTTLS\r\n",
    "XEXCH50 4 2\r\n",
    "X-LINK2STATE LAST CHUNK={10} \r\n",
    "LHLO x\r\n",
    ".\r\n",
    "\r\n.\r\n",
    "\n.\n",
    "text\r\n",
    "\r",
    "\n",
    "\0",
    "\x16\x03\x01\x00\x02ab",
    "\x16",
    "220 mx ESMTP\r\n",
    "250 2.0.0 ok\r\n",
    "250-more\r\n",
    "354 go\r\n",
    "334 \r\n",
    "235 in\r\n",
    "535 no\r\n",
    "421 bye\r\n",
    "500 what\r\n",
    "220 go\r\n",
    "25",
    "0 ok\r",
    "***\r\n",
    "\x17\x03\x03\x00\x01x",
    "\x15\x03\x03\x00\x02\x02\x28",
];

fn step() -> impl Strategy<Value = Step> {
    let by = || prop_oneof![Just(Party::Client), Just(Party::Server)];
    let words = prop::collection::vec(0..WORDS.len(), 1..6);
    let text = words.prop_map(|words| words.iter().map(|&word| WORDS[word]).collect::<String>());
    let octets = prop_oneof![
        8 => text.prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 1..80),
    ];
    prop_oneof![
        12 => (by(), octets).prop_map(|(by, octets)| Step::Octets(by, octets)),
        1 => (by(), 1..20_u64).prop_map(|(by, octets)| Step::Gap(by, octets)),
        1 => by().prop_map(|by| Step::Event(by, Event::Closed)),
    ]
}

fn begin(connected: bool) -> Follower {
    let mut follower = follower(25);
    if connected {
        follower.event(Duration::ZERO, 0, Party::Client, Event::Connected, "");
    }
    follower
}

fn played(steps: &[Step], connected: bool, piece: usize) -> Session {
    let mut follower = begin(connected);
    play(&mut follower, steps, piece, &KeyLog::default());
    follower.finish(Wire::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn pieces_make_no_difference(
        steps in prop::collection::vec(step(), 0..24),
        connected: bool,
        piece in 1..9_usize,
    ) {
        let whole = played(&steps, connected, usize::MAX);
        let mail = follower_says(&steps, connected);
        prop_assert!(mail || whole.lines.is_empty());
        prop_assert!(whole.lines.is_sorted_by_key(|line| line.at));
        prop_assert_eq!(played(&steps, connected, piece), whole);
    }
}

fn follower_says(steps: &[Step], connected: bool) -> bool {
    let mut follower = begin(connected);
    play(&mut follower, steps, usize::MAX, &KeyLog::default());
    follower.is_mail_after_all()
}

#[test]
fn a_session_without_end_stays_small() {
    let mut follower = begin(true);
    let keys = KeyLog::default();
    let greeting = "220 mx.b.test ESMTP\r\n";
    follower.octets(Duration::ZERO, 1, Party::Server, greeting.as_bytes(), &keys);
    let client = "MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nDATA\r\nx\r\n.\r\n".repeat(100);
    let server = "250 a\r\n250 b\r\n354 c\r\n250 d\r\n".repeat(100);
    for packet in 0..2_000 {
        follower.octets(
            Duration::from_secs(packet),
            packet,
            Party::Client,
            client.as_bytes(),
            &keys,
        );
        // Every second one without replies.
        if packet % 2 == 0 {
            follower.octets(
                Duration::from_secs(packet),
                packet,
                Party::Server,
                server.as_bytes(),
                &keys,
            );
        }
        assert!(follower.memory() < 1_300_000, "{} after {packet}", follower.memory());
    }
    let session = follower.finish(Wire::default());
    assert!(session.lines.len() < 20_000);
    assert!(session.lines.iter().any(|line| line.lossy().contains("left out")));
}
