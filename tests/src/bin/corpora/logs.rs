//! Scoring delivery logs: our reading of each line beside what others say of it.

mod failures;
mod fields;
mod hosts;
mod totals;

use std::{collections::BTreeMap, path::Path};

use diagnose::dialects::log::{Reader, Record};

use crate::figure::{Figure, Misses};

pub fn score(folder: &Path, misses: &mut Misses) -> Vec<Figure> {
    let logs = folder.join("logs");
    let mut figures = failures::score(&logs, misses);
    figures.extend(totals::score(&logs, misses));
    figures.extend(fields::score(&logs, misses));
    figures.extend(hosts::score(&logs, misses));
    figures
}

/// Everything that a log tells.
fn records(octets: &[u8]) -> Vec<Record> {
    let mut reader = Reader::new(None);
    reader.feed(octets);
    reader.finish();
    std::iter::from_fn(|| reader.take()).collect()
}

/// The records of a log by the number of their line.
fn by_line(octets: &[u8]) -> BTreeMap<u64, Vec<Record>> {
    let mut lines: BTreeMap<u64, Vec<Record>> = BTreeMap::new();
    for record in records(octets) {
        let line = match &record {
            Record::Session(session) => session.lines.first().map_or(0, |line| line.place.first),
            Record::Testimony(testimony) => testimony.place.first,
            Record::Happening(happening) => happening.place.first,
        };
        lines.entry(line).or_default().push(record);
    }
    lines
}

/// The other end's address.
fn address(record: &Record) -> Option<String> {
    let endpoint = match record {
        Record::Session(session) => match session.vantage {
            diagnose::session::Vantage::Server => &session.client,
            _ => &session.server,
        },
        Record::Testimony(testimony) => &testimony.peer,
        Record::Happening(happening) => &happening.peer,
    };
    endpoint.address.map(|address| address.ip().to_string())
}
