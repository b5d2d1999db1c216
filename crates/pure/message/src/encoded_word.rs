//! Encoded words (RFC 2047): text that is not ASCII, in header fields that are.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{quoted_printable, wrap};

/// Octets of text in one word: 45 become 60 in base64, within the 75 of section 2.
const OCTETS_MAX: usize = 45;

/// Appends an unstructured field (Subject, a comment): as it stands if it is ASCII, else as encoded
/// words. Folded; control characters become blanks.
pub fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    wrap::write_field(out, name, &encode(value));
}

/// `text` itself if it is ASCII and could not be taken for an encoded word, else encoded words.
pub fn encode(text: &str) -> String {
    let clean = text.replace(|c: char| c.is_control(), " ");
    // A word of over 900 octets has to be broken; only encoded words can be without a change.
    let is_plain =
        clean.is_ascii() && !clean.contains("=?") && clean.split(' ').all(|w| w.len() < 900);
    if is_plain {
        return clean;
    }
    let mut words = Vec::new();
    let mut rest = clean.as_str();
    while !rest.is_empty() {
        let mut end = rest.len().min(OCTETS_MAX);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(&rest[..end])));
        rest = &rest[end..];
    }
    words.join(" ")
}

/// A field's value as a reader would see it; words in charsets other than UTF-8, ASCII and
/// ISO-8859-1 stay encoded.
pub fn decode(value: &[u8]) -> String {
    let value = String::from_utf8_lossy(value);
    let (mut out, mut rest) = (String::new(), value.as_ref());
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, at) = rest.split_at(start);
        let Some((text, length)) = decode_word(at) else {
            out.push_str(&rest[..start + 2]);
            rest = &rest[start + 2..];
            after_word = false;
            continue;
        };
        // Section 6.2: blanks between two encoded words are not shown.
        if !(after_word && before.trim().is_empty()) {
            out.push_str(before);
        }
        out.push_str(&text);
        rest = &at[length..];
        after_word = true;
    }
    out.push_str(rest);
    out
}

/// The encoded word at the front of `text`, and how long it is.
fn decode_word(text: &str) -> Option<(String, usize)> {
    let mut parts = text.get(2..)?.splitn(3, '?');
    let (charset, encoding, tail) = (parts.next()?, parts.next()?, parts.next()?);
    let encoded = &tail[..tail.find("?=")?];
    if encoded.contains(' ') {
        return None;
    }
    let length = 2 + charset.len() + 1 + encoding.len() + 1 + encoded.len() + 2;
    let octets = match encoding {
        "B" | "b" => STANDARD.decode(encoded).ok()?,
        "Q" | "q" => quoted_printable::decode(encoded.replace('_', " ").as_bytes()),
        _ => return None,
    };
    // RFC 2231 section 5: a language may follow the charset.
    let charset = charset.split('*').next().unwrap_or(charset);
    if charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii") {
        Some((String::from_utf8(octets).ok()?, length))
    } else if charset.eq_ignore_ascii_case("iso-8859-1") {
        Some((octets.into_iter().map(char::from).collect(), length))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading() {
        for (value, seen) in [
            (&b"plain"[..], "plain"),
            (b"=?utf-8?B?w6k=?= x", "\u{e9} x"),
            (b"a =?ISO-8859-1?q?=E9_b?= c", "a \u{e9} b c"),
            (b"=?utf-8?B?w6k=?= =?utf-8?B?w6k=?=", "\u{e9}\u{e9}"),
            (b"=?utf-8*fr?Q?=C3=A9?=", "\u{e9}"),
            (b"=?big5?B?w6k=?=", "=?big5?B?w6k=?="), // not ours to guess
            (b"=?utf-8?B?w6k", "=?utf-8?B?w6k"),
            (b"1 =? 2", "1 =? 2"),
            (b"=?utf-8?B?/w==?=", "=?utf-8?B?/w==?="), // not UTF-8 inside
        ] {
            assert_eq!(decode(value), seen, "{:?}", value.escape_ascii());
        }
    }

    #[test]
    fn writing_is_undone_by_reading() {
        let long = "\u{e9}t\u{e9} \u{20ac} ".repeat(30);
        for text in ["plain", "\u{e9}", "=?utf-8?B?w6k=?=", long.as_str(), "\u{1f4e7}mail"] {
            let encoded = encode(text);
            assert!(
                encoded.is_ascii() && encoded.split(' ').all(|word| word.len() <= 75),
                "{encoded}"
            );
            assert_eq!(decode(encoded.as_bytes()), text);
        }
    }
}
