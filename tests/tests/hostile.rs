//! Evidence that somebody made to bring its reader down: captures whose lengths lie, that break off or
//! never end, logs and reports of one endless line. `analyze`, `compare` and `explain` end, by themselves
//! and in time, say what they could read, and stay small.
//!
//! The sizes are those of a test; `HOSTILE_SCALE=30` makes them those of an attack.

use std::{
    fs,
    io::{Read, Write},
    net::SocketAddr,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use capture::build::{ACK, Conversation, File, Link, SYN, Segment};
use diagnose::session::Party;
use harness::bed::binary;

/// MiB that a reader may need, whatever it reads.
const MEMORY_MAX: u64 = 256;

/// What a command came to.
struct Ended {
    /// None: a signal ended it.
    code: Option<i32>,
    /// MiB, at its largest.
    memory: u64,
    text: String,
}

/// How much more than usual.
fn scale() -> usize {
    std::env::var("HOSTILE_SCALE")
        .map_or(1, |text| text.parse().expect("HOSTILE_SCALE is a number"))
}

/// Runs a command on what `feed` writes to its standard input.
fn fed(
    arguments: &[&str],
    feed: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send,
) -> Ended {
    let began = Instant::now();
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("our program runs");
    let (mut input, output) =
        (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let errors = child.stderr.take().expect("a pipe");
    let status = format!("/proc/{}/status", child.id());
    let ended = thread::scope(|scope| {
        scope.spawn(move || {
            // It may end without having read all.
            let _written = feed(&mut input);
        });
        let output = scope.spawn(move || read(output));
        let errors = scope.spawn(move || read(errors));
        let mut memory = 0;
        let code = loop {
            memory = memory.max(high_water(&status).unwrap_or(0));
            if let Some(status) = child.try_wait().expect("it is our child") {
                break status.code();
            }
            assert!(began.elapsed() < Duration::from_secs(900), "{arguments:?} does not end");
            thread::sleep(Duration::from_millis(5));
        };
        let text = output.join().expect("it is read") + &errors.join().expect("it is read");
        Ended { code, memory, text }
    });
    println!(
        "{arguments:?}: {:?}, {} MiB, {:.1} s",
        ended.code,
        ended.memory,
        began.elapsed().as_secs_f32()
    );
    ended
}

/// The first and the last MiB of it.
fn read(mut from: impl Read) -> String {
    let (mut text, mut last) = (Vec::new(), Vec::new());
    from.by_ref().take(1 << 20).read_to_end(&mut text).expect("a pipe can be read");
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer).expect("a pipe can be read") {
            0 => break,
            count => last.extend_from_slice(&buffer[..count]),
        }
        last.drain(..last.len().saturating_sub(1 << 20));
    }
    text.extend(last);
    String::from_utf8_lossy(&text).into_owned()
}

/// MiB.
fn high_water(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib >> 10)
}

/// It ended by itself, without a panic, and was small.
#[track_caller]
fn well(name: &str, ended: &Ended) {
    assert!(matches!(ended.code, Some(0 | 65 | 66)), "{name}: {:?}\n{}", ended.code, ended.text);
    assert!(!ended.text.contains("panicked"), "{name}: {}", ended.text);
    assert!(ended.memory < MEMORY_MAX, "{name}: {} MiB", ended.memory);
}

/// One session, from its port of the client.
fn session(number: usize, file: &mut File) {
    let client = SocketAddr::from((
        [10, (number >> 20) as u8, (number >> 12) as u8, (number >> 4) as u8],
        40_000 + (number & 15) as u16,
    ));
    let server = SocketAddr::from(([192, 0, 2, 2], 25));
    let mut talk =
        Conversation::new(client, server, 1_700_000_000_000_000_000 + number as i64 * 1_000_000);
    talk.open();
    talk.say(Party::Server, "220 mx.b.test ESMTP\r\n").say(Party::Client, "EHLO a.test\r\n");
    talk.say(Party::Server, "250 mx.b.test\r\n").say(Party::Client, "RCPT TO:<bob@b.test>\r\n");
    talk.say(Party::Server, "503 5.5.1 MAIL first\r\n").close(Party::Client);
    file.segments(&talk.segments);
}

