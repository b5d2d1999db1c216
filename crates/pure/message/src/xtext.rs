//! xtext (RFC 3461 section 4): printable ASCII in which `+`, `=` and all else is written `+XX`.

/// The octets that `text` stands for; `None` when it is no xtext.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [octet, tail @ ..] = rest {
        rest = tail;
        match octet {
            b'+' => {
                let [high, low, tail @ ..] = rest else { return None };
                rest = tail;
                out.push(hex(*high)? << 4 | hex(*low)?);
            }
            b'=' => return None,
            0x21..=0x7e => out.push(*octet),
            _ => return None,
        }
    }
    Some(out)
}

/// `octets` as xtext.
pub fn encode(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(octets.len());
    for &octet in octets {
        if (0x21..=0x7e).contains(&octet) && !matches!(octet, b'+' | b'=') {
            out.push(char::from(octet));
        } else {
            out.push('+');
            out.push(char::from(DIGITS[usize::from(octet >> 4)]));
            out.push(char::from(DIGITS[usize::from(octet & 15)]));
        }
    }
    out
}

/// RFC 3461 wants upper case; lower case is written by some and harms nobody.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (xtext, octets) in [
            ("id+2B1+3D2", Some(&b"id+1=2"[..])),
            ("", Some(b"")),
            ("a+0D+0a", Some(b"a\r\n")), // decodes; who prints it has to clean it
            ("a=b", None),               // `=` has to be written +3D
            ("a b", None),
            ("a+2", None),
            ("a+GG", None),
            ("\u{e9}", None),
        ] {
            assert_eq!(decode(xtext).as_deref(), octets, "{xtext}");
        }
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(encode(b"id+1=2"), "id+2B1+3D2");
    }
}
