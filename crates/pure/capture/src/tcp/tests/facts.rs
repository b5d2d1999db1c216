//! What the packets show of a connection.

use super::*;
use crate::build::{ACK, RST, SYN, Segment};

/// Adds a segment that was sent before, once more.
fn again(talk: &mut Conversation, segment: &Segment) {
    let mut segment = segment.clone();
    segment.identification = segment.identification.wrapping_add(1_000);
    let at = talk.now;
    talk.now += talk.step;
    talk.segments.push(Timed { at, segment });
}

fn last(talk: &Conversation) -> Segment {
    talk.segments.last().unwrap().segment.clone()
}

#[test]
fn a_handshake_shows_both_hosts() {
    let mut talk = usual();
    for one in &mut talk.segments {
        if one.segment.source.port() == 25 {
            one.segment.ttl = 51;
            one.segment.dont_fragment = false;
        }
    }
    let wire = hear(&talk.segments).wire;
    assert!(wire.handshake_seen);
    assert_eq!((wire.client.mss, wire.client.window_scale), (Some(1_460), Some(7)));
    assert_eq!((wire.client.ttl, wire.server.ttl), (Some(64), Some(51)));
    assert_eq!((wire.client.dont_fragment, wire.server.dont_fragment), (true, false));
    assert_eq!((wire.client.packets, wire.server.packets), (8, 8));
    assert_eq!((wire.client.octets, wire.server.octets), (19, 33));
    assert_eq!((wire.client.retransmissions, wire.client.out_of_order), (0, 0));
    assert_eq!((wire.client.unacknowledged, wire.client.passed_length_max), (0, 13));
}

/// Path-MTU black hole: full-size segments are sent again and again, small ones pass.
#[test]
fn a_black_hole_for_big_packets() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").say(C, "EHLO b.test\r\n").say(S, "250 a.test\r\n");
    talk.say(C, "DATA\r\n").say(S, "354 go on\r\n");
    talk.send(C, vec![b'x'; 4_000]);
    let first = talk.segments[talk.segments.len() - 3].segment.clone();
    for wait in [200, 400, 800, 1_600] {
        talk.wait(wait * MS);
        again(&mut talk, &first);
    }
    let client = hear(&talk.segments).wire.client;
    assert_eq!(client.retransmissions, 4);
    assert_eq!(client.retransmitted_lengths, Some((1_460, 1_460)));
    assert_eq!(client.retransmission_wait_max.as_millis(), 1_600);
    assert_eq!(client.passed_length_max, 13);
    assert_eq!(client.unacknowledged, 4_000);
    assert_eq!(client.unseen_but_acknowledged, 0);
    assert_eq!(client.octets, 13 + 6 + 4_000);
}

#[test]
fn a_length_passed_if_no_smaller_segment_was_needed() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").send(C, vec![b'x'; 1_460]);
    let big = last(&talk);
    talk.wait(300 * MS);
    // Sent again in pieces of 536, which pass.
    for start in [0, 536, 1_072] {
        let mut piece = big.clone();
        piece.sequence = piece.sequence.wrapping_add(start);
        piece.octets = big.octets[start as usize..(start as usize + 536).min(1_460)].to_vec();
        again(&mut talk, &piece);
    }
    talk.acknowledge(S);
    let client = hear(&talk.segments).wire.client;
    assert_eq!(client.passed_length_max, 536);
    assert_eq!((client.retransmissions, client.retransmitted_lengths), (3, Some((388, 536))));
    // Sent again whole: then it did pass.
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").send(C, vec![b'x'; 1_460]);
    let big = last(&talk);
    talk.wait(300 * MS);
    again(&mut talk, &big);
    talk.acknowledge(S);
    assert_eq!(hear(&talk.segments).wire.client.passed_length_max, 1_460);
}

#[test]
fn a_selective_acknowledgment_shows_that_big_ones_pass() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").send(C, vec![b'x'; 2_920]);
    let second = last(&talk);
    let mut ack = talk.segment(S, ACK);
    ack.acknowledgment = second.sequence.wrapping_sub(1_460);
    let end = second.sequence.wrapping_add(1_460);
    ack.options = [&[1, 1, 5, 10][..], &second.sequence.to_be_bytes(), &end.to_be_bytes()].concat();
    talk.add(S, ack);
    let client = hear(&talk.segments).wire.client;
    assert_eq!((client.passed_length_max, client.unacknowledged), (1_460, 2_920));
}

#[test]
fn segments_that_a_network_card_cuts_count_as_on_the_wire() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n");
    talk.mss = 20_000;
    talk.say(C, vec![b'x'; 20_000]).send(C, vec![b'y'; 20_000]);
    let big = last(&talk);
    talk.wait(300 * MS);
    again(&mut talk, &big);
    let client = hear(&talk.segments).wire.client;
    assert_eq!(client.passed_length_max, 1_460);
    assert_eq!(client.retransmitted_lengths, Some((1_460, 1_460)));
}

