//! The words of the command line: its help, and what it makes of answers.

use clap::CommandFactory;
use mta::{
    handle::{
        Detail, Entry, EntryState, ListenerStatus, QueueStatus, RecipientDetail, SpoolStatus,
        Status,
    },
    metrics::Snapshot,
};
use smtp::Timestamp;

use crate::{Cli, commands};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn before(seconds: u64) -> Timestamp {
    Timestamp(NOW.0 - seconds * 1_000)
}

#[test]
fn the_arguments_are_consistent() {
    Cli::command().debug_assert();
}

/// Every command's help in one page: what a user can ask for, and in which words.
#[test]
fn help() {
    fn pages(command: &mut clap::Command, path: &str, out: &mut String) {
        let command = command.clone().bin_name(path).term_width(100);
        let mut command = command;
        out.push_str(&format!("## {path} --help\n\n{}\n", command.render_help()));
        for inner in command.get_subcommands_mut() {
            let path = format!("{path} {}", inner.get_name());
            pages(inner, &path, out);
        }
    }
    let mut out = String::new();
    pages(&mut Cli::command(), "mailwright", &mut out);
    let out: String = out.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    insta::assert_snapshot!(out);
}

fn entry() -> Entry {
    Entry {
        id: "00A7KQ".to_owned(),
        state: EntryState::Waiting,
        domain: "b.test".to_owned(),
        reverse_path: "anna@a.test".to_owned(),
        recipients: vec!["bob@b.test".to_owned()],
        size: 1_234_567,
        at: before(3 * 3_600 + 61),
        due: Timestamp(NOW.0 + 300_000),
        attempts: 4,
        last: Some("mx1.b.test: 451 4.7.1 try again later".to_owned()),
    }
}

#[test]
fn queue_list() {
    let entries = [
        entry(),
        Entry {
            id: "00A7KR.2".to_owned(),
            state: EntryState::Held,
            reverse_path: String::new(),
            recipients: ["x@c.test", "y@c.test", "z@c.test"].map(str::to_owned).to_vec(),
            size: 512,
            attempts: 0,
            last: None,
            ..entry()
        },
        Entry { id: "00A7KS".to_owned(), state: EntryState::Active, at: before(5), ..entry() },
    ];
    insta::assert_snapshot!(commands::queue::show_list(&entries, 17, NOW, Some(100)));
    insta::assert_snapshot!(commands::queue::show_list(&[], 0, NOW, Some(100)), @"nothing in the queue fits");
}

#[test]
fn queue_show() {
    let detail = Detail {
        entry: entry(),
        message_id: Some("<1@a.test>".to_owned()),
        envid: None,
        gives_up: Timestamp(NOW.0 + 5 * 86_400_000),
        route: vec!["MX of b.test".to_owned(), "10 mx1.b.test [192.0.2.1]".to_owned()],
        recipients: vec![
            RecipientDetail { address: "bob@b.test".to_owned(), last: entry().last },
            RecipientDetail { address: "eve@b.test".to_owned(), last: None },
        ],
        sending: None,
    };
    insta::assert_snapshot!(commands::queue::show(&detail, NOW));
}

#[test]
fn status() {
    let status = Status {
        version: "0.1.0".to_owned(),
        hostname: "mail.a.test".to_owned(),
        pid: 42,
        started: before(90_000),
        now: NOW,
        stopping: true,
        config: None,
        data: "./mailwright-data".to_owned(),
        listeners: vec![ListenerStatus {
            name: "mx-2525".to_owned(),
            role: "mx".to_owned(),
            address: "127.0.0.1:2525".to_owned(),
            sessions: 1,
        }],
        queue: QueueStatus {
            jobs: 3,
            active: 1,
            waiting: 2,
            connections: 1,
            oldest: Some(before(90_000)),
            next_due: Some(Timestamp(NOW.0 + 30_000)),
            ..QueueStatus::default()
        },
        spool: SpoolStatus {
            messages: 2,
            disk: 64 << 20,
            damaged: 1,
            refusing: Some("the disk is full".to_owned()),
            ..SpoolStatus::default()
        },
        rules: vec![("dnsbl".to_owned(), 3), ("greylist".to_owned(), 1)],
        counts: Snapshot { messages_received: 10, relayed: 8, failed: 1, ..Snapshot::default() },
    };
    insta::assert_snapshot!(commands::status::show(&status));
}

