//! Lines out of octets, in bounded memory, with what they ended with.

use diagnose::session::Ending;

use super::held::Stamp;

/// Octets of a line that are kept; the rest is counted in its text.
pub(super) const LINE_LENGTH_MAX: usize = 2_048;

/// One side's line in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct LineReader {
    text: Vec<u8>,
    /// All octets of the line so far, kept or not.
    length: u64,
    ends_with_cr: bool,
    /// A CR was taken for the line's end: an LF behind it belongs to it.
    swallow_lf: bool,
    first: Stamp,
    last: Stamp,
}

/// A line that is complete, or cut off.
#[derive(Clone, Debug)]
pub(super) struct WholeLine {
    pub text: Vec<u8>,
    pub ending: Ending,
    pub first: Stamp,
    pub last: Stamp,
}

/// What came of some octets.
#[derive(Clone, Debug)]
pub(super) enum Read {
    /// A line.
    Line(WholeLine),
    /// A TLS record begins here; its first octet may have been taken before.
    Tls(Option<(Stamp, u8)>),
    /// Nothing yet.
    More,
}

impl LineReader {
    /// Octets of memory that it takes.
    pub fn memory(&self) -> usize {
        self.text.capacity()
    }

    /// Whether a line has begun.
    pub fn is_within(&self) -> bool {
        self.length > 0
    }

    /// Whether what there is of a line ends with CR, so that it may be all of it. Telnet writes a bare CR
    /// as CR NUL (RFC 854).
    pub fn may_end_here(&self) -> bool {
        self.length > 1 && (self.ends_with_cr || self.text.ends_with(b"\r\0"))
    }

    /// Takes octets up to a line's end; gives how many were used. `tls`: whether a record of TLS may
    /// stand where a line begins.
    pub fn read(&mut self, stamp: Stamp, octets: &[u8], tls: bool) -> (usize, Read) {
        let Some(&start) = octets.first() else { return (0, Read::More) };
        if std::mem::take(&mut self.swallow_lf) && start == b'\n' {
            return (1, Read::More);
        }
        if tls && let Some(read) = self.find_tls(octets) {
            return read;
        }
        if self.length == 0 {
            self.first = stamp;
        }
        self.last = stamp;
        match memchr::memchr(b'\n', octets) {
            Some(end) => {
                self.push(&octets[..end]);
                let ending = if self.ends_with_cr { Ending::Crlf } else { Ending::Lf };
                (end + 1, Read::Line(self.take(ending)))
            }
            None => {
                self.push(octets);
                (octets.len(), Read::More)
            }
        }
    }

    /// A TLS record's type (RFC 8446 section 5.1) and 3, the version's first octet. No text of SMTP
    /// begins so.
    fn find_tls(&mut self, octets: &[u8]) -> Option<(usize, Read)> {
        if self.length == 0 && is_record_type(octets[0]) && octets.get(1) == Some(&3) {
            return Some((0, Read::Tls(None)));
        }
        if self.length == 1 && is_record_type(*self.text.first()?) && octets[0] == 3 {
            let before = (self.first, self.text[0]);
            self.take(Ending::Missing);
            return Some((0, Read::Tls(Some(before))));
        }
        None
    }

    /// Whatever there is of a line: it is cut off, or ends with CR.
    pub fn rest(&mut self) -> Option<WholeLine> {
        if self.length == 0 {
            return None;
        }
        if self.text.ends_with(b"\r\0") {
            self.text.pop();
            (self.length, self.ends_with_cr) = (self.length - 1, true);
        }
        let ending = if self.ends_with_cr { Ending::Cr } else { Ending::Missing };
        self.swallow_lf = self.ends_with_cr;
        Some(self.take(ending))
    }

    /// What there is of a line before octets that are missing: a CR is the line's end, its LF the first of them.
    pub fn before_gap(&mut self) -> Option<WholeLine> {
        let line = self.rest()?;
        self.swallow_lf = false;
        let ending = if line.ending == Ending::Cr { Ending::Crlf } else { line.ending };
        Some(WholeLine { ending, ..line })
    }

    fn push(&mut self, octets: &[u8]) {
        let room = LINE_LENGTH_MAX - self.text.len();
        self.text.extend_from_slice(&octets[..octets.len().min(room)]);
        self.length += octets.len() as u64;
        if let Some(&last) = octets.last() {
            self.ends_with_cr = last == b'\r';
        }
    }

    fn take(&mut self, ending: Ending) -> WholeLine {
        let mut text = std::mem::take(&mut self.text);
        let more = self.length - text.len() as u64;
        if more > 0 {
            text.extend_from_slice(format!("... [{more} more octets]").as_bytes());
        } else if self.ends_with_cr && ending != Ending::Missing {
            text.pop();
        }
        (self.length, self.ends_with_cr) = (0, false);
        WholeLine { text, ending, first: self.first, last: self.last }
    }
}

