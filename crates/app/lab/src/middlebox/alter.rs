//! Overwriting and replacing words.

use crate::words;

/// A command with its verb overwritten: `XXXX FROM:<a@a.test>`.
pub fn masked_command(line: &[u8]) -> Vec<u8> {
    let length = words::verb(line).len();
    let mut masked = line.to_vec();
    masked[..length].fill(b'X');
    masked
}

/// A command with another verb.
pub fn replaced_command(line: &[u8], verb: &str) -> Vec<u8> {
    let rest = &line[words::verb(line).len()..];
    [verb.as_bytes(), rest].concat()
}

/// A greeting of which only code, blanks, and the digits 2 and 0 are left, as PIX does it.
pub fn masked_greeting(line: &[u8]) -> Vec<u8> {
    let (text, ending) = line.split_at(words::trimmed(line).len());
    let head = text.len().min(4);
    let rest = text[head..].iter().map(|octet| if b"20 ".contains(octet) { *octet } else { b'*' });
    text[..head].iter().copied().chain(rest).chain(ending.iter().copied()).collect()
}

/// An EHLO keyword line overwritten, parameters and all, its length kept: `250-XXXXXXXA`.
pub fn masked_keyword(line: &[u8]) -> Vec<u8> {
    let (text, ending) = line.split_at(words::trimmed(line).len());
    let mut masked = text.to_vec();
    if let Some(rest) = masked.get_mut(4..) {
        rest.fill(b'X');
        if let Some(last) = rest.last_mut() {
            *last = b'A';
        }
    }
    masked.extend_from_slice(ending);
    masked
}

/// The keyword of an EHLO reply line.
pub fn keyword(line: &[u8]) -> String {
    words::verb(line.get(4..).unwrap_or_default())
}

/// Code and separator of every line put right after lines were taken out: the last one has a blank.
pub fn rejoined(mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let count = lines.len();
    for (index, line) in lines.iter_mut().enumerate() {
        if let Some(separator) = line.get_mut(3) {
            *separator = if index + 1 == count { b' ' } else { b'-' };
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_firewalls_do_it() {
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        assert_eq!(text(masked_command(b"EHLO a.test\r\n")), "XXXX a.test\r\n");
        assert_eq!(text(replaced_command(b"EHLO a.test\r\n", "HELO")), "HELO a.test\r\n");
        assert_eq!(text(masked_greeting(b"220 mx2.b.test ESMTP\r\n")), "220 **2******* *****\r\n");
        assert_eq!(text(masked_keyword(b"250-STARTTLS\r\n")), "250-XXXXXXXA\r\n");
        let lines = rejoined(vec![b"250-a\r\n".to_vec(), b"250-b\r\n".to_vec()]);
        assert_eq!(text(lines.concat()), "250-a\r\n250 b\r\n");
    }
}
