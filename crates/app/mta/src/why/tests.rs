//! Each case is a page under `tests/golden`: `why-text-NAME.md`. `UPDATE_GOLDEN=1` writes them anew.

use std::{borrow::Cow, path::PathBuf, time::Duration};

use jiff::tz::TimeZone;
use smtp::{
    Attempt, Cause, EnhancedStatus, Envelope, Outcome, Party, Recipient, Reply, Stage, Timestamp,
    TlsFacts, Transcript, Trouble,
};
use spool::{JobId, MessageId};

use super::*;
use crate::evidence::{
    Attempted, Client, Decided, Decision, DsnKind, Entry, Kind, Learned, Origin, Received, Refused,
};

/// Fri 13 Nov 2026 03:45:00 UTC.
const NOW: Timestamp = Timestamp(1_794_541_500_000);
const MESSAGE: MessageId = MessageId(0xA9D3D);
const MINUTE: u64 = 60_000;

fn ago(minutes: u64) -> Timestamp {
    Timestamp(NOW.0 - minutes * MINUTE)
}

fn golden(name: &str, about: &str, why: &Why) {
    let look = Look { width: 92, colour: false, full: false, zone: TimeZone::UTC };
    let page = format!("# why: {about}\n\n```text\n{}```\n", why.render(&look));
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden");
    let path = root.join(format!("why-text-{name}.md"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&root).expect("a directory");
        std::fs::write(&path, &page).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(page, kept, "\n{page}\nis not {}; if it should be: UPDATE_GOLDEN=1", path.display());
}

fn of_one(story: Story) -> Why {
    let subject = story.id.clone().unwrap_or_else(|| "a.test".to_owned());
    Why { subject, asked: NOW, rows: Vec::new(), more: false, stories: vec![story] }
}

/// `S: 220 hi` a line; 20 ms apart, or more where a line starts with `+MILLISECONDS `.
fn transcript(text: &str) -> Transcript {
    let (mut transcript, mut at) = (Transcript::default(), 0);
    for line in text.lines().map(str::trim) {
        let (wait, line) = match line.strip_prefix('+').and_then(|line| line.split_once(' ')) {
            Some((wait, line)) => (wait.parse().expect("milliseconds"), line),
            None => (20, line),
        };
        at += wait;
        let (by, text) = match line.split_at(3) {
            ("C: ", text) => (Party::Client, text),
            ("S: ", text) => (Party::Server, text),
            (_, text) => (Party::Note, text),
        };
        transcript.record(Duration::from_millis(at), by, text);
    }
    transcript
}

fn path(text: &str) -> smtp::Address {
    text.parse().expect("an address")
}

fn envelope(recipients: &[&str]) -> Envelope {
    let mut envelope = Envelope::new(Some(path("alice@a.test")));
    envelope.recipients = recipients.iter().map(|text| Recipient::new(path(text))).collect();
    envelope
}

fn client() -> Client<'static> {
    Client {
        address: "192.0.2.7:40000".parse().expect("an address"),
        listener: "submission".into(),
        helo: Some("laptop.a.test".into()),
        tls: Some(Cow::Owned(tls(Err("no certificate was asked for")))),
        user: Some("alice".into()),
    }
}

fn tls(verified: Result<&str, &str>) -> TlsFacts {
    TlsFacts {
        bindable: false,
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        server_name: Some("mx1.b.test".into()),
        verified: verified.map(str::to_owned).map_err(str::to_owned),
        certificate: vec!["CN=mx1.b.test".into()],
    }
}

fn received(minutes: u64, recipients: &[&str]) -> Entry<'static> {
    let kind = Kind::Received(Received {
        message: MESSAGE,
        origin: Origin::Client(client()),
        envelope: Cow::Owned(envelope(recipients)),
        message_id: Some("<20261113.1@a.test>".into()),
        size: 10_240,
        transcript: Cow::Owned(Transcript::default()),
    });
    Entry { at: ago(minutes), kind }
}

struct Try<'t> {
    minutes: u64,
    number: u32,
    part: u16,
    dialogue: &'t str,
    outcomes: Vec<(&'t str, Outcome)>,
    next: Option<Timestamp>,
    took: u64,
    connected: bool,
}

