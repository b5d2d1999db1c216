//! The evidence log on a disk that holds anything: what is damaged is skipped, never fatal; and new entries
//! are written and found all the same.
#![no_main]

use std::{net::IpAddr, path::Path, sync::Arc};

use libfuzzer_sys::fuzz_target;
use mta::evidence::{Key, Log, Order, Pace, Settings};
use world::{
    clock::Clock,
    disk::{Disk, Open, write_all_at},
    sim::disk::SimDisk,
};

/// A payload as it would stand behind a right checksum.
fn framed(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xe7, 0x1d]);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

fn put(disk: &SimDisk, name: &str, octets: &[u8]) {
    let file = disk.open(&Path::new("/e").join(name), Open::New).expect("a new file");
    write_all_at(&*file, 0, octets).expect("the disk is large");
}

fuzz_target!(|input: (Vec<&[u8]>, &[u8], &[u8], u16)| {
    let (payloads, damage, index, cut) = input;
    let mut log = b"MWEV\x01\0\0\0".to_vec();
    for payload in payloads {
        framed(payload, &mut log);
        log.extend_from_slice(damage);
    }
    log.truncate(log.len().saturating_sub(usize::from(cut)));
    let disk = SimDisk::new(1);
    disk.create_directory(Path::new("/e")).expect("an empty disk");
    put(&disk, "00000001.log", &log);
    put(&disk, "00000002.log", damage);
    if !index.is_empty() {
        put(&disk, "00000001.idx", index);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let epoch = smtp::Timestamp(1_795_168_800_000);
        let clock = Clock::Sim { epoch, origin: tokio::time::Instant::now() };
        let opened = Log::open(Arc::new(disk.clone()), clock, Settings::new("/e"), Pace::Task);
        let log = opened.expect("damage is not fatal");
        let keys = [
            Key::Address("a@b.test".into()),
            Key::Domain("b.test".into()),
            Key::Client(IpAddr::from([192, 0, 2, 1])),
        ];
        for key in &keys {
            assert!(log.find(key, Order::NewestFirst, 10).len() <= 10);
        }
        log.close();
    });
});
