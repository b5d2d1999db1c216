//! A mailbox file (mbox, RFC 4155) taken apart into its messages, as it comes in, in bounded memory.
//!
//! A message begins with a line `From ADDRESS DATE` at the start or behind a blank line, and with a field of
//! a header section on the next line: `From here on ...` in a body is neither. Bodies that quote such lines
//! (`>From `, mboxrd) get them back.

use std::collections::VecDeque;

/// Of one message so many octets are kept: why a long one came back stands in front of it.
pub const LETTER_MAX: usize = 16 * 1024 * 1024;
/// Of one line so many octets are looked at before they are passed on.
const LINE_MAX: usize = 64 * 1024;

/// One message of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// Its octets without the separating line, at most [`LETTER_MAX`].
    pub octets: Vec<u8>,
    /// The number of its separating line in the file, from 1.
    pub line: u64,
}

/// Feed it octets in pieces of any size, take letters until there is none, `finish` at the end.
#[derive(Debug, Default)]
pub struct Mailbox {
    line: Vec<u8>,
    line_number: u64,
    is_mid_line: bool,
    is_behind_blank: bool,
    /// A line that separates if the next one is a field.
    separator: Option<Vec<u8>>,
    letter: Option<Letter>,
    ready: VecDeque<Letter>,
}

/// Whether octets begin as a mailbox file does, blank lines aside.
pub fn is_mailbox(octets: &[u8]) -> bool {
    let lines = octets.split(|octet| *octet == b'\n');
    let mut lines = lines.skip_while(|line| line.trim_ascii().is_empty());
    lines.next().is_some_and(is_separator) && lines.next().is_some_and(is_field)
}

impl Mailbox {
    /// Before the first octet.
    pub fn new() -> Self {
        Self { is_behind_blank: true, ..Self::default() }
    }

    /// Takes octets in.
    pub fn feed(&mut self, octets: &[u8]) {
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LINE_MAX {
                self.end_line();
            }
        }
    }

    /// No more will come.
    pub fn finish(&mut self) {
        self.end_line();
        self.keep_separator();
        self.ready.extend(self.letter.take());
    }

    /// The next whole message.
    pub fn take(&mut self) -> Option<Letter> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        let is_begun = self.is_mid_line;
        self.is_mid_line = !line.ends_with(b"\n");
        if is_begun {
            self.keep(&line);
        } else {
            self.line_number += 1;
            self.judge(&line);
        }
        line.clear();
        self.line = line;
    }

    /// Takes a whole line, or the beginning of a long one.
    fn judge(&mut self, line: &[u8]) {
        if let Some(separator) = self.separator.take() {
            if is_field(line) {
                self.ready.extend(self.letter.take());
                self.letter = Some(Letter { line: self.line_number - 1, ..Letter::default() });
            } else {
                self.keep(&separator);
            }
        }
        if self.is_behind_blank && is_separator(line) {
            self.separator = Some(line.to_vec());
            self.is_behind_blank = false;
            return;
        }
        let is_quoted = line.starts_with(b">")
            && line
                .iter()
                .position(|octet| *octet != b'>')
                .is_some_and(|at| line[at..].starts_with(b"From "));
        self.keep(if is_quoted { &line[1..] } else { line });
        self.is_behind_blank = line.trim_ascii().is_empty();
    }

    fn keep_separator(&mut self) {
        if let Some(separator) = self.separator.take() {
            self.keep(&separator);
        }
    }

    /// What stands before the first separating line belongs to no message.
    fn keep(&mut self, octets: &[u8]) {
        let Some(letter) = &mut self.letter else { return };
        let room = LETTER_MAX - letter.octets.len();
        letter.octets.extend_from_slice(&octets[..octets.len().min(room)]);
    }
}

/// `From bob@b.test Thu Apr 29 23:34:45 2021`: a sender, and a date with a time and a year.
fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(500)]).into_owned();
    let words: Vec<&str> = rest.split_whitespace().collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_time = |word: &&str| {
        let parts: Vec<&str> = word.split(':').collect();
        (2..=3).contains(&parts.len()) && parts.iter().all(|part| is_number(part))
    };
    let is_year = |word: &&str| word.len() == 4 && is_number(word);
    words.len() >= 5 && words.iter().any(is_time) && words.iter().any(is_year)
}

/// `Name: value`, or another envelope line that some systems add (`>From `).
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|octet| *octet == b':').next().unwrap_or_default();
    let is_name = |octet: &u8| octet.is_ascii_graphic();
    let has_colon = name.len() < line.len() && !name.is_empty() && name.len() <= 100;
    (has_colon && name.iter().all(is_name)) || line.starts_with(b">From ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "From MAILER-DAEMON Thu Apr 29 23:34:45 2021\r\nFrom: a@a.test\r\nSubject: one\r\n\r\nfirst\r\n\r\nFrom here \
        on, at 10:15 in 2021, it went wrong\r\n>From the start\r\n\r\nFrom bob@b.test Fri Apr 30 01:02:03 2021 +0200\r\n\
        From: b@b.test\r\nSubject: two\r\n\r\nsecond\r\n";

    fn letters(octets: &[u8], size: usize) -> Vec<Letter> {
        let mut mailbox = Mailbox::new();
        let mut letters = Vec::new();
        for piece in octets.chunks(size) {
            mailbox.feed(piece);
            letters.extend(std::iter::from_fn(|| mailbox.take()));
        }
        mailbox.finish();
        letters.extend(std::iter::from_fn(|| mailbox.take()));
        letters
    }

    #[test]
    fn each_message_on_its_own_whatever_the_pieces() {
        assert!(is_mailbox(TWO.as_bytes()) && is_mailbox(format!("\r\n \n{TWO}").as_bytes()));
        for size in [1, 7, 64, 100_000] {
            let letters = letters(TWO.as_bytes(), size);
            assert_eq!(letters.iter().map(|letter| letter.line).collect::<Vec<_>>(), [1, 10]);
            let first = String::from_utf8_lossy(&letters[0].octets);
            assert!(first.starts_with("From: a@a.test") && first.contains("\r\nFrom here on"));
            assert!(first.contains("\nFrom the start"), "{first}");
            assert!(letters[1].octets.ends_with(b"second\r\n"));
        }
    }

    #[test]
    fn what_is_no_mailbox_is_none() {
        for text in [
            "From: bob@b.test\nTo: a@a.test\n\n",
            "From here on\nX: y\n",
            "",
            "550 no",
            " From a@a.test Thu Apr 29 23:34:45 2021\nX: y\n",
        ] {
            assert!(!is_mailbox(text.as_bytes()), "{text}");
        }
        assert_eq!(letters(b"hello\n\nFrom me\n", 3), []);
    }

    #[test]
    fn a_message_without_an_end_does_not_fill_the_memory() {
        let mut mailbox = Mailbox::new();
        mailbox.feed(b"From a Thu Apr 29 23:34:45 2021\nX: y\n\n");
        let piece = vec![b'x'; 1024 * 1024];
        for _ in 0..40 {
            mailbox.feed(&piece);
            assert!(mailbox.line.len() <= LINE_MAX + piece.len());
        }
        mailbox.finish();
        let letter = mailbox.take().unwrap();
        assert_eq!(letter.octets.len(), LETTER_MAX);
    }
}