fn one_session(mut file: File) -> Vec<u8> {
    session(1, &mut file);
    file.into_octets()
}

#[test]
fn captures_whose_lengths_lie() {
    let new = || one_session(File::pcapng(Link::Raw, false));
    let old = || one_session(File::pcap(Link::Raw));
    let word = |number: u32| number.to_le_bytes();
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for length in [0, 4, 8, 11, 12, 13, 16, 0x7fff_fffc, 0xffff_fff0, 0xffff_fffd, u32::MAX] {
        for kind in [1_u32, 3, 5, 6, 10, 0x0a0d_0d0a, 0xffff_ffff] {
            let block = [word(kind), word(length), word(0), word(length)].concat();
            cases.push((
                format!("block {kind:#x} of {length:#x}"),
                [new(), block, vec![0; 100_000], new()].concat(),
            ));
        }
        let packet = [word(1), word(0), word(length), word(length)].concat();
        cases.push((
            format!("packet of {length:#x}"),
            [old(), packet, vec![0x45; 100_000], old()].concat(),
        ));
    }
    cases.push(("gzip".into(), [b"\x1f\x8b\x08\0".as_slice(), &vec![0xaa; 100_000]].concat()));
    cases.push(("only a head".into(), old()[..24].to_vec()));
    let mut random = fastrand::Rng::with_seed(7);
    let junk: Vec<u8> = (0..1 << 20).map(|_| random.u8(..)).collect();
    cases.push(("junk behind a head".into(), [&old()[..24], &junk].concat()));
    cases.push(("junk between blocks".into(), [new(), junk, new()].concat()));
    let began = Instant::now();
    for (name, octets) in cases {
        let ended = fed(&["analyze", "-"], |input| input.write_all(&octets));
        well(&name, &ended);
        if name.starts_with("block") || name.starts_with("packet") {
            assert!(ended.text.contains("503 5.5.1 MAIL first"), "{name}: {}", ended.text);
        }
    }
    for file in [new(), old()] {
        for end in (0..file.len()).step_by(41) {
            well(
                "a capture that breaks off",
                &fed(&["analyze", "-"], |input| input.write_all(&file[..end])),
            );
        }
    }
    assert!(began.elapsed() < Duration::from_secs(300), "{:?}", began.elapsed());
}

#[test]
fn captures_without_end() {
    let small = fed(&["analyze", "-"], |input| {
        for number in 0..7_000 * scale() {
            let mut file = File::pcap(Link::Raw);
            session(number, &mut file);
            let octets = file.into_octets();
            // One header, then packets only.
            input.write_all(if number == 0 { &octets } else { &octets[24..] })?;
        }
        Ok(())
    });
    well("small sessions", &small);
    assert!(
        small.text.contains(&format!("{} sessions", 7_000 * scale())),
        "{}",
        &small.text[..2_000.min(small.text.len())]
    );
    let half = fed(&["analyze", "-"], |input| {
        for number in 0..50_000 * scale() as u32 {
            let mut file = File::pcap(Link::Raw);
            let client = SocketAddr::from((
                std::net::Ipv4Addr::from(0x0a00_0000 + number / 7),
                1_024 + (number % 7) as u16,
            ));
            for flags in [SYN, ACK] {
                let mut segment =
                    Segment::new(client, SocketAddr::from(([192, 0, 2, 2], 25)), flags);
                segment.sequence = number.wrapping_mul(77) + u32::from(flags == ACK);
                if flags == ACK {
                    segment.octets = b"EHLO a.te".to_vec();
                }
                file.packet(1_700_000_000_000_000_000, &segment.packet());
            }
            let octets = file.into_octets();
            input.write_all(if number == 0 { &octets } else { &octets[24..] })?;
        }
        Ok(())
    });
    well("half-open sessions", &half);
    let greeted = fed(&["analyze", "--json", "-"], |input| {
        let server = SocketAddr::from(([192, 0, 2, 2], 25));
        for number in 0..70_000 * scale() as u32 {
            let client = std::net::Ipv4Addr::from(0x0a00_0000 + number);
            let mut segment = Segment::new(server, SocketAddr::from((client, 1_024)), ACK);
            segment.octets = b"220 mx.b.test ESMTP\r\n".to_vec();
            let mut file = File::pcap(Link::Raw);
            file.packet(1_700_000_000_000_000_000, &segment.packet());
            let octets = file.into_octets();
            input.write_all(if number == 0 { &octets } else { &octets[24..] })?;
        }
        Ok(())
    });
    well("greeted and left open", &greeted);
    // What connections are counted for is what they take: as many as may be open leave room for the rest.
    assert!(greeted.memory < 220, "{} MiB", greeted.memory);
}

