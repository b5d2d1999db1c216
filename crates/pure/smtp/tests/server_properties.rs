//! What holds of the server machine whatever a client sends.

mod pages;
mod sasl_driver;
mod server_driver;
mod testimony;
mod witness;

use proptest::{collection::vec, prelude::*};
use server_driver::Driver;
use testimony::Observed;

/// Things that a client may send, good, bad and broken off; joined in any order.
const FRAGMENTS: &[&[u8]] = &[
    b"EHLO client.example.org\r\n",
    b"HELO client.example.org\r\n",
    b"EHLO\r\n",
    b"MAIL FROM:<ann@example.org>\r\n",
    b"MAIL FROM:<> BODY=BINARYMIME SIZE=10\r\n",
    b"MAIL FROM:<ann@example.org> SMTPUTF8 RET=HDRS ENVID=a+2Bb\r\n",
    b"mail from:<two words@example.org>\r\n",
    b"RCPT TO:<bob@example.test>\r\n",
    b"RCPT TO:<bob@example.test> NOTIFY=NEVER ORCPT=rfc822;a@b\r\n",
    b"RCPT TO:<nobody@example.test>\r\n",
    b"RCPT TO:<user@elsewhere.test>\r\n",
    b"RCPT TO:<>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\ntext\r\n.\r\n",
    b".\r\n",
    b"..\r\n",
    b"\r\n.\r\n",
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r",
    b"\n",
    b".",
    b"\0",
    b"BDAT 10\r\n",
    b"BDAT 5 LAST\r\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT 2000 LAST\r\n",
    b"BDAT x\r\n",
    b"0123456789",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"VRFY bob\r\n",
    b"HELP\r\n",
    b"AUTH PLAIN\r\n",
    b"AUTH PLAIN AHRlc3RlckBleGFtcGxlLnRlc3QAc2VjcmV0\r\n",
    b"AHRlc3RlckBleGFtcGxlLnRlc3QAc2VjcmV0\r\n",
    b"AUTH LOGIN\r\n",
    b"dGVzdGVyQGV4YW1wbGUudGVzdA==\r\n",
    b"c2VjcmV0\r\n",
    b"*\r\n",
    b"STARTTLS\r\n",
    b"LHLO client.example.org\r\n",
    b"EXPN staff\r\n",
    b"VRFY bob\r\n",
    b"ETRN example.test\r\n",
    b"ATRN example.test\r\n",
    b"ATRN\r\n",
    b"TURN\r\n",
    b"XCLIENT ADDR=198.51.100.7\r\n",
    b"XCLIENT LOGIN=tester HELO=c PROTO=SMTP\r\n",
    b"XFORWARD ADDR=198.51.100.7\r\n",
    b"X-EXPS LOGIN\r\n",
    b"X-EXPS PLAIN AHRlc3RlckBleGFtcGxlLnRlc3QAc2VjcmV0\r\n",
    b"XEXCH50 10 2\r\n",
    b"XEXCH50 0 2\r\n",
    b"X-LINK2STATE FIRST CHUNK={00}\r\n",
    b"X-ANONYMOUSTLS\r\n",
    b"TLS\r\n",
    b"MAIL FROM:<ann@example.org> REQUIRETLS BY=60;R MT-PRIORITY=9 HOLDFOR=5\r\n",
    b"MAIL FROM:<ann@example.org> SOLICIT=net.example:ADV XSHADOW=1\r\n",
    b"RCPT TO:<bob@example.test> RRVS=2014-04-03T23:01:00Z;R XRDST=1\r\n",
    b"QUIT\r\n",
    b"XYZZY\r\n",
    b"\xff\xfe\r\n",
    b"\x16\x03\x01",
    &[b'x'; 1_200],
    &[b'y'; 5_000],
];

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        20 => proptest::sample::select(FRAGMENTS).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..40),
    ];
    vec(fragment, 0..40).prop_map(|fragments| fragments.concat())
}

