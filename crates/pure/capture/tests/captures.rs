//! Whole captures: files in, sessions out.

use capture::{
    Analysis, Limits, Trouble,
    build::{self, Conversation, File, Link, Timed, fragments, unreachable},
};
use diagnose::{Session, session::Party};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * SECOND;

fn conversation(port: u16, version: u8) -> Conversation {
    let (client, server) = match version {
        4 => (format!("192.0.2.1:{port}"), "198.51.100.9:25"),
        _ => (format!("[2001:db8::1]:{port}"), "[2001:db8::25]:25"),
    };
    Conversation::new(client.parse().unwrap(), server.parse().unwrap(), START)
}

/// A session in which a message is accepted.
fn accepted(port: u16, version: u8) -> Conversation {
    let mut talk = conversation(port, version);
    talk.open();
    for (by, text) in [
        (Party::Server, "220 a.test ESMTP\r\n"),
        (Party::Client, "EHLO b.test\r\n"),
        (Party::Server, "250-a.test\r\n250 SIZE\r\n"),
        (Party::Client, "MAIL FROM:<a@b.test>\r\n"),
        (Party::Server, "250 2.1.0 ok\r\n"),
        (Party::Client, "RCPT TO:<b@a.test>\r\n"),
        (Party::Server, "250 2.1.5 ok\r\n"),
        (Party::Client, "DATA\r\n"),
        (Party::Server, "354 go on\r\n"),
    ] {
        talk.say(by, text);
    }
    talk.say(Party::Client, format!("Subject: x\r\n\r\n{}\r\n.\r\n", "octets ".repeat(600)));
    talk.say(Party::Server, "250 2.0.0 kept\r\n").say(Party::Client, "QUIT\r\n");
    talk.say(Party::Server, "221 2.0.0 bye\r\n").close(Party::Server);
    talk
}

fn read(file: &[u8], pieces: usize) -> (Vec<Session>, Vec<Trouble>) {
    let mut analysis = Analysis::new(Limits::default());
    let mut sessions = Vec::new();
    for piece in file.chunks(pieces) {
        analysis.feed(piece);
        sessions.extend(analysis.sessions());
    }
    analysis.finish();
    sessions.extend(analysis.sessions());
    assert_eq!(analysis.progress().octets, file.len() as u64);
    (sessions, analysis.problems().iter().map(|problem| problem.kind).collect())
}

/// `C EHLO b.test`, `S 250 ok`: what was said in lines.
fn lines(session: &Session) -> Vec<String> {
    let said = session.lines.iter().filter(|line| !line.text.is_empty());
    said.map(|line| format!("{:?} {}", line.by, line.lossy())).collect()
}

#[test]
fn one_session_from_every_kind_of_file() {
    let talk = accepted(40_000, 4);
    let mut plain: Option<Vec<String>> = None;
    for link in [Link::Ethernet, Link::LinuxCooked, Link::LinuxCooked2, Link::Raw, Link::Loopback] {
        for mut file in [
            File::pcap(link),
            File::pcap_with(link, true, true),
            File::pcapng(link, false),
            File::pcapng(link, true),
        ] {
            file.segments(&talk.segments);
            let (sessions, problems) = read(&file.into_octets(), 1_000);
            assert_eq!((sessions.len(), problems.len()), (1, 0), "{link:?}");
            let lines = lines(&sessions[0]);
            assert!(lines.iter().any(|line| line.contains("RCPT TO:<b@a.test>")), "{lines:?}");
            assert!(lines.iter().any(|line| line.contains("221 2.0.0 bye")), "{lines:?}");
            assert_eq!(plain.get_or_insert_with(|| lines.clone()), &lines);
        }
    }
}

#[test]
fn packets_are_counted_as_tshark_counts_them() {
    let mut file = File::pcap(Link::Ethernet);
    // Something else first: an ARP request, which is packet 1.
    file.frame(START, &[&[0xff; 12][..], &[8, 6], &[0; 28]].concat());
    file.segments(&accepted(40_000, 6).segments);
    let (sessions, _) = read(&file.into_octets(), 999);
    let banner = sessions[0].lines.iter().find(|line| line.text.starts_with(b"220")).unwrap();
    assert_eq!(banner.place.first, 5, "ARP, SYN, SYN with ACK, ACK, then this");
    assert_eq!(sessions[0].started, Some(START / 1_000));
}

