//! `delivery-failures.oracle*.json`: file and line, with stage, code and kind.

use std::{collections::BTreeMap, fs, path::Path};

use diagnose::{
    dialects::log::Record,
    testimony::{Fate, Speaker, Testimony},
};
use serde_json::Value;
use smtp::Stage;

use super::by_line;
use crate::figure::{Figure, Misses};
use crate::tree::files;

#[derive(Default)]
struct Tally {
    found: usize,
    all: usize,
    kinds: usize,
    stages: (usize, usize),
    codes: (usize, usize),
    speakers: (usize, usize),
}

pub fn score(logs: &Path, misses: &mut Misses) -> Vec<Figure> {
    let mut tally = Tally::default();
    let is_oracle = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("delivery-failures.oracle") && name.ends_with(".json")
    };
    let mut read: BTreeMap<String, BTreeMap<u64, Vec<Record>>> = BTreeMap::new();
    for oracle in files(logs, &is_oracle) {
        let Some(Value::Array(entries)) =
            fs::read(&oracle).ok().and_then(|octets| serde_json::from_slice(&octets).ok())
        else {
            misses.note("logs", oracle.display(), "a list in JSON", "none");
            continue;
        };
        for entry in entries {
            let Some(file) = entry["file"].as_str() else { continue };
            let lines = read
                .entry(file.to_owned())
                .or_insert_with(|| by_line(&fs::read(logs.join(file)).unwrap_or_default()));
            compare(&entry, file, lines, &mut tally, misses);
        }
    }
    vec![
        Figure { name: "failing lines found", right: tally.found, of: tally.all, wanted: 0.98 },
        Figure {
            name: "deferred, failed or rejected",
            right: tally.kinds,
            of: tally.all,
            wanted: 0.98,
        },
        Figure {
            name: "stage of log lines",
            right: tally.stages.0,
            of: tally.stages.1,
            wanted: 0.98,
        },
        Figure { name: "code of log lines", right: tally.codes.0, of: tally.codes.1, wanted: 0.98 },
        Figure {
            name: "speaker of log lines",
            right: tally.speakers.0,
            of: tally.speakers.1,
            wanted: 0.95,
        },
    ]
}

fn compare(
    entry: &Value,
    file: &str,
    lines: &BTreeMap<u64, Vec<Record>>,
    tally: &mut Tally,
    misses: &mut Misses,
) {
    let line = entry["line"].as_u64().unwrap_or(0);
    let at = format!("{file}:{line}");
    let recipient = entry["rcpt"].as_str().or(entry["to"].as_str());
    let testimonies = lines.get(&line).into_iter().flatten().filter_map(|record| match record {
        Record::Testimony(testimony) => Some(testimony),
        _ => None,
    });
    let testimonies: Vec<&Testimony> = testimonies.collect();
    tally.all += 1;
    let same = testimonies.iter().find(|testimony| testimony.recipient.as_deref() == recipient);
    let Some(testimony) = same.or(testimonies.first()) else {
        misses.note("logs line", at, &entry["text"], "nothing");
        return;
    };
    tally.found += 1;
    let kind = entry["kind"].as_str().or(entry["status"].as_str()).unwrap_or_default();
    if fate(kind).contains(&testimony.fate) {
        tally.kinds += 1;
    } else {
        misses.note("logs kind", &at, kind, format!("{:?}", testimony.fate));
    }
    if let Some(words) = entry["stage"].as_str() {
        tally.stages.1 += 1;
        let wanted = stages(words);
        if testimony.stage.is_some_and(|stage| wanted.contains(&stage)) {
            tally.stages.0 += 1;
        } else {
            misses.note(
                "logs stage",
                &at,
                words,
                format!("{:?} {}", testimony.stage, testimony.words),
            );
        }
    }
    if let Some(code) = entry["code"].as_u64() {
        tally.codes.1 += 1;
        let ours = testimony.reply.as_ref().map(|reply| u64::from(reply.code));
        if ours == Some(code) {
            tally.codes.0 += 1;
        } else {
            misses.note("logs code", &at, code, format!("{ours:?} {}", testimony.words));
        }
    }
    if let Some(who) = entry["who"].as_str() {
        tally.speakers.1 += 1;
        let ours = match &testimony.speaker {
            Speaker::Remote(name) => format!("remote:{name}"),
            Speaker::RemoteUnnamed => "remote:".to_owned(),
            Speaker::Writer => "local:".to_owned(),
            Speaker::Unknown => "unknown".to_owned(),
        };
        // What the writer's parts are called is not the question.
        if who == ours || ours == "local:" && who.starts_with("local:") {
            tally.speakers.0 += 1;
        } else {
            misses.note("logs speaker", &at, who, ours);
        }
    }
}

fn fate(kind: &str) -> &'static [Fate] {
    match kind {
        "deferred" => &[Fate::Deferred],
        "failed" | "bounced" | "expired" => &[Fate::Failed],
        "rejected" => &[Fate::Rejected],
        "sent" | "delivered" => &[Fate::Delivered],
        _ => &[],
    }
}

/// The oracle's words for a stage are those of the log: the command that was answered, or what was being
/// done. Ours are steps of a session:
///
/// - `initial connection` (Exim), where the greeting is waited for, is the greeting;
/// - `CONNECT` is a client before its first command, which ours calls connect or greeting;
/// - `DNS` is finding out where to go; `end of data` and `END-OF-MESSAGE` are one, and so is what is
///   answered after BDAT.
fn stages(words: &str) -> &'static [Stage] {
    let lower = words.to_ascii_lowercase();
    let lower = lower.strip_prefix("pipelined ").unwrap_or(&lower);
    const WORDS: [(&str, &[Stage]); 22] = [
        ("end of data", &[Stage::EndOfData]),
        ("end-of-message", &[Stage::EndOfData]),
        ("end_of_data", &[Stage::EndOfData]),
        ("sending data block", &[Stage::Content]),
        ("message body", &[Stage::Content]),
        ("data", &[Stage::Data]),
        ("rcpt", &[Stage::Rcpt]),
        ("mail", &[Stage::Mail]),
        ("helo", &[Stage::Ehlo]),
        ("ehlo", &[Stage::Ehlo]),
        ("lhlo", &[Stage::Ehlo]),
        ("auth", &[Stage::Auth]),
        ("starttls", &[Stage::StartTls]),
        ("tls", &[Stage::Tls, Stage::StartTls]),
        ("initial connection", &[Stage::Greeting]),
        ("greeting", &[Stage::Greeting]),
        ("initial server greeting", &[Stage::Greeting]),
        ("connect", &[Stage::Connect, Stage::Greeting]),
        ("dns", &[Stage::Routing]),
        ("routing", &[Stage::Routing]),
        ("mailbox", &[Stage::Mailbox]),
        ("local", &[Stage::Mailbox]),
    ];
    WORDS.iter().find(|(begins, _)| lower.starts_with(begins)).map_or(&[], |(_, stages)| stages)
}
