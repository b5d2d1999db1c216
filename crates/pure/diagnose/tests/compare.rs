//! Two sides of a box: what was altered is proven, what was not is not accused.

#![allow(clippy::disallowed_methods, reason = "a test reads its inputs from files")]

use std::{path::PathBuf, time::Duration};

use diagnose::{
    Confidence, Finding, Party as Who, Session, Weight,
    compare::{Change, Comparison, Direction, Order, Settings, compare},
    dialects::log::{Reader, Record},
    session::{Ending, Event, Kind, Line, Party, Place, Side, Source, Wire},
};

/// A captured session: `C: ` and `S: ` lines, `C content 120`, `C gap 20`, `S reset`, `S closed`; a
/// millisecond apart. `way` is when its clients' lines pass (in microseconds after they were sent);
/// what servers say passes the earlier the farther it is from the clients.
fn session(text: &str, port: u16, started: i64, way: u64) -> Session {
    let mut session = Session {
        source: Source::Capture,
        started: Some(started),
        wire: Some(Wire {
            handshake_seen: true,
            client: Side { packets: 9, ..Side::default() },
            server: Side { packets: 9, ..Side::default() },
            ..Wire::default()
        }),
        ..Session::default()
    };
    session.client.address = format!("192.0.2.1:{port}").parse().ok();
    session.server.address = "198.51.100.25:25".parse().ok();
    for (index, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let sent = 10_000 * (index as u64 + 1);
        let by = if line.starts_with('C') { Party::Client } else { Party::Server };
        let at = if by == Party::Client { sent + way } else { sent + 1_000 - way };
        let (kind, text) = read(line, by);
        session.lines.push(Line {
            at: Duration::from_micros(at),
            by,
            kind,
            text: text.as_bytes().to_vec(),
            place: Place::at(index as u64 + 4),
        });
    }
    session
}

fn read(line: &str, by: Party) -> (Kind, &str) {
    let words: Vec<&str> = line[1..].split_whitespace().collect();
    let number = || words[1].parse().unwrap();
    match words[0] {
        "content" => {
            (Kind::Content { octets: number(), finished: words.get(2) != Some(&"unfinished") }, "")
        }
        "gap" => (Kind::Gap { octets: number() }, ""),
        "reset" => (Kind::Event(Event::Reset), ""),
        "closed" => (Kind::Event(Event::Closed), ""),
        _ if by == Party::Client => (Kind::Command(Ending::Crlf), &line[3..]),
        _ => (Kind::Reply(Ending::Crlf), &line[3..]),
    }
}

fn near(text: &str) -> Session {
    session(text, 50_001, 1_000_000_000, 0)
}

/// Behind a translation of addresses, with a clock that is an hour ahead.
fn far(text: &str) -> Session {
    session(text, 33_442, 1_000_000_000 + 3_600_000_000, 400)
}

fn compared(here: &str, there: &str) -> Comparison {
    compare(&[near(here)], &[far(there)], &Settings::default())
}

/// Changes with their direction, near and far packet.
fn changes(comparison: &Comparison) -> Vec<(Change, Direction, Option<u64>, Option<u64>)> {
    let of_pair = comparison.pairs.iter().flat_map(|pair| &pair.differences);
    of_pair
        .map(|difference| {
            let at = |line: Option<usize>, place: Option<Place>| line.and(place).map(|p| p.first);
            (
                difference.change,
                difference.direction,
                at(difference.near, difference.near_place),
                at(difference.far, difference.far_place),
            )
        })
        .collect()
}

fn findings(comparison: &Comparison) -> Vec<&Finding> {
    comparison.pairs.iter().flat_map(|pair| &pair.findings).collect()
}

const PLAIN: &str = "S: 220 mx.b.test ESMTP\nC: EHLO a.test\nS: 250-mx.b.test\nS: 250-SIZE 1000\nS: 250-STARTTLS\n\
    S: 250 DSN\nC: MAIL FROM:<a@a.test>\nS: 250 2.1.0 ok\nC: RCPT TO:<b@b.test>\nS: 250 2.1.5 ok\nC: DATA\n\
    S: 354 go\nC content 146\nS: 250 queued as 17\nC: QUIT\nS: 221 bye\nS closed\nC closed";

