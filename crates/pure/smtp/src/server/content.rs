//! Content on its way in: where it ends, and what of it is content.
//!
//! Nothing but CRLF.CRLF ends it after DATA (RFC 5321 section 4.1.1.4); a BDAT chunk ends by its
//! size. A dot that was put before a line's own first dot is taken off (section 4.5.2). A bare CR or
//! LF (section 2.3.8) is a fault, or is mended, as the listener says; never is it a line end that a
//! dot could follow.
//!
//! One pass with memchr; runs are copied as they are, broken only where something is left out.

use bytes::BytesMut;
use memchr::memchr2;

use super::{BareLineEnd, LineEndings};
use crate::reply::Reply;

/// Reads one transaction's content, in any pieces.
#[derive(Debug)]
pub(super) struct Scanner {
    place: Place,
    /// Dots are transparent and one ends it: DATA, not BDAT.
    dots: bool,
    /// Lines mean nothing: BODY=BINARYMIME.
    binary: bool,
    line_endings: LineEndings,
    size_max: u64,
    /// The line it is on, from 1.
    line: u64,
    length: u64,
    fault: Option<Fault>,
}

/// Where in the stream the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Behind CRLF, or at the very start.
    LineStart,
    InLine,
    /// Behind a CR that is not written yet.
    Cr,
    /// Behind a dot at the start of a line, not written.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
    /// Behind CRLF.CRLF.
    End,
}

/// Why the content can't be accepted. It is read to its end and not stored any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Over the limit of octets.
    TooLarge,
    /// The first bare CR or LF.
    BareLineEnd { line: u64, which: BareLineEnd },
}

impl Fault {
    /// What the client hears of it.
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::TooLarge => Reply::content_over_limit(),
            Self::BareLineEnd { line, which } => {
                let which = if which == BareLineEnd::Cr { "CR" } else { "LF" };
                Reply::bare_line_end(which, line)
            }
        }
    }
}

impl Scanner {
    /// For content after DATA.
    pub(super) fn dotted(line_endings: LineEndings, size_max: Option<u64>) -> Self {
        let size_max = size_max.unwrap_or(u64::MAX);
        Self {
            place: Place::LineStart,
            dots: true,
            binary: false,
            line_endings,
            size_max,
            line: 1,
            length: 0,
            fault: None,
        }
    }

    /// For content in chunks.
    pub(super) fn chunked(line_endings: LineEndings, size_max: Option<u64>, binary: bool) -> Self {
        Self { dots: false, binary, place: Place::InLine, ..Self::dotted(line_endings, size_max) }
    }

