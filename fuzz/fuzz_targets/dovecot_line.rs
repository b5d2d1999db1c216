//! What Dovecot's auth service sends: any line is taken apart without a panic, into no more than it has.

#![no_main]

use accounts::dovecot::line::Line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let line = Line::parse(text);
    // With an escape in it a word is written in many ways: `us`, 0x01, `er` is `user`, too.
    let stands_in = |word: &str| text.contains(word) || text.contains('\x01');
    assert!(line.word().len() <= text.len());
    if let Some(number) = line.number() {
        assert_eq!(line.at(1).and_then(|field| field.parse().ok()), Some(number));
    }
    for name in ["user", "resp", "code", "reason"] {
        if let Some(value) = line.value(name) {
            assert!(value.len() < text.len() && stands_in(name));
        }
    }
    let flags = ["temp", "authz", "user_disabled", "pass_expired"];
    assert!(flags.iter().all(|flag| !line.has(flag) || stands_in(flag)));
});
