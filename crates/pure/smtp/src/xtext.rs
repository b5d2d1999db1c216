//! xtext: how RFC 3461 section 4 writes any text into an ESMTP parameter.

use std::borrow::Cow;

/// Whether `text` is xtext: printable ASCII without `+` and `=`, and `+` with two hexadecimal digits
/// in capitals. Empty text is.
pub fn is_valid(text: &str) -> bool {
    let octets = text.as_bytes();
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        at += match octet {
            b'+' if octets.get(at + 1..at + 3).is_some_and(|pair| hex(pair).is_some()) => 3,
            b'+' | b'=' => return false,
            b'!'..=b'~' => 1,
            _ => return false,
        };
    }
    true
}

/// Whether `text` is xtext that stands for no control character: RFC 3461 sections 4.2 and 4.4 let ENVID
/// and ORCPT be printable only, and a line end in one of them would be a line of somebody's report. (They
/// ask for ASCII as well; some write UTF-8 so, and nobody is hurt.)
pub fn is_printable(text: &str) -> bool {
    is_valid(text) && !decode(text).iter().any(u8::is_ascii_control)
}

/// What xtext stands for; a `+` that starts no pair of digits is left as it is.
pub fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('+') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((&octet, after)) = rest.split_first() {
        match after.get(..2).filter(|_| octet == b'+').and_then(hex) {
            Some(value) => {
                decoded.push(value);
                rest = &after[2..];
            }
            None => {
                decoded.push(octet);
                rest = after;
            }
        }
    }
    Cow::Owned(decoded)
}

/// Writes `text` as xtext.
pub fn encode(text: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for &octet in text {
        match octet {
            b'+' | b'=' | 0..=b' ' | 0x7f.. => encoded.push_str(&format!("+{octet:02X}")),
            _ => encoded.push(char::from(octet)),
        }
    }
    encoded
}

/// Writes an address that is not ASCII as ORCPT of the type `utf-8` has it, which may stand in any
/// transaction (RFC 6533 section 3: utf-8-addr-xtext).
pub fn encode_utf8(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '+' | '=' | '\\' => encoded.push_str(&format!("\\x{{{:X}}}", u32::from(c))),
            '!'..='~' => encoded.push(c),
            c => encoded.push_str(&format!("\\x{{{:02X}}}", u32::from(c))),
        }
    }
    encoded
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |octet: u8| match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    };
    Some(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity() {
        for (text, valid) in [
            ("a+2Bb+3Dc+20d", true),
            ("", true),
            ("a+2b", false), // RFC 3461 section 4: hexadecimal digits in capitals
            ("a+2", false),
            ("a+ZZ", false),
            ("a=b", false),
            ("a b", false),
            ("\u{e9}", false),
        ] {
            assert_eq!(is_valid(text), valid, "{text}");
        }
    }

    #[test]
    fn what_is_printable() {
        for (text, printable) in [
            ("a+20b+7E", true),
            ("a+0D+0ABcc:", false),
            ("+00", false),
            ("+7F", false),
            ("+C3+BC", true),
            ("a=", false),
        ] {
            assert_eq!(is_printable(text), printable, "{text}");
        }
    }

    #[test]
    fn utf8_addresses() {
        for (text, encoded) in [
            ("gr\u{fc}n+tag@b\u{fc}ro.test", "gr\\x{FC}n\\x{2B}tag@b\\x{FC}ro.test"),
            ("\"a b\\\"\"@\u{20ac}.test", "\"a\\x{20}b\\x{5C}\"\"@\\x{20AC}.test"),
        ] {
            assert_eq!(encode_utf8(text), encoded);
            assert!(is_valid(encoded), "it is xtext, too");
        }
    }

    #[test]
    fn there_and_back() {
        for text in [&b"a+b=c d"[..], b"", b"\xff\0~!", b"++"] {
            let encoded = encode(text);
            assert!(is_valid(&encoded), "{encoded}");
            assert_eq!(&decode(&encoded)[..], text, "{encoded}");
        }
        assert_eq!(&decode("a+zz+")[..], b"a+zz+");
    }
}
