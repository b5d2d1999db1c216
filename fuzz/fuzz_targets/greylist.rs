//! The greylist's log, and the texts of lists: any octets are read without a panic, and what was read
//! is written back the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{
    dnsbl::AnswerPattern,
    greylist::book::{Book, Change},
    journal::{decode, encode},
};

fuzz_target!(|octets: &[u8]| {
    let (mut rest, mut book) = (octets, Book::default());
    while let Ok(Some((length, change))) = decode::<Change>(rest) {
        let mut again = Vec::new();
        encode(&mut again, &change);
        assert_eq!(decode(&again), Ok(Some((again.len(), change.clone()))));
        book.apply(change);
        rest = &rest[length..];
    }
    let whole = book.encode();
    let (mut rest, mut copy) = (&whole[..], Book::default());
    while let Ok(Some((length, change))) = decode::<Change>(rest) {
        copy.apply(change);
        rest = &rest[length..];
    }
    assert!(rest.is_empty() && copy == book);
    if let Some(pattern) =
        std::str::from_utf8(octets).ok().and_then(|text| text.parse::<AnswerPattern>().ok())
    {
        assert_eq!(pattern.to_string().parse(), Ok(pattern));
    }
});
