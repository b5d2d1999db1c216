//! What is handed out, and in which order.

use proptest::prelude::*;

use super::*;
use crate::build::{ACK, FIN};

#[test]
fn a_session_as_it_should_be() {
    let heard = hear(&usual().segments);
    assert_eq!(
        heard.story(),
        [
            "C 3 Connected",
            "S 4 220 a.test\\r\\n",
            "C 6 EHLO b.test\\r\\n",
            "S 8 250 a.test\\r\\n",
            "C 10 QUIT\\r\\n",
            "S 12 221 bye\\r\\n",
            "S 14 Closed",
            "C 15 Closed",
        ]
    );
    assert_eq!(heard.told[1].at, Duration::from_micros(1_500));
    assert_eq!(heard.client.address, Some("192.0.2.1:40000".parse().unwrap()));
    assert_eq!(heard.server.address, Some("198.51.100.9:25".parse().unwrap()));
}

#[test]
fn packets_in_the_wrong_order_are_put_right() {
    let right = usual().segments;
    // Every neighbour exchanged, in file order; times stay with the places, as a capture has them.
    for place in 2..right.len() - 1 {
        let mut wrong = right.clone();
        wrong.swap(place, place + 1);
        let (first, second) = (right[place].at, right[place + 1].at);
        (wrong[place].at, wrong[place + 1].at) = (first, second);
        let heard = hear(&wrong);
        let mut expected = USUAL;
        if place == 13 {
            expected.swap(6, 7); // the two FINs themselves
        }
        assert_eq!(heard.plain(), expected, "{place} and the next exchanged");
        assert_eq!(heard.wire.client.unseen_but_acknowledged, 0);
    }
}

#[test]
fn a_command_that_the_capture_lost_is_a_gap_before_its_reply() {
    let mut talk = usual();
    talk.segments.remove(5); // EHLO
    let heard = hear(&talk.segments);
    let mut expected = USUAL.to_vec();
    expected[2] = "C gap 13";
    assert_eq!(heard.plain(), expected);
    assert_eq!(heard.wire.client.unseen_but_acknowledged, 13);
    assert_eq!(heard.wire.client.unacknowledged, 0);
}

#[test]
fn octets_lost_at_the_end_are_a_gap_but_a_fin_is_none() {
    let mut talk = usual();
    talk.segments.remove(11); // 221
    assert!(hear(&talk.segments).plain().contains(&"S gap 9".to_owned()));
    let mut talk = usual();
    talk.segments.retain(|one| one.segment.flags & FIN == 0);
    let heard = hear(&talk.segments);
    assert!(!heard.plain().iter().any(|line| line.contains("gap")), "{:?}", heard.plain());
    // The last line and all after it: only the acknowledgment tells.
    let mut talk = usual();
    talk.segments.truncate(13);
    talk.segments.remove(11);
    let story = hear(&talk.segments).plain();
    assert_eq!(story[5..], ["S gap 9", "- EvidenceEnds: the capture ends here"]);
}

#[test]
fn nothing_is_missing_behind_a_fin() {
    // A second FIN, one further, as boxes make them that close in a host's name; and it is acknowledged.
    let mut talk = usual();
    let mut again = talk.segments.iter().find(|one| one.segment.flags & FIN != 0).unwrap().clone();
    again.segment.sequence = again.segment.sequence.wrapping_add(1);
    again.at = talk.now;
    let mut confirmed = talk.segment(C, ACK);
    confirmed.acknowledgment = again.segment.sequence.wrapping_add(1);
    talk.segments.push(again);
    talk.add(C, confirmed);
    let heard = hear(&talk.segments);
    assert_eq!(heard.plain(), USUAL);
    assert_eq!(heard.wire.server.unseen_but_acknowledged, 0);
}

#[test]
fn a_segment_that_never_comes_holds_its_stream_until_the_end() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n");
    talk.send(C, "one").send(C, "two").send(C, "three").send(C, "four");
    talk.segments.remove(7); // three, which nobody acknowledged
    let heard = hear(&talk.segments);
    let story = heard.plain();
    assert_eq!(story[2..5], ["C onetwo", "C gap 5", "C four"]);
    assert_eq!(heard.wire.client.unseen_but_acknowledged, 0);
    assert_eq!(heard.wire.client.unacknowledged, 15);
}

#[test]
fn one_side_alone_is_followed() {
    let whole = usual().segments;
    let server: Vec<Timed> =
        whole.iter().filter(|one| one.segment.source.port() == 25).cloned().collect();
    let heard = hear(&server);
    assert_eq!(
        heard.plain(),
        [
            "C Connected",
            "S 220 a.test\\r\\n",
            "C gap 13",
            "S 250 a.test\\r\\n",
            "C gap 6",
            "S 221 bye\\r\\n",
            "S Closed",
            "- EvidenceEnds: the capture ends here"
        ]
    );
    assert_eq!((heard.wire.client.packets, heard.wire.server.packets), (0, 8));
    assert_eq!(heard.wire.server.unacknowledged, 0, "nothing tells what the client has");
    let client: Vec<Timed> =
        whole.iter().filter(|one| one.segment.source.port() != 25).cloned().collect();
    let heard = hear(&client);
    assert_eq!(
        heard.plain()[..6],
        ["C Connected", "S gap 12", "C EHLO b.test\\r\\n", "S gap 12", "C QUIT\\r\\n", "S gap 10"],
        "nothing tells the place of a FIN from an octet"
    );
}

