//! Reports made to hurt: each is read in bounded time and memory. Time is this thread's on the processor, so
//! that a busy machine does not matter; the bounds are a debug build's.

use std::{fs, time::Duration};

use diagnose::{class::class_of_testimony, dialects::ndr, explanation};

/// What one report may cost a debug build.
const TIME_MAX: Duration = Duration::from_secs(20);
/// What all of them may add to the largest size of the process.
const MEMORY_MAX: u64 = 256 * 1024 * 1024;

const HEAD: &str =
    "From: MAILER-DAEMON@mx.a.test\nTo: anna@a.test\nSubject: Undelivered\nMIME-Version: 1.0\n";

#[test]
fn no_report_costs_much() {
    let before = memory();
    for (name, octets) in cases() {
        let start = processor_time();
        let read = ndr::read(&octets);
        for told in &read.reports {
            class_of_testimony(told);
        }
        read.reports.iter().take(10).for_each(|told| drop(explanation::of_testimony(told)));
        let took = processor_time().saturating_sub(start);
        assert!(took <= TIME_MAX, "{name}: {took:?} for {} octets", octets.len());
        assert!(read.reports.len() <= ndr::RECIPIENTS_MAX, "{name}: {}", read.reports.len());
    }
    let more = memory().saturating_sub(before);
    assert!(more <= MEMORY_MAX, "{more} octets more");
}

fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let mut cases = nested();
    cases.extend(recipients());
    cases.extend(long_lines());
    cases.extend(floods());
    cases
}

/// Parts within parts, messages within messages.
fn nested() -> Vec<(&'static str, Vec<u8>)> {
    let mut parts = HEAD.to_owned();
    for depth in 0..5_000 {
        parts
            .push_str(&format!("Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n"));
    }
    parts.push_str("\n<bob@b.test>: 550 no such user\n");
    let mut messages = HEAD.to_owned();
    for _ in 0..5_000 {
        messages.push_str("Content-Type: message/rfc822\n\n");
        messages.push_str(HEAD);
    }
    let mut one_boundary = HEAD.to_owned();
    one_boundary.push_str("Content-Type: multipart/report; boundary=b\n\n");
    one_boundary.push_str(
        &"--b\nContent-Type: message/rfc822\n\nFrom: a@a.test\nTo: b@b.test\n\nx\n".repeat(20_000),
    );
    // The library for MIME loses count of its parts here.
    let mut empty = HEAD.to_owned();
    empty.push_str("Content-Type: multipart/report; boundary=b\n\n--b\n");
    empty.push_str(&"Content-Type: message/rfc822\n\n".repeat(3));
    empty.push_str("\n--b\n\n--b--\n");
    vec![
        ("messages within messages, and nothing in them", empty.into_bytes()),
        ("multiparts 5,000 deep", parts.into_bytes()),
        ("messages 5,000 deep", messages.into_bytes()),
        ("20,000 messages side by side", one_boundary.into_bytes()),
    ]
}

/// More recipients than anybody reads.
fn recipients() -> Vec<(&'static str, Vec<u8>)> {
    let group = |n: usize| {
        format!(
            "Final-Recipient: rfc822; bob{n}@b.test\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 unknown\n\n"
        )
    };
    let groups: String = (0..10_000).map(group).collect();
    let status = format!(
        "{HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.a.test\n\n{groups}\n--b--\n"
    );
    let lines: String =
        (0..10_000).map(|n| format!("<bob{n}@b.test>: 550 5.1.1 unknown user\n\n")).collect();
    let list: String = (0..10_000).map(|n| format!("bob{n}@b.test, ")).collect();
    let json: String =
        (0..10_000).map(|n| format!("{{\"emailAddress\":\"bob{n}@b.test\"}},")).collect();
    vec![
        ("10,000 groups", status.into_bytes()),
        ("10,000 blocks", format!("{HEAD}\n{lines}").into_bytes()),
        ("one recipient in 100,000 lines", format!("{HEAD}\n{}", "<bob@b.test>: 550 no\n".repeat(100_000)).into_bytes()),
        ("10,000 failed recipients in a field", format!("{HEAD}X-Failed-Recipients: {list}\n\nno such user\n").into_bytes()),
        (
            "10,000 recipients of a notification",
            format!("{HEAD}\n{{\"eventType\":\"Bounce\",\"bounce\":{{\"bouncedRecipients\":[{}{{}}]}}}}\n", json).into_bytes(),
        ),
        ("JSON 100,000 deep", format!("{HEAD}\n{{\"eventType\":{}", "[".repeat(100_000)).into_bytes()),
    ]
}

