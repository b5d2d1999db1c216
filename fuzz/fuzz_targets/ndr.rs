//! The reader of non-delivery reports: no octets make it panic or tell of more recipients than it may, and what it
//! tells can be classed and explained.
#![no_main]

use diagnose::{dialects::ndr, explanation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let read = ndr::read(octets);
    assert!(read.reports.len() <= ndr::RECIPIENTS_MAX);
    for told in read.reports.iter().take(5) {
        let explained = explanation::of_testimony(told);
        assert!(!explained.means.is_empty() && !explained.remedies.is_empty());
    }
    ndr::read_words(&String::from_utf8_lossy(octets));
});
