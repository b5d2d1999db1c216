//! Evidence in, explanation out: `tests/golden/why-*.md` and the DSNs made of it, `dsn-*.md`.
//!
//! The pages are documentation and expectation at once. After a change that is meant, write them anew
//! with `GOLDEN=write cargo test -p mailwright-diagnose --test golden`, and read the difference.
#![allow(clippy::disallowed_methods, reason = "a test reads its expectations from files")]

use std::{path::PathBuf, time::Duration};

use diagnose::{Finding, examine};
use message::dsn::{self, Action, Content, Dsn, Explanation, Fate, Original, Report};
use smtp::{
    Address, Attempt, BodyType, ByMode, Cause, DeliverBy, EnhancedStatus, Envelope, Outcome, Party,
    Recipient, Reply, Ret, Stage, Timestamp, Transcript, Trouble, client::Features,
};

const ORIGINAL: &[u8] = b"Received: from client.a.test ([192.0.2.1])\r\n\tby mx.a.test (Mailwright) with ESMTPSA\r\n\
    \tid 2K8PZ4; Fri, 20 Nov 2026 10:00:00 +0000\r\nFrom: Alice <alice@a.test>\r\nTo: bob@b.test\r\n\
    Subject: Lunch on Friday\r\nDate: Fri, 20 Nov 2026 10:59:58 +0100\r\nMessage-ID: <lunch.1@a.test>\r\n\r\n\
    How about noon?\r\n";
const ARRIVED: Timestamp = Timestamp(1_795_168_800_000);

fn check(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden").join(name);
    if std::env::var("GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{name} differs; it is now:\n{actual}");
}

