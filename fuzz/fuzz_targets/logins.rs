//! The file of failed logins: any octets are read without a panic, what was read is bounded, and what is
//! written of it reads as the same book.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{
    guard::{Book, Change},
    journal::{decode, encode},
    settings::Logins,
};
use smtp::Timestamp;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fuzz_target!(|octets: &[u8]| {
    let settings = Logins::default();
    let read = |mut rest: &[u8]| {
        let mut book = Book::new(b"key");
        while let Ok(Some((length, change))) = decode::<Change>(rest) {
            let mut again = Vec::new();
            encode(&mut again, &change);
            assert_eq!(decode(&again), Ok(Some((again.len(), change.clone()))));
            book.apply(&settings, change, NOW);
            rest = &rest[length..];
        }
        (book.encode(&settings, NOW), rest.len())
    };
    // The sums are made right, or nothing would ever get past them.
    let mut framed = Vec::new();
    for change in octets.split(|&octet| octet == 0xff).filter(|change| !change.is_empty()) {
        framed.extend((change.len() as u32).to_le_bytes());
        framed.extend(crc32c::crc32c(change).to_le_bytes());
        framed.extend(change);
    }
    for start in [octets, &framed] {
        let (whole, _) = read(start);
        assert_eq!(read(&whole), (whole.clone(), 0));
    }
});