/// A fragment; or something that gets somewhere: a greeting, a login, a transaction in one of its manners; or
/// either of them with a few octets altered, gone or doubled.
fn step() -> impl Strategy<Value = Step> {
    let hello =
        proptest::sample::select(vec!["EHLO c.example\r\n", "LHLO c.example\r\n", "HELO c\r\n"]);
    let login = proptest::sample::select(vec![
        "STARTTLS\r\n",
        "AUTH PLAIN AHRlc3RlckBleGFtcGxlLnRlc3QAc2VjcmV0\r\n",
        "AUTH LOGIN\r\ndGVzdGVyQGV4YW1wbGUudGVzdA==\r\nc2VjcmV0\r\n",
        "RSET\r\n",
    ]);
    let path = proptest::sample::select(vec!["", "ann@example.org", "Bob@Example.Test", "x@y.z"]);
    let to = proptest::sample::select(vec!["bob", "carol", "Dave", "nobody", "e@elsewhere.test"]);
    let ends = proptest::sample::select(vec![
        "DATA\r\nSubject: a\r\n\r\n..\r\n.x\r\n.\r\n",
        "DATA\r\n.\r\n",
        "DATA\r\ntext\n.\r\nMAIL FROM:<smuggled@example.org>\r\n.\r\n",
        "BDAT 6\r\nRSET\r\nBDAT 9 LAST\r\n.\r\nDATA\r\n",
        "BDAT 3\r\na\r\nBDAT 3 LAST LAST\r\nb\r\nBDAT 3 LAST\r\nc\r\n",
        "BDAT 0 LAST\r\n",
        "BDAT 3\r\na\r\nRSET\r\n",
        "BDAT 3000 LAST\r\n",
    ]);
    let whole = (path, vec(to, 1..5), ends).prop_map(|(path, to, end)| {
        let to = to.iter().map(|to| match to.contains('@') {
            true => format!("RCPT TO:<{to}>\r\n"),
            false => format!("RCPT TO:<{to}@example.test>\r\n"),
        });
        format!("MAIL FROM:<{path}>\r\n{}{end}", to.collect::<String>())
    });
    let good = prop_oneof![2 => hello, 2 => login].prop_map(str::to_owned);
    let good = prop_oneof![2 => good, 4 => whole].prop_map(String::into_bytes);
    let fragment = proptest::sample::select(FRAGMENTS).prop_map(<[u8]>::to_vec);
    let octets = prop_oneof![3 => good, 2 => fragment];
    (octets, prop::bool::weighted(0.1), any::<(usize, u8, u8)>()).prop_map(
        |(mut octets, is_altered, (at, how, octet))| {
            let at = at % octets.len();
            match how % 4 {
                _ if !is_altered => {}
                0 => octets[at] = octet,
                1 => drop(octets.remove(at)),
                2 => octets.insert(at, octet),
                _ => octets.extend_from_within(at..),
            }
            Step(octets)
        },
    )
}

/// Octets that are sent at once.
#[derive(Clone)]
struct Step(Vec<u8>);

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

fn variant() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "auth",
        "tls",
        "tls-only",
        "submission",
        "implicit",
        "plain",
        "normalize",
        "lmtp",
        "everything",
        "everything",
        "everything stranger",
        "everything lmtp",
        "everything tls-only",
        "everything implicit one-message",
    ])
}

/// A command, and the octets that it announces.
#[derive(Clone, Debug)]
struct Announced {
    line: String,
    octets: Vec<u8>,
    is_chunk: bool,
}

