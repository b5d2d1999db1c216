//! The log as a whole, on the simulated disk.

use std::{borrow::Cow, path::Path, sync::Arc, time::Duration};

use smtp::{Attempt, Envelope, Outcome, Party, Recipient, Reply, Timestamp, Transcript};
use spool::{JobId, MessageId};
use world::{Clock, Disk, sim::disk::SimDisk};

use super::*;

const START: Timestamp = Timestamp(1_794_541_500_000);

fn log(disk: &SimDisk, size_max: u64) -> Log {
    let settings = Settings { size_max, ..Settings::new("evidence") };
    // Nobody waits for the writer in these tests: they flush themselves.
    Log::open(Arc::new(disk.clone()), Clock::Real, settings, Pace::Thread).expect("it opens")
}

fn now() -> Timestamp {
    Clock::Real.now()
}

fn dialogue() -> Transcript {
    let mut transcript = Transcript::default();
    for (at, by, text) in [
        (0, Party::Client, "MAIL FROM:<alice@a.test> SIZE=1024"),
        (1, Party::Client, "RCPT TO:<bob@b.test>"),
        (1, Party::Client, "DATA"),
        (2, Party::Server, "250 2.1.0 sender ok"),
        (2, Party::Server, "250 2.1.5 recipient ok"),
        (2, Party::Server, "354 go on, end with a dot"),
        (3, Party::Note, "1024 octets of content, sha256 1f8b8a2d"),
        (9, Party::Server, "250 2.0.0 kept as 00A7KQ"),
    ] {
        transcript.record(Duration::from_millis(at), by, text);
    }
    transcript
}

fn envelope(number: u64) -> Envelope {
    let mut envelope = Envelope::new(Some("Alice@a.test".parse().expect("an address")));
    let path = format!("bob{number}@B.test").parse().expect("an address");
    envelope.recipients.push(Recipient::new(path));
    envelope
}

fn received<'a>(
    number: u64,
    at: Timestamp,
    envelope: &'a Envelope,
    transcript: &'a Transcript,
    message_id: &'a str,
) -> Entry<'a> {
    let client = Client {
        address: "192.0.2.7:40000".parse().expect("an address"),
        listener: "mx".into(),
        helo: Some("mail.a.test".into()),
        tls: None,
        user: None,
    };
    let kind = Kind::Received(Received {
        message: MessageId(number),
        origin: Origin::Client(client),
        envelope: Cow::Borrowed(envelope),
        message_id: Some(message_id.into()),
        size: 1_024,
        transcript: Cow::Borrowed(transcript),
    });
    Entry { at, kind }
}

fn put(log: &Log, number: u64, at: Timestamp) {
    let message_id = format!("<m{number}@a.test>");
    log.record(&received(number, at, &envelope(number), &dialogue(), &message_id));
}

fn numbers(log: &Log, key: &Key, order: Order, limit: usize) -> Vec<u64> {
    let entries = log.find(key, order, limit);
    let number = |entry: &Entry<'_>| match &entry.kind {
        Kind::Received(received) => received.message.0,
        other => panic!("{other:?}"),
    };
    entries.iter().map(number).collect()
}

#[test]
fn what_was_recorded_is_found_by_every_key() {
    let disk = SimDisk::new(1);
    let log = log(&disk, 1 << 20);
    for number in 1..=3 {
        put(&log, number, now());
    }
    for (key, expected) in [
        (Key::Message(MessageId(2)), &[2][..]),
        (Key::Address("bob3@b.test".into()), &[3]),
        (Key::Address("ALICE@A.TEST".into()), &[1, 2, 3]), // the sender's, in any case
        (Key::Domain("b.test".into()), &[1, 2, 3]),
        (Key::Domain("a.test".into()), &[1, 2, 3]),
        (Key::MessageId("m1@a.test".into()), &[1]),
        (Key::Message(MessageId(9)), &[]),
        (Key::Domain("test".into()), &[]), // no parts of names
    ] {
        assert_eq!(numbers(&log, &key, Order::OldestFirst, 10), expected, "{key:?}");
    }
    let domain = Key::Domain("b.test".into());
    assert_eq!(numbers(&log, &domain, Order::NewestFirst, 2), [3, 2]);
    let entry = &log.find(&Key::Message(MessageId(1)), Order::OldestFirst, 1)[0];
    let Kind::Received(received) = &entry.kind else { panic!("{entry:?}") };
    assert_eq!((&*received.envelope, &*received.transcript), (&envelope(1), &dialogue()));
}