#[test]
fn translated_addresses_and_clocks_are_no_alteration() {
    let comparison = compared(PLAIN, PLAIN);
    assert_eq!(changes(&comparison), []);
    assert!(findings(&comparison).is_empty());
    assert!(comparison.pairs[0].is_translated);
    assert_eq!(comparison.order, Order::FirstIsNear);
    let clocks = comparison.clocks.unwrap();
    assert_eq!((clocks.offset, clocks.round_trip), (3_600_000_000, Some(800)));
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let there = PLAIN.replace("S: 250-STARTTLS\n", "S: 250-XXXXXXXA\n");
    let comparison = compare(&[far(PLAIN)], &[near(&there)], &Settings::default());
    assert_eq!(comparison.order, Order::SecondIsNear);
    let seen = [(Change::KeywordMasked, Direction::ServerToClient, Some(8), Some(8))];
    assert_eq!(changes(&comparison), seen);
}

#[test]
fn where_times_tell_nothing_the_masks_do() {
    let masked = PLAIN.replace("S: 250-STARTTLS\n", "S: 250-XXXXXXXA\n");
    let at_once = |text: &str| session(text, 50_001, 0, 500);
    let comparison = compare(&[at_once(PLAIN)], &[at_once(&masked)], &Settings::default());
    assert_eq!(comparison.order, Order::SecondIsNear);
    assert_eq!(changes(&comparison)[0].0, Change::KeywordMasked);
}

#[test]
fn a_scanner_that_takes_mail_away_and_answers_itself() {
    let here = "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a.test> SIZE=9\nS: 250 OK\nC: RCPT TO:<b@b.test>\n\
        S: 503 5.5.1 Error: need MAIL command\nC: QUIT\nS: 221 bye";
    let there = "S: 220 r\nC: EHLO a\nS: 250 r\nC: RCPT TO:<b@b.test>\nS: 503 5.5.1 Error: need MAIL command\n\
        C: QUIT\nS: 221 bye";
    let comparison = compared(here, there);
    assert_eq!(
        changes(&comparison),
        [
            (Change::Removed, Direction::ClientToServer, Some(7), None),
            (Change::Added, Direction::ServerToClient, Some(8), None),
        ]
    );
    let removed = findings(&comparison)[0];
    assert_eq!((removed.who, removed.confidence), (Who::Between, Confidence::Certain));
    assert_eq!((removed.weight, removed.consequences.as_slice()), (Weight::Failure, &[6][..]));
    assert!(removed.what.contains("`MAIL FROM:<a@a.test> SIZE=9` was sent and never arrived"));
}

#[test]
fn the_forged_one_of_equal_replies_is_the_one_without_its_command() {
    let here = "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a.test>\nS: 250 ok\nC: RCPT TO:<x@b.test>\nS: 250 ok\n\
        C: RCPT TO:<y@b.test>\nS: 250 ok\nC: QUIT\nS: 221 bye";
    let there = "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a.test>\nS: 250 ok\n\
        C: RCPT TO:<y@b.test>\nS: 250 ok\nC: QUIT\nS: 221 bye";
    assert_eq!(
        changes(&compared(here, there)),
        [
            (Change::Removed, Direction::ClientToServer, Some(9), None),
            (Change::Added, Direction::ServerToClient, Some(10), None),
        ]
    );
}

#[test]
fn what_can_be_done_to_a_session() {
    use Change::*;
    use Direction::{ClientToServer as Up, ServerToClient as Down};
    for (from, to, expected) in [
        // (what the near side has instead of the plain line)
        ("S: 250-STARTTLS\n", "", vec![(KeywordRemoved, Down, None, Some(8))]),
        (
            "S: 250 DSN\n",
            "S: 250-DSN\nS: 250 CHUNKING\n",
            vec![(KeywordAdded, Down, Some(10), None)],
        ),
        (
            "S: 220 mx.b.test ESMTP\n",
            "S: 220 ***************\n",
            vec![(Masked, Down, Some(4), Some(4))],
        ),
        (
            "S: 250 queued as 17\n",
            "S: 250 queued as 18\n",
            vec![(Altered, Down, Some(17), Some(17))],
        ),
        ("C: EHLO a.test\n", "C: XXXX a.test\n", vec![(Masked, Up, Some(5), Some(5))]),
        ("C content 146\n", "C content 190\n", vec![(ContentAltered, Up, Some(16), Some(16))]),
        (
            "C content 146\n",
            "C content 144 unfinished\n",
            vec![(EndOfContentLost, Up, Some(16), Some(16))],
        ),
        ("S closed\n", "S reset\n", vec![(ResetForged, Down, Some(20), Some(20))]),
    ] {
        let altered = PLAIN.replace(from, to);
        assert_ne!(altered, PLAIN);
        // What goes to the client is altered where the client is, and the other way round.
        let comparison = match expected[0].1 {
            Down => compared(&altered, PLAIN),
            Up => compared(PLAIN, &altered),
        };
        assert_eq!(changes(&comparison), expected, "{to:?} for {from:?}");
        assert!(findings(&comparison).iter().all(|finding| finding.who == Who::Between));
    }
}