#[test]
fn door() {
    let detail = |rule: &str, ended, why: &str| policy::Detail {
        rule: rule.to_owned(),
        ended,
        why: why.to_owned(),
    };
    let verdict = mta::handle::DoorVerdict {
        listener: "mx-25".to_owned(),
        rule: Some("dnsbl".to_owned()),
        reply: Some(
            "550 5.7.1 Email rejected because 192.0.2.41 is listed by zen.spamhaus.org".to_owned(),
        ),
        score: 10,
        checks: vec![
            detail("client-denied", policy::Ended::Passed, "not on the deny list"),
            detail("helo-name", policy::Ended::Skipped, "switched off"),
            detail(
                "dnsbl",
                policy::Ended::Rejected,
                "score 10 of 10: 192.0.2.41 on zen.spamhaus.org (127.0.0.2, \x1b[31mSBL: +10)",
            ),
        ],
    };
    insta::assert_snapshot!(commands::door::show(&verdict, Some(100)));
    let shown = policy::greylist::Shown {
        network: "192.0.2.0/24".to_owned(),
        sender: "anna@a.test".to_owned(),
        recipient: "bob@b.test".to_owned(),
        first: before(3_600),
        last: before(60),
        passed: 0,
    };
    let network = policy::greylist::Shown {
        sender: String::new(),
        recipient: String::new(),
        passed: 7,
        ..shown.clone()
    };
    insta::assert_snapshot!(commands::door::show_greylist(&[shown, network], 12, NOW, Some(100)));
    insta::assert_snapshot!(commands::door::rules(Some(100)));
}

#[test]
fn spool_check() {
    let damage = spool::local::Damage {
        file: "segment-0000000001".to_owned(),
        offset: 4_096,
        length: 77,
        message: Some(spool::MessageId(331_287)),
    };
    let report = spool::local::CheckReport {
        segments: 1,
        records: 9,
        messages: 2,
        jobs: 3,
        content: 20_480,
        unfinished: vec![spool::local::Damage { message: None, offset: 9_000, ..damage.clone() }],
        damaged: vec![damage],
    };
    insta::assert_snapshot!(commands::spool::show(&report));
}

#[test]
fn errors_show_the_line_and_the_remedy() {
    let text = "[retry]\ngive_up = \"1h\"\n";
    let problems = mta::config::Config::parse(text).unwrap_err();
    let path = std::path::PathBuf::from("a.toml");
    let errors = mta::config::ConfigErrors { path, text: text.to_owned(), problems };
    insta::assert_snapshot!(crate::problem::Problem::from(errors).plain());
    let error = mta::handle::HandleError::NotRunning("data/control.sock".into());
    insta::assert_snapshot!(crate::problem::Problem::from(error).plain());
}

#[test]
fn times_and_sizes() {
    use crate::output::{count, relative, size, span};
    for (seconds, text) in
        [(0, "0s"), (59, "59s"), (61, "1m1s"), (3_661, "1h1m"), (90_061, "1d1h"), (864_000, "10d")]
    {
        assert_eq!(span(std::time::Duration::from_secs(seconds)), text, "{seconds}");
    }
    for (octets, text) in
        [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (50 << 20, "50.0 MiB")]
    {
        assert_eq!(size(octets), text, "{octets}");
    }
    assert_eq!(relative(before(60), NOW), "1m ago");
    assert_eq!(relative(NOW, NOW), "now");
    assert_eq!(
        (count(1, "job", "held"), count(2, "job", "held")),
        ("1 job held".into(), "2 jobs held".into())
    );
}
