//! Whatever a session holds, diagnosis ends, and points only at lines that are there.

mod notation;

use diagnose::{
    Confidence,
    dialogue::Dialogue,
    inspect, is_rule,
    session::{Ending, Kind, Line, Party, Session},
};
use proptest::prelude::*;

/// Lines that sessions are made of, those among them that rules look for, and noise.
const LINES: [&str; 60] = [
    "S: 220 mx.b.test ESMTP Postfix",
    "S: 220-mx.b.test",
    "S: 220 ********************",
    "S: 554 no",
    "S: 421 later",
    "C: EHLO a.test",
    "C: HELO a",
    "C: LHLO a",
    "S: 250-mx.b.test",
    "S: 250-PIPELINING",
    "S: 250-STARTTLS",
    "S: 250-XXXXXXXA",
    "S: 250 CHUNKING",
    "S: 250 ok",
    "S: 250",
    "C: STARTTLS",
    "S: 220 go",
    "-- C tls hello",
    "-- tls established",
    "-- S tls alert: bad certificate",
    "C: <encrypted 40>",
    "C: AUTH LOGIN",
    "S: 334 x",
    "C: ****",
    "S: 235 yes",
    "S: 535 no",
    "C: MAIL FROM:<a@a.test>",
    "C: MAIL FROM a",
    "C: RCPT TO:<b@b.test>",
    "C: RCPT TO:",
    "S: 503 5.5.1 bad sequence",
    "S: 550 5.1.1 no such user",
    "S: 451 4.7.1 greylisted",
    "S: 530 5.7.0 Must issue STARTTLS",
    "S: 500 Command unrecognized: \"XXXX\"",
    "C: DATA",
    "S: 354 go",
    "C: .",
    "C: <content 4000>",
    "C: <content 9 cut off>",
    "C: BDAT 5",
    "C: BDAT 5 LAST",
    "C: <blob 5 of 5>",
    "C: <blob 2 of 5>",
    "C: XEXCH50 8 2",
    "C: X-LINK2STATE x",
    "C: RSET",
    "C: NOOP{LF}",
    "C: QUIT",
    "S: 221 bye",
    "S: what",
    "S: 650 hm",
    "C: <gap 10>",
    "S: <gap 10>",
    "-- +30s",
    "-- C closed",
    "-- S closed",
    "-- S reset",
    "-- C reset",
    "-- not connected: refused",
];
const HEADS: [&str; 6] = [
    "",
    "-- source: own",
    "-- source: log x\n-- vantage: server",
    "-- source: log x\n-- vantage: client",
    "-- source: capture\n-- client: 192.0.2.1:4000\n-- wire: handshake_seen=yes server.ttl=50 server.ttl_of_reset=60",
    "-- source: capture\n-- wire: handshake_seen=no client.retransmissions=5 client.retransmitted_min=1400 \
     client.retransmitted_max=1460 client.passed_length_max=90 client.unacknowledged=3000 server.zero_windows=2",
];

fn check(session: &Session) {
    let count = session.lines.len();
    let dialogue = Dialogue::read(session);
    for exchange in &dialogue.exchanges {
        assert!(exchange.first <= exchange.reply && exchange.reply < count);
        assert!(exchange.command.is_none_or(|line| line < count));
    }
    for command in &dialogue.commands {
        let answer = command.answer.and_then(|index| dialogue.exchanges.get(index));
        assert!(command.answer.is_some() == answer.is_some());
        assert!(answer.is_none_or(|exchange| exchange.command == Some(command.line)));
    }
    let findings = inspect(session);
    for finding in &findings {
        let lines = finding.line.iter().chain(&finding.command).chain(&finding.consequences);
        assert!(lines.into_iter().all(|line| *line < count), "{finding:?}");
        assert!(is_rule(&finding.rule), "{finding:?}");
        assert!(!finding.what.chars().any(char::is_control), "{finding:?}");
        assert!(!finding.why.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
        if finding.rule == "command-missing"
            && (dialogue.has_gap(Party::Client) || !dialogue.has_start)
        {
            assert_eq!(finding.confidence, Confidence::Possible, "the capture may have lost it");
        }
    }
    let order: Vec<_> = findings.iter().map(|finding| finding.line).collect();
    assert!(order.is_sorted());
}

proptest! {
    #[test]
    fn any_session(head in 0..HEADS.len(), lines in prop::collection::vec(0..LINES.len(), 0..60)) {
        let text: Vec<&str> = lines.into_iter().map(|index| LINES[index]).collect();
        check(&notation::session(&format!("{}\n{}", HEADS[head], text.join("\n"))));
    }

    #[test]
    fn any_octets(lines in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..30)) {
        let lines = lines.into_iter().map(|(is_client, text)| Line {
            at: std::time::Duration::ZERO,
            by: if is_client { Party::Client } else { Party::Server },
            kind: if is_client { Kind::Command(Ending::Crlf) } else { Kind::Reply(Ending::Crlf) },
            text,
            place: diagnose::session::Place::default(),
        });
        check(&Session { lines: lines.collect(), ..Session::default() });
    }
}

/// A session of many refusals costs time in proportion, and its findings are bounded.
#[test]
fn endless_refusals() {
    for round in [
        "C: RCPT TO:<b@b.test>\nS: 503 bad sequence\n",
        "C: RCPT TO b\nS: 501 what\n",
        "C: EHLO a\nS: 500 Command unrecognized: \"XXXX\"\n",
        "C: MAIL FROM:<a@a.test>\nS: 530 5.7.0 Must issue STARTTLS\n",
        "C: <gap 3>\nC: RCPT TO:<b@b.test>\nS: 354 go\n",
        "C: XEXCH50 1 2\nS: 504 no\n",
    ] {
        let text =
            format!("S: 220 mx.b.test ESMTP\nC: EHLO a\nS: 250 ok\n{}", round.repeat(20_000));
        let session = notation::session(&text);
        let findings = inspect(&session);
        assert!(findings.len() <= 1_000, "{} findings of {round}", findings.len());
    }
}
