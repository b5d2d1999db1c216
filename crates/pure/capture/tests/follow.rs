//! Dialogues as they are met on the wire, and what the follower makes of them.

mod played;

use diagnose::session::{Event, Party, Place, Wire};
use played::{Step, c, follower, lines, play, s, session, shown};

const GREETING: &str = "220 mx.b.test ESMTP\r\n";

fn gap(by: Party, octets: u64) -> Step {
    Step::Gap(by, octets)
}

/// Plays a session behind its greeting and EHLO, and compares what comes behind them.
#[track_caller]
fn check(steps: &[Step], expected: &[&str]) {
    let mut all = vec![s(GREETING), c("EHLO a.test\r\n"), s("250-mx.b.test\r\n250 PIPELINING\r\n")];
    all.extend_from_slice(steps);
    let have = lines(&all);
    assert_eq!(
        have[..4],
        ["S 220 mx.b.test ESMTP", "C EHLO a.test", "S 250-mx.b.test", "S 250 PIPELINING"]
    );
    assert_eq!(have[4..], *expected);
}

#[test]
fn a_message() {
    check(
        &[
            c("MAIL FROM:<a@a.test>\r\n"),
            s("250 2.1.0 Ok\r\n"),
            c("RCPT TO:<b@b.test>\r\n"),
            s("250 2.1.5 Ok\r\n"),
            c("DATA\r\n"),
            s("354 go on\r\n"),
            c("Subject: x\r\n\r\nQUIT\r\n"),
            c("..\r\n.\r\n"),
            s("250 2.0.0 queued\r\n"),
            c("QUIT\r\n"),
            s("221 bye\r\n"),
        ],
        &[
            "C MAIL FROM:<a@a.test>",
            "S 250 2.1.0 Ok",
            "C RCPT TO:<b@b.test>",
            "S 250 2.1.5 Ok",
            "C DATA",
            "S 354 go on",
            r"C [content, 24] Subject: x\r\n\r\nQUIT\r\n..\r\n",
            "S 250 2.0.0 queued",
            "C QUIT",
            "S 221 bye",
        ],
    );
}

#[test]
fn places_and_times_are_those_of_the_packets() {
    let steps = [s(GREETING), c("EHLO a."), c("test\r\nNOO"), c("P\r\n"), s("250 a\r\n250 b\r\n")];
    let session = session(25, &steps);
    let places: Vec<_> =
        session.lines[1..].iter().map(|line| (line.place, line.at.as_secs())).collect();
    let place = |first, last| Place { first, last };
    let expected =
        [(place(1, 1), 0), (place(2, 3), 2), (place(3, 4), 3), (place(5, 5), 4), (place(5, 5), 4)];
    assert_eq!(places, expected);
}

#[test]
fn content_that_did_not_wait_is_content_if_the_server_says_so() {
    let sent = c("MAIL FROM:<>\r\nRCPT TO:<b@b.test>\r\nDATA\r\nHello\r\nRSET\r\n.\r\nQUIT\r\n");
    let commands = ["C MAIL FROM:<>", "C RCPT TO:<b@b.test>", "C DATA"];
    let accepted = s("250 a\r\n250 b\r\n354 c\r\n250 d\r\n221 e\r\n");
    let behind = [r"C [content, 13] Hello\r\nRSET\r\n", "C QUIT"];
    let replies = ["S 250 a", "S 250 b", "S 354 c", "S 250 d", "S 221 e"];
    check(&[sent.clone(), accepted], &[&commands[..], &behind, &replies].concat());

    let refused = s("250 a\r\n550 b\r\n503 c\r\n500 d\r\n250 e\r\n500 f\r\n221 g\r\n");
    let behind = ["C Hello", "C RSET", "C .", "C QUIT"];
    let replies = ["S 250 a", "S 550 b", "S 503 c", "S 500 d", "S 250 e", "S 500 f", "S 221 g"];
    check(&[sent, refused], &[&commands[..], &behind, &replies].concat());
}