#[test]
fn a_gap_of_the_capture_is_nobody() {
    let there = PLAIN.replace("C: MAIL FROM:<a@a.test>\n", "C gap 23\n");
    assert_eq!(changes(&compared(PLAIN, &there)), []);
}

#[test]
fn a_capture_that_starts_late_has_not_lost_the_greeting() {
    let late = PLAIN.split_once("C: MAIL").map(|(_, rest)| format!("C: MAIL{rest}")).unwrap();
    let mut there = far(&late);
    there.wire.as_mut().unwrap().handshake_seen = false;
    let comparison = compare(&[near(PLAIN)], &[there], &Settings::default());
    assert_eq!(changes(&comparison), []);
}

#[test]
fn large_packets_that_never_arrive() {
    let here = PLAIN.split("S: 250 queued").next().unwrap().to_owned();
    let there = here.replace("C content 146\n", "");
    let (mut here, mut there) = (near(&here), far(&there));
    let wire = here.wire.as_mut().unwrap();
    wire.client.retransmissions = 5;
    wire.client.retransmitted_lengths = Some((1460, 1460));
    wire.client.unacknowledged = 5_840;
    wire.client.octets = 6_000;
    let wire = there.wire.as_mut().unwrap();
    (wire.client.octets, wire.client.passed_length_max) = (160, 60);
    let comparison = compare(&[here], &[there], &Settings::default());
    let told = changes(&comparison);
    assert!(told.iter().any(|(change, ..)| *change == Change::LargeSegmentsLost), "{told:?}");
}

#[test]
fn another_server_answered() {
    let other = "S: 220 proxy.provider.test\nC: EHLO a.test\nS: 250 proxy.provider.test\nC: MAIL FROM:<a@a.test>\n\
        S: 250 sure\nC: RCPT TO:<b@b.test>\nS: 250 why not\nC: QUIT\nS: 221 ciao";
    let told = changes(&compared(other, PLAIN));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, Change::AnsweredByAnother);
}

#[test]
fn many_alike_find_each_other() {
    let text = |n: usize| PLAIN.replace("<b@b.test>", &format!("<b{n}@b.test>"));
    let here: Vec<Session> =
        (0..40).map(|n| session(&text(n), 50_000 + n as u16, n as i64 * 1_000_000, 0)).collect();
    let mut there: Vec<Session> = (0..40)
        .map(|n| session(&text(n), 40_000 - n as u16, n as i64 * 1_000_000 + 7_000_000, 300))
        .collect();
    there.reverse();
    there.remove(5);
    let comparison = compare(&here, &there, &Settings::default());
    assert_eq!(comparison.pairs.len(), 39);
    assert_eq!((comparison.only_near.as_slice(), comparison.only_far.len()), (&[34][..], 0));
    assert_eq!(changes(&comparison), []);
}

#[test]
fn exactly_alike_they_go_by_time() {
    let at = |n: i64, shift: i64| {
        session(PLAIN, (40_000 + n + shift * 100) as u16, (n + shift) * 60_000_000, 0)
    };
    let here: Vec<Session> = (0..10).map(|n| at(n, 0)).collect();
    let there: Vec<Session> = (0..10).map(|n| at(9 - n, 3)).collect();
    let settings = Settings { first_is_near: Some(true), ..Settings::default() };
    let comparison = compare(&here, &there, &settings);
    // No line is in one session only: the clocks differ by what brings most sessions together.
    assert_eq!(comparison.pairs.len(), 10);
    assert!(comparison.pairs.iter().all(|pair| pair.near + pair.far == 9));
    assert_eq!(changes(&comparison), []);
}

