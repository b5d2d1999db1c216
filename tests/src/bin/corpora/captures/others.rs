//! What Zeek's `smtp.log` and Suricata's `test.yaml` say of a capture's transactions.

use std::{collections::BTreeMap, fs, path::Path};

use diagnose::{Session, session::Kind};

use super::Count;
use crate::figure::{Figure, Misses};
use crate::tree::{files, sessions};

/// Which capture each of Zeek's tests reads.
const TABLE: &str = "expected/BASELINE-TO-PCAP.tsv";

pub fn score(folder: &Path, misses: &mut Misses) -> Vec<Figure> {
    vec![
        zeek(folder, misses).figure("captures: what Zeek says of transactions", 0.0),
        suricata(folder, misses).figure("captures: what Suricata says of transactions", 0.0),
    ]
}

/// A row of `smtp.log` is right if its HELO, addresses and last reply are among our lines.
fn zeek(folder: &Path, misses: &mut Misses) -> Count {
    let mut count = Count::default();
    for table in files(folder, &|path| path.ends_with(TABLE)) {
        let Some(expected) = table.parent() else { continue };
        for row in fs::read_to_string(&table).unwrap_or_default().lines() {
            let Some((test, capture)) = row.split_once('\t') else { continue };
            let capture = expected.with_file_name(capture);
            let log = fs::read_to_string(expected.join(test).join("smtp.log"));
            let Ok(log) =
                log.map_err(|_| ()).and_then(|log| capture.is_file().then_some(log).ok_or(()))
            else {
                continue;
            };
            let ours = lines(&sessions(&capture));
            for fields in rows(&log) {
                for (name, value) in transaction(&fields) {
                    let found = ours.iter().any(|line| line.contains(&value));
                    count.add(found);
                    if !found {
                        misses.note("captures: zeek", test, format!("{name} {value}"), "not said");
                    }
                }
            }
        }
    }
    count
}

/// The verbs of each connection of a capture, in order, where Zeek wrote its requests down.
pub fn zeek_requests(capture: &Path) -> Option<Vec<Vec<String>>> {
    let zeek = capture.ancestors().find(|folder| folder.join(TABLE).is_file())?;
    let name = capture.strip_prefix(zeek).ok()?.to_string_lossy();
    let table = fs::read_to_string(zeek.join(TABLE)).ok()?;
    let tests = table.lines().filter_map(|row| row.split_once('\t'));
    let outputs = tests.filter(|(_, capture)| *capture == name).filter_map(|(test, _)| {
        fs::read_to_string(zeek.join("expected").join(test).join("out")).ok()
    });
    let mut connections: Vec<(String, Vec<String>)> = Vec::new();
    for line in outputs.collect::<String>().lines() {
        let fields: Vec<&str> = line.split(", ").collect();
        let ["smtp_request", connection, _, verb, ..] = fields[..] else { continue };
        match connections.iter_mut().find(|(known, _)| known == connection) {
            Some((_, verbs)) => verbs.push(verb.to_uppercase()),
            None => connections.push((connection.to_owned(), vec![verb.to_uppercase()])),
        }
    }
    let verbs: Vec<_> = connections.into_iter().map(|(_, verbs)| verbs).collect();
    (!verbs.is_empty()).then_some(verbs)
}

/// The rows of a log of Zeek's, by the names of their fields.
fn rows(log: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut names: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for line in log.lines() {
        if let Some(fields) = line.strip_prefix("#fields\t") {
            names = fields.split('\t').collect();
        } else if !line.starts_with('#') {
            rows.push(names.iter().copied().zip(line.split('\t')).collect());
        }
    }
    rows
}

fn transaction<'a>(fields: &BTreeMap<&'a str, &'a str>) -> Vec<(&'a str, String)> {
    let mut facts = Vec::new();
    for name in ["helo", "mailfrom", "rcptto", "last_reply"] {
        let value = fields.get(name).copied().unwrap_or("-");
        let values: Vec<&str> =
            if name == "rcptto" { value.split(',').collect() } else { vec![value] };
        let known = values.into_iter().filter(|value| !matches!(*value, "-" | "(empty)" | ""));
        facts.extend(known.map(|value| (name, value.to_lowercase())));
    }
    facts
}

fn suricata(folder: &Path, misses: &mut Misses) -> Count {
    let mut count = Count::default();
    for test in files(folder, &|path| path.ends_with("test.yaml")) {
        let Some(parent) = test.parent() else { continue };
        let is_capture = |path: &Path| path.extension().is_some_and(|end| end == "pcap");
        let captures: Vec<_> = files(parent, &is_capture)
            .into_iter()
            .filter(|path| path.parent() == Some(parent))
            .collect();
        let [capture] = &captures[..] else { continue };
        let ours = lines(&sessions(capture));
        for line in fs::read_to_string(&test).unwrap_or_default().lines() {
            let Some((name, value)) = line.trim().split_once(": ") else { continue };
            let named = ["smtp.helo", "smtp.mail_from", "smtp.rcpt_to["];
            if !named.iter().any(|start| name.starts_with(start)) {
                continue;
            }
            let value = value.trim_matches(['"', '\'', ' ']).to_lowercase();
            let found = ours.iter().any(|line| line.contains(&value));
            count.add(found);
            if !found {
                misses.note("captures: suricata", test.display(), line.trim(), "not said");
            }
        }
    }
    count
}

/// Commands and replies of all sessions, in small letters.
fn lines(sessions: &[Session]) -> Vec<String> {
    let lines = sessions.iter().flat_map(|session| &session.lines);
    let said = lines.filter(|line| matches!(line.kind, Kind::Command(_) | Kind::Reply(_)));
    said.map(|line| line.lossy().to_lowercase()).collect()
}