fn announced() -> impl Strategy<Value = Announced> {
    let text = proptest::sample::select(vec![
        "QUIT\r\n",
        "RSET\r\n",
        "\r\n.\r\n",
        "NOOP\r\nNOOP\r\n",
        "MAIL FROM:<a@example.org>\r\n",
        "BDAT 3 LAST\r\nabc",
        "Subject: x\r\n\r\n",
    ]);
    let octets = vec(text, 1..4).prop_map(|texts| texts.concat().into_bytes());
    let plain =
        |line: &str| Announced { line: line.to_owned(), octets: Vec::new(), is_chunk: false };
    let plain = proptest::sample::select(vec![
        plain("MAIL FROM:<a@example.org>\r\n"),
        plain("MAIL FROM:<a@example.org> BODY=8BITMIME\r\n"),
        plain("RCPT TO:<bob@example.test>\r\n"),
        plain("RCPT TO:<nobody@example.test>\r\n"),
        plain("RSET\r\n"),
        plain("NOOP\r\n"),
        plain("BDAT 0 LAST\r\n"),
        plain("BDAT -5 LAST\r\n"),
        plain("XEXCH50 18446744073709551616 2\r\n"),
    ]);
    let chunk = (octets.clone(), any::<bool>()).prop_map(|(octets, last)| {
        let line = format!("BDAT {}{}\r\n", octets.len(), if last { " LAST" } else { "" });
        Announced { line, octets, is_chunk: true }
    });
    let blob = octets.prop_map(|octets| Announced {
        line: format!("XEXCH50 {} 2\r\n", octets.len()),
        octets,
        is_chunk: false,
    });
    prop_oneof![6 => plain, 3 => chunk, 1 => blob]
}

/// Replies, kept content and the transcript's lines.
type Story = (Vec<String>, Vec<Vec<u8>>, Vec<Vec<u8>>, bool);