#[test]
fn a_reset_that_another_sent() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").say(C, "EHLO b.test\r\n");
    let mut reset = talk.segment(S, RST);
    reset.ttl = 250;
    let at = talk.now;
    talk.segments.push(Timed { at, segment: reset });
    talk.wait(30 * MS).send(S, "250 a.test\r\n");
    let heard = hear(&talk.segments);
    assert_eq!(heard.wire.server.ttl_of_reset, Some(250));
    assert_eq!(heard.wire.server.ttl, Some(64));
    assert!(heard.wire.server.spoke_after_reset);
    assert!(!heard.wire.client.spoke_after_reset);
    assert_eq!(heard.plain()[3..], ["S Reset", "S 250 a.test\\r\\n"]);
}

#[test]
fn a_reset_of_the_sender_s_own() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").say(C, "EHLO b.test\r\n").reset(S);
    let heard = hear(&talk.segments);
    assert_eq!(heard.plain()[3..], ["S Reset"]);
    assert_eq!(heard.wire.server.ttl_of_reset, Some(64));
    // The capture has its last octets after it, by a few microseconds: no proof of anything.
    talk.segments.clear();
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").send(S, "421 bye\r\n").reset(S);
    let length = talk.segments.len();
    talk.segments.swap(length - 2, length - 1);
    talk.segments[length - 2].at -= 10_000;
    talk.segments[length - 1].at = talk.segments[length - 2].at + 5_000;
    let heard = hear(&talk.segments);
    assert!(!heard.wire.server.spoke_after_reset);
    assert_eq!(heard.octets(S), b"220 a.test\r\n421 bye\r\n");
}

#[test]
fn what_comes_twice_is_compared() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").say(C, "EHLO b.test\r\n");
    talk.send(S, "550 go away\r\n");
    let forged = last(&talk);
    talk.wait(20 * MS).acknowledge(C);
    let mut real = forged.clone();
    real.octets = b"250-a.test\r\n250 SIZE\r\n".to_vec();
    again(&mut talk, &real);
    let heard = hear(&talk.segments);
    assert_eq!(heard.wire.server.contradictions, 1);
    assert_eq!(
        heard.octets(S),
        b"220 a.test\r\n550 go away\r\n50 SIZE\r\n",
        "what came first stays"
    );
    // While both wait for something before them.
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").send(S, "lost").send(S, "one");
    let mut other = last(&talk);
    other.octets = b"two".to_vec();
    talk.wait(5 * MS);
    again(&mut talk, &other);
    let lost = talk.segments.remove(5).segment;
    again(&mut talk, &lost);
    let heard = hear(&talk.segments);
    assert_eq!(
        (heard.octets(S).as_slice(), heard.wire.server.contradictions),
        (&b"220 a.test\r\nlostone"[..], 1)
    );
}

#[test]
fn the_same_said_again_contradicts_nothing() {
    let mut talk = usual();
    for place in [3, 5, 7] {
        let segment = talk.segments[place].segment.clone();
        talk.wait(250 * MS);
        again(&mut talk, &segment);
    }
    let wire = hear(&talk.segments).wire;
    assert_eq!((wire.client.retransmissions, wire.server.retransmissions), (1, 2));
    assert_eq!((wire.client.contradictions, wire.server.contradictions), (0, 0));
}

#[test]
fn overtaken_is_not_sent_again() {
    // The hole is filled at once: the packets took different ways.
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").send(C, "one").send(C, "two").acknowledge(S);
    talk.segments.swap(5, 6);
    talk.segments[6].at = talk.segments[5].at + 100_000;
    let client = hear(&talk.segments).wire.client;
    assert_eq!((client.out_of_order, client.retransmissions), (1, 0));
    // It is filled much later: it was lost before the place of the capture, and sent again.
    talk.segments[6].at += 300 * MS;
    talk.segments[7].at += 300 * MS;
    let client = hear(&talk.segments).wire.client;
    assert_eq!((client.out_of_order, client.retransmissions), (0, 1));
}

#[test]
fn packets_that_the_capture_has_twice_are_counted_once() {
    let mut segments = Vec::new();
    for one in usual().segments {
        let mut copy = one.clone();
        copy.at += 20_000;
        copy.segment.ttl -= 1;
        segments.extend([one, copy]);
    }
    let (all, troubles) = hear_all(&segments, Limits::default());
    let (heard, wire) = (&all[0], &all[0].wire);
    assert_eq!(heard.plain(), USUAL);
    assert_eq!((wire.client.retransmissions, wire.server.retransmissions), (0, 0));
    assert_eq!(troubles, vec![Trouble::Twice; 5], "as many as have octets");
}

