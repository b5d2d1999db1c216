//! The book and its log: what is remembered, and what a crash leaves.

use proptest::prelude::*;
use world::sim::disk::SimDisk;

use super::*;

const HOURS: u64 = 3_600_000;

fn settings() -> Settings {
    Settings { on: true, ..Settings::default() }
}

fn visitor(client: &str, from: &str, to: &str) -> Visitor {
    let from: Option<smtp::Address> = (!from.is_empty()).then(|| from.parse().unwrap());
    Visitor::new(client.parse().unwrap(), from.as_ref(), &to.parse().unwrap(), &settings())
}

fn open(disk: &SimDisk) -> Greylist {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Greylist::open(disk, Path::new("/grey"), &settings(), Timestamp(0), Arc::default()).unwrap()
}

#[test]
fn the_course_of_a_visitor() {
    let list = open(&SimDisk::new(1));
    let ask = |minutes: u64| {
        let visitor = visitor("192.0.2.7", "Anna+x@a.test", "bob@b.test");
        list.judge(visitor, &settings(), Timestamp(minutes * 60_000), false)
    };
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert_eq!(ask(0), Answer::New(minutes(5)));
    assert_eq!(ask(2), Answer::Early(minutes(3)));
    assert_eq!(ask(6), Answer::Returned);
    assert_eq!(ask(7), Answer::Known);
    assert_eq!(ask(30 * 24 * 60), Answer::Known, "it is kept since it was seen last");
    assert_eq!(ask(100 * 24 * 60), Answer::New(minutes(5)), "forgotten");
    assert_eq!(ask(103 * 24 * 60), Answer::New(minutes(5)), "too late to have come again");
}

#[test]
fn a_network_that_comes_again_often_is_asked_no_more() {
    let list = open(&SimDisk::new(1));
    for number in 0..5 {
        let from = format!("{}@a.test", char::from(b'a' + number));
        let ask = |at| {
            list.judge(visitor("192.0.2.7", &from, "bob@b.test"), &settings(), Timestamp(at), false)
        };
        assert!(matches!(ask(0), Answer::New(_)), "{number}");
        assert_eq!(ask(HOURS), Answer::Returned, "{number}");
    }
    let ask = |client| {
        list.judge(
            visitor(client, "new@c.test", "bob@b.test"),
            &settings(),
            Timestamp(2 * HOURS),
            true,
        )
    };
    assert_eq!(ask("192.0.2.200"), Answer::NetworkKnown);
    assert!(matches!(ask("192.0.3.1"), Answer::New(_)));
}

#[test]
fn what_changes_from_message_to_message_is_left_out() {
    for (path, kept) in [
        ("Anna@A.test", "anna@a.test"),
        ("anna+news@a.test", "anna@a.test"),
        ("bounce-4711-20@a.test", "bounce-#-#@a.test"),
        ("prvs=1234abcdef=anna@a.test", "anna@a.test"),
        ("SRS0=HHH=TT=b.test=anna@a.test", "b.test=anna@a.test"),
    ] {
        assert_eq!(steady(path), kept, "{path}");
    }
    let (a, b) =
        (visitor("2001:db8::1", "", "x@b.test"), visitor("2001:db8::ffff", "", "X@b.test"));
    assert_eq!(a, b);
    assert_ne!(a, visitor("2001:db8:0:1::1", "", "x@b.test"));
}

#[test]
fn a_question_leaves_no_trace_and_what_is_forgotten_is_new() {
    let disk = SimDisk::new(1);
    let list = open(&disk);
    let ask = |only_asked| {
        let visitor = visitor("192.0.2.7", "a@a.test", "bob@b.test");
        list.judge(visitor, &settings(), Timestamp(0), only_asked)
    };
    ask(true);
    assert_eq!(list.len(), 0);
    ask(false);
    for text in ["192.0.2.99", "a@a.test", "a.test", "b.test", "192.0.2.0/24", ""] {
        assert_eq!(list.find(text, 10).1, 1, "{text}");
    }
    for text in ["192.0.3.1", "est", "c.test"] {
        assert_eq!(list.find(text, 10).1, 0, "{text}");
    }
    list.write(false).unwrap();
    assert_eq!(open(&disk).len(), 1, "after a restart");
    assert_eq!(list.forget("b.test"), 1);
    list.write(false).unwrap();
    assert_eq!(open(&disk).len(), 0, "what is forgotten stays so");
}

