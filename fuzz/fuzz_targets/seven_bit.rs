//! Conversion to 7 bit: what comes out is 7 bit, and converting it again changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::{encoded_word, header, mime, quoted_printable, seven_bit};

fuzz_target!(|content: &[u8]| {
    if let Ok(converted) = seven_bit::convert(content) {
        assert!(converted.ends_with(b"\r\n"));
        let body = header::scan(&converted).body_start as usize;
        let facts = header::content_facts(&converted[body..]);
        assert!(!facts.eight_bit && !facts.nul);
        assert_eq!(seven_bit::convert(&converted).as_deref(), Ok(&converted[..]));
    }
    mime::ContentType::parse(content);
    encoded_word::decode(content);
    let mut encoded = Vec::new();
    quoted_printable::write(&mut encoded, content);
    assert_eq!(quoted_printable::decode(&encoded), content);
});