fn reply(line: &str) -> Reply {
    let (code, text) = line.split_at(3);
    let (status, text) = match EnhancedStatus::split_from(text.trim_start()) {
        Some((status, text)) => (Some(status), text),
        None => (None, text.trim_start()),
    };
    Reply { code: code.parse().unwrap(), status, text: text.to_owned().into() }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// An attempt at mx1.b.test; the dialogue as `C: `, `S: ` and `-- ` lines.
fn attempt(dialogue: &str, outcomes: &[(&str, Outcome)]) -> Attempt {
    let mut transcript = Transcript::default();
    for (index, line) in dialogue.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate()
    {
        let (by, text) = line.split_at(3);
        let by = match by {
            "C: " => Party::Client,
            "S: " => Party::Server,
            _ => Party::Note,
        };
        transcript.record(Duration::from_millis(20 * index as u64), by, text);
    }
    Attempt {
        next_hop: "mx1.b.test".into(),
        address: (!dialogue.is_empty()).then(|| "192.0.2.25:25".into()),
        route: vec!["MX of b.test: 10 mx1.b.test".into()],
        transcript,
        tls: None,
        outcomes: outcomes.iter().map(|(path, outcome)| (address(path), outcome.clone())).collect(),
    }
}

fn failed(stage: Stage, line: &str) -> Outcome {
    Outcome::Failed(Cause { stage, trouble: Trouble::Reply(reply(line)) })
}

fn deferred(stage: Stage, trouble: Trouble) -> Outcome {
    Outcome::Deferred(Cause { stage, trouble })
}

// -- why: findings ------------------------------------------------------------------------------

/// The dialogue with the deciding line pointed at, then the finding.
fn why_page(title: &str, attempt: &Attempt, finding: &Finding) -> String {
    let mut page = format!("# {title}\n\n");
    if !attempt.transcript.is_empty() {
        page.push_str("```text\n");
        for (index, line) in attempt.transcript.lines().enumerate() {
            let mark = match line.by {
                Party::Client => "C:",
                Party::Server => "S:",
                Party::Note => "--",
            };
            let decided = if finding.line == Some(index) { "    <== this line" } else { "" };
            let command = if finding.command == Some(index) && decided.is_empty() {
                "    <-- answers this"
            } else {
                ""
            };
            page.push_str(&format!(
                "{mark} {}{decided}{command}\n",
                String::from_utf8_lossy(line.text)
            ));
        }
        page.push_str("```\n\n");
    }
    let Finding { rule, what, who, confidence, why, remedy, retry_helps, .. } = finding;
    page.push_str(&format!(
        "- rule: {rule}\n- what: {what}\n- who has to act: {who}\n- how sure: {confidence}\n- why: {why}\n\
         - remedy: {remedy}\n- trying again may help: {}\n",
        if *retry_helps { "yes" } else { "no" }
    ));
    page
}

const UP_TO_RCPT: &str = "S: 220 mx1.b.test ESMTP\nC: EHLO mx.a.test\nS: 250-mx1.b.test\nS: 250 ENHANCEDSTATUSCODES\n\
    C: MAIL FROM:<alice@a.test>\nS: 250 2.1.0 ok\nC: RCPT TO:<bob@b.test>\n";

#[test]
fn why() {
    let after_rcpt = format!("{UP_TO_RCPT}S: 250 2.1.5 ok\nC: DATA\nS: 354 go on\n");
    let blocked = "550 5.7.1 Email rejected because 192.0.2.41 is listed by zen.spamhaus.org. Please see \
                   http://www.b.test/blocked for more information.";
    let refused = |line: &str| (format!("{UP_TO_RCPT}S: {line}"), failed(Stage::Rcpt, line));
    for (name, title, (dialogue, outcome)) in [
        ("missing-mail", "RCPT is refused as if MAIL had never come", (
            "S: 220 relay.b.test ESMTP\nC: EHLO mx.a.test\nS: 250-relay.b.test\nS: 250 AUTH LOGIN\nC: AUTH LOGIN ****\n\
             S: 235 2.7.0 Authentication successful\nC: MAIL FROM:<alice@a.test>\nS: 250 2.1.0 Ok\n\
             C: RCPT TO:<bob@b.test>\nS: 503 5.5.1 Error: Bad sequence".to_owned(),
            failed(Stage::Rcpt, "503 5.5.1 Error: Bad sequence"),
        )),
        ("blocklist", "The sending address is on a blocklist", refused(blocked)),
        ("no-such-mailbox", "There is no such mailbox", refused("550 5.1.1 no mailbox here by that name")),
        ("greylisting", "Come back later", {
            let line = "451 4.7.1 Greylisted, please try again in 300 seconds";
            (format!("{UP_TO_RCPT}S: {line}"), deferred(Stage::Rcpt, Trouble::Reply(reply(line))))
        }),
        ("relay-denied", "The server does not relay for us", refused("550 5.7.1 Unable to relay")),
        ("xexch50", "The session dies at XEXCH50", (
            format!("{UP_TO_RCPT}S: 250 2.1.5 ok\nC: XEXCH50 1904 2\n-- connection closed by peer"),
            deferred(Stage::Other, Trouble::Closed),
        )),
        ("silence-after-content", "All is well until the content", (
            format!("{after_rcpt}-- no progress in 3m0s while sending 48211 octets of content"),
            deferred(Stage::Content, Trouble::Silence(Duration::from_secs(180))),
        )),
        ("closed-after-content", "The connection closes after the final dot", (
            format!("{after_rcpt}C: .\n-- connection closed by peer"),
            deferred(Stage::EndOfData, Trouble::Closed),
        )),
        ("connection-refused", "Nobody listens there", (
            String::new(),
            deferred(Stage::Connect, Trouble::Network("Connection refused (os error 111)".into())),
        )),
        ("null-mx", "The domain takes no mail", (
            String::new(),
            Outcome::Failed(Cause {
                stage: Stage::Routing,
                trouble: Trouble::Dns(EnhancedStatus::new(5, 1, 10), "null MX".into()),
            }),
        )),
        ("unknown-code", "A reply that nobody knows", refused("599")),
    ] {
        let attempt = attempt(&dialogue, &[("bob@b.test", outcome)]);
        let finding = examine(&attempt, &address("bob@b.test"));
        check(&format!("why-{name}.md"), &why_page(title, &attempt, &finding));
    }
}

// -- dsn: reports ---------------------------------------------------------------------------------

fn envelope(recipients: Vec<Recipient>) -> Envelope {
    Envelope { recipients, ..Envelope::new(Some(address("alice@a.test"))) }
}

fn report<'a>(envelope: &'a Envelope, to: &'a Address, fates: &'a [Fate<'a>]) -> Report<'a> {
    Report {
        host: "mx.a.test",
        from: "Mail Delivery System <postmaster@mx.a.test>",
        to,
        at: Timestamp(ARRIVED.0 + 5_000),
        offset: 0,
        unique: "2K8PZ9",
        boundary: "=_mailwright.2K8PZ9",
        envelope,
        deliver_by: None,
        content: Content {
            head: ORIGINAL,
            length: ORIGINAL.len() as u64,
            whole_length_max: 50_000,
        },
        queue_id: "2K8PZ4",
        arrived: ARRIVED,
        received_from: Some("client.a.test"),
        fates,
    }
}

fn fate<'a>(
    recipient: &'a Recipient,
    attempt: &'a Attempt,
    explanation: &'a Explanation,
) -> Fate<'a> {
    let (_, outcome) =
        attempt.outcomes.iter().find(|(path, _)| *path == recipient.forward_path).unwrap();
    let (action, status) = match outcome {
        Outcome::Failed(cause) => (Action::Failed, cause.status(true)),
        Outcome::Deferred(cause) => (Action::Delayed, cause.status(false)),
        Outcome::Relayed(_) => (Action::Relayed, EnhancedStatus::new(2, 0, 0)),
    };
    Fate {
        recipient,
        action,
        status,
        attempt: Some(attempt),
        attempted: Some(Timestamp(ARRIVED.0 + 4_000)),
        attempts: 1,
        retry_until: (action == Action::Delayed).then_some(Timestamp(ARRIVED.0 + 432_000_000)),
        explanation: Some(explanation),
        passed_on: Features::NONE,
    }
}

