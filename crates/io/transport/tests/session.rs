//! Opening sessions and relaying, over the simulated network.

mod peer;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use peer::{Pair, envelope, mail, memory, said};
use smtp::{BodyType, Outcome, Stage, Trouble};
use transport::{ClientTls, Content, Features, Plan, TlsLevel, open};

const OPENING: &str =
    "S: 220 mx.b.test\nC: EHLO a.test\nS: 250-mx.b.test\nS: 250-PIPELINING\nS: 250 8BITMIME\n";

fn plan() -> Plan {
    Plan::new("a.test")
}

/// Reading the machine's issuers takes its time, and nothing here depends on them.
fn trust(pair: &Pair) -> ClientTls {
    static TRUST: std::sync::OnceLock<ClientTls> = std::sync::OnceLock::new();
    TRUST.get_or_init(|| ClientTls::new(&pair.ours).expect("TLS")).clone()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

#[test]
fn two_messages_in_one_session() {
    run(async {
        let pair = Pair::new();
        let peer = pair.play(
            None,
            &[&format!(
                "{OPENING}
            C: MAIL FROM:<a@a.test>
            C: RCPT TO:<b@b.test>
            C: DATA
            S: 250 2.1.0 fine
            S: 250 2.1.5 fine
            S: 354 go on
            content
            S: 250 2.0.0 first
            C: MAIL FROM:<a@a.test>
            C: RCPT TO:<c@b.test>
            C: DATA
            S: 250 fine
            S: 250 fine
            S: 354 go on
            content
            S: 250 2.0.0 second
            C: QUIT
            S: 221 bye"
            )],
        );
        let tls = trust(&pair);
        let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
        let content = memory("Subject: x\r\n\r\n.dot\r\nend");
        let first = session.relay(&mail(&envelope(&["b@b.test"]), &content)).await;
        assert!(matches!(&first.outcomes[..], [Outcome::Relayed(reply)] if reply.text == "first"));
        assert!(session.is_reusable() && !session.is_dead());
        let second = session.relay(&mail(&envelope(&["c@b.test"]), &content)).await;
        assert!(
            matches!(&second.outcomes[..], [Outcome::Relayed(reply)] if reply.text == "second")
        );
        let text = said(&second.transcript);
        assert!(
            text.starts_with("-: connected to mx.b.test [192.0.2.2]:25 from 192.0.2.1:"),
            "{text}"
        );
        assert!(
            text.contains("c@b.test") && !text.contains("b@b.test>"),
            "its own evidence only:\n{text}"
        );
        assert!(said(&session.quit().await).ends_with("C: QUIT\nS: 221 bye\n"));
        assert_eq!(peer.await.expect("played"), vec![b"Subject: x\r\n\r\n..dot\r\nend\r\n"; 2]);
    });
}

#[test]
fn recipients_have_their_own_fates() {
    run(async {
        let pair = Pair::new();
        let peer = pair.play(
            None,
            &[&format!(
                "{OPENING}
            C: MAIL
            C: RCPT TO:<one@b.test>
            C: RCPT TO:<two@b.test>
            C: RCPT TO:<three@b.test>
            C: RCPT TO:<four@b.test>
            C: DATA
            S: 250 fine
            S: 250 fine
            S: 550 5.1.1 unknown
            S: 450 4.2.1 later
            S: 452 4.5.3 too many recipients
            S: 354 go on
            content
            S: 250 kept
            end"
            )],
        );
        let tls = trust(&pair);
        let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
        let recipients = ["one@b.test", "two@b.test", "three@b.test", "four@b.test"];
        let relayed = session.relay(&mail(&envelope(&recipients), &memory("x\r\n"))).await;
        assert!(matches!(
            &relayed.outcomes[..],
            [Outcome::Relayed(_), Outcome::Failed(_), Outcome::Deferred(_), Outcome::Deferred(_)]
        ));
        assert_eq!(relayed.too_many, [3]);
        drop(session);
        peer.await.expect("played");
    });
}

#[test]
fn every_wait_ends() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let quick = "S: 220 x\nC: EHLO\nS: 250 x\n";
    for (script, stage, wait) in [
        ("silence", Stage::Greeting, minutes(5)),
        ("S: 220 x\nsilence", Stage::Ehlo, minutes(5)),
        (&format!("{quick}silence"), Stage::Mail, minutes(5)),
        (&format!("{quick}C: MAIL\nS: 250 x\nsilence"), Stage::Rcpt, minutes(5)),
        (&format!("{quick}C: MAIL\nS: 250 x\nC: RCPT\nS: 250 x\nsilence"), Stage::Data, minutes(2)),
        (
            &format!(
                "{quick}C: MAIL\nS: 250 x\nC: RCPT\nS: 250 x\nC: DATA\nS: 354 x\ncontent\nsilence"
            ),
            Stage::EndOfData,
            minutes(10),
        ),
    ] {
        run(async {
            let pair = Pair::new();
            let peer = pair.play(None, &[script]);
            let tls = trust(&pair);
            let begun = tokio::time::Instant::now();
            let cause = match open(&pair.ours, &tls, &pair.target(), &plan()).await {
                Err(failure) => failure.cause,
                Ok(mut session) => {
                    let relayed =
                        session.relay(&mail(&envelope(&["b@b.test"]), &memory("x\r\n"))).await;
                    assert!(!session.is_reusable());
                    match relayed.outcomes.into_iter().next() {
                        Some(Outcome::Deferred(cause)) => cause,
                        other => panic!("{other:?}"),
                    }
                }
            };
            assert_eq!((cause.stage, cause.trouble), (stage, Trouble::Silence(wait)));
            let late = begun.elapsed().saturating_sub(wait);
            assert!(late < Duration::from_secs(5), "{stage}: {late:?} too late");
            peer.abort();
        });
    }
}

