//! As much of SMTP's grammar as a broken thing needs: lines, verbs, replies.

/// Longest line that is waited for; what is longer passes in pieces.
pub const LINE_MAX: usize = 64 * 1024;

/// The first line in `buffer`, its ending included, as a length; all of it if it is too long for a line.
pub fn line_length(buffer: &[u8]) -> Option<usize> {
    match buffer.iter().position(|&octet| octet == b'\n') {
        Some(end) => Some(end + 1),
        None => (buffer.len() >= LINE_MAX).then_some(buffer.len()),
    }
}

/// The verb of a command line, in upper case.
pub fn verb(line: &[u8]) -> String {
    let end =
        line.iter().position(|octet| !octet.is_ascii_alphanumeric() && !b"-=".contains(octet));
    String::from_utf8_lossy(&line[..end.unwrap_or(line.len())]).to_ascii_uppercase()
}

/// The octets that a BDAT, or an XEXCH50, announces.
pub fn announced(line: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(line);
    text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The code of a reply line, and whether it is the last of its reply.
pub fn code(line: &[u8]) -> Option<(u16, bool)> {
    let code: u16 = str::from_utf8(line.get(..3)?).ok()?.parse().ok()?;
    Some((code, line.get(3) != Some(&b'-')))
}

/// The line without its ending.
pub fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A content as it was written: without the final dot's line, and without the dots that were put before
/// others (RFC 5321 section 4.5.2).
pub fn unstuffed(content: &[u8]) -> Vec<u8> {
    let content = content.strip_suffix(b".\r\n").unwrap_or(content);
    let mut plain = Vec::with_capacity(content.len());
    let mut before = *b"\r\n";
    for &octet in content {
        if octet != b'.' || before != *b"\r\n" {
            plain.push(octet);
        }
        before = [before[1], octet];
    }
    plain
}

/// Where the end of a content (CRLF.CRLF) is found in octets that come in pieces.
#[derive(Debug)]
pub struct Dot {
    /// How much of CRLF.CRLF the last octets were; 2 at a content's start.
    matched: usize,
}

impl Default for Dot {
    fn default() -> Self {
        Self { matched: 2 }
    }
}

impl Dot {
    /// The length of `octets` up to and with the end, if it is in there.
    pub fn end(&mut self, octets: &[u8]) -> Option<usize> {
        const END: &[u8; 5] = b"\r\n.\r\n";
        for (index, &octet) in octets.iter().enumerate() {
            self.matched = match octet {
                octet if octet == END[self.matched] => self.matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            if self.matched == END.len() {
                self.matched = 2;
                return Some(index + 1);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_that_were_put_in_are_taken_out() {
        for (sent, plain) in [
            ("a\r\n.\r\n", "a\r\n"),
            (".\r\n", ""),
            ("..a\r\n...\r\nb..\r\n.\r\n", ".a\r\n..\r\nb..\r\n"),
        ] {
            assert_eq!(unstuffed(sent.as_bytes()), plain.as_bytes(), "{sent:?}");
        }
    }

    #[test]
    fn the_end_is_found_in_pieces() {
        for text in [&b".\r\n"[..], b"a\r\n.\r\n", b"a\r\n..\r\n\r\r\n.\r\n"] {
            for cut in 0..text.len() {
                let mut dot = Dot::default();
                let first = dot.end(&text[..cut]);
                assert_eq!(first, None);
                assert_eq!(dot.end(&text[cut..]), Some(text.len() - cut), "{text:?} at {cut}");
            }
        }
        assert_eq!(Dot::default().end(b"a\n.\r\n"), None);
    }

    #[test]
    fn words() {
        assert_eq!(verb(b"mail FROM:<>\r\n"), "MAIL");
        assert_eq!(verb(b"X-EXPS=LOGIN\r\n"), "X-EXPS=LOGIN");
        assert_eq!(announced(b"BDAT 17 LAST\r\n"), 17);
        assert_eq!(code(b"250-SIZE\r\n"), Some((250, false)));
        assert_eq!(code(b"250\r\n"), Some((250, true)));
        assert_eq!(trimmed(b"a\r\n"), b"a");
    }
}