fn explained(attempt: &Attempt, path: &str) -> Explanation {
    examine(attempt, &address(path)).explanation()
}

fn dsn_page(title: &str, dsn: &Dsn, original: &[u8]) -> String {
    let octets = dsn.assemble(original);
    let text = String::from_utf8(octets).unwrap();
    assert!(text.replace("\r\n", "").find(['\r', '\n']).is_none(), "every line ends with CRLF");
    assert!(text.split("\r\n").all(|line| line.len() <= 998));
    format!("# {title}\n\n~~~eml\n{}~~~\n", text.replace("\r\n", "\n"))
}

#[test]
fn dsn_failed() {
    let lines =
        "550 5.1.1 The mailbox that you tried\nto reach does not exist.\nCheck the spelling.";
    let dialogue = format!(
        "{UP_TO_RCPT}S: 550-5.1.1 The mailbox that you tried\nS: 550-5.1.1 to reach does not exist.\n\
         S: 550 5.1.1 Check the spelling.\nC: RSET"
    );
    let bob = Recipient {
        orcpt: Some("rfc822;old+2Bname@example.net".into()),
        ..Recipient::new(address("bob@b.test"))
    };
    let attempt = attempt(&dialogue, &[("bob@b.test", failed(Stage::Rcpt, lines))]);
    let explanation = explained(&attempt, "bob@b.test");
    let envelope = Envelope { envid: Some("id+2B1+3D2".into()), ..envelope(vec![bob.clone()]) };
    let alice = address("alice@a.test");
    let fates = [fate(&bob, &attempt, &explanation)];
    let dsn = dsn::write(&report(&envelope, &alice, &fates));
    assert_eq!(
        (dsn.original, dsn.body, dsn.smtputf8),
        (Original::Whole, BodyType::SevenBit, false)
    );
    check("dsn-failed.md", &dsn_page("A DSN for a mailbox that is not there", &dsn, ORIGINAL));
}