#[test]
fn without_replies_the_next_line_tells() {
    // One side only: the replies were not captured.
    let steps = [c("EHLO a.test\r\nMAIL FROM:<>\r\nDATA\r\nHello\r\n.\r\nQUIT\r\n")];
    let expected =
        ["C EHLO a.test", "C MAIL FROM:<>", "C DATA", r"C [content, 7] Hello\r\n", "C QUIT"];
    assert_eq!(lines(&steps), expected);
    let steps =
        [c("EHLO a.test\r\nAUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\nMAIL FROM:<>\r\nDATA\r\nRSET\r\n")];
    let expected = [
        "C EHLO a.test",
        "C AUTH LOGIN",
        "C **** [SASL]",
        "C **** [SASL]",
        "C MAIL FROM:<>",
        "C DATA",
        "C RSET",
    ];
    assert_eq!(lines(&steps), expected);
}

#[test]
fn chunks_are_as_long_as_they_say() {
    check(
        &[
            c("BDAT 8\r\nQUIT\r\n\r\nBDAT 0 LAST\r\n"),
            s("250 8 octets\r\n250 queued\r\n"),
            c("BDAT 3 LAST\r\nabcRSET\r\n"),
            s("503 no\r\n250 reset\r\n"),
        ],
        &[
            "C BDAT 8",
            r"C [blob, 8 of 8] QUIT\r\n\r\n",
            "C BDAT 0 LAST",
            "S 250 8 octets",
            "S 250 queued",
            "C BDAT 3 LAST",
            "C [blob, 3 of 3] abc",
            "C RSET",
            "S 503 no",
            "S 250 reset",
        ],
    );
}

#[test]
fn a_reply_to_an_earlier_chunk_does_not_end_the_one_that_is_coming() {
    check(
        &[
            c("BDAT 4\r\nabcdBDAT 13 LAST\r\nx\r\n"),
            s("250 4 octets\r\n"),
            c("RSET\r\nQUIT"),
            s("250 queued\r\n"),
            c("QUIT\r\n"),
        ],
        &[
            "C BDAT 4",
            "C [blob, 4 of 4] abcd",
            "C BDAT 13 LAST",
            "S 250 4 octets",
            r"C [blob, 13 of 13] x\r\nRSET\r\nQUIT",
            "S 250 queued",
            "C QUIT",
        ],
    );
}

#[test]
fn a_chunk_that_was_refused_beforehand_may_not_come() {
    check(
        &[c("BDAT 1000 LASST\r\n"), s("521 syntax\r\n"), c("QUIT\r\n")],
        &["C BDAT 1000 LASST", "S 521 syntax", "C QUIT"],
    );
    check(
        &[c("BDAT 6\r\n"), s("503 no\r\n"), c("abcdefQUIT\r\n")],
        &["C BDAT 6", "S 503 no", "C [blob, 6 of 6] abcdef", "C QUIT"],
    );
    check(
        &[c("BDAT -1\r\n"), s("501 no\r\n"), c("RSET\r\n")],
        &["C BDAT -1", "S 501 no", "C RSET"],
    );
    // More was announced than there was.
    check(
        &[c("BDAT 10 LAST\r\nabc\r\n"), s("451 timeout\r\n"), c("QUIT\r\n")],
        &["C BDAT 10 LAST", r"C [blob, 5 of 10] abc\r\n", "S 451 timeout", "C QUIT"],
    );
}

