//! Mailbox files: the same messages in whatever pieces, none longer than it may be, and each read as a report.
#![no_main]

use diagnose::dialects::{
    mailbox::{LETTER_MAX, Letter, Mailbox},
    ndr,
};
use libfuzzer_sys::fuzz_target;

fn letters(octets: &[u8], size: usize) -> Vec<Letter> {
    let mut mailbox = Mailbox::new();
    let mut letters = Vec::new();
    for piece in octets.chunks(size) {
        mailbox.feed(piece);
        letters.extend(std::iter::from_fn(|| mailbox.take()));
    }
    mailbox.finish();
    letters.extend(std::iter::from_fn(|| mailbox.take()));
    letters
}

fuzz_target!(|octets: &[u8]| {
    let Some((size, octets)) = octets.split_first() else { return };
    let whole = letters(octets, octets.len().max(1));
    assert_eq!(letters(octets, usize::from(*size) + 1), whole);
    let kept: usize = whole.iter().map(|letter| letter.octets.len()).sum();
    assert!(kept <= octets.len() && whole.iter().all(|letter| letter.octets.len() <= LETTER_MAX));
    assert!(whole.windows(2).all(|pair| pair[0].line < pair[1].line));
    for letter in whole.iter().take(3) {
        assert!(ndr::read(&letter.octets).reports.len() <= ndr::RECIPIENTS_MAX);
    }
});