#[test]
fn fragments_are_joined_on_the_way() {
    for version in [4, 6] {
        let mut file = File::pcap(Link::Ethernet);
        for one in &accepted(40_000, version).segments {
            let mut parts = fragments(&one.segment.packet(), 256, one.segment.identification);
            parts.reverse();
            for part in parts {
                file.packet(one.at, &part);
            }
        }
        let (sessions, problems) = read(&file.into_octets(), 4_096);
        assert!(problems.is_empty(), "{problems:?}");
        let wire = sessions[0].wire.as_ref().unwrap();
        assert_eq!(wire.client.passed_length_max, 1_460);
        assert_eq!(wire.client.unseen_but_acknowledged, 0);
    }
}

#[test]
fn icmp_errors_stand_with_their_session() {
    let mut talk = conversation(40_000, 4);
    talk.open().say(Party::Server, "220 a.test\r\n").say(Party::Client, "EHLO b.test\r\n");
    talk.send(Party::Client, vec![b'x'; 1_460]);
    let mut file = File::pcap(Link::Raw);
    file.segments(&talk.segments);
    let big = talk.segments.last().unwrap().segment.packet();
    let router = "203.0.113.1".parse().unwrap();
    file.packet(talk.now, &unreachable(router, 3, 4, 1_400, &big));
    let (sessions, _) = read(&file.into_octets(), 100);
    let icmp = &sessions[0].wire.as_ref().unwrap().icmp;
    assert_eq!(icmp.len(), 1);
    assert_eq!(icmp[0].1, "203.0.113.1 says: fragmentation needed, MTU 1400");
    assert_eq!(icmp[0].0.first, talk.segments.len() as u64 + 1);
}

#[test]
fn a_refused_connection_was_seen_from_its_start() {
    let mut talk = conversation(40_000, 4);
    talk.open();
    let mut segments = talk.segments[..2].to_vec();
    segments[1].segment.flags = build::RST | build::ACK;
    let mut file = File::pcap(Link::Ethernet);
    file.segments(&segments);
    let (sessions, _) = read(&file.into_octets(), 1_000);
    let texts: Vec<_> = sessions[0].lines.iter().map(|line| line.lossy()).collect();
    assert_eq!(texts, ["refused (RST)"]);
}

#[test]
fn a_refusal_by_icmp_says_who_refused() {
    let mut talk = conversation(40_000, 4);
    talk.open().segments.truncate(1);
    let mut file = File::pcap(Link::Raw);
    file.segments(&talk.segments);
    let router = "203.0.113.1".parse().unwrap();
    let about = talk.segments[0].segment.packet();
    file.packet(talk.now, &unreachable(router, 3, 13, 0, &about));
    let (sessions, _) = read(&file.into_octets(), 100);
    let said = "203.0.113.1 says: communication administratively prohibited";
    assert!(sessions[0].lines.iter().any(|line| line.lossy() == said), "{:?}", sessions[0].lines);
}

#[test]
fn a_time_far_off_ends_no_session() {
    let mut talk = accepted(40_000, 4);
    talk.segments[6].at += 400 * 86_400 * SECOND;
    let mut file = File::pcap(Link::Raw);
    file.segments(&talk.segments);
    let (sessions, _) = read(&file.into_octets(), 100);
    assert_eq!(sessions.len(), 1);
    assert!(lines(&sessions[0]).iter().any(|line| line.contains("221 2.0.0 bye")));
}

#[test]
fn a_live_view_gets_sessions_as_they_end() {
    let talk = accepted(40_000, 4);
    let mut file = File::pcap(Link::Raw);
    file.segments(&talk.segments);
    let mut analysis = Analysis::new(Limits::default());
    analysis.feed(&file.take());
    assert!(analysis.sessions().is_empty());
    analysis.advance((talk.now + 2 * SECOND) / 1_000);
    assert_eq!(analysis.sessions().len(), 1, "no other packet was needed");
    assert_eq!(analysis.progress().open, 0);
}

#[test]
fn damage_and_cuts_are_told() {
    let talk = accepted(40_000, 4);
    let mut file = File::pcap(Link::Raw);
    file.cut_to(60).segments(&talk.segments);
    let mut octets = file.into_octets();
    octets.truncate(octets.len() - 3);
    let (sessions, problems) = read(&octets, 77);
    assert_eq!(sessions.len(), 1);
    assert_eq!(problems, [Trouble::Cut, Trouble::CutOff]);
    let (none, problems) = read(b"From: a@b.test\r\nSubject: no capture\r\n", 7);
    assert!(none.is_empty());
    assert_eq!(problems, [Trouble::NoCapture]);
}

