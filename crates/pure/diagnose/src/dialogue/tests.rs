//! Pairs, of whole and of broken evidence.

use super::*;
use crate::notation;

fn read(text: &str, check: impl FnOnce(&Dialogue<'_>)) {
    let session = notation::session(text);
    check(&Dialogue::read(&session));
}

fn codes(dialogue: &Dialogue<'_>) -> Vec<(Option<usize>, u16, Stage)> {
    dialogue.exchanges.iter().map(|e| (e.command, e.code, e.stage)).collect()
}

#[test]
fn pipelined_replies_find_their_commands() {
    let text = "S: 220 hi\nC: EHLO a\nS: 250-b\nS: 250 PIPELINING\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n\
                C: RCPT TO:<c@b>\nC: DATA\nS: 250 ok\nS: 550 5.1.1 no\nS: 250 ok\nS: 354 go\nC: .\nS: 250 done";
    read(text, |dialogue| {
        assert_eq!(
            codes(dialogue),
            [
                (None, 220, Stage::Greeting),
                (Some(1), 250, Stage::Ehlo),
                (Some(4), 250, Stage::Mail),
                (Some(5), 550, Stage::Rcpt),
                (Some(6), 250, Stage::Rcpt),
                (Some(7), 354, Stage::Data),
                (Some(12), 250, Stage::EndOfData),
            ]
        );
        let hello = dialogue.exchanges[1];
        assert_eq!((hello.first, hello.reply, hello.is_sure), (2, 3, true));
        assert_eq!(dialogue.exchanges[3].status, Some(EnhancedStatus::new(5, 1, 1)));
        let transactions: Vec<_> = dialogue.exchanges.iter().map(|e| e.transaction).collect();
        assert_eq!(transactions, [None, None, Some(1), Some(1), Some(1), Some(1), Some(1)]);
        assert!(dialogue.unanswered.is_empty());
    });
}

#[test]
fn a_login_and_silence() {
    let text = "S: 220 hi\nC: EHLO a\nS: 250 b\nC: AUTH LOGIN\nS: 334 x\nC: ****\nS: 535 no\nC: MAIL FROM:<>";
    read(text, |dialogue| {
        assert_eq!(dialogue.at(Stage::Auth).map(|e| e.code).collect::<Vec<_>>(), [334, 535]);
        assert_eq!(dialogue.unanswered, [7]);
    });
}

#[test]
fn chunks_blobs_and_what_they_ask_for() {
    let text = "S: 220 x\nC: EHLO a\nS: 250 b\nC: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 250 ok\n\
                C: XEXCH50 8 2\nS: 354 send\nC: <blob 8 of 8>\nS: 250 ok\n\
                C: BDAT 5\nC: <blob 5 of 5>\nC: BDAT 3 LAST\nC: <blob 3 of 3>\nS: 250 5 octets\nS: 250 all";
    read(text, |dialogue| {
        assert_eq!(
            codes(dialogue)[4..],
            [
                (Some(7), 354, Stage::Other),
                (Some(9), 250, Stage::Other),
                (Some(11), 250, Stage::Data),
                (Some(13), 250, Stage::EndOfData),
            ]
        );
    });
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let text = "S: 220 x\nC: LHLO a\nS: 250 b\nC: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 250 ok\n\
                C: RCPT TO:<c@b>\nS: 550 no\nC: RCPT TO:<d@b>\nS: 250 ok\nC: DATA\nS: 354 go\nC: .\n\
                S: 250 for b\nS: 452 for d\nC: QUIT\nS: 221 bye";
    read(text, |dialogue| {
        let ends: Vec<_> = dialogue.at(Stage::EndOfData).map(|e| (e.command, e.code)).collect();
        assert_eq!(ends, [(Some(13), 250), (Some(13), 452)]);
        assert_eq!(dialogue.exchanges.last().map(|e| (e.command, e.code)), Some((Some(16), 221)));
        assert!(dialogue.is_lmtp && dialogue.unanswered.is_empty());
    });
}

#[test]
fn a_start_in_mid_session_has_no_greeting() {
    let text = "-- source: capture\n-- wire: handshake_seen=no\nC: RCPT TO:<b@b>\nS: 550 no\nC: QUIT\nS: 221 bye";
    read(text, |dialogue| {
        assert_eq!(codes(dialogue), [(Some(0), 550, Stage::Rcpt), (Some(2), 221, Stage::Other)]);
        assert!(!dialogue.has_start);
    });
    read("C: EHLO a\nS: 220 late\nS: 250 b", |dialogue| {
        assert_eq!(codes(dialogue), [(None, 220, Stage::Greeting), (Some(0), 250, Stage::Ehlo)]);
    });
}

#[test]
fn what_the_capture_lost_shifts_nothing() {
    // The replies to MAIL and RCPT are lost; the one to DATA is not taken for MAIL's.
    let text = "-- wire: handshake_seen=yes\nS: 220 x\nC: EHLO a\nS: 250 b\nC: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\n\
                C: DATA\nS: <gap 20>\nS: 354 go\nC: .\nS: 250 done";
    read(text, |dialogue| {
        assert_eq!(
            codes(dialogue)[2..],
            [(Some(5), 354, Stage::Data), (Some(8), 250, Stage::EndOfData)]
        );
        assert!(dialogue.unanswered.is_empty());
    });
    // A command is lost: its reply belongs to nothing that can be seen.
    let text = "-- wire: handshake_seen=yes\nS: 220 x\nC: EHLO a\nS: 250 b\nC: <gap 30>\nS: 250 ok\n\
                C: RCPT TO:<b@b>\nS: 250 ok\nC: DATA\nS: 354 go";
    read(text, |dialogue| {
        assert_eq!(
            codes(dialogue)[2..],
            [(None, 250, Stage::Other), (Some(5), 250, Stage::Rcpt), (Some(7), 354, Stage::Data)]
        );
        assert!(!dialogue.exchanges[2].is_sure && dialogue.exchanges[3].is_sure);
    });
}

/// As with `tcpdump -s 96`: the content's end is in what was not captured, and the reply says that it came.
#[test]
fn content_that_was_captured_in_part() {
    let text = "-- wire: handshake_seen=yes\nS: 220 x\nC: EHLO a\nS: 250 b\nC: MAIL FROM:<a@a>\nS: 250 ok\n\
                C: RCPT TO:<b@b>\nS: 250 ok\nC: DATA\nS: 354 go\nC: <gap 900>\nC: <content 64 cut off>";
    read(&format!("{text}\nS: 250 kept\n-- C closed"), |dialogue| {
        let last = dialogue.exchanges.last().unwrap();
        assert_eq!((last.command, last.stage), (Some(10), Stage::EndOfData));
        assert!(dialogue.unanswered.is_empty());
    });
    read(&format!("{text}\n-- C closed"), |dialogue| assert_eq!(dialogue.unanswered, [10]));
    // Nothing is missing: its end never came.
    let cut = text.replace("C: <gap 900>\n", "");
    read(&format!("{cut}\nS: 451 too slow\n-- S closed"), |dialogue| {
        assert_eq!(dialogue.unanswered, [9]);
    });
}

#[test]
fn lines_that_a_log_leaves_out() {
    let text = "S: 220 x\nC: EHLO a\nS: 250 b\nC: AUTH LOGIN\nS: 334 a\nS: 334 b\nS: 235 yes\nC: MAIL FROM:<a@a>\n\
                S: 250 ok\nC: RCPT TO:<b@b>\nS: 250 ok\nC: DATA\nS: 354 go\nS: 250 queued";
    read(text, |dialogue| {
        let stages: Vec<_> = dialogue.exchanges.iter().map(|e| e.stage).collect();
        assert_eq!(stages[2..5], [Stage::Auth; 3]);
        assert_eq!(stages.last(), Some(&Stage::EndOfData));
    });
}

#[test]
fn ends() {
    for (text, how, by) in [
        ("S: 220 x\nC: QUIT\nS: 221 bye\n-- S closed\n-- C closed", How::Quit, Some(Party::Server)),
        ("S: 220 x\nC: EHLO a\n-- S reset", How::Reset, Some(Party::Server)),
        ("S: 220 x\nC: EHLO a\n-- C closed", How::Closed, Some(Party::Client)),
        (
            "S: 220 x\nC: STARTTLS\nS: 220 go\n-- C tls hello\nC: <encrypted 9>\n-- S closed",
            How::Encrypted,
            Some(Party::Server),
        ),
        ("-- not connected: refused", How::NotConnected, None),
        ("S: 220 x", How::Unseen, None),
    ] {
        read(text, |dialogue| {
            assert_eq!((dialogue.ending.how, dialogue.ending.by), (how, by), "{text}");
        });
    }
}