#[test]
fn secrets_never_get_into_a_line() {
    check(
        &[
            c("AUTH LOGIN\r\n"),
            s("334 VXNlcm5hbWU6\r\n"),
            c("c2VjcmV0\r\n"),
            s("334 UGFzc3dvcmQ6\r\n"),
            c("c2VjcmV0\r\n"),
            s("535 5.7.8 no\r\n"),
            c("AUTH PLAIN AHNlY3JldA==\r\n"),
            s("235 2.7.0 yes\r\n"),
        ],
        &[
            "C AUTH LOGIN",
            "S 334 VXNlcm5hbWU6",
            "C **** [SASL]",
            "S 334 UGFzc3dvcmQ6",
            "C **** [SASL]",
            "S 535 5.7.8 no",
            "C AUTH PLAIN ****",
            "S 235 2.7.0 yes",
        ],
    );
    // It did not wait, and AUTH was refused: what follows is a password that nobody asked for.
    check(
        &[
            c("AUTH LOGIN\r\nc2VjcmV0\r\nc2VjcmV0\r\nQUIT\r\n"),
            s("503 no\r\n500 a\r\n500 b\r\n221 c\r\n"),
        ],
        &[
            "C AUTH LOGIN",
            "C ****",
            "C ****",
            "C QUIT",
            "S 503 no",
            "S 500 a",
            "S 500 b",
            "S 221 c",
        ],
    );
    // It has heard of the refusal, and goes on: what nobody knows is no password any more.
    check(
        &[c("AUTH PLAIN\r\n"), s("535 no\r\n"), c("RSET\r\nNOOP are you there\r\n")],
        &["C AUTH PLAIN", "S 535 no", "C RSET", "C NOOP are you there"],
    );
    // The exchange is cancelled.
    check(
        &[c("AUTH PLAIN\r\n"), s("334 \r\n"), c("*\r\n"), s("501 cancelled\r\n"), c("NOOP\r\n")],
        &["C AUTH PLAIN", "S 334 ", "C * [SASL]", "S 501 cancelled", "C NOOP"],
    );
    // A box has masked the verb.
    check(&[c("XXXX PLAIN AHNlY3JldA==\r\n")], &["C XXXX PLAIN ****"]);
    // Cut off, or torn by a gap.
    check(
        &[c("AUTH PLAIN AHNlY3"), gap(Party::Client, 2), c("ldA==\r\nNOOP\r\n")],
        &["C AUTH PLAIN **** [cut]", "C [gap, 2]", "C **** [SASL]", "C NOOP"],
    );
    check(
        &[gap(Party::Client, 20), c("ldA==\r\nNOOP\r\n")],
        &["C [gap, 20]", "C **** [SASL]", "C NOOP"],
    );
}

#[test]
fn blobs_of_exchange() {
    check(
        &[
            c("XEXCH50 10 2\r\n"),
            s("354 send\r\n"),
            c("ab\r\nQUIT\r\nRSET\r\n"),
            s("250 a\r\n250 b\r\n"),
            c("XEXCH50 10 2\r\n"),
            s("504 Need to authenticate first\r\n"),
            c("QUIT\r\n"),
        ],
        &[
            "C XEXCH50 10 2",
            "S 354 send",
            r"C [blob, 10 of 10] ab\r\nQUIT\r\n",
            "C RSET",
            "S 250 a",
            "S 250 b",
            "C XEXCH50 10 2",
            "S 504 Need to authenticate first",
            "C QUIT",
        ],
    );
    // The chunk's 16 octets are the rest of its line and one more.
    check(
        &[c("X-LINK2STATE LAST CHUNK={00000010} 12\r\n3456789ab\r\n"), s("200 LAST CHUNK={0}\r\n")],
        &[
            "C X-LINK2STATE LAST CHUNK={00000010} 12",
            r"C [blob, 11 of 11] 3456789ab\r\n",
            "S 200 LAST CHUNK={0}",
        ],
    );
}

#[test]
fn starttls_refused_and_accepted() {
    check(
        &[c("STARTTLS\r\nNOOP\r\n"), s("454 no\r\n250 ok\r\n")],
        &["C STARTTLS", "C NOOP", "S 454 no", "S 250 ok"],
    );
    check(
        &[
            c("STARTTLS\r\n"),
            s("220 go\r\n"),
            c("\x16\x03\x01\x00"),
            c("\x02ab\x17\x03\x03\x00\x01x"),
        ],
        &["C STARTTLS", "S 220 go", "C [encrypted, 6]"],
    );
    check(
        &[c("STARTTLS\r\n"), s("220 go\r\n"), c("EHLO x\r\n")],
        &[
            "C STARTTLS",
            "S 220 go",
            "- the client speaks in clear though STARTTLS was accepted",
            "C EHLO x",
        ],
    );
}

#[test]
fn line_endings_and_odd_octets() {
    check(
        &[
            c("NOOP\n"),
            s("250 ok\n"),
            c("NOOP\r"),
            s("250 ok\r\n"),
            c("NO\0OP\r\n"),
            c(b"\xff\r\n"),
        ],
        &["C NOOP [LF]", "S 250 ok [LF]", "C NOOP [CR]", "S 250 ok", "C NO\0OP", "C \u{fffd}"],
    );
    check(&[c("RSET\rMAIL FROM:<>\rx\r\n")], &["C RSET [CR]", r"C MAIL FROM:<>\rx"]);
    let long = [vec![b'x'; 5_000], b"\r\n".to_vec()].concat();
    check(&[c(long)], &[&format!("C {}... [2953 more octets]", "x".repeat(2_048))]);
}