fn story(variant: &str, octets: &[u8], cuts: &[usize]) -> Story {
    let words: Vec<_> = variant.split(' ').map(str::to_owned).collect();
    let mut driver = Driver::new(&words);
    let mut rest = octets;
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        driver.send(piece, usize::MAX);
        rest = after;
    }
    driver.send(rest, usize::MAX);
    let lines = driver.server.transcript().lines();
    // What was thrown away behind STARTTLS is counted piece by piece.
    let lines = lines.map(|line| line.text.to_vec()).filter(|line| !line.ends_with(b"thrown away"));
    let lines: Vec<_> = lines.collect();
    let mut replies = driver.take_replies();
    // The time of day depends on when the pieces come.
    let timeless = |line: &[u8]| !line.starts_with(b"250-FUTURERELEASE");
    replies.retain(|reply| timeless(reply.as_bytes()));
    let lines: Vec<_> = lines.into_iter().filter(|line: &Vec<u8>| timeless(line)).collect();
    (replies, std::mem::take(&mut driver.all_kept), lines, driver.is_closed())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// TCP has no message boundaries: what a client says does not depend on its packets.
    #[test]
    fn pieces_do_not_matter(
        variant in variant(),
        octets in octets(),
        cuts in vec(0_usize..60, 0..200),
    ) {
        let whole = story(variant, &octets, &[]);
        prop_assert_eq!(&story(variant, &octets, &cuts), &whole);
        let octet_by_octet = vec![1; octets.len()];
        prop_assert_eq!(&story(variant, &octets, &octet_by_octet), &whole);
    }

    /// The driver checks with each question that there is a transaction, and with Keep that it has
    /// recipients that were accepted; and the machine never is stuck.
    #[test]
    fn anything_at_all(variant in variant(), octets in vec(any::<u8>(), 0..3_000)) {
        story(variant, &octets, &[100, 7]);
    }

    /// Whatever comes in whatever order, with the policy in any mood, and handshakes that come at once, late,
    /// or break: the driver checks that nothing is kept for a stranger, in clear where TLS is required, or
    /// without AUTH where that is; that no limit is passed and no `250` said without a proof; that nobody is
    /// handed mail or believed about who he is who may not be; and that what was sent before TLS, or behind
    /// STARTTLS, has no effect after it.
    #[test]
    fn no_sequence_gets_round_the_rules(
        variant in variant(),
        moods in vec(prop::bool::weighted(0.9), 0..40),
        steps in vec((proptest::sample::select(FRAGMENTS), 0_u8..20), 0..60),
    ) {
        let words: Vec<_> = variant.split(' ').map(str::to_owned).collect();
        let mut driver = Driver::new(&words);
        driver.moods = moods.into();
        for (fragment, after) in steps {
            driver.send(fragment, usize::MAX);
            match after {
                0 if driver.awaits_tls() => driver.tls_failed(),
                1..3 => {}
                _ => driver.tls_if_asked(),
            }
        }
    }

    /// Whatever comes in whatever order and pieces: what was kept is what the dialogue promised to the client,
    /// octet for octet and recipient for recipient, as a [`witness`] has it who sees only the wire; inside TLS
    /// and after a login where these are required.
    #[test]
    fn what_is_kept_is_what_the_dialogue_promised(
        variant in variant(),
        moods in vec(prop::bool::weighted(0.95), 0..60),
        steps in vec((step(), 0_u8..20), 0..80),
        piece in prop_oneof![Just(usize::MAX), 1_usize..80],
    ) {
        let words: Vec<_> = variant.split(' ').map(str::to_owned).collect();
        let mut observed = Observed::new(&words);
        observed.driver.moods = moods.into();
        for (octets, after) in steps {
            observed.send(&octets.0, piece);
            match after {
                0 if observed.driver.awaits_tls() => observed.tls_failed(),
                1..3 => {}
                _ => observed.tls_if_asked(),
            }
        }
        observed.compare();
    }

    /// The octets that BDAT or XEXCH50 announces are no commands, even when they read like some; and no
    /// command is taken for them. So each command has one reply, however they are cut, whether the machine
    /// has a use for the octets or not, and the content is what was in the chunks.
    #[test]
    fn announced_octets_are_no_commands(
        variant in proptest::sample::select(vec!["", "lmtp", "everything", "everything lmtp"]),
        commands in vec(announced(), 1..25),
        piece in 1_usize..80,
    ) {
        let words: Vec<_> = variant.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let mut driver = Driver::new(&words);
        driver.drop_greeting();
        let hello = if variant.contains("lmtp") { b"LHLO c.example\r\n" } else { b"EHLO c.example\r\n" };
        driver.send(hello, piece);
        if variant.contains("everything") {
            driver.send(b"AUTH PLAIN AHRlc3RlckBleGFtcGxlLnRlc3QAc2VjcmV0\r\n", piece);
        }
        driver.take_replies();
        let mut chunks = Vec::new();
        for Announced { line, octets, is_chunk } in commands {
            let kept_before = driver.all_kept.len();
            driver.send(line.as_bytes(), piece);
            let is_blob = !is_chunk && !octets.is_empty();
            let mut replies = driver.take_replies();
            let wanted = !is_blob || replies.iter().any(|reply| reply.starts_with("354"));
            if is_blob {
                prop_assert_eq!(replies.len(), 1, "{} {:?}", line, replies);
            }
            if wanted && !octets.is_empty() {
                driver.send(&octets, piece);
                replies = [replies.split_off(usize::from(is_blob)), driver.take_replies()].concat();
            }
            if driver.is_closed() {
                return Ok(());
            }
            let taken = replies.first().is_some_and(|reply| reply.starts_with('2'));
            if is_chunk && taken {
                chunks.extend_from_slice(&octets);
            }
            if driver.all_kept.len() > kept_before {
                prop_assert_eq!(driver.all_kept.last(), Some(&chunks));
            } else if wanted {
                // With LMTP a last chunk has one for each recipient (RFC 2033 section 4.2), and all say the same.
                let is_last = line.contains("LAST") && !line.starts_with("BDAT -");
                let several = variant.contains("lmtp") && is_last;
                prop_assert!(replies.len() == 1 || several, "{} {:?}", line, replies);
                prop_assert!(replies.windows(2).all(|two| two[0] == two[1]), "{:?}", replies);
            }
            // Behind a chunk that was refused, or one of no size, nothing is kept until RSET.
            let spoilt = is_chunk && !taken || line.starts_with("BDAT -");
            if line.starts_with("RSET") || line.contains("LAST") || spoilt {
                chunks.clear();
            }
        }
    }

    /// No secret gets into the transcript, wherever it was sent.
    #[test]
    fn secrets_are_struck_out(variant in variant(), before in octets()) {
        let mut octets = before;
        // More than any chunk that was begun: a chunk's end may not cut the exchange in two.
        octets.extend_from_slice(&b"\r\nRSET".repeat(400));
        octets.extend_from_slice(b"\r\nEHLO a.example\r\nAUTH LOGIN\r\ndXNlcg==\r\nc2VjcmV0LXdvcmQ=\r\n");
        octets.extend_from_slice(b"AUTH PLAIN AHVzZXIAc2VjcmV0LXdvcmQ=\r\nAUTH c2VjcmV0LXdvcmQ=\r\n");
        let (_, _, lines, _) = story(variant, &octets, &[]);
        for line in lines {
            let text = String::from_utf8_lossy(&line).into_owned();
            prop_assert!(!text.contains("c2VjcmV0LXdvcmQ") && !text.contains("AHVzZXIA"), "{}", text);
        }
    }
}

