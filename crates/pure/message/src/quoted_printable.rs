//! quoted-printable (RFC 2045 section 6.7).

use memchr::{memchr, memmem};

/// Columns of an encoded line, the soft line break's `=` included.
const WIDTH: usize = 76;

/// Appends `text` encoded. CRLF is a line break and stays one; every other CR and LF is encoded, so
/// that no octet is lost.
pub fn write(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(end) = memmem::find(rest, b"\r\n") {
        write_line(out, &rest[..end]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[end + 2..];
    }
    write_line(out, rest);
}

fn write_line(out: &mut Vec<u8>, line: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut column = 0;
    for (index, &octet) in line.iter().enumerate() {
        let is_last = index + 1 == line.len();
        let stays = match octet {
            b'=' => false,
            b' ' | b'\t' => !is_last,
            // Dots and `From ` at the start of a line are what relays alter: not worth the risk.
            b'.' | b'F' => column > 0,
            octet => (0x21..=0x7e).contains(&octet),
        };
        let length = if stays { 1 } else { 3 };
        if column + length > WIDTH - usize::from(!is_last) {
            // A soft line break shields a blank in front of it.
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if stays && !(column == 0 && matches!(octet, b'.' | b'F')) {
            out.push(octet);
            column += 1;
        } else {
            out.push(b'=');
            out.push(DIGITS[usize::from(octet >> 4)]);
            out.push(DIGITS[usize::from(octet & 15)]);
            column += 3;
        }
    }
}

/// What `text` stands for. Tolerant as section 6.7 advises: what is no escape stays as it is.
pub fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'=', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        match rest {
            [b'\r', b'\n', tail @ ..] | [b'\n', tail @ ..] => rest = tail,
            [high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(value(*high) << 4 | value(*low));
                rest = tail;
            }
            _ => out.push(b'='),
        }
    }
    out.extend_from_slice(rest);
    out
}

fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &[u8]) -> String {
        let mut out = Vec::new();
        write(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn table() {
        for (text, expected) in [
            (&b"a=b"[..], "a=3Db"),
            (b"caf\xc3\xa9\r\n", "caf=C3=A9\r\n"),
            (b"blank \r\ntab\t", "blank=20\r\ntab=09"), // blanks at a line's end get lost on the way
            (b"a\nb\rc", "a=0Ab=0Dc"),
            (b".\r\nFrom x", "=2E\r\n=46rom x"),
            (b"", ""),
        ] {
            assert_eq!(encoded(text), expected);
        }
    }

    #[test]
    fn lines_stay_short_and_nothing_is_lost() {
        let mut text = Vec::new();
        for length in 0..300usize {
            text.extend(
                (0..length).map(|i| if i % 7 == 0 { b'\xe9' } else { b' ' + (i % 90) as u8 }),
            );
            text.extend_from_slice(b"\r\n");
        }
        for text in [text, vec![b'.'; 500], vec![b' '; 500], vec![b'F'; 77]] {
            let encoded = encoded(&text);
            assert!(encoded.is_ascii() && encoded.split("\r\n").all(|line| line.len() <= WIDTH));
            assert!(!encoded.contains(" \r\n"));
            assert_eq!(decode(encoded.as_bytes()), text);
        }
    }
}