#[test]
fn a_bare_lf_beside_the_final_dot() {
    let remark = "- a bare LF stands beside the dot that ended the content";
    let data = [c("DATA\n"), s("354 go\r\n"), c("Hello\n.\n")];
    let begin = ["C DATA [LF]", "S 354 go"];
    let answered = [&data[..], &[s("250 ok\r\n"), c("QUIT\n")]].concat();
    let rest = [r"C [content, 6] Hello\n", remark, "S 250 ok", "C QUIT [LF]"];
    check(&answered, &[&begin[..], &rest].concat());
    // The server waits on: it was a line like others.
    let waited = [&data[..], &[c("MAIL FROM:<x@x.test>\r\n.\r\n"), s("250 ok\r\n")]].concat();
    let rest = [r"C [content, 30] Hello\n.\nMAIL FROM:<x@x.test>\r\n", "S 250 ok"];
    check(&waited, &[&begin[..], &rest].concat());
    // All of it waited for the reply to DATA.
    let waited = [c("DATA\r\nHello\n.\nRSET\r\n"), c(".\r\n"), s("354 go\r\n250 ok\r\n")];
    let rest = [r"C [content, 14] Hello\n.\nRSET\r\n", "S 354 go", "S 250 ok"];
    check(&waited, &[&["C DATA"][..], &rest].concat());
    // Smuggled: two messages for the server.
    let smuggled =
        [&data[..], &[s("250 ok\r\n"), c("MAIL FROM:<x@x.test>\r\n.\r\n"), s("250 ok\r\n")]]
            .concat();
    let rest = [
        r"C [content, 6] Hello\n",
        remark,
        "S 250 ok",
        "C MAIL FROM:<x@x.test>",
        "C .",
        "S 250 ok",
    ];
    check(&smuggled, &[&begin[..], &rest].concat());
}

#[test]
fn gaps_are_told_and_the_dialogue_goes_on() {
    let client = Party::Client;
    check(
        &[
            c("MAIL FR"),
            gap(client, 10),
            c("est>\r\nRCPT TO:<b@b.test>\r\n"),
            s("250 a\r\n250 b\r\n"),
        ],
        &["C MAIL FR [cut]", "C [gap, 10]", "C est>", "C RCPT TO:<b@b.test>", "S 250 a", "S 250 b"],
    );
    // DATA and the beginning of the content are missing.
    check(
        &[
            s("354 go\r\n"),
            gap(client, 100),
            c("some text\r\n.\r\n"),
            s("250 ok\r\n"),
            c("QUIT\r\n"),
        ],
        &["S 354 go", "C [gap, 100]", r"C [content, 11] some text\r\n", "S 250 ok", "C QUIT"],
    );
    // The end of the content is missing.
    check(
        &[
            c("DATA\r\n"),
            s("354 go\r\n"),
            c("text"),
            gap(client, 100),
            s("250 ok\r\n"),
            c("QUIT\r\n"),
        ],
        &[
            "C DATA",
            "S 354 go",
            "C [content, 4, unfinished] text",
            "C [gap, 100]",
            "S 250 ok",
            "C QUIT",
        ],
    );
    // The reply to DATA is missing.
    check(
        &[c("DATA\r\n"), gap(Party::Server, 20), c("text\r\n.\r\n"), s("250 ok\r\n")],
        &["C DATA", "S [gap, 20]", r"C [content, 6] text\r\n", "S 250 ok"],
    );
    // A chunk's end is missing, and more.
    check(
        &[c("BDAT 10\r\nabc"), gap(client, 7), c("NOOP\r\n")],
        &["C BDAT 10", "C [blob, 3 of 10] abc", "C [gap, 7]", "C NOOP"],
    );
    check(
        &[s("250-on"), gap(Party::Server, 4), s("e\r\n250 two\r\n")],
        &["S 250-on [cut]", "S [gap, 4]", "S e", "S 250 two"],
    );
}

