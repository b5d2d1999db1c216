//! Damaged, torn and hostile segments: the walk must neither panic nor hang, and what it says holds must
//! really carry its checksum.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use spool::local::{format, scan};

fuzz_target!(|octets: &[u8]| {
    let _ = format::SegmentHeader::decode(octets);
    let octets = Bytes::copy_from_slice(octets);
    let found = scan::scan(&octets, 1, 0);
    let mut end = 0;
    for item in &found.items {
        assert!(item.offset >= end && item.header.segment == 1);
        end = item.offset + item.header.length();
        assert!(end <= octets.len() as u64);
        assert_eq!(crc32c::crc32c(&item.meta), item.header.meta_sum);
        let _ = format::take_arrival(&item.meta, item.header.id);
        let _ = format::take_state(&item.meta, item.header.id);
        let _ = format::take_finishes(&item.meta).count();
        let _ = (format::take_limit(&item.meta), format::take_seal(&item.meta));
    }
    // Metadata as it would come behind a right checksum.
    let _ = format::take_arrival(&octets, 1);
    let _ = format::take_state(&octets, 1);
});
