//! The server machine: any octets in any pieces, any answers, any events. It never panics and is never stuck;
//! and the driver, which is that of the tests, checks what no sequence may get round: a `250` without a
//! proof, relaying for strangers, mail in clear where TLS is required, what was sent before TLS. A witness who
//! sees only the wire says what was promised; that, and nothing else, is what was kept.
//!
//! The first octets choose what is offered, how the octets are cut and what is answered; then follows what
//! the client sends. Behind each 0xFE an octet says what happens.

#![no_main]

#[path = "../../crates/pure/smtp/tests/pages/mod.rs"]
mod pages;
#[path = "../../crates/pure/smtp/tests/sasl_driver/mod.rs"]
mod sasl_driver;
#[path = "../../crates/pure/smtp/tests/server_driver/mod.rs"]
mod server_driver;
#[path = "../../crates/pure/smtp/tests/testimony/mod.rs"]
mod testimony;
#[path = "../../crates/pure/smtp/tests/witness/mod.rs"]
mod witness;

use libfuzzer_sys::fuzz_target;
use testimony::Observed;

/// Never in UTF-8, so that dialogues have none.
const EVENT: u8 = 0xfe;
const WORDS: [&str; 8] =
    ["everything", "tls-only", "submission", "stranger", "lmtp", "normalize", "implicit", "auth"];

fuzz_target!(|octets: &[u8]| {
    let Some((&[choice, piece, moods, more], dialogue)) = octets.split_first_chunk() else {
        return;
    };
    let chosen = WORDS.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
    let words: Vec<_> = chosen.map(|(_, word)| (*word).to_owned()).collect();
    let mut observed = Observed::new(&words);
    let moods = u16::from_le_bytes([moods, more]);
    observed.driver.moods = (0..16).map(|bit| moods & (1 << bit) == 0).collect();
    let piece = if piece == 0 { usize::MAX } else { usize::from(piece) };
    let mut parts = dialogue.split(|octet| *octet == EVENT);
    observed.send(parts.next().unwrap_or_default(), piece);
    for part in parts {
        let (event, rest) = part.split_first().unwrap_or((&0, &[]));
        match event % 6 {
            0 => observed.tls_if_asked(),
            1 if observed.driver.awaits_tls() => observed.tls_failed(),
            2 => observed.silence(),
            3 => observed.shut_down(),
            4 => observed.client_closes(),
            _ => {}
        }
        observed.send(rest, piece);
    }
    observed.client_closes();
    observed.compare();
});