/// As `tcpdump -s 96` has it: each packet's end is missing.
#[test]
fn packets_that_were_captured_in_part() {
    use Party::{Client, Server};
    // The CR was kept, the LF was not: nothing is wrong with the line.
    check(
        &[
            c("NOOP\r\n"),
            s("250 a\r"),
            gap(Server, 1),
            c("DATA\r"),
            gap(Client, 1),
            s("503 no"),
            gap(Server, 9),
            c("RSET\r\n"),
        ],
        &[
            "C NOOP",
            "S 250 a",
            "S [gap, 1]",
            "C DATA",
            "C [gap, 1]",
            "S 503 no [cut]",
            "S [gap, 9]",
            "C RSET",
        ],
    );
    // DATA and its 354 were in what is missing.
    check(
        &[
            c("MAIL FROM:<a@a.test>\r\nRCPT"),
            gap(Client, 30),
            s("250 2.1.0 Ok\r\n250 2"),
            gap(Server, 50),
            c("Date: Sun, 22 Nov\r\nQUIT\r\n"),
            gap(Client, 400),
            s("250 2.0.0 queued\r\n"),
            c("QUIT\r\n"),
            s("221 bye\r\n"),
        ],
        &[
            "C MAIL FROM:<a@a.test>",
            "C RCPT [cut]",
            "C [gap, 30]",
            "S 250 2.1.0 Ok",
            "S 250 2 [cut]",
            "S [gap, 50]",
            r"C [content, 25, unfinished] Date: Sun, 22 Nov\r\nQUIT\r\n",
            "C [gap, 400]",
            "S 250 2.0.0 queued",
            "C QUIT",
            "S 221 bye",
        ],
    );
    // The same gaps, and commands behind them.
    check(
        &[
            c("MAIL FROM:<a@a.test>\r\nRCPT"),
            gap(Client, 30),
            s("250 2.1.0 Ok\r\n250 2"),
            gap(Server, 50),
            c("RSET\r\n"),
            s("250 ok\r\n"),
            c("ODD words\r\n"),
        ],
        &[
            "C MAIL FROM:<a@a.test>",
            "C RCPT [cut]",
            "C [gap, 30]",
            "S 250 2.1.0 Ok",
            "S 250 2 [cut]",
            "S [gap, 50]",
            "C RSET",
            "S 250 ok",
            "C ODD words",
        ],
    );
}

/// A capture that lost the content's end, and the reply to it.
#[test]
fn content_is_over_where_the_server_has_spoken() {
    use Party::{Client, Server};
    check(
        &[
            c("DATA\r\n"),
            s("354 go on\r\n"),
            c("Subject: x\r\n"),
            gap(Client, 900),
            gap(Server, 37),
            c("QUIT\r\n"),
            s("221 bye\r\n"),
        ],
        &[
            "C DATA",
            "S 354 go on",
            r"C [content, 12, unfinished] Subject: x\r\n",
            "C [gap, 900]",
            "S [gap, 37]",
            "C QUIT",
            "S 221 bye",
        ],
    );
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let steps = [
        s("220 LMTP\r\n"),
        c("LHLO a.test\r\n"),
        s("250 hi\r\n"),
        c("MAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<c>\r\nDATA\r\n"),
        s("250 a\r\n250 b\r\n550 c\r\n250 d\r\n354 e\r\n"),
        c("x\r\n.\r\nDATA\r\n"),
        s("250 a\r\n452 b\r\n503 c\r\n"),
        c("QUIT\r\n"),
    ];
    let lines = lines(&steps);
    let behind = [r"C [content, 3] x\r\n", "C DATA", "S 250 a", "S 452 b", "S 503 c", "C QUIT"];
    assert_eq!(lines[lines.len() - 6..], behind);
}