/// Several sessions at once.
fn interleaved() -> Vec<Timed> {
    let mut all: Vec<Timed> = (0..5).flat_map(|port| accepted(40_000 + port, 4).segments).collect();
    all.sort_by_key(|one| one.at);
    all
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_sessions(pieces in 1_usize..5_000, is_new: bool) {
        let link = Link::Ethernet;
        let mut file = if is_new { File::pcapng(link, true) } else { File::pcap(link) };
        file.segments(&interleaved());
        let octets = file.into_octets();
        let whole = read(&octets, usize::MAX);
        prop_assert_eq!(whole.0.len(), 5);
        prop_assert_eq!(read(&octets, pieces), whole);
    }

    #[test]
    fn damaged_octets_are_borne(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60),
        is_new: bool,
    ) {
        let link = Link::Ethernet;
        let mut file = if is_new { File::pcapng(link, false) } else { File::pcap(link) };
        file.segments(&interleaved());
        let mut octets = file.into_octets();
        for (place, octet) in damage {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        let whole = read(&octets, usize::MAX);
        prop_assert_eq!(read(&octets, 100), whole);
    }
}

/// A capture that is still being written: who watches it hears of what goes on, once for each change, and of a
/// silence though no packet comes.
#[test]
fn a_session_is_seen_while_it_goes_on() {
    let mut talk = conversation(40_001, 4);
    talk.open().say(Party::Server, "220 a.test ESMTP\r\n");
    talk.say(Party::Client, "EHLO b.test\r\n").say(Party::Server, "250-a.test\r\n250 SIZE\r\n");
    talk.say(Party::Client, "MAIL FROM:<a@b.test>\r\n");
    let mut file = File::pcap(Link::Ethernet);
    file.segments(&talk.segments);
    let mut analysis = Analysis::new(Limits::default());
    analysis.feed(&file.take());
    assert!(analysis.going_on().is_empty(), "packets are still coming");
    let now = |analysis: &Analysis| analysis.progress().at;
    analysis.advance(now(&analysis) + 1_500_000);
    let seen = analysis.going_on();
    assert!(lines(&seen[0]).contains(&"Client MAIL FROM:<a@b.test>".to_owned()), "{seen:?}");
    let found = diagnose::inspect(&seen[0]);
    assert!(found.is_empty(), "{found:?}");
    analysis.advance(now(&analysis) + 30_000_000);
    assert!(analysis.going_on().is_empty(), "nothing is new");
    analysis.advance(now(&analysis) + 60_000_000);
    let silent = analysis.going_on();
    let found = diagnose::inspect(&silent[0]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].rule.as_str(), found[0].retry_helps), ("silence", true), "{found:?}");
    // It was only looked at: what comes later is read as ever.
    talk.segments.clear();
    talk.wait(120 * SECOND).say(Party::Server, "250 ok\r\n").say(Party::Client, "QUIT\r\n");
    talk.say(Party::Server, "221 bye\r\n").close(Party::Server);
    file.segments(&talk.segments);
    analysis.feed(&file.take());
    analysis.finish();
    let whole = analysis.sessions();
    assert!(lines(&whole[0]).contains(&"Server 221 bye".to_owned()), "{whole:?}");
    assert!(diagnose::inspect(&whole[0]).iter().all(|finding| finding.rule != "silence"));
}

/// One side's packets only, and a capture that begins in the midst: read as far as they go, and nobody is accused.
#[test]
fn half_a_capture_accuses_nobody() {
    let talk = accepted(40_002, 4);
    let server: std::net::SocketAddr = "198.51.100.9:25".parse().unwrap();
    let from_server = |one: &&Timed| one.segment.source == server;
    let (ours, theirs): (Vec<&Timed>, Vec<&Timed>) =
        talk.segments.iter().partition(|one| !from_server(one));
    let midst = talk.segments.iter().skip(12).collect();
    for (name, segments, said) in [
        ("the client's", ours, "Client RCPT TO:<b@a.test>"),
        ("the server's", theirs, "Server 250 2.0.0 kept"),
        ("the midst", midst, "Client QUIT"),
    ] {
        let mut file = File::pcap(Link::Ethernet);
        file.segments(&segments.into_iter().cloned().collect::<Vec<Timed>>());
        let (sessions, _) = read(&file.into_octets(), 700);
        assert_eq!(sessions.len(), 1, "{name}");
        assert!(
            lines(&sessions[0]).contains(&said.to_owned()),
            "{name}: {:?}",
            lines(&sessions[0])
        );
        let accused: Vec<_> = diagnose::inspect(&sessions[0])
            .into_iter()
            .filter(|finding| finding.weight > diagnose::Weight::Remark)
            .collect();
        assert!(accused.is_empty(), "{name}: {accused:?}");
    }
}
