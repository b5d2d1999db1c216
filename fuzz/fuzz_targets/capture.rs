//! Captures: any octets as a file, and any segments of a connection. The same sessions in whatever
//! pieces, within the limits.
#![no_main]

use capture::{
    Analysis, Limits,
    build::{Conversation, File, Link},
};
use diagnose::{Session, session::Party};
use libfuzzer_sys::fuzz_target;

/// What hosts say, so that some of it is mail.
const SAID: [&str; 8] = [
    "220 a.test ESMTP\r\n",
    "EHLO b.test\r\n250-a.test\r\n",
    "MAIL FROM:<a@b.test>\r\n",
    "RCPT TO:<b@a.test>\r\n",
    "DATA\r\n",
    "x\r\n.\r\n",
    "250 ok\r\n",
    "BDAT 20 LAST\r\n",
];

fn limits() -> Limits {
    Limits {
        memory_max: 300_000,
        waiting_max: 50_000,
        connections_max: 8,
        forgotten_max: 4,
        fragments_max: 20_000,
        ..Limits::default()
    }
}

fn read(file: &[u8], pieces: usize) -> Vec<Session> {
    let mut analysis = Analysis::new(limits());
    for piece in file.chunks(pieces.max(1)) {
        analysis.feed(piece);
        let progress = analysis.progress();
        assert!(progress.memory <= 300_000 && progress.open <= 8);
    }
    analysis.finish();
    analysis.problems().iter().for_each(|problem| drop(problem.to_string()));
    analysis.sessions()
}

/// Each eight octets are a segment: who, flags, sequence, acknowledgment, time, length.
fn segments(octets: &[u8]) -> Vec<u8> {
    let mut file = File::pcapng(Link::Ethernet, octets.len().is_multiple_of(2));
    let ports = [40_000_u16, 40_001, 40_002];
    let mut talks: Vec<Conversation> = ports
        .iter()
        .map(|port| {
            let client = std::net::SocketAddr::from(([192, 0, 2, 1], *port));
            let server = std::net::SocketAddr::from(([192, 0, 2, 2], 25));
            Conversation::new(client, server, 0).numbered(u32::MAX - 20, 7)
        })
        .collect();
    let mut now = 1_700_000_000_000_000_000_i64;
    for one in octets.chunks_exact(8) {
        let by = if one[0] & 1 == 0 { Party::Client } else { Party::Server };
        let talk = &mut talks[usize::from(one[0] >> 1) % 3];
        let mut segment = talk.segment(by, one[1]);
        segment.sequence = segment.sequence.wrapping_add_signed(i32::from(one[2] as i8));
        segment.acknowledgment =
            segment.acknowledgment.wrapping_add_signed(i32::from(one[3] as i8));
        segment.window = u16::from(one[4]) << 8;
        segment.octets = match one[5] {
            said @ 0..100 => SAID[usize::from(said) % 8].into(),
            nothing @ 100..150 => vec![b'x'; usize::from(nothing - 100)],
            many => vec![b'y'; usize::from(many) * 10],
        };
        now += i64::from(one[6]) << (one[7] % 40);
        talk.add(by, segment.clone());
        file.packet(now, &segment.packet());
    }
    file.into_octets()
}

fuzz_target!(|input: (bool, u16, &[u8])| {
    let (is_file, pieces, octets) = input;
    let file = if is_file { octets.to_vec() } else { segments(octets) };
    // Single octets of a long file take long and show nothing more than those of a short one.
    let pieces = usize::from(pieces).max(file.len() / 4_000);
    assert_eq!(read(&file, pieces), read(&file, usize::MAX));
});