#[test]
fn an_attempt_is_found_by_its_recipients_and_its_lane() {
    let disk = SimDisk::new(1);
    let log = log(&disk, 1 << 20);
    let attempt = Attempt {
        next_hop: "mx1.b.test".into(),
        address: Some("192.0.2.25:25".into()),
        route: vec!["MX 10 of b.test".into()],
        transcript: dialogue(),
        tls: None,
        outcomes: vec![(
            "bob@b.test".parse().expect("an address"),
            Outcome::Relayed(Reply::new(250, (2, 0, 0), "queued")),
        )],
    };
    let attempted = Attempted {
        job: JobId { message: MessageId(7), part: 1 },
        revision: 2,
        number: 2,
        lane: "b.test".into(),
        took: Duration::from_millis(80),
        attempt: Cow::Borrowed(&attempt),
        next: None,
    };
    log.record(&Entry { at: now(), kind: Kind::Attempted(attempted) });
    for key in [
        Key::Message(MessageId(7)),
        Key::Address("bob@b.test".into()),
        Key::Domain("b.test".into()),
    ] {
        let found = log.find(&key, Order::NewestFirst, 1);
        let [Entry { kind: Kind::Attempted(found), .. }] = &found[..] else { panic!("{found:?}") };
        assert_eq!(found.attempt.outcomes, attempt.outcomes);
        assert_eq!(found.attempt.transcript, attempt.transcript);
    }
}

#[test]
fn it_survives_being_closed_and_killed() {
    let disk = SimDisk::new(1);
    {
        let log = log(&disk, 1 << 20);
        put(&log, 1, now());
        log.close();
        put(&log, 2, now());
        assert_eq!(log.usage().dropped, 1, "closed");
    }
    {
        let log = log(&disk, 1 << 20);
        put(&log, 3, now());
        log.flush();
        std::mem::forget(log); // as after kill -9: no index, no close
    }
    let log = log(&disk, 1 << 20);
    put(&log, 4, now());
    let domain = Key::Domain("b.test".into());
    assert_eq!(numbers(&log, &domain, Order::OldestFirst, 10), [1, 3, 4]);
    assert_eq!(log.usage().damaged, 0);
}

#[test]
fn it_stays_within_its_size_and_keeps_the_newest() {
    let disk = SimDisk::new(1);
    let size_max = 256 * 1024;
    let log = log(&disk, size_max);
    for number in 1..=2_000 {
        put(&log, number, now());
        if number % 10 == 0 {
            log.flush();
            assert!(log.usage().disk <= size_max, "{:?}", log.usage());
        }
    }
    let found = numbers(&log, &Key::Domain("b.test".into()), Order::NewestFirst, 5_000);
    assert!(found.len() > 100 && found.len() < 2_000, "{}", found.len());
    assert!(found.iter().copied().eq((0..found.len() as u64).map(|back| 2_000 - back)));
    assert!(disk.used() <= size_max);
    assert!(log.usage().files > 2, "{:?}", log.usage());
}

#[test]
fn it_keeps_nothing_for_longer_than_asked() {
    let disk = SimDisk::new(1);
    let age_max = Duration::from_secs(24 * 3_600);
    let open = |now: Timestamp| {
        let clock = Clock::Sim { epoch: now, origin: tokio::time::Instant::now() };
        let settings = Settings { age_max, ..Settings::new("evidence") };
        Log::open(Arc::new(disk.clone()), clock, settings, Pace::Thread).expect("it opens")
    };
    let log = open(START);
    put(&log, 1, START);
    drop(log);
    let later = START.after(Duration::from_secs(12 * 3_600));
    let log = open(later);
    put(&log, 2, later);
    let domain = Key::Domain("b.test".into());
    assert_eq!(numbers(&log, &domain, Order::OldestFirst, 10), [1, 2]);
    drop(log);
    let log = open(START.after(Duration::from_secs(25 * 3_600)));
    assert_eq!(numbers(&log, &domain, Order::OldestFirst, 10), [2]);
}

#[test]
fn damage_is_skipped_and_counted() {
    let disk = SimDisk::new(1);
    let path = Path::new("evidence/00000001.log");
    {
        let log = log(&disk, 1 << 20);
        for number in 1..=20 {
            put(&log, number, now());
        }
        log.flush();
        std::mem::forget(log);
    }
    disk.flip(path, 3_000, 0x40).expect("the file is there");
    let log = log(&disk, 1 << 20);
    let found = numbers(&log, &Key::Domain("b.test".into()), Order::OldestFirst, 100);
    assert_eq!((found.len(), log.usage().damaged), (19, 1), "one entry is lost");
    // Damage that comes later, behind a good index, is met by the reader.
    disk.flip(path, 6_000, 0x01).expect("the file is there");
    let found = numbers(&log, &Key::Domain("b.test".into()), Order::OldestFirst, 100);
    assert_eq!((found.len(), log.usage().damaged), (18, 2));
}