/// What the fuzzer has found, by variant: the witness and the machine tell the same of it.
#[test]
fn what_was_fuzzed_stays_mended() {
    let rows: [(&str, &[u8]); 1] = [
        // More than one space in front of a number of octets.
        (
            "everything",
            b"EHLO c.example\r\nAUTH PLAIN AHRlc3RlckBleGFtcGxlLnRlc3QAc2VjcmV0\r\n\
              MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.test>\r\nXEXCH50  2\r\nNOOP\r\n",
        ),
    ];
    for (words, octets) in rows {
        let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
        let mut observed = Observed::new(&words);
        observed.send(octets, usize::MAX);
        observed.client_closes();
        observed.compare();
    }
}

#[test]
fn an_idle_session_is_small() {
    let size = size_of::<smtp::server::Server<server_driver::Receipt>>();
    assert!(size <= 1_024, "{size} octets");
}

#[test]
fn a_long_session_stays_small() {
    let mut driver = Driver::new(&["auth".to_owned()]);
    driver.send(b"EHLO client.example.org\r\n", usize::MAX);
    for _ in 0..200 {
        driver.send(&b"NOOP\r\n".repeat(20), usize::MAX);
        driver.send(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n", 9);
        driver.send(b"Subject: x\r\n\r\n.\r\n", usize::MAX);
        driver.take_replies();
    }
    let evidence = driver.server.transaction_transcript();
    let lines: Vec<_> =
        evidence.lines().map(|l| String::from_utf8_lossy(l.text).into_owned()).collect();
    assert_eq!(lines.first().map(String::as_str), Some("220 mx.example.test ESMTP"));
    let mail = lines.iter().position(|line| line.starts_with("MAIL")).expect("the transaction");
    assert_eq!(lines[mail - 1], "250 HELP", "the opening, then the transaction");
    assert_eq!(
        lines[mail..],
        [
            "MAIL FROM:<ann@example.org>",
            "250 2.1.0 reverse-path accepted",
            "RCPT TO:<bob@example.test>",
            "250 2.1.5 recipient accepted",
            "DATA",
            "354 send the content, end with <CRLF>.<CRLF>",
            "content of 14 octets",
            "250 2.0.0 kept as Q200",
        ]
    );
    let length: usize = driver.server.transcript().lines().map(|line| line.text.len()).sum();
    assert!(length < 10_000, "{length} octets of transcript");
}
