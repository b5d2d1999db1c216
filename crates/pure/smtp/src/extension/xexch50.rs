//! XEXCH50 (Exchange 2000 and 2003): properties of a message for another Exchange, as octets of a stated
//! number, between RCPT and DATA.
//!
//! `XEXCH50 octets version`. Before AUTH: `504 Need to authenticate first`. After it: 354, exactly so many
//! octets, which are thrown away, then 250. Nobody outside Exchange can read them.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::XEXCH50,
    specified: "Exchange 2000",
    offered: Offered::Never,
    switch: "",
    server: "504 before AUTH; after it 354, the octets are swallowed, 250.",
    client: "Never.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::XEXCH50) {
        lines.push("XEXCH50");
    }
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