#[test]
fn a_connection_that_fails_says_how() {
    run(async {
        let pair = Pair::new();
        let tls = trust(&pair);
        let refused =
            open(&pair.ours, &tls, &pair.target(), &plan()).await.err().expect("nobody listens");
        let text = "connection refused by mx.b.test [192.0.2.2]:25";
        assert_eq!(refused.cause.trouble, Trouble::Network(text.to_owned()));
        assert_eq!(said(&refused.transcript), format!("-: {text}\n"));
        pair.sim.net.cut(peer::PEER.into());
        let silent = open(&pair.ours, &tls, &pair.target(), &plan()).await.err().expect("cut off");
        assert_eq!(
            silent.cause.trouble.to_string(),
            "no answer from mx.b.test [192.0.2.2]:25 in 60s"
        );
    });
}

#[test]
fn a_peer_that_went_away_is_noticed_before_reuse() {
    for script in [
        "S: 220 x\nC: EHLO\nS: 250 x\nwait 60\nclose\nsilence",
        "S: 220 x\nC: EHLO\nS: 250 x\nwait 60\nS: 421 4.4.2 idle for too long\nsilence",
    ] {
        run(async {
            let pair = Pair::new();
            let peer = pair.play(None, &[script]);
            let tls = trust(&pair);
            let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
            assert!(!session.is_dead());
            tokio::time::sleep(Duration::from_secs(61)).await;
            assert!(session.is_dead(), "{script}");
            peer.abort();
        });
    }
}

/// Octets that come from nowhere: `size` of `x`, in lines.
struct Lines(u64);

#[async_trait]
impl Content for Lines {
    fn len(&self) -> u64 {
        self.0
    }

    fn in_memory(&self) -> Option<[Bytes; 2]> {
        None
    }

    async fn read(&self, offset: u64, length: usize) -> std::io::Result<Bytes> {
        let end = self.0.min(offset + length as u64);
        let octet = |at: u64| match at % 80 {
            0 => b'.',
            78 => b'\r',
            79 => b'\n',
            _ => b'x',
        };
        Ok((offset..end).map(octet).collect())
    }
}

#[test]
fn big_content_is_streamed() {
    for (name, chunking) in [("DATA", ""), ("BDAT", "S: 250-CHUNKING\n")] {
        run(async {
            let pair = Pair::new();
            let go_on = if chunking.is_empty() {
                "C: DATA\nS: 250 x\nS: 250 x\nS: 354 x"
            } else {
                "S: 250 x\nS: 250 x\nC: BDAT"
            };
            let peer = pair.play(None, &[&format!(
                "S: 220 x\nC: EHLO\nS: 250-x\n{chunking}S: 250 PIPELINING\nC: MAIL\nC: RCPT\n{go_on}\ncontent\nS: 250 kept\nend"
            )]);
            let tls = trust(&pair);
            let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
            let content = Lines(800_000);
            let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &content)).await;
            assert!(matches!(&relayed.outcomes[..], [Outcome::Relayed(_)]), "{name}: {relayed:?}");
            drop(session);
            let heard = peer.await.expect("played");
            let stuffed = if chunking.is_empty() { 10_000 } else { 0 };
            assert_eq!(heard[0].len(), 800_000 + stuffed, "{name}");
        });
    }
}

#[test]
fn a_reply_in_mid_content_ends_it() {
    run(async {
        let pair = Pair::new();
        let peer = pair.play(None, &[&format!(
            "{OPENING}C: MAIL\nC: RCPT\nC: DATA\nS: 250 x\nS: 250 x\nS: 354 x\nS: 552 5.3.4 too big\nsilence"
        )]);
        let tls = trust(&pair);
        let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
        let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &Lines(50_000_000))).await;
        let Outcome::Failed(cause) = &relayed.outcomes[0] else { panic!("{relayed:?}") };
        assert_eq!(cause.trouble.to_string(), "552 5.3.4 too big");
        assert!(!session.is_reusable());
        peer.abort();
    });
}

