//! The header scan: the same facts in whatever pieces, and never more octets than there are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::header::{self, Scan};

fuzz_target!(|input: (u8, &[u8])| {
    let (size, content) = input;
    let whole = header::scan(content);
    let mut scan = Scan::default();
    for piece in content.chunks(usize::from(size).max(1)) {
        scan.feed(piece);
    }
    let pieces = scan.finish();
    // Of a line that comes in pieces only the first 4,096 octets are looked at.
    if content.len() <= 4_096 {
        assert_eq!(pieces, whole);
    }
    assert_eq!((pieces.header_length, pieces.body_start), (whole.header_length, whole.body_start));
    assert!(whole.header_length <= whole.body_start && whole.body_start <= content.len() as u64);
    let fields: usize = header::fields(content).map(|field| field.whole.len()).sum();
    assert_eq!(fields as u64, whole.header_length);
    header::content_facts(content);
});