#[test]
fn a_capture_that_begins_in_the_midst() {
    let heard = hear(&usual().segments[6..]);
    assert_eq!(heard.plain(), USUAL[3..]);
    assert!(!heard.wire.handshake_seen);
    assert_eq!(heard.server.address.unwrap().port(), 25, "guessed by the port");
    // Only an acknowledgment told where the server is; its next octets are missing nothing.
    let heard = hear(&usual().segments[9..]);
    assert_eq!(heard.plain(), USUAL[4..]);
}

#[test]
fn sequence_numbers_wrap() {
    for first in [u32::MAX, u32::MAX - 5, u32::MAX - 14, 0x7fff_fff8] {
        let mut talk = conversation().numbered(first, first.wrapping_sub(3));
        talk.open();
        talk.say(S, "220 a.test\r\n").say(C, "EHLO b.test\r\n").say(S, "250 a.test\r\n");
        talk.say(C, "QUIT\r\n").say(S, "221 bye\r\n").close(S);
        assert_eq!(hear(&talk.segments).plain(), USUAL);
        assert_eq!(hear(&talk.segments[3..]).plain(), USUAL[1..]);
    }
}

#[test]
fn ports_that_are_used_again_are_another_session() {
    let mut talk = usual();
    let mut second = conversation().numbered(900_000, 5);
    second.now = talk.now + MS;
    second.open();
    second.say(S, "220 again\r\n").reset(C);
    talk.segments.extend(second.segments);
    let (all, _) = hear_all(&talk.segments, Limits::default());
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].plain(), USUAL);
    assert_eq!(all[1].plain(), ["C Connected", "S 220 again\\r\\n", "C Reset"]);
    // Also where the first one never ended.
    talk.segments.drain(13..16);
    let (all, _) = hear_all(&talk.segments, Limits::default());
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].plain()[1], "S 220 again\\r\\n");
}

#[test]
fn late_packets_of_a_session_are_no_session() {
    let mut talk = usual();
    talk.wait(30 * SECOND).acknowledge(C).acknowledge(S).reset(C);
    let (all, _) = hear_all(&talk.segments, Limits::default());
    assert_eq!(all.len(), 1);
}

#[test]
fn keep_alives_are_neither_octets_nor_retransmissions() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n");
    for length in [0, 1, 1] {
        let mut probe = talk.segment(C, ACK);
        probe.sequence = probe.sequence.wrapping_sub(1);
        probe.octets = vec![0; length];
        let at = talk.now;
        talk.segments.push(Timed { at, segment: probe });
        talk.wait(SECOND).acknowledge(S);
    }
    // The handshake left nothing before the first octet, so this is told apart by position alone.
    talk.say(C, "EHLO b.test\r\n");
    let mut probe = talk.segment(C, ACK);
    probe.sequence = probe.sequence.wrapping_sub(1);
    probe.octets = vec![0];
    let at = talk.now;
    talk.segments.push(Timed { at, segment: probe });
    let heard = hear(&talk.segments);
    assert_eq!(heard.octets(C), b"EHLO b.test\r\n");
    let client = &heard.wire.client;
    assert_eq!((client.retransmissions, client.contradictions, client.octets), (0, 0, 13));
}

#[test]
fn octets_with_the_syn_count() {
    let mut talk = conversation();
    let mut syn = talk.segment(C, crate::build::SYN);
    syn.octets = b"EHLO early\r\n".to_vec();
    talk.add(C, syn);
    let answer = talk.segment(S, crate::build::SYN | ACK);
    talk.add(S, answer);
    talk.acknowledge(C).say(S, "220 a.test\r\n");
    assert_eq!(hear(&talk.segments).octets(C), b"EHLO early\r\n");
}

#[test]
fn packets_captured_in_part_leave_gaps() {
    let talk = usual();
    let (mut table, keys) = (Table::<Recorder>::new(Limits::default()), KeyLog::default());
    for (number, timed) in talk.segments.iter().enumerate() {
        let packet = timed.segment.packet();
        let cut = &packet[..packet.len().min(48)];
        let Content::Segment(segment) = frame(101, cut, packet.len() as u32) else { panic!() };
        table.segment(&segment, Moment { at: timed.at, packet: number as u64 + 1 }, &keys);
    }
    table.finish(&keys);
    let heard = table.take_sessions().remove(0);
    assert_eq!(
        heard.plain()[..5],
        ["C Connected", "S 220 a.te", "S gap 4", "C EHLO b.t", "C gap 5"]
    );
    assert_eq!(heard.wire.client.unseen_but_acknowledged, 5);
    assert_eq!(heard.wire.client.octets, 8 + 6, "only what was captured");
}

