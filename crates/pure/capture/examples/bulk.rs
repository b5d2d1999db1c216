//! Writes a big capture of made-up mail traffic to standard output: the same for the same numbers.
//!
//! `cargo run --release -p mailwright-capture --example bulk -- [MEBIBYTES [SESSIONS_AT_ONCE [SEED [POWER]]]] >FILE`
//!
//! Many sessions interleave; messages are of 1 KiB to 4 MiB, most of them small (the largest have 2 to the power
//! of POWER octets or up to twice that, 22 if not said; 8 makes many small sessions); the receiver acknowledges every second segment. Of 1,000 segments with octets 2 are sent again, 3 are overtaken by the next, and
//! the capture lost half of one. Some connections are refused, reset or never answered.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
};

use capture::build::{Conversation, File, Link, SYN, Segment, Timed};
use smtp::Party::{Client, Server};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;

/// Marsaglia's xorshift: enough for traffic, the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn is(&mut self, of_ten_thousand: u64) -> bool {
        self.below(10_000) < of_ten_thousand
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|number| number.parse::<u64>().ok());
    let mut next = |usual: u64| arguments.next().flatten().unwrap_or(usual);
    let (mebibytes, at_once, seed, power_max) = (next(1_024), next(500), next(1), next(22));
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut out, mut file) = (io::BufWriter::new(io::stdout().lock()), File::pcap(Link::Ethernet));
    let (mut written, mut number) = (0, 0);
    // The next segment of each session that goes on, the earliest first; segments are kept reversed.
    let mut waiting = BinaryHeap::new();
    let mut going_on: Vec<Vec<Timed>> = Vec::new();
    let mut now = 1_760_000_000 * 1_000_000_000;
    while written < mebibytes << 20 {
        while waiting.len() < at_once as usize {
            let start = now + chance.below(400) as i64 * MILLISECOND;
            let segments = session(number, start, power_max, &mut chance);
            number += 1;
            waiting.push(Reverse((segments[segments.len() - 1].at, going_on.len())));
            going_on.push(segments);
        }
        let Some(Reverse((at, which))) = waiting.pop() else { break };
        now = at;
        if let Some(one) = going_on[which].pop() {
            file.packet(one.at, &one.segment.packet());
        }
        match going_on[which].last() {
            Some(one) => waiting.push(Reverse((one.at.max(at), which))),
            None => going_on[which] = Vec::new(),
        }
        let octets = file.take();
        written += octets.len() as u64;
        out.write_all(&octets)?;
    }
    out.flush()?;
    eprintln!("{number} sessions, {written} octets");
    Ok(())
}

/// A session's segments in the order in which they were captured, the last first.
fn session(number: u64, start: i64, power_max: u64, chance: &mut Chance) -> Vec<Timed> {
    let address = Ipv4Addr::from(0x0a00_0000 + (number / 20_000) as u32 + 1);
    let client = SocketAddr::from((address, 20_000 + (number % 20_000) as u16));
    let server = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1 + (number % 7) as u8), 25));
    let mut talk = Conversation::new(client, server, start)
        .numbered(chance.below(1 << 32) as u32, chance.below(1 << 32) as u32);
    talk.step = 20 * MICROSECOND;
    match chance.below(200) {
        0 => {
            for wait in [1_000, 3_000, 7_000] {
                let mut syn = Segment::new(client, server, SYN);
                syn.sequence = 99;
                talk.add(Client, syn);
                talk.wait(wait * MILLISECOND);
            }
        }
        1 => {
            talk.open().wait(30 * MILLISECOND).reset(Server);
        }
        _ => dialogue(&mut talk, number, power_max, chance),
    }
    let mut segments = disorder(talk.segments, chance);
    segments.reverse();
    segments
}

fn dialogue(talk: &mut Conversation, number: u64, power_max: u64, chance: &mut Chance) {
    let turn = |talk: &mut Conversation, command: &str, reply: &str, wait: u64| {
        talk.wait(2 * MILLISECOND).say(Client, command);
        talk.wait(wait as i64 * MILLISECOND).say(Server, reply);
    };
    talk.open().wait(20 * MILLISECOND);
    talk.say(Server, format!("220 mx{}.example.net ESMTP\r\n", number % 7));
    let extensions =
        "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n";
    turn(talk, &format!("EHLO client{number}.example.org\r\n"), extensions, 5);
    for message in 0..1 + chance.below(3) {
        let sender = format!("MAIL FROM:<sender{message}@example.org> SIZE=20000\r\n");
        turn(talk, &sender, "250 2.1.0 ok\r\n", 4);
        for recipient in 0..1 + chance.below(4) {
            let known = !chance.is(500);
            let reply = if known { "250 2.1.5 ok\r\n" } else { "550 5.1.1 no such mailbox\r\n" };
            turn(talk, &format!("RCPT TO:<user{recipient}@example.net>\r\n"), reply, 6);
        }
        turn(talk, "DATA\r\n", "354 end with a dot\r\n", 3);
        content(talk, number, power_max, chance);
        talk.wait(25 * MILLISECOND).say(Server, format!("250 2.0.0 queued as {number:x}\r\n"));
    }
    turn(talk, "QUIT\r\n", "221 2.0.0 bye\r\n", 1);
    talk.close(Server);
}

/// A message of 2 to the power of 10 to 22 octets, each power half as likely as the one before from 15 on.
fn content(talk: &mut Conversation, number: u64, power_max: u64, chance: &mut Chance) {
    let mut power = 10 + chance.below(6);
    while (15..22).contains(&power) && chance.is(5_000) {
        power += 1;
    }
    let power = power.min(power_max);
    let length = (1_usize << power) + chance.below(1 << power) as usize;
    let header = format!(
        "From: <a@example.org>\r\nTo: <b@example.net>\r\nSubject: message {number}\r\n\r\n"
    );
    let mut octets = header.into_bytes();
    while octets.len() < length {
        octets.extend(
            b"VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZywgYW5kIGFnYWluLg==\r\n",
        );
    }
    octets.extend(b"\r\n.\r\n");
    for (burst, part) in octets.chunks(2 * 1_460).enumerate() {
        talk.say(Client, part);
        if burst % 8 == 7 {
            talk.wait(10 * MILLISECOND);
        }
    }
}

/// What networks and captures do to a connection.
fn disorder(segments: Vec<Timed>, chance: &mut Chance) -> Vec<Timed> {
    let mut all: Vec<Timed> = Vec::with_capacity(segments.len() + 8);
    for one in segments {
        if !one.segment.octets.is_empty() {
            if chance.below(20_000) < 10 {
                continue;
            }
            if chance.is(20) {
                let mut again = one.clone();
                again.at += 5 * MILLISECOND;
                again.segment.identification = again.segment.identification.wrapping_add(9_000);
                all.push(again);
            }
        }
        all.push(one);
    }
    for place in 1..all.len() {
        if !all[place].segment.octets.is_empty() && chance.is(30) {
            let before = all[place - 1].at;
            all[place - 1].at = all[place].at;
            all[place].at = before;
        }
    }
    all.sort_by_key(|one| one.at);
    all
}
