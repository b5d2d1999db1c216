//! Logs and transcripts in, records out: `tests/golden/logs` and `tests/golden/transcripts`; and what
//! must hold for any octets.
#![allow(clippy::disallowed_methods, reason = "a test reads its expectations from files")]

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use diagnose::{
    Happening, Session, Testimony,
    dialects::{
        log::{LINE_LENGTH_MAX, Reader, Record},
        transcript,
    },
    session::{Endpoint, Kind},
};
use proptest::prelude::*;

/// 2026-11-21 00:00:00: after every log here.
const LATEST: i64 = 1_795_219_200_000_000;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden").join(name)
}

fn inputs(name: &str, extension: &str) -> Vec<PathBuf> {
    let wanted = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    let entries = std::fs::read_dir(folder(name)).unwrap();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(wanted).collect();
    files.sort();
    assert!(files.len() > 5, "{name} is nearly empty");
    files
}

fn check(path: &Path, actual: &str) {
    if std::env::var("GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(expected == actual, "{} differs; it is now:\n{actual}", path.display());
}

/// Everything that a log tells, fed in pieces of that size.
fn records(octets: &[u8], size: usize) -> Vec<Record> {
    let mut reader = Reader::new(Some(LATEST));
    let mut records = Vec::new();
    for piece in octets.chunks(size) {
        reader.feed(piece);
        records.extend(std::iter::from_fn(|| reader.take()));
    }
    reader.finish();
    records.extend(std::iter::from_fn(|| reader.take()));
    records
}

#[test]
fn logs() {
    for path in inputs("logs", "log") {
        let octets = std::fs::read(&path).unwrap();
        let whole = records(&octets, usize::MAX);
        for size in [1, 7, 64] {
            assert_eq!(records(&octets, size), whole, "{} by {size}", path.display());
        }
        check(&path.with_extension("txt"), &whole.iter().map(shown).collect::<String>());
    }
}

#[test]
fn transcripts() {
    for path in inputs("transcripts", "txt") {
        let octets = std::fs::read(&path).unwrap();
        let sessions = transcript::read(&octets);
        let text = sessions
            .map_or("no dialogue\n".to_owned(), |sessions| sessions.iter().map(session).collect());
        check(&path.with_extension("session"), &text);
    }
}

#[test]
fn no_secret_comes_through() {
    // What the fixtures have as passwords, in clear and in base64.
    let secrets = ["secret", "c2VjcmV0", "AGFsaWNlAHNlY3JldA", "YWxpY2U="];
    let mut all = String::new();
    for path in inputs("logs", "log") {
        let octets = std::fs::read(&path).unwrap();
        write!(all, "{:?}", records(&octets, usize::MAX)).unwrap();
    }
    for path in inputs("transcripts", "txt") {
        for session in transcript::read(&std::fs::read(&path).unwrap()).into_iter().flatten() {
            for line in session.lines {
                writeln!(all, "{}", line.lossy()).unwrap();
            }
        }
    }
    for secret in secrets {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[test]
fn a_line_without_end_is_bounded() {
    let mut reader = Reader::new(None);
    for _ in 0..2_000 {
        reader.feed(&[b'x'; 10_000]);
    }
    reader.feed(b"\npostfix/smtpd[1]: connect from a.test[192.0.2.1]\n");
    reader.finish();
    assert_eq!((reader.lines(), reader.understood()), (2, 1));
    let mut long = b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from a[192.0.2.1]: 550 ".to_vec();
    long.resize(10 * LINE_LENGTH_MAX, b'y');
    let records = records(&long, usize::MAX);
    let [Record::Testimony(testimony)] = &records[..] else { panic!("{}", records.len()) };
    assert!(testimony.words.len() < LINE_LENGTH_MAX);
}

#[test]
fn sessions_that_never_end_are_given_up() {
    let mut reader = Reader::new(None);
    let mut sessions = 0;
    for number in 0..20_000 {
        let line = format!(
            "2026-11-20T10:00:00.000Z,EX\\D,{number:016X},0,192.0.2.1:25,192.0.2.2:40000,<,EHLO a,\n"
        );
        reader.feed(line.as_bytes());
        sessions += std::iter::from_fn(|| reader.take()).count();
    }
    assert!(sessions > 15_000, "{sessions}");
    reader.finish();
    sessions += std::iter::from_fn(|| reader.take()).count();
    assert_eq!(sessions, 20_000);
}

proptest! {
    #[test]
    fn any_octets_any_split(octets in proptest::collection::vec(any::<u8>(), 0..600), size in 1..50_usize) {
        prop_assert_eq!(records(&octets, size), records(&octets, usize::MAX));
        transcript::read(&octets);
    }

    /// Real lines, cut and patched at any place: no panic, and the split makes no difference.
    #[test]
    fn damaged_lines(
        pick in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        patch in "[\\[\\]<>:;=,\" \\-\\(\\)a-z0-9é]{0,6}",
        length in 0..8_usize,
        size in 1..50_usize,
    ) {
        let files: Vec<PathBuf> =
            inputs("logs", "log").into_iter().chain(inputs("transcripts", "txt")).collect();
        let octets = std::fs::read(pick.get(&files)).unwrap();
        let at = cut.index(octets.len());
        let end = (at + length).min(octets.len());
        let damaged = [&octets[..at], patch.as_bytes(), &octets[end..]].concat();
        prop_assert_eq!(records(&damaged, size), records(&damaged, usize::MAX));
        if let Some(sessions) = transcript::read(&damaged) {
            prop_assert!(!sessions.is_empty());
        }
    }
}

fn shown(record: &Record) -> String {
    match record {
        Record::Session(it) => session(it),
        Record::Testimony(it) => testimony(it),
        Record::Happening(it) => happening(it),
    }
}

fn testimony(it: &Testimony) -> String {
    let mut text = format!("{:>3} {:?}", it.place.first, it.fate);
    if let Some(stage) = it.stage {
        write!(text, " at {stage}{}", if it.stage_is_told { "" } else { " (inferred)" }).unwrap();
    }
    write!(text, " | {} {:?}", it.dialect, it.speaker).unwrap();
    let optional = [
        ("by", &it.writer),
        ("to", &it.recipient),
        ("from", &it.reverse_path),
        ("id", &it.message),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            write!(text, " {name}={value}").unwrap();
        }
    }
    text.push_str(&endpoint(" peer", &it.peer));
    text.push_str(&moment(it.at));
    if let Some(status) = it.status {
        write!(text, " status={status}").unwrap();
    }
    if let Some(reply) = &it.reply {
        write!(text, " | {reply}").unwrap();
    }
    format!("{text} | {}\n", it.words)
}

fn happening(it: &Happening) -> String {
    let mut text = format!("{:>3} {:?}", it.place.first, it.what);
    if let Some(stage) = it.stage {
        write!(text, " at {stage}").unwrap();
    }
    write!(text, " | {} as {:?}", it.daemon, it.side).unwrap();
    if let Some(message) = &it.message {
        write!(text, " id={message}").unwrap();
    }
    text.push_str(&endpoint(" peer", &it.peer));
    text.push_str(&moment(it.at));
    if let Some(reply) = &it.reply {
        write!(text, " | {reply}").unwrap();
    }
    format!("{text} | {}\n", it.words)
}

fn session(it: &Session) -> String {
    let mut text = format!("session {:?} {:?}", it.source, it.vantage);
    text.push_str(&endpoint(" client", &it.client));
    text.push_str(&endpoint(" server", &it.server));
    text.push_str(&moment(it.started));
    text.push('\n');
    for line in &it.lines {
        let kind = match line.kind {
            Kind::Command(_) | Kind::Reply(_) => String::new(),
            kind => format!(" [{kind:?}]"),
        };
        let words = line.text.escape_ascii();
        let (at, by) = (line.at.as_secs_f64(), line.by);
        writeln!(text, "  {:>3} {at:.3} {by:?}{kind} {words}", line.place.first).unwrap();
    }
    text
}

fn endpoint(name: &str, endpoint: &Endpoint) -> String {
    let address = endpoint.address.map(|address| address.to_string());
    let parts = [endpoint.name.clone(), address];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("{name}={}", parts.join("/")) }
}

fn moment(at: Option<i64>) -> String {
    at.map_or(String::new(), |at| format!(" @{}", at / 1_000_000))
}