#[test]
fn a_damaged_index_is_made_again() {
    let disk = SimDisk::new(1);
    for number in 1..=2 {
        let log = log(&disk, 1 << 20);
        put(&log, number, now());
        log.close();
    }
    disk.flip(Path::new("evidence/00000001.idx"), 50, 0xff).expect("the file is there"); // a pair
    disk.flip(Path::new("evidence/00000002.idx"), 9, 0xff).expect("the file is there"); // the header
    for _ in 0..2 {
        let log = log(&disk, 1 << 20);
        let found = numbers(&log, &Key::Domain("b.test".into()), Order::OldestFirst, 10);
        assert_eq!(found, [1, 2]);
    }
    let log = log(&disk, 1 << 20);
    assert_eq!(numbers(&log, &Key::Message(MessageId(1)), Order::OldestFirst, 10), [1]);
    assert_eq!(log.usage().damaged, 0, "mended by now");
}

#[test]
fn a_power_cut_costs_evidence_but_never_the_start() {
    for seed in 0..40 {
        let disk = SimDisk::new(seed);
        for round in 0..3 {
            let log = log(&disk, 64 * 1024);
            for number in 0..60 {
                put(&log, round * 100 + number, now());
                log.flush();
            }
            disk.crash();
            std::mem::forget(log);
        }
        let log = log(&disk, 64 * 1024);
        put(&log, 999, now());
        let found = numbers(&log, &Key::Domain("b.test".into()), Order::OldestFirst, 1_000);
        assert_eq!(found.last(), Some(&999), "seed {seed}");
    }
}

#[test]
fn when_the_writer_falls_behind_entries_are_dropped_and_counted() {
    let disk = SimDisk::new(1);
    let settings = Settings {
        buffer_max: 4_000,
        flush_every: Duration::from_secs(3_600),
        ..Settings::new("evidence")
    };
    let log = Log::open(Arc::new(disk.clone()), Clock::Real, settings, Pace::Thread).expect("open");
    for number in 1..=100 {
        put(&log, number, now());
    }
    let dropped = log.usage().dropped;
    assert!((80..100).contains(&dropped), "{dropped}");
    log.flush();
    assert_eq!(log.usage().written, 100 - dropped);
    put(&log, 101, now());
    assert_eq!(numbers(&log, &Key::Message(MessageId(101)), Order::OldestFirst, 1), [101]);
}

#[test]
fn a_full_disk_costs_what_does_not_fit_and_nothing_else() {
    let disk = SimDisk::new(1);
    let log = log(&disk, 1 << 20);
    put(&log, 1, now());
    log.flush();
    disk.limit(disk.used());
    put(&log, 2, now());
    log.flush();
    assert_eq!((log.usage().written, log.usage().dropped), (1, 1));
    disk.limit(u64::MAX);
    put(&log, 3, now());
    let found = numbers(&log, &Key::Domain("b.test".into()), Order::OldestFirst, 10);
    assert_eq!(found, [1, 3]);
}

/// Found by the simulated world: after a crash there was an index to write before anything could start.
#[test]
fn a_full_disk_keeps_nobody_from_starting() {
    let disk = SimDisk::new(1);
    let first = log(&disk, 1 << 20);
    put(&first, 1, now());
    drop(first);
    // As a crash leaves it.
    disk.remove(Path::new("evidence/00000001.idx")).expect("it was written");
    disk.limit(disk.used());
    let log = log(&disk, 1 << 20);
    let found = numbers(&log, &Key::Domain("b.test".into()), Order::OldestFirst, 10);
    assert_eq!(found, [1]);
}

#[test]
fn the_writer_writes_by_itself() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let disk = SimDisk::new(1);
        let clock = Clock::Sim { epoch: START, origin: tokio::time::Instant::now() };
        let settings = Settings::new("evidence");
        let log = Log::open(Arc::new(disk.clone()), clock, settings, Pace::Task).expect("open");
        put(&log, 1, START);
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert_eq!(log.usage().written, 1);
    });
    let disk = SimDisk::new(1);
    let log = log(&disk, 1 << 20);
    put(&log, 1, now());
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while log.usage().written == 0 {
        assert!(std::time::Instant::now() < deadline, "{:?}", log.usage());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Prints what an entry costs; asserts only what no machine should miss.
#[test]
fn cost_of_an_entry() {
    let disk = SimDisk::new(1);
    let settings = Settings { buffer_max: 64 << 20, ..Settings::new("evidence") };
    let log = Log::open(Arc::new(disk), Clock::Real, settings, Pace::Thread).expect("it opens");
    let (envelope, transcript, at) = (envelope(1), dialogue(), now());
    // The best of many batches: what it costs when nobody else wants the processor.
    let (batches, batch) = (40, 500);
    let cost = || {
        let start = std::time::Instant::now();
        for number in 0..batch {
            log.record(&received(number, at, &envelope, &transcript, "<m1@a.test>"));
        }
        start.elapsed() / batch as u32
    };
    let each = (0..batches).map(|_| cost()).min().unwrap_or_default();
    log.flush();
    let octets = log.usage().disk / (batches * batch);
    println!("{each:?} and {octets} octets for an entry");
    assert_eq!(log.usage().dropped, 0);
    assert!(each < Duration::from_micros(300));
}
