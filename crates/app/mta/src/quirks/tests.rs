//! Which quirks apply where, what a reply comes to, and docs/quirks.md.
#![allow(clippy::disallowed_methods, reason = "a test reads and writes its page")]

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use smtp::Stage;

use super::*;

const HEAD: &str = "\
# Quirks of the field

What large providers and some servers do that no RFC says, and what Mailwright does about it. This page is made
from the table in `crates/app/mta/src/quirks/table.rs` (`GOLDEN=write cargo test -p mailwright-mta --lib quirks`).

- `mailwright config show --site HOST` tells which of them apply to a host, and `mailwright why` when one made a
  difference.
- `without_quirks` of a route or of `[sites]` switches them off by name, or `\"all\"`; `queue.quirks = false` does so
  for all sites. What is always so can't be switched off.
- A route's or site's own `connections_max` and `messages_per_connection_max` have the last word.

| quirk | hosts | what is done | why |
|---|---|---|---|
";

#[test]
fn the_page_is_that_of_the_table() {
    let mut page = HEAD.to_owned();
    let mut names = BTreeSet::new();
    for quirk in TABLE {
        assert!(names.insert(quirk.name), "{} twice", quirk.name);
        let hosts = match quirk.hosts.is_empty() {
            true => "any".to_owned(),
            false => quirk.hosts.join(" "),
        };
        let told = quirk.told();
        assert!(!told.contains('|') && !quirk.why.contains('|'), "{}", quirk.name);
        writeln!(page, "| `{}` | {hosts} | {told} | {} |", quirk.name, quirk.why)
            .expect("a String takes it");
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../docs/quirks.md");
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") {
        fs::write(&path, &page).expect("docs/quirks.md can be written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page, "docs/quirks.md is out of date: GOLDEN=write makes it anew");
}

fn said(stage: Stage, code: u16, status: Option<(u16, u16)>, text: &str) -> Cause {
    let reply = match status {
        Some((subject, detail)) => {
            Reply::new(code, ((code / 100) as u8, subject, detail), text.to_owned())
        }
        None => Reply::bare(code, text.to_owned()),
    };
    Cause { stage, trouble: Trouble::Reply(reply) }
}

#[test]
fn what_a_reply_comes_to() {
    const GOOGLE: &str = "gmail-smtp-in.l.google.com";
    const OUTLOOK: &str = "b-test.mail.protection.outlook.com";
    const YAHOO: &str = "mta5.am0.yahoodns.net";
    type Row<'a> = (&'a str, u16, Option<(u16, u16)>, &'a str, Option<&'a str>);
    let rows: [Row<'_>; 15] = [
        (
            GOOGLE,
            421,
            Some((7, 28)),
            "[203.0.113.42] Our system has detected an unusual rate of",
            Some("google-rate"),
        ),
        (
            GOOGLE,
            421,
            Some((7, 0)),
            "Try again later, closing connection. (EHLO)",
            Some("google-rate"),
        ),
        // Another mailbox of the site may have room.
        (
            GOOGLE,
            450,
            Some((2, 1)),
            "The user you are trying to contact is receiving mail at a rate that prevents, rate limited",
            None,
        ),
        (
            OUTLOOK,
            451,
            Some((7, 500)),
            "Server busy. Please try again later",
            Some("microsoft-rate"),
        ),
        (
            OUTLOOK,
            451,
            Some((7, 652)),
            "exceeded the maximum number of connections",
            Some("microsoft-rate"),
        ),
        (OUTLOOK, 421, None, "RP-001 (SNT004) Unfortunately", Some("microsoft-rate")),
        (OUTLOOK, 451, Some((7, 1)), "Greylisting in action", None),
        (
            YAHOO,
            421,
            Some((7, 0)),
            "[TSS04] Messages from 192.0.2.1 temporarily deferred",
            Some("yahoo-rate"),
        ),
        (YAHOO, 451, None, "mailbox busy", None),
        // Elsewhere these words are nobody's.
        ("mx.b.test", 451, Some((7, 500)), "Server busy", None),
        (
            "mx.b.test",
            421,
            Some((7, 0)),
            "Too many concurrent connections",
            Some("too-many-connections"),
        ),
        (
            "mx.b.test",
            452,
            Some((3, 2)),
            "Connection rate limit exceeded.",
            Some("too-many-connections"),
        ),
        ("mx.b.test", 421, None, "OFR004_104 slow down", Some("rate-words")),
        ("mx.b.test", 451, Some((7, 1)), "greylisted, come back in 5m", None),
        // For good is for good.
        ("mx.b.test", 550, Some((7, 1)), "rate limit exceeded", None),
    ];
    for (host, code, status, text, quirk) in rows {
        let cause = said(Stage::Rcpt, code, status, text);
        let found = Quirks::of(host, &[]).rest(&cause, 0).map(|(quirk, _)| quirk.name);
        assert_eq!(found, quirk, "{host}: {code} {text}");
        assert!(Quirks::of(host, &["all".to_owned()]).rest(&cause, 0).is_none(), "switched off");
    }
}

#[test]
fn a_rest_grows_and_ends_growing() {
    let quirks = Quirks::of("mx.b.test", &[]);
    let cause = said(Stage::Greeting, 421, None, "too many connections");
    let wait = |times| quirks.rest(&cause, times).map(|(_, wait)| wait.as_secs());
    assert_eq!([0, 1, 2, 6, 40].map(wait), [60, 120, 240, 3600, 3600].map(Some));
}

#[test]
fn a_connection_that_is_used_up() {
    let quirks = Quirks::of("mx.b.test", &[]);
    let full = said(Stage::Mail, 452, Some((4, 5)), "too many messages in this session");
    assert_eq!(
        quirks.new_connection(&full).map(|quirk| quirk.name),
        Some("messages-per-connection")
    );
    let later = said(Stage::EndOfData, 452, Some((4, 5)), "too many messages in this session");
    assert_eq!(quirks.new_connection(&later), None);
}

#[test]
fn hosts_and_switches() {
    let names = |host: &str, without: &[&str]| {
        let without: Vec<_> = without.iter().map(|&name| name.to_owned()).collect();
        let quirks = Quirks::of(host, &without);
        (quirks.messages_max().map(|(_, n)| n), quirks.connections_max().map(|(_, n)| n))
    };
    assert_eq!(names("MTA7.am0.yahoodns.net.", &[]), (Some(20), None));
    assert_eq!(names("mta7.am0.yahoodns.net", &["yahoo-messages"]), (None, None));
    assert_eq!(names("yahoodns.net", &[]), (None, None));
    assert_eq!(names("notyahoodns.net", &[]), (None, None));
    assert_eq!(names("smtp-in.orange.fr", &[]), (None, Some(3)));
    assert_eq!(names("smtp-in.orange.fr", &["all"]), (None, None));
}

/// QQ says 5yz and means "not so fast"; who is not authenticated slows nobody else down.
#[test]
fn what_is_said_for_good_and_is_not() {
    let qq = Quirks::of("mx3.qq.com", &[]);
    let limited =
        said(Stage::Mail, 550, None, "Ip frequency limited [ABC]. https://service.mail.qq.com/");
    let denied = said(Stage::EndOfData, 550, None, "Mail content denied");
    assert_eq!(qq.rest(&limited, 0).map(|(quirk, _)| quirk.name), Some("qq-frequency"));
    let mut outcomes = [Outcome::Failed(limited.clone()), Outcome::Failed(denied.clone())];
    qq.soften(&mut outcomes);
    assert_eq!(outcomes, [Outcome::Deferred(limited.clone()), Outcome::Failed(denied)]);
    let mut elsewhere = [Outcome::Failed(limited.clone())];
    Quirks::of("mx.b.test", &[]).soften(&mut elsewhere);
    assert_eq!(elsewhere, [Outcome::Failed(limited)]);

    let google = Quirks::of("gmail-smtp-in.l.google.com", &[]);
    let text = "This mail has been rate limited because it is unauthenticated";
    for detail in [26, 27, 30] {
        let cause = said(Stage::EndOfData, 421, Some((7, detail)), text);
        assert!(google.rest(&cause, 0).is_none(), "4.7.{detail} is about one domain");
    }
    assert!(google.rest(&said(Stage::Mail, 421, Some((7, 28)), text), 0).is_some());
}