impl Try<'_> {
    fn entry(self) -> Entry<'static> {
        let lane = self.outcomes[0].0.split_once('@').expect("an address").1.to_owned();
        let attempt = Attempt {
            next_hop: format!("mx1.{lane}"),
            address: self.connected.then(|| "192.0.2.25:25".to_owned()),
            route: vec![
                format!("no route is configured for {lane}, so by MX"),
                format!("{lane} MX 10 mx1.{lane}, MX 20 mx2.{lane} (ttl 1h, from 127.0.0.53)"),
            ],
            transcript: transcript(self.dialogue),
            tls: self.dialogue.contains("STARTTLS").then(|| tls(Err("self-signed"))),
            outcomes: self.outcomes.into_iter().map(|(to, outcome)| (path(to), outcome)).collect(),
        };
        let kind = Kind::Attempted(Attempted {
            job: JobId { message: MESSAGE, part: self.part },
            revision: self.number,
            number: self.number,
            lane: lane.into(),
            took: Duration::from_millis(self.took),
            attempt: Cow::Owned(attempt),
            next: self.next,
        });
        Entry { at: ago(self.minutes), kind }
    }
}

fn decided(minutes: u64, by: Option<&'static str>, decision: Decision<'static>) -> Entry<'static> {
    let kind = Kind::Decided(Decided {
        job: JobId { message: MESSAGE, part: 0 },
        by: by.map(Cow::from),
        recipients: Cow::Owned(Vec::new()),
        decision,
    });
    Entry { at: ago(minutes), kind }
}

fn queued(recipients: &[&str], attempts: u32, held: bool) -> QueuedView {
    QueuedView {
        id: JobId { message: MESSAGE, part: 0 },
        lane: "b.test".into(),
        reverse_path: "alice@a.test".into(),
        recipients: recipients.iter().map(|&to| to.to_owned()).collect(),
        came: ago(285),
        attempts,
        due: Timestamp(NOW.0 + 37 * MINUTE),
        gives_up: Some(Timestamp(NOW.0 + 7_000 * MINUTE)),
        held,
        active: false,
        last: None,
        next_hop: Some("the MX hosts of b.test".into()),
    }
}

fn deferred(stage: Stage, trouble: Trouble) -> Outcome {
    Outcome::Deferred(Cause { stage, trouble })
}

fn said(code: u16, status: (u8, u16, u16), text: &'static str) -> Trouble {
    Trouble::Reply(Reply::new(code, status, text))
}

const OPENING: &str = "+0 -- connected to 192.0.2.25:25
+120 S: 220 mx1.b.test ESMTP
C: EHLO mx.a.test
S: 250-mx1.b.test greets you
S: 250-PIPELINING
S: 250-SIZE 52428800
S: 250-STARTTLS
S: 250 8BITMIME
C: STARTTLS
S: 220 go ahead
-- TLS is on
C: EHLO mx.a.test
S: 250-mx1.b.test greets you
S: 250-SIZE 52428800
S: 250 8BITMIME
C: MAIL FROM:<alice@a.test> SIZE=10240
S: 250 2.1.0 ok
C: RCPT TO:<bob@b.test>
";

fn sequence_broken(minutes: u64, number: u32) -> Entry<'static> {
    Try {
        minutes,
        number,
        part: 0,
        dialogue: &format!(
            "{OPENING}+190 S: 503 5.5.1 Error: Bad sequence\nC: QUIT\nS: 221 2.0.0 bye"
        ),
        outcomes: vec![(
            "bob@b.test",
            deferred(Stage::Rcpt, said(503, (5, 5, 1), "Error: Bad sequence")),
        )],
        next: Some(Timestamp(NOW.0 + 37 * MINUTE)),
        took: 730,
        connected: true,
    }
    .entry()
}

#[test]
fn deferred_again_and_again() {
    let unreachable = Try {
        minutes: 284,
        number: 1,
        part: 0,
        dialogue: "",
        outcomes: vec![(
            "bob@b.test",
            deferred(Stage::Connect, Trouble::Network("connection refused".into())),
        )],
        next: None,
        took: 12,
        connected: false,
    };
    let learned = Learned {
        site: "mx1.b.test".into(),
        job: Some(JobId { message: MESSAGE, part: 0 }),
        lane: "b.test".into(),
        change: "PIPELINING is not used".into(),
        because: "the dialogue broke at RCPT".into(),
        until: NOW,
    };
    let entries = [
        received(285, &["bob@b.test"]),
        unreachable.entry(),
        sequence_broken(250, 2),
        Entry { at: ago(250), kind: Kind::Learned(learned) },
        sequence_broken(190, 3),
        sequence_broken(70, 4),
        sequence_broken(12, 5),
    ];
    let story = story(MESSAGE, None, &entries, Some(&[queued(&["bob@b.test"], 5, false)]));
    assert_eq!(story.state, State::Deferred);
    golden("deferred", "mail sits in the queue, and the peer says 503", &of_one(story));
}