fn is_record_type(octet: u8) -> bool {
    (20..=23).contains(&octet)
}

impl WholeLine {
    /// Cuts it where a bare CR stands before what `begins` a line by itself. Elsewhere a bare CR is just
    /// an octet, as servers mostly take it.
    pub fn at_bare_cr(self, begins: fn(&[u8]) -> bool) -> Vec<Self> {
        if memchr::memchr(b'\r', &self.text).is_none() {
            return vec![self];
        }
        let (first, last) = (self.first, self.last);
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for part in self.text.split(|&octet| octet == b'\r') {
            let part = part.strip_prefix(b"\0").unwrap_or(part);
            match lines.last_mut() {
                Some(line) if !begins(part) => {
                    line.push(b'\r');
                    line.extend_from_slice(part);
                }
                _ => lines.push(part.to_vec()),
            }
        }
        let count = lines.len();
        let ending = |index| if index + 1 == count { self.ending } else { Ending::Cr };
        let line = |(index, text)| Self { text, ending: ending(index), first, last };
        lines.into_iter().enumerate().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Text = Vec<u8>;

    fn read_all(octets: &[u8]) -> (Vec<(Text, Ending)>, Option<Text>) {
        let mut reader = LineReader::default();
        let (mut lines, mut rest) = (Vec::new(), octets);
        while !rest.is_empty() {
            let (used, read) = reader.read(Stamp::default(), rest, true);
            rest = &rest[used..];
            match read {
                Read::Line(line) => lines.push((line.text, line.ending)),
                Read::Tls(_) => break,
                Read::More => {}
            }
        }
        (lines, reader.rest().map(|line| line.text))
    }

    #[test]
    fn a_line_keeps_what_it_ended_with() {
        let (lines, rest) = read_all(b"a\r\nb\n\r\nc\r");
        let expected = [("a", Ending::Crlf), ("b", Ending::Lf), ("", Ending::Crlf)];
        let lines: Vec<_> = lines.iter().map(|(t, e)| (str::from_utf8(t).unwrap(), *e)).collect();
        assert_eq!(lines, expected);
        assert_eq!(rest.as_deref(), Some(&b"c"[..]));
    }

    #[test]
    fn a_line_before_a_gap_ends_with_the_lf_that_is_missing() {
        for (octets, ending) in [("250-a\r", Ending::Crlf), ("250-a", Ending::Missing)] {
            let mut reader = LineReader::default();
            reader.read(Stamp::default(), octets.as_bytes(), true);
            let line = reader.before_gap().unwrap();
            assert_eq!((&line.text[..], line.ending), (&b"250-a"[..], ending), "{octets:?}");
            let (_, read) = reader.read(Stamp::default(), b"\n", true);
            assert!(
                matches!(read, Read::Line(_)),
                "what comes behind the gap is a line of its own"
            );
        }
    }

    #[test]
    fn an_endless_line_is_kept_in_part_and_counted() {
        let mut long = vec![b'x'; 1_000_000];
        long.extend_from_slice(b"\r\n");
        let (lines, _) = read_all(&long);
        let text = String::from_utf8(lines[0].0.clone()).unwrap();
        assert!(text.ends_with("xx... [997953 more octets]"), "{}", &text[2_000..]);
        assert_eq!(lines[0].1, Ending::Crlf);
    }

    #[test]
    fn tls_is_seen_where_a_line_begins_only() {
        assert_eq!(read_all(b"a\n\x16\x03\x01").0.len(), 1);
        assert_eq!(read_all(b"a\x16\x03\x01\n").0.len(), 1);
        let mut reader = LineReader::default();
        assert!(matches!(reader.read(Stamp::default(), b"\x16", true), (1, Read::More)));
        let (used, read) = reader.read(Stamp::default(), b"\x03\x01", true);
        assert!(used == 0 && matches!(read, Read::Tls(Some((_, 0x16)))));
    }

    #[test]
    fn bare_cr_ends_a_line_where_another_begins() {
        let line = WholeLine {
            text: b"one\rNOOP\r\0x\rNOOP".to_vec(),
            ending: Ending::Lf,
            first: Stamp::default(),
            last: Stamp::default(),
        };
        let lines = line.at_bare_cr(|text| text.starts_with(b"NOOP"));
        let lines: Vec<_> = lines.iter().map(|line| (&line.text[..], line.ending)).collect();
        let expected: [(&[u8], _); 3] =
            [(b"one", Ending::Cr), (b"NOOP\rx", Ending::Cr), (b"NOOP", Ending::Lf)];
        assert_eq!(lines, expected);
    }
}
