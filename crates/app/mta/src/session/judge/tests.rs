//! Open relay: whatever a stranger writes in RCPT, it goes to a mailbox of ours or nowhere.

use std::sync::OnceLock;

use proptest::prelude::*;
use smtp::address::Path;

use super::*;
use crate::config::Config;

fn config() -> &'static Compiled {
    static CONFIG: OnceLock<Compiled> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let text = "
        hostname = 'mx.ours.test'
        [domains.'ours.test']
        [domains.'next.test']
        kind = 'smtp'
        next_hop = '192.0.2.9:25'
        [domains.'named.test']
        mailboxes = ['a%b', 'anna']
    ";
        Compiled::new(Config::parse(text).unwrap().0, Default::default()).unwrap()
    })
}

/// What a client hears that says `RCPT TO:` and this; `None`: the machine itself finds no path in it.
fn judged(config: &Compiled, text: &str, trusted: bool) -> Option<Result<(), &'static str>> {
    let (Path::Address(path), "") = Path::split_from(text).ok()? else { return None };
    let case = Case { trusted, ..Case::new([203, 0, 113, 9].into()) };
    Some(may_be_named(config, &case, &path).map_err(|refusal| refusal.rule))
}

#[test]
fn tricks_that_once_made_servers_relay() {
    let config = config();
    for (path, expected) in [
        ("<anna@ours.test>", Some(Ok(()))),
        ("<postmaster>", Some(Ok(()))), // RFC 5321 section 4.5.1
        ("<victim@other.test>", Some(Err("relay"))),
        ("<victim@OTHER.test>", Some(Err("relay"))),
        ("<@ours.test:victim@other.test>", Some(Err("relay"))), // a source route
        ("<@ours.test,@next.test:victim@other.test>", Some(Err("relay"))),
        ("<@other.test:anna@ours.test>", Some(Ok(()))), // the route is dropped: it is ours
        ("<victim%other.test@ours.test>", Some(Err("routed-recipient"))),
        ("<victim%other.test@next.test>", Some(Err("routed-recipient"))), // next.test might follow it
        ("<other.test!victim@ours.test>", Some(Err("routed-recipient"))),
        ("<other.test!victim@next.test>", Some(Err("routed-recipient"))),
        ("<\"victim@other.test\"@ours.test>", Some(Err("routed-recipient"))),
        ("<\"victim\\@other.test\"@ours.test>", Some(Err("routed-recipient"))),
        ("<\"victim%other.test\"@next.test>", Some(Err("routed-recipient"))),
        ("<\"other.test!victim\"@next.test>", Some(Err("routed-recipient"))),
        ("<\"@other.test:victim\"@next.test>", Some(Err("routed-recipient"))),
        ("<victim%other.test@[203.0.113.1]>", Some(Err("relay"))), // whose address it is, is no matter
        ("<victim@[127.0.0.1]>", Some(Err("relay"))),
        ("<victim@[IPv6:::1]>", Some(Err("relay"))),
        ("<victim@ours.test.other.test>", Some(Err("relay"))),
        ("<victim@notours.test>", Some(Err("relay"))),
        ("<a%b@named.test>", Some(Ok(()))), // it is listed: a name, not a route
        ("<a%c@named.test>", Some(Err("routed-recipient"))),
        // No paths at all: 501.
        ("<victim@other.test@ours.test>", None),
        ("<victim@ours.test@other.test>", None),
        ("<victim@other.test.>", None),
        ("<victim%other.test>", None),
        ("<ours.test!other.test!victim>", None),
        ("<@ours.test:victim%other.test>", None),
        ("<victim@other.test,anna@ours.test>", None),
        ("<victim@other.test anna@ours.test>", None),
        ("<victim@other.test\0@ours.test>", None),
        ("<anna@ours.test><victim@other.test>", None),
        ("<<anna@ours.test>victim@other.test>", None),
        ("<\"victim@other.test>", None),
        ("<victim(@ours.test)@other.test>", None),
        ("<>", None),
    ] {
        assert_eq!(judged(config, path, false), expected, "{path}");
    }
}

#[test]
fn who_may_relay_may_write_what_it_likes() {
    let config = config();
    for path in ["<victim@other.test>", "<victim%other.test@next.test>"] {
        assert_eq!(judged(config, path, true), Some(Ok(())), "{path}");
    }
}

#[test]
fn neither_the_null_sender_nor_one_of_ours_opens_the_door() {
    let config = config();
    let ours: Address = "anna@ours.test".parse().unwrap();
    let other: Address = "victim@other.test".parse().unwrap();
    for sender in [None, Some(&ours), Some(&other)] {
        let case = Case { sender: Some(sender), ..Case::new([203, 0, 113, 9].into()) };
        assert!(may_be_named(config, &case, &other).is_err(), "{sender:?}");
    }
}

proptest! {
    /// Pieces of addresses in any order: what a stranger may name has one of our domains behind its last
    /// `@`, and nothing in front of it that looks like a way on.
    #[test]
    fn a_stranger_names_only_ours(pieces in prop::collection::vec(prop::sample::select(vec![
        "victim", "anna", "ours.test", "other.test", "next.test", "@", "%", "!", ":", ",", "\"", "\\",
        "[127.0.0.1]", "[IPv6:::1]", ".", "<", ">", " ", "OURS.test", "(", ")",
    ]), 1..9)) {
        let config = config();
        let text = format!("<{}>", pieces.concat());
        if judged(config, &text, false) == Some(Ok(())) {
            let Ok((Path::Address(path), _)) = Path::split_from(&text) else { unreachable!() };
            let ours = ["ours.test", "next.test"];
            prop_assert!(ours.contains(&&*path.domain().to_lowercase()), "{text}");
            prop_assert!(!path.local_part_unquoted().contains(['@', '%', '!']), "{text}");
        }
    }
}