/// Contents of the same length that differ, and where; without digests the length is all there is.
#[test]
fn a_content_of_the_same_length_may_be_another() {
    use diagnose::fingerprint::Fingerprint;
    let line = PLAIN.lines().position(|line| line == "C content 146").unwrap();
    let print = |subject: u8, body: u8| Fingerprint {
        line,
        fields: vec![("subject".to_owned(), [subject; 16])],
        body: [body; 16],
        body_octets: 100,
        ..Fingerprint::default()
    };
    let with = |mut session: Session, print: Fingerprint| {
        session.contents.push(print);
        session
    };
    let compared = |here: Fingerprint, there: Fingerprint| {
        let (here, there) = (with(near(PLAIN), here), with(far(PLAIN), there));
        compare(&[here], &[there], &Settings::default())
    };
    assert_eq!(changes(&compared(print(1, 2), print(1, 2))), []);
    let comparison = compared(print(1, 2), print(9, 8));
    let expected = [(Change::ContentAltered, Direction::ClientToServer, Some(16), Some(16))];
    assert_eq!(changes(&comparison), expected);
    let what = &comparison.pairs[0].differences[0].what;
    assert!(
        what.contains("the field subject rewritten; the body altered (100 octets before and after"),
        "{what}"
    );
    let one_side = compare(&[with(near(PLAIN), print(1, 2))], &[far(PLAIN)], &Settings::default());
    assert_eq!(changes(&one_side), []);
}

#[test]
fn a_session_on_one_side_only_is_judged() {
    use diagnose::compare::Absence;
    const SECOND: i64 = 1_000_000;
    let begin = 1_000 * SECOND;
    let far_clock = 3_600 * SECOND;
    let silent = "C: EHLO a.test";
    for (text, starts, is_near, absence, confidence) in [
        // between two sessions that both sides have
        (silent, begin + 30 * SECOND, true, Absence::Stopped, Confidence::Likely),
        (PLAIN, begin + 30 * SECOND, true, Absence::WentElsewhere, Confidence::Possible),
        (PLAIN, begin + 30 * SECOND, false, Absence::BeganBetween, Confidence::Possible),
        // before the first, and after the last
        (PLAIN, begin - 90 * SECOND, true, Absence::StartedLate, Confidence::Likely),
        (PLAIN, begin + 900 * SECOND, true, Absence::EndedEarly, Confidence::Likely),
        (PLAIN, begin - 90 * SECOND, false, Absence::StartedLate, Confidence::Likely),
    ] {
        let other =
            |text: &str, word: &str| text.replace("a.test", word).replace("queued as 17", word);
        let mut here = Vec::new();
        let mut there = Vec::new();
        for (word, at) in [("one.test", begin), ("two.test", begin + 60 * SECOND)] {
            here.push(session(&other(PLAIN, word), 50_001, at, 0));
            there.push(session(&other(PLAIN, word), 33_442, at + far_clock, 400));
        }
        let (alone, side) =
            if is_near { (starts, &mut here) } else { (starts + far_clock, &mut there) };
        let text = text.replace("mx.b.test", "mx.c.test").replace("b@b.test", "c@c.test");
        side.push(session(&other(&text, "three.test"), 50_003, alone, 0));
        let comparison = compare(&here, &there, &Settings::default());
        assert_eq!(comparison.pairs.len(), 2);
        let judged = &comparison.alone[..];
        assert_eq!(judged.len(), 1, "{judged:?}");
        assert_eq!(
            (judged[0].is_near, judged[0].session, judged[0].absence, judged[0].confidence),
            (is_near, 2, absence, confidence),
            "{}",
            judged[0].what
        );
    }
}

#[test]
fn another_answer_to_the_same_command_is_one_alteration() {
    let here = PLAIN.replace("S: 250 2.1.5 ok", "S: 554 5.7.1 Rejected by policy");
    let comparison = compared(&here, PLAIN);
    let seen = [(Change::Altered, Direction::ServerToClient, Some(13), Some(13))];
    assert_eq!(changes(&comparison), seen);
    let what = &comparison.pairs[0].differences[0].what;
    assert_eq!(
        what,
        "the answer to `RCPT TO:<b@b.test>`: `250 2.1.5 ok` arrived as `554 5.7.1 Rejected by policy`"
    );
}

#[test]
fn short_segments_are_not_lost_for_their_size() {
    for (length, is_told) in [(158, false), (1_460, true)] {
        let text = "S: 220 r\nC: EHLO a\nS: 250 r\nC: BDAT 143 LAST";
        let (mut here, there) = (near(text), far("S: 220 r\nC: EHLO a\nS: 250 r\nS closed"));
        let client = &mut here.wire.as_mut().unwrap().client;
        (client.octets, client.unacknowledged, client.retransmissions) = (3_000, 2_000, 8);
        client.retransmitted_lengths = Some((length, length));
        let comparison = compare(&[here], &[there], &Settings::default());
        let told = changes(&comparison).iter().any(|one| one.0 == Change::LargeSegmentsLost);
        assert_eq!(told, is_told, "{length}");
    }
}