#[test]
fn the_book_is_bounded_and_keeps_who_has_returned() {
    let list = open(&SimDisk::new(1));
    let settings = Settings { entries_max: 1_000, allow_after: 0, ..settings() };
    let ask = |from: &str, at: u64| {
        let visitor = Visitor { sender: from.into(), ..visitor("192.0.2.7", "", "bob@b.test") };
        list.judge(visitor, &settings, Timestamp(at), false)
    };
    ask("good@a.test", 0);
    assert_eq!(ask("good@a.test", HOURS), Answer::Returned);
    for number in 0..20_000 {
        ask(&format!("junk{number}@c.test"), HOURS + number);
        assert!(list.len() <= 1_001);
    }
    assert_eq!(ask("good@a.test", 2 * HOURS), Answer::Known);
}

#[test]
fn the_log_does_not_grow_with_what_is_past() {
    let disk = SimDisk::new(1);
    let list = open(&disk);
    for round in 0..20_000u64 {
        list.judge(
            visitor("192.0.2.7", "a@a.test", "bob@b.test"),
            &settings(),
            Timestamp(round * HOURS * 24 * 40),
            false,
        );
        list.write(false).unwrap();
    }
    assert!(disk.used() < 200_000, "{}", disk.used());
}

/// What is done to a greylist in the test below.
#[derive(Clone, Debug)]
enum Deed {
    Visit(u8, u8, u64),
    Forget(u8),
    Write(bool),
    Rewrite,
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0..6u8, 0..4u8, 0..2 * HOURS).prop_map(|(from, client, after)| Deed::Visit(from, client, after)),
        1 => (0..6u8).prop_map(Deed::Forget),
        3 => any::<bool>().prop_map(Deed::Write),
        2 => Just(Deed::Rewrite),
        1 => Just(Deed::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Wherever the power goes: it opens again, and holds the book of some moment that is not before the
    /// last one that was synced.
    #[test]
    fn a_crash_at_any_step_leaves_a_book_that_was(
        deeds in prop::collection::vec(deed(), 1..60),
        crash_after in 0..120u64,
        seed in any::<u64>(),
    ) {
        let disk = SimDisk::new(seed);
        let mut list = open(&disk);
        disk.crash_after(crash_after);
        let (mut now, mut synced) = (0, 0);
        // The book after each single change.
        let mut moments = vec![Book::default()];
        for deed in deeds {
            let model = moments.last().cloned().unwrap_or_default();
            let mut changes = Vec::new();
            match deed {
                Deed::Visit(from, client, after) => {
                    now += after;
                    let from = format!("{}@a.test", char::from(b'a' + from));
                    let visitor = visitor(&format!("192.0.{client}.1"), &from, "b@b.test");
                    changes = model.judge(&visitor, &settings(), Timestamp(now)).1;
                    list.judge(visitor, &settings(), Timestamp(now), false);
                }
                Deed::Forget(from) => {
                    let from = format!("{}@a.test", char::from(b'a' + from));
                    changes = model.forget(|shown| fits(shown, &from));
                    list.forget(&from);
                }
                Deed::Write(sync) => match list.write(sync) {
                    Ok(()) if sync => synced = moments.len() - 1,
                    _ => {}
                },
                Deed::Rewrite => {
                    list.lock().news.rewrite();
                    if list.write(false).is_ok() {
                        synced = moments.len() - 1;
                    }
                }
                Deed::Restart => {
                    if list.write(true).is_err() {
                        break;
                    }
                    synced = moments.len() - 1;
                    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
                    let opened = Greylist::open(disk, Path::new("/grey"), &settings(), Timestamp(0), Arc::default());
                    let Ok(opened) = opened else { break };
                    prop_assert!(opened.lock().book == model);
                    list = opened;
                }
            }
            for change in changes {
                let mut next = moments.last().cloned().unwrap_or_default();
                next.apply(change);
                moments.push(next);
            }
        }
        disk.crash();
        disk.crash_after(u64::MAX / 2);
        let found = open(&disk).lock().book.clone();
        prop_assert!(moments[synced..].contains(&found), "{found:?}\nis none of {:?}", &moments[synced..]);
    }

    /// Whatever stands in the file, it opens.
    #[test]
    fn any_octets_open(octets in prop::collection::vec(any::<u8>(), 0..400), head in any::<bool>()) {
        let disk = SimDisk::new(1);
        drop(open(&disk));
        let file = disk.open(Path::new("/grey/greylist.log"), world::disk::Open::Write).unwrap();
        world::disk::write_all_at(&*file, if head { 8 } else { 0 }, &octets).unwrap();
        let list = open(&disk);
        list.judge(visitor("192.0.2.7", "a@a.test", "b@b.test"), &settings(), Timestamp(0), false);
        list.write(true).unwrap();
        prop_assert_eq!(open(&disk).len(), list.len());
    }
}