#[test]
fn refused_by_a_blocklist_and_reported() {
    let text = "Service unavailable; client [192.0.2.41] blocked using zen.spamhaus.org. See https://check.spamhaus.org/";
    let failed = Try {
        minutes: 30,
        number: 1,
        part: 0,
        dialogue: &format!("{OPENING}S: 554 5.7.1 {text}\nC: QUIT\nS: 221 2.0.0 bye"),
        outcomes: vec![(
            "bob@b.test",
            Outcome::Failed(Cause { stage: Stage::Rcpt, trouble: said(554, (5, 7, 1), text) }),
        )],
        next: None,
        took: 640,
        connected: true,
    };
    let dsn = Decision::DsnSent {
        dsn: MessageId(MESSAGE.0 + 1),
        to: Cow::Owned(path("alice@a.test")),
        kind: DsnKind::Failure,
    };
    let entries = [received(31, &["bob@b.test"]), failed.entry(), decided(30, None, dsn)];
    let story = story(MESSAGE, None, &entries, Some(&[]));
    assert_eq!(story.state, State::Failed);
    golden("failed", "the peer said no for good, and the originator was told", &of_one(story));
}

#[test]
fn relayed_long_ago() {
    let relayed = Try {
        minutes: 3_000,
        number: 1,
        part: 0,
        dialogue: &format!(
            "{OPENING}S: 250 2.1.5 ok\nC: DATA\nS: 354 go on\n-- 10317 octets of content\nC: .\n+300 S: 250 2.0.0 queued as 4F2A9\nC: QUIT\nS: 221 2.0.0 bye"
        ),
        outcomes: vec![(
            "bob@b.test",
            Outcome::Relayed(Reply::new(250, (2, 0, 0), "queued as 4F2A9")),
        )],
        next: None,
        took: 1_200,
        connected: true,
    };
    let entries = [received(3_001, &["bob@b.test"]), relayed.entry()];
    let story = story(MESSAGE, None, &entries, Some(&[]));
    assert_eq!((story.state, story.findings.len()), (State::Relayed, 0));
    golden("relayed", "\"they say it never came\": it did, and who took it over", &of_one(story));
}

#[test]
fn recipients_apart() {
    let lane_b = Try {
        minutes: 9,
        number: 1,
        part: 0,
        dialogue: &format!(
            "{OPENING}C: RCPT TO:<bill@b.test>\nS: 250 2.1.5 ok\nS: 550 5.1.1 <bill@b.test>: no such user here\nC: DATA\nS: 354 go on\nC: .\nS: 250 2.0.0 queued as 77"
        ),
        outcomes: vec![
            ("bob@b.test", Outcome::Relayed(Reply::new(250, (2, 0, 0), "queued as 77"))),
            (
                "bill@b.test",
                Outcome::Failed(Cause {
                    stage: Stage::Rcpt,
                    trouble: said(550, (5, 1, 1), "<bill@b.test>: no such user here"),
                }),
            ),
        ],
        next: None,
        took: 800,
        connected: true,
    };
    let lane_c = Try {
        minutes: 8,
        number: 1,
        part: 1,
        dialogue: "",
        outcomes: vec![(
            "carol@c.test",
            deferred(
                Stage::Routing,
                Trouble::Dns(
                    EnhancedStatus::new(4, 4, 3),
                    "cannot resolve `c.test` for now: SERVFAIL".into(),
                ),
            ),
        )],
        next: Some(Timestamp(NOW.0 + 5 * MINUTE)),
        took: 5_000,
        connected: false,
    };
    let dsn = Decision::DsnSent {
        dsn: MessageId(MESSAGE.0 + 1),
        to: Cow::Owned(path("alice@a.test")),
        kind: DsnKind::Failure,
    };
    let entries = [
        received(10, &["bob@b.test", "bill@b.test", "carol@c.test"]),
        lane_b.entry(),
        decided(9, None, dsn),
        lane_c.entry(),
    ];
    let mut view = queued(&["carol@c.test"], 1, false);
    view.id.part = 1;
    view.due = Timestamp(NOW.0 + 5 * MINUTE);
    view.next_hop = None;
    let whole = story(MESSAGE, None, &entries, Some(std::slice::from_ref(&view)));
    let states: Vec<State> = whole.recipients.iter().map(|recipient| recipient.state).collect();
    assert_eq!(states, [State::Relayed, State::Failed, State::Deferred]);
    golden("recipients", "three recipients, three fates", &of_one(whole));
    let part = story(MESSAGE, Some(1), &entries, Some(&[view]));
    assert_eq!((part.recipients.len(), part.state), (1, State::Deferred), "only the job asked for");
}