#[test]
fn hosts_that_wait_for_each_other_do_not_hold_the_end_up() {
    let mut talk = conversation();
    talk.open();
    // Each says it has what the other sends only now.
    let mut one = talk.segment(C, ACK);
    one.octets = b"one".to_vec();
    one.acknowledgment = one.acknowledgment.wrapping_add(9);
    let mut two = talk.segment(S, ACK);
    two.octets = b"two".to_vec();
    two.acknowledgment = two.acknowledgment.wrapping_add(9);
    talk.add(C, one);
    talk.add(S, two);
    let heard = hear(&talk.segments);
    assert_eq!((heard.octets(C), heard.octets(S)), (b"one".to_vec(), b"two".to_vec()));
}

/// A session with content in many segments, all of them with their own octets.
fn long_session(lengths: &[usize]) -> Conversation {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n");
    let (mut letter, by) = (0_u8, [C, S, C]);
    for (number, length) in lengths.iter().enumerate() {
        let octets: Vec<u8> = (0..*length)
            .map(|_| {
                letter = letter.wrapping_mul(5).wrapping_add(1);
                letter
            })
            .collect();
        talk.send(by[number % 3], octets);
        if number % 4 == 3 {
            talk.acknowledge(by[(number + 1) % 3]);
        }
    }
    talk.close(C);
    talk
}

proptest! {
    /// However packets are moved about within a window, doubled, split and repeated: the same octets.
    #[test]
    fn disorder_changes_no_octets(
        lengths in prop::collection::vec(1_usize..3_000, 1..25),
        moves in prop::collection::vec((0_usize..200, 1_usize..12), 0..40),
        doubles in prop::collection::vec((0_usize..200, 0_usize..20), 0..10),
        pieces in prop::collection::vec((0_usize..200, 1_usize..900), 0..10),
    ) {
        let talk = long_session(&lengths);
        let right = hear(&talk.segments);
        let mut wrong = talk.segments.clone();
        // Another copy with other borders: an overlap.
        for (place, border) in pieces {
            let place = 4 + place % (wrong.len() - 4);
            let mut one = wrong[place].clone();
            let border = border.min(one.segment.octets.len());
            one.segment.octets.drain(..border);
            one.segment.sequence = one.segment.sequence.wrapping_add(border as u32);
            if !one.segment.octets.is_empty() {
                wrong.insert(place, one);
            }
        }
        for (place, distance) in doubles {
            let place = 4 + place % (wrong.len() - 4);
            let one = wrong[place].clone();
            wrong.insert((place + distance).min(wrong.len()), one);
        }
        for (place, distance) in moves {
            let place = 4 + place % (wrong.len() - 4);
            let one = wrong.remove(place);
            wrong.insert((place + distance).min(wrong.len()), one);
        }
        // The capture's clock goes on whatever stands in it.
        let start = wrong[0].at;
        for (number, one) in wrong.iter_mut().enumerate() {
            one.at = start + number as i64 * 100_000;
        }
        let heard = hear(&wrong);
        prop_assert_eq!(heard.octets(C), right.octets(C));
        prop_assert_eq!(heard.octets(S), right.octets(S));
        prop_assert_eq!(heard.wire.client.octets, right.wire.client.octets);
        prop_assert_eq!(heard.wire.client.contradictions, 0);
        prop_assert_eq!(heard.wire.client.unseen_but_acknowledged, 0);
    }

    /// Any segments at all: no panic, no endless loop, octets in the order of time.
    #[test]
    fn nonsense_is_borne(
        nonsense in prop::collection::vec(
            (any::<bool>(), any::<u8>(), any::<u32>(), any::<u32>(), 0_usize..2_000, 0_i64..SECOND),
            0..60,
        ),
        near: bool,
    ) {
        let mut talk = usual();
        for (by, flags, sequence, acknowledgment, length, time) in nonsense {
            let by = if by { C } else { S };
            let mut one = talk.segment(by, flags);
            let mask = if near { 0xfff } else { u32::MAX };
            one.sequence = one.sequence.wrapping_add(sequence & mask).wrapping_sub(mask / 2);
            one.acknowledgment = one.acknowledgment.wrapping_add(acknowledgment & mask);
            one.octets = vec![b'x'; length];
            let at = talk.now + time;
            let place = (sequence as usize) % (talk.segments.len() + 1);
            talk.segments.insert(place, Timed { at, segment: one });
        }
        let limits = Limits { waiting_max: 10_000, ..Limits::default() };
        let (_, _) = hear_all(&talk.segments, limits);
    }
}