/// The same mail again and again, at these times (in milliseconds).
fn alike(times: &[i64], offset: i64, way: u64) -> Vec<Session> {
    times.iter().map(|at| session(PLAIN, 40_000, (at + offset) * 1_000, way)).collect()
}

#[test]
fn sessions_that_are_all_alike_are_told_apart_by_their_times() {
    // The far side has not the first one, and its clock is 137 s ahead.
    let times = [0, 130, 400, 1_000, 1_700, 2_900];
    let mut far = alike(&times[1..], 137_000, 400);
    for session in &mut far {
        session.client.address = None;
    }
    let comparison = compare(&alike(&times, 0, 0), &far, &Settings::default());
    let pairs: Vec<_> = comparison.pairs.iter().map(|pair| (pair.near, pair.far)).collect();
    assert_eq!(pairs, [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)]);
    assert_eq!((comparison.only_near, changes_of(&comparison.pairs)), (vec![0], 0));
}

#[test]
fn two_sessions_that_share_only_what_all_share_are_not_one() {
    let times = [0, 100, 200, 300, 3_000];
    let (mut near, mut far) = (alike(&times, 0, 0), alike(&times, 5_000, 400));
    far[4] = session(&PLAIN.replace("a@a.test", "x@y.test"), 1, (2_000 + 5_000) * 1_000, 400);
    near[4] = session(&PLAIN.replace("a@a.test", "z@z.test"), 2, 3_000 * 1_000, 0);
    let comparison = compare(&near, &far, &Settings::default());
    assert_eq!((comparison.pairs.len(), changes_of(&comparison.pairs)), (4, 0));
    assert_eq!((comparison.only_near, comparison.only_far), (vec![4], vec![4]));
    // At the same time it is the same session, and its sender was rewritten.
    far[4].started = Some((3_000 + 5_000) * 1_000);
    let comparison = compare(&near, &far, &Settings::default());
    assert_eq!((comparison.pairs.len(), changes_of(&comparison.pairs)), (5, 1));
}

fn changes_of(pairs: &[diagnose::compare::Pair]) -> usize {
    pairs.iter().map(|pair| pair.differences.len()).sum()
}

#[test]
fn a_log_leaves_out_what_is_no_line() {
    let login = "S: 220 r\nC: EHLO a\nS: 250 r\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: MAIL FROM:<a@a>\nS: 250 ok\n\
        C: DATA\nS: 354 go\nC content 90\nS: 250 queued as 4711\nC: QUIT\nS: 221 bye";
    let logged = login
        .replace("334 VXNlcm5hbWU6", "334 <authentication response>")
        .replace("C content 90\n", "");
    let mut far = far(&logged);
    (far.source, far.wire) = (Source::Log("exchange-2007".into()), None);
    let comparison = compare(&[near(login)], &[far], &Settings::default());
    assert_eq!(changes(&comparison), []);
}

/// What two Exchange servers wrote down of one session: the sender's send connector, the receiver's receive
/// connector with a clock an hour behind, and a firewall between.
#[test]
fn two_exchange_logs() {
    let sessions = |name: &str| -> Vec<Session> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden/logs");
        let mut reader = Reader::new(None);
        reader.feed(&std::fs::read(folder.join(name)).unwrap());
        reader.finish();
        let records = std::iter::from_fn(|| reader.take());
        records
            .filter_map(|record| match record {
                Record::Session(session) => Some(session),
                _ => None,
            })
            .collect()
    };
    let near = sessions("exchange-2013-masked-send.log");
    let far = sessions("exchange-2013-masked-receive.log");
    assert_eq!((near.len(), far.len()), (1, 1), "what follows the farewell is no session");
    let comparison = compare(&far, &near, &Settings::default());
    assert_eq!(comparison.order, Order::SecondIsNear, "each says who it is");
    let masked: Vec<Change> = changes(&comparison).iter().map(|change| change.0).collect();
    assert_eq!(masked, [Change::KeywordMasked; 3]);
    assert_eq!(comparison.clocks.unwrap().offset, -3_600_000_000);
}