#[test]
fn refused_at_our_door() {
    let refused = Refused {
        client: Client {
            address: "198.51.100.9:51234".parse().expect("an address"),
            listener: "mx".into(),
            helo: Some("friend".into()),
            tls: None,
            user: None,
        },
        stage: Stage::Rcpt,
        reverse_path: Some("spam@elsewhere.test".into()),
        recipients: vec!["victim@c.test".into()],
        message_id: None,
        reply: Cow::Owned(Reply::new(
            550,
            (5, 7, 1),
            "no relaying to c.test from here: log in, or ask who runs this server",
        )),
        rule: "listener mx relays for nobody: c.test is not among [domains]".into(),
        transcript: Cow::Owned(transcript(
            "S: 220 mx.a.test\nC: EHLO friend\nS: 250 mx.a.test\nC: MAIL FROM:<spam@elsewhere.test>\n\
             S: 250 2.1.0 sender ok\nC: RCPT TO:<victim@c.test>\n\
             S: 550 5.7.1 no relaying to c.test from here: log in, or ask who runs this server",
        )),
    };
    golden("refused", "mail that we did not take", &of_one(refusal(ago(3), &refused)));
}

#[test]
fn on_hold_and_out_of_evidence() {
    let held = decided(60, Some("root"), Decision::Held);
    let story = story(MESSAGE, None, &[held], Some(&[queued(&["bob@b.test"], 2, true)]));
    assert_eq!(story.state, State::Held);
    golden("held", "on hold, and so old that its first evidence was dropped", &of_one(story));
}

#[test]
fn the_queue_is_believed_but_its_silence_only_if_it_was_asked() {
    let entries = [received(285, &["bob@b.test"]), sequence_broken(12, 1)];
    let state = |queued: Option<&[QueuedView]>| story(MESSAGE, None, &entries, queued).state;
    assert_eq!(state(None), State::Deferred, "the server does not run");
    assert_eq!(state(Some(&[])), State::Unknown, "it is gone, and nobody wrote down how");
    assert_eq!(state(Some(&[queued(&["bob@b.test"], 1, true)])), State::Held);
}

#[test]
fn an_operator_ends_it() {
    for (decision, state) in [
        (Decision::Removed, State::Removed),
        (Decision::Bounced, State::Failed),
        (Decision::Expired { after: Duration::from_secs(432_000) }, State::Failed),
        (Decision::Held, State::Held),
    ] {
        let entries = [received(9, &["bob@b.test"]), decided(1, Some("root"), decision)];
        assert_eq!(story(MESSAGE, None, &entries, None).state, state);
    }
    let entries = [
        received(9, &["bob@b.test"]),
        sequence_broken(8, 1),
        decided(7, Some("root"), Decision::Held),
        decided(6, Some("root"), Decision::Released),
    ];
    assert_eq!(story(MESSAGE, None, &entries, None).state, State::Deferred, "as before the hold");
}

mod asking {
    use std::sync::Arc;

    use world::{Clock, sim::disk::SimDisk};

    use super::*;
    use crate::evidence::{Log, Pace, Settings};