#[test]
fn dsn_several_fates() {
    let dialogue = "S: 220 mx1.b.test\nC: EHLO mx.a.test\nS: 250 PIPELINING\nC: MAIL FROM:<alice@a.test>\n\
        C: RCPT TO:<bob@b.test>\nC: RCPT TO:<carol@b.test>\nC: RCPT TO:<dave@b.test>\nC: DATA\nS: 250 2.1.0 ok\n\
        S: 550 5.1.1 no such user\nS: 550 5.1.1 no such user\nS: 552 5.2.2 mailbox full\nS: 554 5.5.1 no valid recipients";
    let attempt = attempt(
        dialogue,
        &[
            ("bob@b.test", failed(Stage::Rcpt, "550 5.1.1 no such user")),
            ("carol@b.test", failed(Stage::Rcpt, "550 5.1.1 no such user")),
            ("dave@b.test", failed(Stage::Rcpt, "552 5.2.2 mailbox full")),
        ],
    );
    let recipients: Vec<Recipient> = ["bob", "carol", "dave"]
        .map(|name| Recipient::new(address(&format!("{name}@b.test"))))
        .into();
    let explanations: Vec<Explanation> =
        recipients.iter().map(|one| explained(&attempt, one.forward_path.as_str())).collect();
    let fates: Vec<Fate<'_>> = recipients
        .iter()
        .zip(&explanations)
        .map(|(one, words)| fate(one, &attempt, words))
        .collect();
    let envelope = Envelope { ret: Some(Ret::Headers), ..envelope(recipients.clone()) };
    let alice = address("alice@a.test");
    let dsn = dsn::write(&report(&envelope, &alice, &fates));
    assert!(
        !String::from_utf8_lossy(&dsn.assemble(ORIGINAL)).contains("How about noon"),
        "RET=HDRS"
    );
    check("dsn-several-fates.md", &dsn_page("Recipients with different fates", &dsn, ORIGINAL));
}

#[test]
fn dsn_delayed() {
    let trouble = Trouble::Network("Connection refused (os error 111)".into());
    let attempt = attempt("", &[("bob@b.test", deferred(Stage::Connect, trouble))]);
    let explanation = explained(&attempt, "bob@b.test");
    let bob = Recipient::new(address("bob@b.test"));
    // For a delay the header section only, whatever RET says (RFC 3461 section 4.3).
    let envelope = Envelope { ret: Some(Ret::Full), ..envelope(vec![bob.clone()]) };
    let alice = address("alice@a.test");
    let fates = [Fate { attempts: 9, ..fate(&bob, &attempt, &explanation) }];
    let dsn = dsn::write(&report(&envelope, &alice, &fates));
    assert!(matches!(dsn.original, Original::Headers(_)));
    check("dsn-delayed.md", &dsn_page("A delay notice", &dsn, ORIGINAL));
}

#[test]
fn dsn_expired() {
    let silence = Trouble::Silence(Duration::from_secs(300));
    let dialogue = "S: 220 mx1.b.test\nC: EHLO mx.a.test\n-- no reply in 5m0s";
    let attempt = attempt(dialogue, &[("bob@b.test", deferred(Stage::Ehlo, silence))]);
    let explanation = explained(&attempt, "bob@b.test");
    let bob = Recipient::new(address("bob@b.test"));
    let envelope = envelope(vec![bob.clone()]);
    let alice = address("alice@a.test");
    let status = EnhancedStatus::new(4, 4, 7);
    let fates = [Fate {
        action: Action::Failed,
        status,
        attempts: 41,
        ..fate(&bob, &attempt, &explanation)
    }];
    let dsn = dsn::write(&report(&envelope, &alice, &fates));
    check("dsn-expired.md", &dsn_page("Tried until the time was over", &dsn, ORIGINAL));
}

#[test]
fn dsn_relayed() {
    let dialogue = format!(
        "{UP_TO_RCPT}S: 250 2.1.5 ok\nC: DATA\nS: 354 go on\nC: .\nS: 250 2.0.0 queued as 77"
    );
    let attempt =
        attempt(&dialogue, &[("bob@b.test", Outcome::Relayed(reply("250 2.0.0 queued as 77")))]);
    let bob = Recipient::new(address("bob@b.test"));
    let envelope = Envelope { ret: Some(Ret::Full), ..envelope(vec![bob.clone()]) };
    let alice = address("alice@a.test");
    let none = Explanation::default();
    let fates = [fate(&bob, &attempt, &none)];
    let dsn = dsn::write(&report(&envelope, &alice, &fates));
    check("dsn-relayed.md", &dsn_page("Passed on to a server without DSN", &dsn, ORIGINAL));
}