#[test]
fn texts_without_end() {
    let block = vec![b'x'; 1 << 20];
    for head in [
        "Nov 20 10:00:00 mx postfix/smtp[7]: 4F1: to=<a@b.test>, relay=mx.b.test[192.0.2.1]:25, status=bounced (host said: ",
        "2026-11-20 10:00:00 1tDq5f-000Abc-2D ** a@b.test R=dnslookup T=remote_smtp: ",
        "#Software: Microsoft Exchange Server\n#Fields: date-time,connector-id,session-id,sequence-number,",
        "220 mx.b.test ",
        "",
    ] {
        // One of them stops reading where no report is so long.
        for (command, most) in [("analyze", 25), ("explain", 2)] {
            let endless = |input: &mut dyn Write| {
                input.write_all(head.as_bytes())?;
                (0..most * scale()).try_for_each(|_| input.write_all(&block))
            };
            well(head, &fed(&[command, "-"], endless));
        }
    }
    // Each line another message, none of which ends.
    let open = fed(&["analyze", "-"], |input| {
        for number in 0..100_000 * scale() {
            writeln!(
                input,
                "Nov 20 10:00:00 mx postfix/qmgr[7]: {number:010X}: from=<a{number}@a.test>, size=1, nrcpt=1 (queue active)"
            )?;
        }
        Ok(())
    });
    well("open messages", &open);
}

#[test]
fn reports_without_end() {
    let head = "From: MAILER-DAEMON@b.test\r\nTo: a@a.test\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
                Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n";
    let recipient = "Final-Recipient: rfc822; bob@b.test\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no\r\n\r\n";
    let nested: String = (0..20_000)
        .map(|level| {
            format!("Content-Type: multipart/mixed; boundary=\"{level}\"\r\n\r\n--{level}\r\n")
        })
        .collect();
    let cases = [
        (
            "recipients",
            format!(
                "{head}--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
            ),
            recipient,
        ),
        ("parts", head.to_owned(), "--b\r\nContent-Type: text/plain\r\n\r\n550 5.1.1 no\r\n"),
        ("nested parts", nested, "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"),
        (
            "header fields",
            "From: x\r\n".to_owned(),
            "Received: from a by b; Fri, 20 Nov 2026 10:00:00 +0000\r\n",
        ),
        ("a header line", "Subject: ".to_owned(), "=?utf-8?B?YWFh?= =?iso-8859-1?Q?=FF?= "),
        (
            "base64",
            format!(
                "{head}--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            ),
            "NTUwIDUuMS4xIG5v\r\n",
        ),
        (
            "words",
            head.to_owned(),
            "<bob@b.test>: host mx.b.test[192.0.2.1] said: 550 5.1.1 <bob@b.test>... no\r\n\r\n",
        ),
        (
            "html",
            format!("{head}--b\r\nContent-Type: text/html\r\n\r\n"),
            "<td><b>&lt;&#x41;<!-- -->550 5.1.1",
        ),
    ];
    for (name, head, again) in cases {
        let block = again.repeat((1 << 20) / again.len());
        let ended = fed(&["explain", "-"], |input| {
            input.write_all(head.as_bytes())?;
            (0..scale()).try_for_each(|_| input.write_all(block.as_bytes()))
        });
        well(name, &ended);
    }
}