#[test]
fn a_peer_that_stops_reading_is_given_up() {
    run(async {
        let pair = Pair::new();
        let script =
            format!("{OPENING}C: MAIL\nC: RCPT\nC: DATA\nS: 250 x\nS: 250 x\nS: 354 x\nsilence");
        let peer = pair.play(None, &[&script]);
        let tls = trust(&pair);
        let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
        let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &Lines(50_000_000))).await;
        let Outcome::Deferred(cause) = &relayed.outcomes[0] else { panic!("{relayed:?}") };
        assert_eq!(cause.stage, Stage::Content);
        assert_eq!(cause.trouble, Trouble::Silence(Duration::from_secs(180)));
        peer.abort();
    });
}

#[test]
fn lost_pipelined_answers_are_learned() {
    run(async {
        let pair = Pair::new();
        let peer = pair.play(
            None,
            &[&format!("{OPENING}C: MAIL\nC: RCPT\nC: DATA\nS: 250 x\nclose\nsilence")],
        );
        let tls = trust(&pair);
        let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
        let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &memory("x\r\n"))).await;
        assert!(relayed.learned.avoid().has(Features::PIPELINING), "{relayed:?}");
        peer.abort();
    });
}

#[test]
fn a_failed_handshake_goes_on_in_clear_if_it_may() {
    let broken = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nS: this is no TLS\nsilence";
    let closed = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nclose\n";
    let clear = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: QUIT\nS: 221 bye";
    run(async {
        let pair = Pair::new();
        let tls = trust(&pair);
        let peer = pair.play(None, &[closed, clear]);
        let session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("in clear");
        assert!(session.tls().is_none() && session.learned().avoid().has(Features::STARTTLS));
        let text = said(&session.quit().await);
        assert!(text.contains("once more, in clear\n-: connected"), "{text}");
        peer.await.expect("played");
    });
    run(async {
        let pair = Pair::new();
        let tls = trust(&pair);
        let peer = pair.play(None, &[broken]);
        let required = Plan { tls: TlsLevel::Required, ..plan() };
        let failure =
            open(&pair.ours, &tls, &pair.target(), &required).await.err().expect("no TLS, no mail");
        assert_eq!(failure.cause.stage, Stage::Tls);
        assert_eq!(failure.cause.trouble.to_string(), "what it sent is no TLS");
        peer.abort();
    });
}

#[test]
fn content_fits_a_next_hop_without_8bitmime() {
    let head = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
    let eight =
        format!("{head}Content-Transfer-Encoding: 8bit\r\n\r\nso gr\u{fc}n ist es hier\r\n");
    let seven = format!(
        "{head}Content-Transfer-Encoding: quoted-printable\r\n\r\nso gr=C3=BCn ist es hier\r\n"
    );
    let plain = "Subject: x\r\n\r\nplain\r\n".to_owned();
    for (declared, text, expected) in [
        (BodyType::EightBitMime, &plain, &plain), // declared so, but 7 bit
        (BodyType::BinaryMime, &plain, &plain),
        (BodyType::EightBitMime, &eight, &seven),
        (BodyType::SevenBit, &eight, &eight), // declared 7BIT: not looked at
    ] {
        run(async {
            let pair = Pair::new();
            let opening =
                "S: 220 x\nC: EHLO\nS: 250 x\nC: MAIL FROM:<a@a.test>\nS: 250 x\nC: RCPT\n";
            let rest = "S: 250 x\nC: DATA\nS: 354 x\ncontent\nS: 250 x";
            let peer = pair.play(None, &[&format!("{opening}{rest}")]);
            let tls = trust(&pair);
            let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
            let mut envelope = envelope(&["b@b.test"]);
            std::sync::Arc::make_mut(&mut envelope).body = declared;
            let relayed = session.relay(&mail(&envelope, &memory(text))).await;
            assert!(matches!(&relayed.outcomes[..], [Outcome::Relayed(_)]), "{relayed:?}");
            let heard = peer.await.expect("played");
            assert_eq!(String::from_utf8_lossy(&heard[0]), *expected);
        });
    }
}

#[test]
fn what_cannot_be_converted_fails_with_the_keyword() {
    run(async {
        let pair = Pair::new();
        let peer = pair.play(None, &["S: 220 x\nC: EHLO\nS: 250 x\nC: QUIT\nS: 221 x"]);
        let tls = trust(&pair);
        let mut session = open(&pair.ours, &tls, &pair.target(), &plan()).await.expect("open");
        let mut envelope = envelope(&["b@b.test"]);
        std::sync::Arc::make_mut(&mut envelope).body = BodyType::EightBitMime;
        let text = "Subject: gr\u{fc}n\r\n\r\n\r\n";
        let relayed = session.relay(&mail(&envelope, &memory(text))).await;
        let Outcome::Failed(cause) = &relayed.outcomes[0] else { panic!("{relayed:?}") };
        assert_eq!(cause.status(true).to_string(), "5.6.3");
        let text = cause.trouble.to_string();
        let expected = "the next hop does not offer 8BITMIME and the content can't be converted: ";
        assert!(text.starts_with(expected), "{text}");
        assert!(session.is_reusable());
        session.quit().await;
        peer.await.expect("played");
    });
}