#[test]
fn no_room_and_how_long() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").say(C, "EHLO b.test\r\n");
    for wait in [100, 500, 900] {
        let mut full = talk.segment(S, ACK);
        full.window = 0;
        talk.add(S, full);
        talk.wait(wait * MS);
        // A probe with the next octet, which is not retransmission while there is no room.
        let mut probe = talk.segment(C, ACK);
        probe.octets = b"M".to_vec();
        let at = talk.now;
        talk.segments.push(Timed { at, segment: probe });
    }
    talk.acknowledge(S).say(C, "MAIL FROM:<>\r\n");
    let heard = hear(&talk.segments);
    let server = &heard.wire.server;
    assert_eq!((server.zero_windows, server.zero_window_max.as_millis()), (3, 1_501));
    assert_eq!(heard.wire.client.retransmissions, 0);
    assert_eq!(heard.octets(C), b"EHLO b.test\r\nMAIL FROM:<>\r\n");
    // Never again: until the last packet.
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n");
    let mut full = talk.segment(S, ACK);
    full.window = 0;
    talk.add(S, full);
    talk.wait(5 * SECOND).acknowledge(C);
    assert_eq!(hear(&talk.segments).wire.server.zero_window_max.as_secs(), 5);
}

#[test]
fn connections_that_are_not_made() {
    let syn = |talk: &mut Conversation, wait: i64| {
        let mut segment = talk.segment(C, SYN);
        segment.sequence = 77;
        let at = talk.now;
        talk.segments.push(Timed { at, segment });
        talk.wait(wait);
    };
    let mut silent = conversation();
    for wait in [1, 2, 4] {
        syn(&mut silent, wait * SECOND);
    }
    let heard = hear(&silent.segments);
    assert_eq!(heard.plain(), ["- NotConnected: no answer to 3 SYNs in 3.0 s"]);
    assert_eq!((heard.wire.client.retransmissions, heard.wire.client.packets), (2, 3));
    assert_eq!(heard.wire.client.retransmission_wait_max.as_secs(), 2);
    let mut refused = conversation();
    for _ in 0..3 {
        syn(&mut refused, 500 * MS);
        let mut reset = refused.segment(S, RST | ACK);
        (reset.sequence, reset.acknowledgment) = (0, 78);
        let at = refused.now;
        refused.segments.push(Timed { at, segment: reset });
    }
    assert_eq!(hear(&refused.segments).plain(), ["S NotConnected: refused 3 times (RST)"]);
    assert_eq!(hear(&refused.segments[..2]).plain(), ["S NotConnected: refused (RST)"]);
    // Nobody cares about refused connections to other ports.
    for one in &mut refused.segments {
        for address in [&mut one.segment.source, &mut one.segment.destination] {
            if address.port() == 25 {
                address.set_port(8_080);
            }
        }
    }
    assert_eq!(hear_all(&refused.segments, Limits::default()).0.len(), 0);
}

#[test]
fn an_answer_after_several_tries_is_a_connection() {
    let mut talk = conversation();
    let first = talk.segment(C, SYN);
    for wait in [0, 1, 2] {
        talk.wait(wait * SECOND);
        let at = talk.now;
        talk.segments.push(Timed { at, segment: first.clone() });
    }
    talk.open().say(S, "220 a.test\r\n").close(S);
    let heard = hear(&talk.segments);
    assert_eq!(heard.plain()[..2], ["C Connected", "S 220 a.test\\r\\n"]);
    assert_eq!(heard.wire.client.retransmission_wait_max.as_secs(), 2);
}

#[test]
fn a_fin_that_is_sent_again_counts() {
    let mut talk = usual();
    talk.segments.truncate(14);
    let fin = last(&talk);
    for wait in [300, 600] {
        talk.wait(wait * MS);
        again(&mut talk, &fin);
    }
    let server = hear(&talk.segments).wire.server;
    assert_eq!((server.retransmissions, server.retransmitted_lengths), (2, None));
    assert_eq!(server.retransmission_wait_max.as_millis(), 600);
}

#[test]
fn an_empty_segment_tells_what_was_sent_before_it() {
    let mut talk = conversation();
    talk.open().say(S, "220 a.test\r\n").send(C, "EHLO b.test\r\n");
    // The capture has the next segment first, which has no octets.
    talk.acknowledge(C);
    let length = talk.segments.len();
    let client = hear(&talk.segments).wire.client;
    assert_eq!((client.out_of_order, client.unacknowledged), (0, 13));
    talk.segments.swap(length - 2, length - 1);
    talk.segments[length - 1].at = talk.segments[length - 2].at + 1_000;
    let heard = hear(&talk.segments);
    assert_eq!((heard.wire.client.out_of_order, heard.wire.client.retransmissions), (1, 0));
    assert_eq!(heard.octets(C), b"EHLO b.test\r\n");
    talk.segments.pop();
    assert_eq!(hear(&talk.segments).wire.client.unacknowledged, 13, "it was sent all the same");
}