#[test]
fn garbage_and_strangers() {
    let steps = [s(GREETING), c("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), s("500 what\r\n421 bye\r\n")];
    let expected =
        ["S 220 mx.b.test ESMTP", "C GET / HTTP/1.1", "C Host: x", "C ", "S 500 what", "S 421 bye"];
    assert_eq!(lines(&steps), expected);
    let steps = [c(b"\x00\x01\x02\xfe\r\n"), s(GREETING), s("500 what\r\n")];
    assert_eq!(lines(&steps)[1..], ["S 220 mx.b.test ESMTP", "S 500 what"]);
}

#[test]
fn a_server_that_speaks_out_of_turn() {
    check(
        &[s("421 timeout\r\n"), c("NOOP\r\n"), s("no reply\r\n***\r\n250-x\r\n250 y\r\n250 z\r\n")],
        &["S 421 timeout", "C NOOP", "S no reply", "S ***", "S 250-x", "S 250 y", "S 250 z"],
    );
    check(
        &[c("DATA\r\n"), s("354 go\r\n"), c("text"), s("421 too slow\r\n")],
        &["C DATA", "S 354 go", "C [content, 4, unfinished] text", "S 421 too slow"],
    );
}

#[test]
fn in_the_midst_of_a_session() {
    let begins = "- the evidence begins within the session";
    let midway = |port, steps: &[Step]| {
        let mut follower = follower(port);
        play(&mut follower, steps, usize::MAX, &capture::keys::KeyLog::default());
        assert!(follower.is_mail_after_all());
        follower.finish(Wire::default())
    };
    let content = [c("the text\r\nof a letter\r\n.\r\n"), s("250 2.0.0 queued\r\n"), c("QUIT\r\n")];
    let session = midway(25, &content);
    let expected =
        [begins, r"C [content, 23] the text\r\nof a letter\r\n", "S 250 2.0.0 queued", "C QUIT"];
    assert_eq!(shown(&session), expected);

    let commands = [c("b.test>\r\nDATA\r\n"), s("250 ok\r\n354 go\r\n"), c("x\r\n.\r\n")];
    let expected = [begins, "C b.test>", "C DATA", "S 250 ok", "S 354 go", r"C [content, 3] x\r\n"];
    assert_eq!(shown(&midway(25, &commands)), expected);

    let sasl = [c("c2VjcmV0\r\n"), s("235 ok\r\n"), c("MAIL FROM:<>\r\n")];
    let expected = [begins, "C **** [SASL]", "S 235 ok", "C MAIL FROM:<>"];
    assert_eq!(shown(&midway(25, &sasl)), expected);

    // Who was taken for the client is the server.
    let swapped = [c("220 mx.a.test ESMTP\r\n"), s("EHLO b.test\r\n"), c("250 hello\r\n")];
    let session = midway(25, &swapped);
    assert_eq!(shown(&session), ["S 220 mx.a.test ESMTP", "C EHLO b.test", "S 250 hello"]);
    assert_eq!(session.client.address.map(|address| address.port()), Some(25));

    // Under TLS.
    let sealed = [c("\x17\x03\x03\x00\x03abc"), s("\x17\x03\x03\x00\x02ab")];
    let expected = [begins, "C [encrypted, 8]", "S [encrypted, 7]"];
    assert_eq!(shown(&midway(587, &sealed)), expected);
}

#[test]
fn through_a_tunnel() {
    let steps = [
        c("\x05\x01\x00"),
        s("\x05\x00"),
        c("\x05\x01\x00\x03\x06b.test\x00\x19"),
        s("\x05\x00\x00\x01\x0a\x00\x00\x01\x00\x19220 mx"),
        s(".b.test ESMTP\r\n"),
        c("QUIT\r\n"),
    ];
    let session = session(1_080, &steps);
    let expected = ["- through a SOCKS 5 tunnel to b.test:25", "S 220 mx.b.test ESMTP", "C QUIT"];
    assert_eq!(shown(&session), expected);
}

#[test]
fn what_is_no_mail_is_told_early() {
    let is_mail = |port, steps: &[Step]| {
        let mut follower = follower(port);
        follower.event(std::time::Duration::ZERO, 0, Party::Client, Event::Connected, "");
        play(&mut follower, steps, usize::MAX, &capture::keys::KeyLog::default());
        (follower.is_mail(), follower.is_mail_after_all())
    };
    assert_eq!(is_mail(80, &[c("GET / HTTP/1.1\r\n")]), (Some(false), false));
    assert_eq!(is_mail(21, &[s("220 FTP here\r\n")]), (Some(false), false));
    assert_eq!(is_mail(2_121, &[s("220 hello\r\n")]), (None, false));
    assert_eq!(is_mail(2_121, &[s("220 hello\r\n"), c("HELO x\r\n")]), (Some(true), true));
    assert_eq!(is_mail(443, &[c("\x16\x03\x01\x02\x00\x01")]), (Some(false), false));
    assert_eq!(is_mail(465, &[c("\x16\x03\x01\x02\x00\x01")]), (Some(true), true));
    assert_eq!(is_mail(25, &[]), (None, true));
    assert_eq!(is_mail(9_999, &[]), (None, false));
    assert_eq!(is_mail(9_999, &[c([7; 6_000])]), (Some(false), false));
}