/// Asked for by BY=, of a server that has DSN and does not watch the time (RFC 2852).
#[test]
fn dsn_relayed_by() {
    let dialogue = format!(
        "{UP_TO_RCPT}S: 250 2.1.5 ok\nC: DATA\nS: 354 go on\nC: .\nS: 250 2.0.0 queued as 77"
    );
    let attempt =
        attempt(&dialogue, &[("bob@b.test", Outcome::Relayed(reply("250 2.0.0 queued as 77")))]);
    let bob = Recipient::new(address("bob@b.test"));
    let by = DeliverBy { seconds: 3_600, mode: ByMode::Notify, trace: false };
    let envelope = Envelope { deliver_by: Some(by), ..envelope(vec![bob.clone()]) };
    let alice = address("alice@a.test");
    let none = Explanation::default();
    let fates = [Fate { passed_on: Features::DSN, ..fate(&bob, &attempt, &none) }];
    let deliver_by = Some(Timestamp(ARRIVED.0 + 3_600_000));
    let report = Report { deliver_by, ..report(&envelope, &alice, &fates) };
    let page = dsn_page("Passed on to a server without DELIVERBY", &dsn::write(&report), ORIGINAL);
    check("dsn-relayed-by.md", &page);
}

/// A DSN that could not be delivered itself: nobody is addressed as its author.
#[test]
fn dsn_double_bounce() {
    let line = "550 5.1.1 no such user";
    let attempt =
        attempt(&format!("{UP_TO_RCPT}S: {line}"), &[("bob@b.test", failed(Stage::Rcpt, line))]);
    let explanation = explained(&attempt, "bob@b.test");
    let bob = Recipient::new(address("bob@b.test"));
    let envelope = Envelope { reverse_path: None, ..envelope(vec![bob.clone()]) };
    let postmaster = address("postmaster@a.test");
    let fates = [fate(&bob, &attempt, &explanation)];
    let dsn = dsn::write(&report(&envelope, &postmaster, &fates));
    let page = dsn_page("A double bounce, told to the postmaster", &dsn, ORIGINAL);
    assert!(!page.contains("Your message"));
    check("dsn-double-bounce.md", &page);
}

/// An ASCII reader gets 7 bit; only the returned header section is as it was.
#[test]
fn dsn_utf8() {
    let path = "b\u{f6}b@b.test";
    let original = "From: alice@a.test\r\nSubject: Caf\u{e9}\r\n\r\nCaf\u{e9}\r\n".as_bytes();
    let line = "553 5.6.7 keine Zust\u{e4}ndigkeit";
    let dialogue = format!(
        "S: 220 x\nC: EHLO mx.a.test\nS: 250 x\nC: MAIL FROM:<alice@a.test> SMTPUTF8\nS: {line}"
    );
    let attempt = attempt(&dialogue, &[(path, failed(Stage::Mail, line))]);
    let bob = Recipient::new(address(path));
    let explanation = explained(&attempt, path);
    let envelope =
        Envelope { smtputf8: true, body: BodyType::EightBitMime, ..envelope(vec![bob.clone()]) };
    let alice = address("alice@a.test");
    let fates = [fate(&bob, &attempt, &explanation)];
    let content =
        Content { head: original, length: original.len() as u64, whole_length_max: 50_000 };
    let dsn = dsn::write(&Report { content, ..report(&envelope, &alice, &fates) });
    assert!(dsn.head.is_ascii() && dsn.tail.is_ascii());
    assert_eq!((dsn.body, dsn.smtputf8), (BodyType::EightBitMime, false));
    check("dsn-utf8.md", &dsn_page("An address outside ASCII", &dsn, original));
    // A reader whose own address is UTF-8 gets it unescaped (RFC 6533 section 4).
    let alice = address("\u{e4}lice@a.test");
    let dsn = dsn::write(&Report { content, ..report(&envelope, &alice, &fates) });
    let head = String::from_utf8(dsn.head).unwrap();
    assert!(
        head.contains("message/global-delivery-status")
            && head.contains("Final-Recipient: utf-8; b\u{f6}b@b.test")
    );
    assert!(dsn.smtputf8);
}
