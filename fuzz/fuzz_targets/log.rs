//! Logs: the same records in whatever pieces, whatever the octets are, and no line read twice.
#![no_main]

use diagnose::dialects::log::{Reader, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, octets) = input;
    let whole = records(octets, usize::MAX);
    assert_eq!(records(octets, usize::from(size).max(1)), whole);
    let lines = octets.split(|octet| *octet == b'\n').count() as u64;
    for record in &whole {
        let last = match record {
            Record::Session(session) => session.lines.last().map_or(0, |line| line.place.last),
            Record::Testimony(testimony) => testimony.place.last,
            Record::Happening(happening) => happening.place.last,
        };
        assert!(last <= lines);
    }
});

fn records(octets: &[u8], size: usize) -> Vec<Record> {
    let mut reader = Reader::new(Some(1_795_219_200_000_000));
    let mut records = Vec::new();
    for piece in octets.chunks(size) {
        reader.feed(piece);
        records.extend(std::iter::from_fn(|| reader.take()));
    }
    reader.finish();
    records.extend(std::iter::from_fn(|| reader.take()));
    records
}
