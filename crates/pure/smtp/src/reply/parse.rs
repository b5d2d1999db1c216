//! Reading replies off a stream of octets (RFC 5321 section 4.2).
//!
//! Strict in what decides (three digits, the first of them 2 to 5, a mark or nothing behind them, one
//! class throughout), tolerant in the rest: a bare LF ends a line, a line has any length, the text may be missing or
//! no UTF-8, codes need not be listed anywhere. A reply has at most [`REPLY_LENGTH_MAX`] octets.
//! Where the pieces are cut makes no difference.

use std::borrow::Cow;

use super::Reply;
use crate::status::EnhancedStatus;

/// A reply of more octets is none. EHLO replies of old groupware come to a few thousand.
pub const REPLY_LENGTH_MAX: usize = 64 * 1024;
/// So much of a reply's text goes into a [`Reply`]; it is quoted in DSNs and kept for each recipient.
const TEXT_LENGTH_MAX: usize = 4 * 1024;

/// Octets that came and were not yet handed out as replies.
#[derive(Debug, Default)]
pub struct ReplyReader {
    buffer: Vec<u8>,
    /// Up to here replies were handed out.
    taken: usize,
    /// Where the line begins that is not yet complete.
    line: usize,
    /// Up to here there is no line ending behind `line`.
    searched: usize,
    /// The code of the reply's lines so far.
    code: Option<u16>,
    /// Texts are not searched for an enhanced status.
    plain: bool,
}

/// A complete reply as it came, borrowed: nothing is copied unless somebody keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// 200-599.
    pub code: u16,
    /// All lines with their endings.
    octets: &'a [u8],
    plain: bool,
}

/// What came is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAReply {
    /// A line does not begin like one.
    #[error("`{0}` is no SMTP reply: a code from 200 to 599 was due")]
    Line(String),
    /// The lines of one reply disagree.
    #[error("the lines of one reply have the codes {0} and {1}")]
    Classes(u16, u16),
    /// No end within the bound.
    #[error("a reply of more than {REPLY_LENGTH_MAX} octets")]
    Endless,
}

impl ReplyReader {
    /// Takes what looks like an enhanced status for text: where a box in the path garbles statuses,
    /// the code alone is to be believed.
    pub fn without_statuses(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Appends what came from the peer.
    pub fn push(&mut self, octets: &[u8]) {
        if self.taken == self.buffer.len() {
            self.clear();
        }
        self.buffer.extend_from_slice(octets);
    }

    /// Forgets everything that came.
    pub fn clear(&mut self) {
        self.buffer.clear();
        // A long EHLO reply shall not stay in memory with an idle session.
        self.buffer.shrink_to(1_024);
        (self.taken, self.line, self.searched, self.code) = (0, 0, 0, None);
    }

    /// What came of a reply that is not yet complete.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// The next complete reply, `None` until more octets come. After an error the stream can't be
    /// understood any more.
    pub fn take(&mut self) -> Option<Result<Heard<'_>, NotAReply>> {
        let code = loop {
            let Some(length) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                let endless = self.rest().len() > REPLY_LENGTH_MAX;
                return endless.then_some(Err(NotAReply::Endless));
            };
            let end = self.searched + length + 1;
            let line = self.line;
            (self.line, self.searched) = (end, end);
            if end - self.taken > REPLY_LENGTH_MAX {
                return Some(Err(NotAReply::Endless));
            }
            match self.read_line(line, end) {
                Ok(Some(code)) => break code,
                Ok(None) => {}
                Err(trouble) => return Some(Err(trouble)),
            }
        };
        let octets = &self.buffer[self.taken..self.line];
        self.taken = self.line;
        Some(Ok(Heard { code, octets, plain: self.plain }))
    }

    /// Reads one line; gives the code if it is the reply's last.
    fn read_line(&mut self, start: usize, end: usize) -> Result<Option<u16>, NotAReply> {
        let line = without_ending(&self.buffer[start..end]);
        let code = code_of(line).ok_or_else(|| NotAReply::Line(excerpt(line)))?;
        match self.code {
            // RFC 5321 section 4.2.1 wants one code throughout. Within a class the last is taken; what
            // says both yes and no is not guessed at.
            Some(before) if before / 100 != code / 100 => {
                return Err(NotAReply::Classes(before, code));
            }
            _ => self.code = Some(code),
        }
        if line.get(3) == Some(&b'-') {
            return Ok(None);
        }
        self.code = None;
        Ok(Some(code))
    }
}

impl<'a> Heard<'a> {
    /// The lines as they came, without their endings.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.octets.split_inclusive(|&octet| octet == b'\n').map(without_ending)
    }

    /// The texts of the lines, without code and mark.
    pub fn texts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.lines().map(|line| line.get(4..).unwrap_or_default())
    }

    /// 2yz.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3yz.
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// A copy to be kept. The enhanced status is that of the first line that has one; it must be of
    /// the code's class (RFC 2034 section 4), or else it stays text.
    pub fn to_reply(&self) -> Reply {
        let mut status = None;
        let mut text = String::with_capacity(self.octets.len().min(TEXT_LENGTH_MAX));
        for (number, octets) in self.texts().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            let line = String::from_utf8_lossy(octets);
            let found = EnhancedStatus::split_from(&line)
                .filter(|_| !self.plain)
                .filter(|(found, _)| u16::from(found.class) == self.code / 100)
                .filter(|(found, _)| *status.get_or_insert(*found) == *found);
            text.push_str(found.map_or(&*line, |(_, rest)| rest));
            if text.len() > TEXT_LENGTH_MAX {
                cut(&mut text);
                break;
            }
        }
        Reply { code: self.code, status, text: Cow::Owned(text) }
    }
}

