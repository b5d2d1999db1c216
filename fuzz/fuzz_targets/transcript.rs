//! Transcripts: no octets bring the reader down, and lines stand where the text has them.
#![no_main]

use diagnose::dialects::transcript;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let lines = octets.split(|octet| *octet == b'\n').count() as u64;
    for session in transcript::read(octets).into_iter().flatten() {
        assert!(!session.lines.is_empty());
        let mut before = 0;
        for line in &session.lines {
            assert!((1..=lines).contains(&line.place.first) && line.place.last <= lines);
            assert!(before <= line.place.first);
            before = line.place.first;
        }
    }
});