    /// Octets of content so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The first fault so far.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether CRLF.CRLF has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.place == Place::End
    }

    /// Notes that `size` octets are announced; what does not fit need not be stored.
    pub(super) fn expect(&mut self, size: u64) {
        if self.length.saturating_add(size) > self.size_max {
            self.fault.get_or_insert(Fault::TooLarge);
        }
    }

    /// Reads on, up to the end of the content at most, and returns how many octets it took.
    pub(super) fn take(&mut self, octets: &[u8], content: &mut BytesMut) -> usize {
        if self.binary {
            self.write(octets, content);
            return octets.len();
        }
        let mut at = 0;
        while at < octets.len() && self.place != Place::End {
            at = match self.place {
                Place::InLine => self.take_lines(octets, at, content),
                _ => self.take_octet(octets[at], at, content),
            };
        }
        at
    }

    /// The last chunk is over: a CR at its end has no LF to come.
    pub(super) fn finish(&mut self, content: &mut BytesMut) {
        if self.place == Place::Cr {
            self.bare(BareLineEnd::Cr, content);
            self.place = Place::InLine;
        }
    }

    /// From within a line: copies whole lines at once, up to where an octet has to be looked at.
    fn take_lines(&mut self, octets: &[u8], start: usize, content: &mut BytesMut) -> usize {
        let mut at = start;
        loop {
            let Some(found) = memchr2(b'\r', b'\n', &octets[at..]) else {
                self.write(&octets[start..], content);
                return octets.len();
            };
            at += found;
            let crlf = octets[at] == b'\r' && octets.get(at + 1) == Some(&b'\n');
            if !crlf {
                self.write(&octets[start..at], content);
                return self.take_octet(octets[at], at, content);
            }
            at += 2;
            self.line += 1;
            let look = self.dots && octets.get(at).is_none_or(|&octet| octet == b'.');
            if look || at == octets.len() {
                self.write(&octets[start..at], content);
                self.place = if self.dots { Place::LineStart } else { Place::InLine };
                return at;
            }
        }
    }

    /// One octet with regard to what stood before it; returns the offset of the next.
    fn take_octet(&mut self, octet: u8, at: usize, content: &mut BytesMut) -> usize {
        self.place = match (self.place, octet) {
            (Place::LineStart, b'.') => Place::Dot,
            (Place::Dot, b'\r') => Place::DotCr,
            (Place::DotCr, b'\n') => Place::End,
            (Place::Cr, b'\n') => {
                self.write(b"\r\n", content);
                self.line += 1;
                if self.dots { Place::LineStart } else { Place::InLine }
            }
            // The CR before was bare. So was the dot before it no end: it was there for transparency.
            (Place::Cr | Place::DotCr, _) => {
                self.bare(BareLineEnd::Cr, content);
                self.place = Place::InLine;
                return at;
            }
            (_, b'\r') => Place::Cr,
            (_, b'\n') => {
                self.bare(BareLineEnd::Lf, content);
                Place::InLine
            }
            // An ordinary octet: leave it to `take_lines`.
            _ => {
                self.place = Place::InLine;
                return at;
            }
        };
        at + 1
    }

    /// A bare CR or LF stands here. What follows is within a line, so that no dot there means anything.
    fn bare(&mut self, which: BareLineEnd, content: &mut BytesMut) {
        match (self.line_endings, which) {
            (LineEndings::Refuse, _) => {
                let line = self.line;
                self.fault.get_or_insert(Fault::BareLineEnd { line, which });
            }
            (LineEndings::Normalize, BareLineEnd::Lf) => {
                self.write(b"\r\n", content);
                self.line += 1;
            }
            (LineEndings::Normalize, BareLineEnd::Cr) => self.write(b" ", content),
        }
    }

    fn write(&mut self, octets: &[u8], content: &mut BytesMut) {
        self.length += octets.len() as u64;
        if self.length > self.size_max {
            self.fault.get_or_insert(Fault::TooLarge);
        }
        if self.fault.is_none() {
            content.extend_from_slice(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content, length taken, whether at its end, fault.
    type Read = (Vec<u8>, usize, bool, Option<Fault>);

    fn read(mut scanner: Scanner, octets: &[u8], piece: usize) -> Read {
        let mut content = BytesMut::new();
        let mut taken = 0;
        for piece in octets.chunks(piece) {
            let used = scanner.take(piece, &mut content);
            taken += used;
            if used < piece.len() {
                break;
            }
        }
        (content.to_vec(), taken, scanner.is_at_end(), scanner.fault())
    }

    fn in_all_pieces(make: impl Fn() -> Scanner, octets: &[u8]) -> Read {
        let whole = read(make(), octets, octets.len().max(1));
        for piece in 1..8 {
            let pieces = read(make(), octets, piece);
            assert_eq!(
                pieces,
                whole,
                "{:?} in pieces of {piece}",
                octets.escape_ascii().to_string()
            );
        }
        whole
    }

    const CR: BareLineEnd = BareLineEnd::Cr;
    const LF: BareLineEnd = BareLineEnd::Lf;

    #[test]
    fn what_ends_the_content_and_what_is_in_it() {
        for (octets, content, rest) in [
            (&b"a\r\n.\r\nQUIT\r\n"[..], &b"a\r\n"[..], 6),
            (b".\r\n", b"", 0), // no content at all
            (b"..\r\n.\r\n", b".\r\n", 0),
            (b".a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n", 0), // RFC 5321 section 4.5.2: the first dot goes
            (b"\r\n\r\n.\r\n", b"\r\n\r\n", 0),
            (b". \r\n.\r\n", b" \r\n", 0),
            (b"a\0.\0\r\n.\r\n", b"a\0.\0\r\n", 0), // NUL is an octet like others
            (b"a.\r\n.\r\n", b"a.\r\n", 0),
        ] {
            let (found, taken, end, fault) =
                in_all_pieces(|| Scanner::dotted(LineEndings::Refuse, None), octets);
            assert_eq!((&found[..], end, fault), (content, true, None));
            assert_eq!(octets.len() - taken, rest);
        }
    }

    #[test]
    fn bare_line_ends_end_nothing() {
        for (octets, line, which, mended) in [
            (&b"a\n.\nb\r\n.\r\n"[..], 1, LF, &b"a\r\n.\r\nb\r\n"[..]),
            (b"a\n.\r\nb\r\n.\r\n", 1, LF, b"a\r\n.\r\nb\r\n"), // the dot is content: not taken off
            (b"a\r\n.\nb\r\n.\r\n", 2, LF, b"a\r\n\r\nb\r\n"), // transparent: this line starts behind CRLF
            (b"a\r.\rb\r\n.\r\n", 1, CR, b"a . b\r\n"),
            (b"a\r.\r\nb\r\n.\r\n", 1, CR, b"a .\r\nb\r\n"),
            (b"a\r\n.\rb\r\n.\r\n", 2, CR, b"a\r\n b\r\n"),
            (b"a\r\n.\r\r\nb\r\n.\r\n", 2, CR, b"a\r\n \r\nb\r\n"),
            (b"a\r\r\n.\r\r\nb\r\n.\r\n", 1, CR, b"a \r\n \r\nb\r\n"),
            (b"a\n\r.\n\rb\r\n.\r\n", 1, LF, b"a\r\n .\r\n b\r\n"),
            (b"a\n\n.\n\nb\r\n.\r\n", 1, LF, b"a\r\n\r\n.\r\n\r\nb\r\n"),
        ] {
            let (_, _, end, fault) =
                in_all_pieces(|| Scanner::dotted(LineEndings::Refuse, None), octets);
            assert_eq!((end, fault), (true, Some(Fault::BareLineEnd { line, which })));
            let (content, _, end, fault) =
                in_all_pieces(|| Scanner::dotted(LineEndings::Normalize, None), octets);
            assert_eq!((&content[..], end, fault), (mended, true, None));
        }
    }

    #[test]
    fn chunks_have_no_dots() {
        let text = b".one\r\n..two\r\n.\r\n";
        let (content, ..) =
            in_all_pieces(|| Scanner::chunked(LineEndings::Refuse, None, false), text);
        assert_eq!(content, text);
        let (content, _, _, fault) =
            in_all_pieces(|| Scanner::chunked(LineEndings::Refuse, None, true), b"\n\r\0\n.");
        assert_eq!((&content[..], fault), (&b"\n\r\0\n."[..], None));
        let mut scanner = Scanner::chunked(LineEndings::Refuse, None, false);
        let mut content = BytesMut::new();
        scanner.take(b"a\r", &mut content);
        assert_eq!(scanner.fault(), None, "the LF may be in the next chunk");
        scanner.finish(&mut content);
        assert_eq!(scanner.fault(), Some(Fault::BareLineEnd { line: 1, which: CR }));
    }

    #[test]
    fn too_much_is_read_and_not_stored() {
        let octets = b"123456\r\n90\r\n.\r\n";
        let (_, taken, end, fault) =
            in_all_pieces(|| Scanner::dotted(LineEndings::Refuse, Some(12)), octets);
        assert_eq!((taken, end, fault), (octets.len(), true, None));
        let mut scanner = Scanner::dotted(LineEndings::Refuse, Some(11));
        let mut content = BytesMut::new();
        scanner.take(octets, &mut content);
        assert_eq!((scanner.is_at_end(), scanner.fault()), (true, Some(Fault::TooLarge)));
        assert!(content.len() <= 11);
    }
}
