//! What ends connections besides themselves: time, memory, being no mail.

use super::*;

/// Conversations one after the other, each from its own port.
fn many(count: u16, make: impl Fn(&mut Conversation)) -> Vec<Timed> {
    let mut segments = Vec::new();
    let mut now = 1_700_000_000 * SECOND;
    for number in 0..count {
        let client = format!("192.0.2.7:{}", 20_000 + number).parse().unwrap();
        let mut talk = Conversation::new(client, "198.51.100.9:2526".parse().unwrap(), now);
        make(&mut talk);
        now = talk.now + MS;
        segments.extend(talk.segments);
    }
    segments
}

#[test]
fn sessions_are_handed_out_when_they_end() {
    let (mut table, keys) = (Table::<Recorder>::new(Limits::default()), KeyLog::default());
    let talk = usual();
    for (number, timed) in talk.segments.iter().enumerate() {
        let packet = timed.segment.packet();
        let Content::Segment(segment) = frame(101, &packet, packet.len() as u32) else { panic!() };
        table.segment(&segment, Moment { at: timed.at, packet: number as u64 + 1 }, &keys);
    }
    table.advance(talk.now, &keys);
    assert!(table.take_sessions().is_empty(), "a late packet may still come");
    table.advance(talk.now + 2 * SECOND, &keys);
    assert_eq!(table.take_sessions().len(), 1);
}

#[test]
fn a_connection_without_an_end_is_over_in_time() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n");
    let (mut table, keys) = (Table::<Recorder>::new(Limits::default()), KeyLog::default());
    for timed in &talk.segments {
        let packet = timed.segment.packet();
        let Content::Segment(segment) = frame(101, &packet, packet.len() as u32) else { panic!() };
        table.segment(&segment, Moment { at: timed.at, packet: 1 }, &keys);
    }
    table.advance(talk.now + 7_100 * SECOND, &keys);
    assert!(table.take_sessions().is_empty());
    table.advance(talk.now + 7_300 * SECOND, &keys);
    let story = table.take_sessions().remove(0).plain();
    assert_eq!(story.last().unwrap(), "- EvidenceEnds: nothing more was seen");
}

#[test]
fn what_is_no_mail_is_dropped_and_its_rest_ignored() {
    let segments = many(50, |talk| {
        talk.open().say(C, "GET / HTTP/1.1\r\n\r\n").say(S, "HTTP/1.1 200 OK\r\n\r\n");
        talk.say(S, "220 this is in a page\r\n").close(S);
    });
    let (all, troubles) = hear_all(&segments, Limits::default());
    assert_eq!((all.len(), troubles.len()), (0, 0));
}

#[test]
fn too_many_at_once_are_given_up_the_oldest_first() {
    let segments = many(30, |talk| {
        talk.open().say(S, "220 a.test\r\n");
    });
    let limits = Limits { connections_max: 10, ..Limits::default() };
    let (all, troubles) = hear_all(&segments, limits);
    assert_eq!(all.len(), 30, "given up is not forgotten");
    assert_eq!(troubles, vec![Trouble::TooMany; 20]);
    assert!(all[0].story().last().unwrap().contains("given up"));
    assert_eq!(all[0].client.address.unwrap().port(), 20_000);
    assert!(all[29].story().last().unwrap().contains("the capture ends here"));
}

#[test]
fn memory_has_a_limit_in_all() {
    let limits = Limits { memory_max: 100_000, ..Limits::default() };
    let segments = many(200, |talk| {
        talk.open().say(S, "220 a.test\r\n").send(C, "lost").send(C, vec![b'x'; 5_000]);
        talk.segments.remove(5);
    });
    let (mut table, keys) = (Table::<Recorder>::new(limits), KeyLog::default());
    for (number, timed) in segments.iter().enumerate() {
        let packet = timed.segment.packet();
        let Content::Segment(segment) = frame(101, &packet, packet.len() as u32) else { panic!() };
        table.segment(&segment, Moment { at: timed.at, packet: number as u64 + 1 }, &keys);
        assert!(table.memory() <= 100_000);
    }
    table.finish(&keys);
    let all = table.take_sessions();
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(|one| one.octets(C).len() == 5_000));
}

#[test]
fn what_waits_has_a_limit() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").send(C, "lost").send(C, vec![b'x'; 50_000]);
    talk.segments.remove(5);
    let limits = Limits { waiting_max: 20_000, ..Limits::default() };
    let (all, troubles) = hear_all(&talk.segments, limits);
    assert_eq!(troubles, [Trouble::TooMuchWaiting]);
    let story = all[0].plain();
    assert_eq!(story[2], "C gap 4");
    assert_eq!(all[0].octets(C).len(), 50_000);
}

#[test]
fn what_is_only_remembered_has_a_limit() {
    let segments = many(300, |talk| {
        talk.open().say(C, "GET /\r\n");
    });
    let limits = Limits { forgotten_max: 20, ..Limits::default() };
    let (all, _) = hear_all(&segments, limits);
    assert!(all.is_empty());
}

#[test]
fn octets_that_the_capture_lost_are_not_waited_for_without_end() {
    let mut talk = conversation();
    talk.step = 1_000;
    talk.open().say(S, "220 a.test\r\n").say(C, "lost");
    for _ in 0..400 {
        talk.say(C, [b'x'; 1_460]);
    }
    talk.segments.remove(5);
    let (mut table, keys) = (Table::<Recorder>::new(Limits::default()), KeyLog::default());
    let mut memory = 0;
    for (number, timed) in talk.segments.iter().enumerate() {
        let packet = timed.segment.packet();
        let Content::Segment(segment) = frame(101, &packet, packet.len() as u32) else { panic!() };
        table.segment(&segment, Moment { at: timed.at, packet: number as u64 + 1 }, &keys);
        memory = memory.max(table.memory());
    }
    assert!(memory < 400_000, "{memory} octets though the server had acknowledged what was lost");
    table.finish(&keys);
    assert_eq!(table.take_sessions()[0].plain()[2], "C gap 4");
}