/// Fields and lines of a megabyte.
fn long_lines() -> Vec<(&'static str, Vec<u8>)> {
    let million = "x".repeat(1_000_000);
    let field = |name: &str, value: &str| {
        format!("{HEAD}{name}: {value}\n\n<bob@b.test>: 550 no\n").into_bytes()
    };
    vec![
        ("a subject of 1 MB", field("Subject", &million)),
        ("a Received field of 1 MB", field("Received", &format!("by {million}"))),
        (
            "a boundary of 1 MB",
            field("Content-Type", &format!("multipart/mixed; boundary={million}")),
        ),
        (
            "50,000 parameters",
            field("Content-Type", &format!("text/plain{}", "; a=b".repeat(50_000))),
        ),
        ("50,000 encoded words", field("Subject", &"=?utf-8?Q?x?= ".repeat(50_000))),
        (
            "100,000 fields",
            format!("{HEAD}{}\n<bob@b.test>: 550 no\n", "X-A: b\n".repeat(100_000)).into_bytes(),
        ),
        ("a diagnostic of 1 MB", status(&format!("smtp; 550 {million}"))),
        (
            "a diagnostic of 100,000 lines",
            status(&format!("smtp; 550-{}", "5.1.1 no\n 550-".repeat(100_000))),
        ),
        ("a line of 1 MB", format!("{HEAD}\n<bob@b.test>: 550 {million}\n").into_bytes()),
        ("1 MB of at signs", format!("{HEAD}\n{}\n", "@".repeat(1_000_000)).into_bytes()),
        (
            "1 MB of quotes in an address",
            format!("{HEAD}\n{}\n", "<\"".repeat(500_000)).into_bytes(),
        ),
    ]
}

/// What grows when it is decoded, and what makes a search start again and again.
fn floods() -> Vec<(&'static str, Vec<u8>)> {
    let base64 = "PGJvYkBiLnRlc3Q+OiA1NTAgbm8K".repeat(300_000);
    let kind = |kind: &str, encoding: &str, body: &str| {
        format!("{HEAD}Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n{body}\n")
            .into_bytes()
    };
    let twice = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=b\n\n{}",
        format!("--b\nContent-Transfer-Encoding: base64\n\n{}\n", &base64[..400_000]).repeat(10)
    );
    vec![
        ("8 MB of base64", kind("text/plain", "base64", &base64)),
        ("10 parts of base64", twice.into_bytes()),
        (
            "3 MB of quoted-printable",
            kind("text/plain; charset=utf-16", "quoted-printable", &"=3D=\n".repeat(600_000)),
        ),
        (
            "HTML of 500,000 open tags",
            kind("text/html", "7bit", &"<div><table><td>".repeat(200_000)),
        ),
        ("HTML of entities", kind("text/html", "7bit", &"&amp;&lt;".repeat(300_000))),
        ("escapes of ISO-2022-JP", kind("text/plain", "7bit", &"\u{1b}$B".repeat(500_000))),
        (
            "codes in a row",
            format!("{HEAD}\n<bob@b.test>: {}\n", "550 5.1.1 550-".repeat(100_000)).into_bytes(),
        ),
        (
            "words of reports in a row",
            format!(
                "{HEAD}\n<bob@b.test>: {}\n",
                "host host said: user not user unknown 550 ".repeat(50_000)
            )
            .into_bytes(),
        ),
        (
            "a dialogue of 100,000 lines",
            format!("{HEAD}\n<bob@b.test>:\n{}\n", ">>> DATA\n<<< 550 no\n".repeat(50_000))
                .into_bytes(),
        ),
    ]
}

fn status(diagnostic: &str) -> Vec<u8> {
    format!(
        "{HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.a.test\n\nFinal-Recipient: rfc822; bob@b.test\n\
         Action: failed\nDiagnostic-Code: {diagnostic}\n\n--b--\n"
    )
    .into_bytes()
}

/// What this thread used of the processor so far, in ticks of 10 ms (proc(5)).
fn processor_time() -> Duration {
    let line = fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The name of the program is in parentheses and may hold blanks.
    let fields: Vec<&str> = line.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// The largest size that the process had in memory so far.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