/// `250`, `250 text`, `250-text`; a tab for the blank. None for everything else.
fn code_of(line: &[u8]) -> Option<u16> {
    let [hundreds @ b'2'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = line else {
        return None;
    };
    let digit = |octet: &u8| u16::from(octet - b'0');
    matches!(rest, [] | [b' ' | b'-' | b'\t', ..])
        .then(|| digit(hundreds) * 100 + digit(tens) * 10 + digit(ones))
}

fn without_ending(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The beginning of a line that is no reply, fit to be shown.
pub(crate) fn excerpt(line: &[u8]) -> String {
    let shown = &line[..line.len().min(60)];
    let more = if shown.len() < line.len() { "..." } else { "" };
    format!("{}{more}", shown.escape_ascii())
}

fn cut(text: &mut String) {
    let end = (0..=TEXT_LENGTH_MAX).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.truncate(end);
    text.push_str("...");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader makes of `octets` that come in pieces of that size: replies on one line each, then
    /// what went wrong.
    fn read(octets: &[u8], size: usize) -> Vec<String> {
        let (mut reader, mut seen) = (ReplyReader::default(), Vec::new());
        for piece in octets.chunks(size) {
            reader.push(piece);
            while let Some(taken) = reader.take() {
                match taken {
                    Ok(heard) => seen.push(heard.to_reply().to_string()),
                    Err(trouble) => {
                        seen.push(trouble.to_string());
                        return seen;
                    }
                }
            }
        }
        seen
    }

    #[test]
    fn replies_and_what_is_none() {
        for (octets, expected) in [
            (&b"250 ok\r\n"[..], &["250 ok"][..]),
            (b"250\r\n", &["250"]), // RFC 5321 section 4.2: the text may be missing
            (b"250 \r\n354 go\r\n", &["250", "354 go"]),
            (b"250-a\r\n250-\r\n250 b\r\n", &["250 a b"]),
            (b"250-a\n250 b\n", &["250 a b"]), // a bare LF is tolerated
            (b"250\tok\r\n", &["250 ok"]),     // a tab for the blank
            (b"259 fine\r\n479 hm\r\n599\r\n", &["259 fine", "479 hm", "599"]), // by first digit
            (b"250-a\r\n251 b\r\n", &["251 a b"]), // one class: the last code is taken
            (b"250-a\r\n550 b\r\n", &["the lines of one reply have the codes 250 and 550"]),
            (b"550-5.1.1 no\r\n550 5.1.1 such user\r\n", &["550 5.1.1 no such user"]),
            (b"550-note\r\n550 5.1.1 no\r\n", &["550 5.1.1 note no"]),
            (b"550 2.1.1 no\r\n", &["550 2.1.1 no"]), // of the wrong class: only text
            (b"250 \xff\xfe\r\n", &["250 \u{fffd}\u{fffd}"]),
            (b"250 a\rb\r\n", &["250 a\rb"]), // a bare CR is text
            (b"250 not ended", &[]),
            (b"199 a\r\n", &["`199 a` is no SMTP reply: a code from 200 to 599 was due"]),
            (b"600 a\r\n", &["`600 a` is no SMTP reply: a code from 200 to 599 was due"]),
            (b"25 a\r\n", &["`25 a` is no SMTP reply: a code from 200 to 599 was due"]),
            (b"2500 a\r\n", &["`2500 a` is no SMTP reply: a code from 200 to 599 was due"]),
            (b"250ok\r\n", &["`250ok` is no SMTP reply: a code from 200 to 599 was due"]),
            (b"\r\n", &["`` is no SMTP reply: a code from 200 to 599 was due"]),
            (b"250-a\r\n-b\r\n", &["`-b` is no SMTP reply: a code from 200 to 599 was due"]),
        ] {
            for size in [usize::MAX, 1, 2, 3, 4, 5, 6, 7] {
                let shown = octets.escape_ascii();
                assert_eq!(read(octets, size), expected, "{shown} in pieces of {size}");
            }
        }
    }

    #[test]
    fn long_lines_are_read_and_endless_ones_are_not() {
        let line = |length| [b"250 ".to_vec(), vec![b'x'; length], b"\r\n".to_vec()].concat();
        for (length, whole) in
            [(2_000, true), (REPLY_LENGTH_MAX - 6, true), (REPLY_LENGTH_MAX, false)]
        {
            for size in [usize::MAX, 1_000] {
                let seen = read(&line(length), size);
                assert_eq!(seen.len(), 1, "{length}");
                assert_eq!(seen[0].starts_with("250 xxx"), whole, "{length} in pieces of {size}");
                assert!(seen[0].len() < TEXT_LENGTH_MAX + 20, "the text kept is bounded");
            }
        }
        let many = b"250-x\r\n".repeat(REPLY_LENGTH_MAX / 7 + 1);
        assert_eq!(read(&many, 4_096), [NotAReply::Endless.to_string()]);
    }
}
