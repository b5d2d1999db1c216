//! Damaged, torn and hostile segments and hints: the walk must neither panic nor hang, and what it says
//! holds must really carry its checksum.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use spool::local::{format, hint, meta, scan};

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
        read(&item.meta, item.header.id);
    }
    // Metadata as it would come behind a right checksum.
    read(&octets, 1);
    // A hint says again what its segment says, or it is none.
    let written = Bytes::from(hint::encode(1, &found));
    assert!(hint::decode(&written, 1).is_some() && hint::decode(&written, 2).is_none());
    drop(hint::decode(&octets, 1));
});

fn read(octets: &[u8], id: u64) {
    drop((meta::take_arrival(octets, id), meta::take_arrival_jobs(octets)));
    drop((meta::take_state_head(octets), meta::take_job(octets, id)));
    meta::take_finishes(octets).for_each(drop);
    let _read = (meta::take_limit(octets), meta::take_seal(octets));
}
