//! XEXCH50 (Exchange 2000 and 2003): properties of a message for another Exchange, as octets of a stated
//! number, between RCPT and DATA.
//!
//! `XEXCH50 octets version`. Before AUTH: `504 Need to authenticate first`. After it: 354, exactly so many
//! octets, which are thrown away, then 250. Nobody outside Exchange can read them.
//!
//! As a client we have no properties to hand over, and say it only where a route's `use` has it: for an Exchange that
//! wants to hear it, and to try what a path does to it.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::XEXCH50,
    specified: "Exchange 2000",
    offered: Offered::Never,
    switch: "",
    server: "504 before AUTH; after it 354, the octets are swallowed, 250.",
    client: "Only where `use` says so: with an empty list, behind RCPT. Refused, it goes on without.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::XEXCH50) {
        lines.push("XEXCH50");
    }
}

/// What we hand over: a list of properties, which begins with their number in four octets, and there are none.
pub(crate) const NO_PROPERTIES: &[u8] = &[0; 4];

/// The command that announces [`NO_PROPERTIES`]: version 2 is all that was ever seen.
pub(crate) fn write(line: &mut Vec<u8>) {
    line.extend_from_slice(format!("XEXCH50 {} 2", NO_PROPERTIES.len()).as_bytes());
}

/// The octets that XEXCH50's argument announces; `None` if it doesn't.
pub(crate) fn length(argument: &str) -> Option<u64> {
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    let number = |word: &str| word.bytes().all(|octet| octet.is_ascii_digit());
    let length = words.next().filter(|word| number(word))?;
    // The version, `2` in all that was ever seen, may be missing.
    let rest_fits = words.next().is_none_or(number) && words.next().is_none();
    length.parse().ok().filter(|_| rest_fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_announce_is_what_we_send() {
        let mut line = Vec::new();
        write(&mut line);
        let argument =
            line.strip_prefix(b"XEXCH50 ").and_then(|argument| std::str::from_utf8(argument).ok());
        assert_eq!(argument.and_then(length), Some(NO_PROPERTIES.len() as u64));
    }

    #[test]
    fn arguments() {
        for (text, expected) in [
            ("1044 2", Some(1_044)),
            ("1044", Some(1_044)),
            ("0 2", Some(0)),
            ("-1 2", None),
            ("x 2", None),
            ("10 x", None),
            ("10 2 3", None),
            ("99999999999999999999 2", None),
            ("", None),
        ] {
            assert_eq!(length(text), expected, "{text}");
        }
    }
}