    fn log(entries: &[Entry<'_>]) -> Log {
        let settings = Settings::new("evidence");
        let disk = Arc::new(SimDisk::new(1));
        let log = Log::open(disk, Clock::Real, settings, Pace::Thread).expect("it opens");
        entries.iter().for_each(|entry| log.record(entry));
        log
    }

    #[test]
    fn one_message_by_each_of_its_names() {
        let log = log(&[received(285, &["bob@b.test"]), sequence_broken(12, 1)]);
        for text in [
            "00AJKX.1",
            "Bob@B.test",
            "b.test",
            "alice@a.test",
            "<20261113.1@a.test>",
            "20261113.1@a.test",
        ] {
            let text = text.replace("00AJKX", &MESSAGE.to_string());
            let why = ask(&text, &log, &|_| None, NOW).expect("a subject");
            assert_eq!(why.stories.len(), 1, "{text}");
            assert_eq!(why.stories[0].state, State::Deferred, "{text}");
            assert!(why.rows.is_empty(), "one message needs no table");
        }
        let why = ask("nobody@b.test", &log, &|_| None, NOW).expect("a subject");
        assert_eq!(why.stories, []);
        golden("nothing", "nothing is known", &why);
        let error = ask("two words", &log, &|_| None, NOW).expect_err("unclear");
        assert!(error.to_string().contains("give a queue id"), "{error}");
    }

    #[test]
    fn a_domain_with_several_messages() {
        let old = Kind::Attempted(Attempted {
            job: JobId { message: MessageId(MESSAGE.0 - 1), part: 0 },
            revision: 1,
            number: 1,
            lane: "b.test".into(),
            took: Duration::from_millis(700),
            attempt: Cow::Owned(Attempt {
                next_hop: "mx1.b.test".into(),
                address: Some("192.0.2.25:25".into()),
                route: Vec::new(),
                transcript: Transcript::default(),
                tls: None,
                outcomes: vec![(
                    path("ann@b.test"),
                    Outcome::Relayed(Reply::new(250, (2, 0, 0), "queued as 4F1")),
                )],
            }),
            next: None,
        });
        let log = log(&[
            Entry { at: ago(600), kind: old },
            received(285, &["bob@b.test"]),
            sequence_broken(12, 1),
        ]);
        let why = ask("b.test", &log, &|_| None, NOW).expect("a subject");
        assert_eq!(why.rows.len(), 2);
        assert_eq!(why.stories[0].id.as_deref(), Some(&*MESSAGE.to_string()));
        golden("domain", "how is it with b.test?", &why);
        let json = serde_json::to_value(&why).expect("JSON");
        assert_eq!(json["stories"][0]["steps"][0]["step"], "attempt");
        assert_eq!(json["stories"][0]["findings"][0]["rule"], "command-taken-away");
    }
}

#[test]
fn the_json_is_read_back() {
    let entries = [received(285, &["bob@b.test"]), sequence_broken(12, 1)];
    let why = of_one(story(MESSAGE, None, &entries, Some(&[queued(&["bob@b.test"], 1, false)])));
    let json = serde_json::to_string(&why).expect("JSON");
    assert_eq!(serde_json::from_str::<Why>(&json).expect("read back"), why);
}

#[test]
fn in_full_and_in_colour() {
    let entries = [received(285, &["bob@b.test"]), sequence_broken(12, 1)];
    let why = of_one(story(MESSAGE, None, &entries, None));
    let look = Look { width: 60, colour: true, full: true, zone: TimeZone::UTC };
    let text = why.render(&look);
    assert!(text.contains("S: 250-PIPELINING"), "nothing is left out");
    assert!(
        text.contains("\x1b[1;31m  ->    0.630 S: 503 5.5.1 Error: Bad sequence\x1b[0m"),
        "{text}"
    );
}

#[test]
fn a_peer_cannot_move_the_cursor() {
    let evil = "\x1b[2J\r\nroot was here \u{9b}";
    let failed = Try {
        minutes: 1,
        number: 1,
        part: 0,
        dialogue: &format!("{OPENING}S: 550 {}", evil.replace("\r\n", " ")),
        outcomes: vec![(
            "bob@b.test",
            Outcome::Failed(Cause {
                stage: Stage::Rcpt,
                trouble: Trouble::Reply(Reply::new(550, (5, 0, 0), evil.to_owned())),
            }),
        )],
        next: None,
        took: 1,
        connected: true,
    };
    let story = story(MESSAGE, None, &[received(2, &["bob@b.test"]), failed.entry()], None);
    let look = Look { zone: TimeZone::UTC, ..Look::default() };
    let text = of_one(story).render(&look);
    assert!(!text.contains(['\x1b', '\r', '\u{9b}']), "{text:?}");
}
