//! The content after DATA: counted, its beginning kept, its end found.
//!
//! The end is CRLF, dot, CRLF (RFC 5321 section 4.1.1.4). Some servers take a dot between other line
//! endings for it, some clients send it; that is a *loose* end, and what the server says decides.

use std::sync::LazyLock;

use diagnose::fingerprint::Fingerprint;
use memchr::memmem::Finder;

use super::{fingerprint::Printer, held::Stamp};

/// Where a dot begins a line. Made once, as a hostile content has one on each line.
static DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n."));

/// Octets of a content's beginning that are kept: most of a header section, where scanners sign.
pub(super) const CONTENT_SHOWN_MAX: usize = 2_048;

/// An end that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// CRLF, dot, CRLF.
    Strict,
    /// LF instead of CRLF before or behind the dot.
    Loose,
}

/// Where in a line the search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Within,
    Cr,
    /// A line begins; whether CRLF ended the one before.
    Start(bool),
    Dot(bool),
    DotCr(bool),
}

/// The search for the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan(Place);

impl Scan {
    /// At the beginning of a content, or behind a line.
    pub fn at_line(strict: bool) -> Self {
        Self(Place::Start(strict))
    }

    /// Somewhere in a line.
    pub fn within() -> Self {
        Self(Place::Within)
    }

    /// Goes on to an end; gives how many octets were used, that of the dot's line included.
    pub fn advance(&mut self, octets: &[u8]) -> (usize, Option<End>) {
        let mut used = 0;
        while used < octets.len() {
            let rest = &octets[used..];
            if self.0 == Place::Within {
                let Some(found) = DOT.find(rest) else {
                    self.0 = place_at_end(rest);
                    return (octets.len(), None);
                };
                self.0 = Place::Dot(found > 0 && rest[found - 1] == b'\r');
                used += found + 2;
                continue;
            }
            used += 1;
            match self.step(rest[0]) {
                None => {}
                end => return (used, end),
            }
        }
        (used, None)
    }

    fn step(&mut self, octet: u8) -> Option<End> {
        self.0 = match (self.0, octet) {
            (Place::Start(strict), b'.') => Place::Dot(strict),
            (Place::Dot(_), b'\n') => return self.end(End::Loose),
            (Place::DotCr(true), b'\n') => return self.end(End::Strict),
            (Place::DotCr(false), b'\n') => return self.end(End::Loose),
            (Place::Dot(strict), b'\r') => Place::DotCr(strict),
            (Place::Cr, b'\n') => Place::Start(true),
            (_, b'\n') => Place::Start(false),
            (_, b'\r') => Place::Cr,
            _ => Place::Within,
        };
        None
    }

    /// Behind the dot's line another one begins, should the content go on.
    fn end(&mut self, end: End) -> Option<End> {
        self.0 = Place::Start(matches!(self.0, Place::DotCr(_)));
        Some(end)
    }
}

fn place_at_end(octets: &[u8]) -> Place {
    match octets {
        [.., b'\r', b'\n'] => Place::Start(true),
        [.., b'\n'] => Place::Start(false),
        [.., b'\r'] => Place::Cr,
        _ => Place::Within,
    }
}

/// A content as far as it was seen.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// Its beginning.
    pub shown: Vec<u8>,
    /// Octets seen, the final dot's line included.
    pub octets: u64,
    /// Where it begins and ends; the same where nothing came.
    pub first: Stamp,
    pub last: Stamp,
    /// Part of it is missing: so may its end be.
    pub had_gap: bool,
    /// A loose end was passed over: others are no ends either.
    pub strict_only: bool,
    scan: Scan,
    /// `None` where part of it is missing.
    print: Option<Printer>,
}

impl Content {
    /// A content that begins behind what stands at `stamp`.
    pub fn new(stamp: Stamp, scan: Scan) -> Self {
        Self {
            shown: Vec::new(),
            octets: 0,
            first: stamp,
            last: stamp,
            had_gap: false,
            strict_only: false,
            // What begins in the midst has no header section to begin with.
            print: matches!(scan.0, Place::Start(_)).then(Printer::content),
            scan,
        }
    }

    /// Where the search stands.
    pub fn scan(&self) -> Scan {
        self.scan
    }

    /// Takes octets up to an end; gives how many were used.
    pub fn read(&mut self, stamp: Stamp, octets: &[u8]) -> (usize, Option<End>) {
        if self.octets == 0 {
            self.first = stamp;
        }
        self.last = stamp;
        let (mut used, mut end) = self.scan.advance(octets);
        while self.strict_only && end == Some(End::Loose) {
            let (more, next) = self.scan.advance(&octets[used..]);
            (used, end) = (used + more, next);
        }
        let room = CONTENT_SHOWN_MAX - self.shown.len();
        self.shown.extend_from_slice(&octets[..used.min(room)]);
        if let Some(print) = &mut self.print {
            print.read(&octets[..used]);
        }
        self.octets += used as u64;
        (used, end)
    }

    /// Part of it is missing.
    pub fn gap(&mut self) {
        (self.had_gap, self.print) = (true, None);
        self.scan = Scan::within();
    }

    /// What there is of it without the final dot's line, if that was the last read.
    pub fn close(mut self, finished: bool) -> (Vec<u8>, u64, Option<Fingerprint>) {
        let dot_line = match (finished, self.scan.0 == Place::Start(true)) {
            (false, _) => 0,
            (true, true) => 3,
            (true, false) => 2,
        };
        if finished {
            self.octets = self.octets.saturating_sub(dot_line);
            self.shown.truncate(usize::try_from(self.octets).unwrap_or(usize::MAX));
        }
        let print = self.print.map(|print| print.finish(dot_line as usize));
        (self.shown, self.octets, print)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found_however_the_octets_are_cut() {
        for (text, end, length) in [
            ("a\r\n.\r\nQUIT", Some(End::Strict), 3),
            (".\r\n", Some(End::Strict), 0),
            ("a\r\n..\r\n.\r\n", Some(End::Strict), 7),
            ("a\n.\nx", Some(End::Loose), 2),
            ("a\n.\r\nx", Some(End::Loose), 2),
            ("a\r\n.\nx", Some(End::Loose), 3),
            ("a\r\n.\rx\r\n.a\r\n", None, 0),
            ("a\r.\r\nb.\r\n \r\n", None, 0),
            ("\n\n\r\n.\r\n", Some(End::Strict), 4),
        ] {
            for piece in 1..=text.len() {
                let mut content = Content::new(Stamp::default(), Scan::at_line(true));
                let mut found = None;
                for part in text.as_bytes().chunks(piece) {
                    found = content.read(Stamp::default(), part).1;
                    if found.is_some() {
                        break;
                    }
                }
                assert_eq!(found, end, "{text:?} in pieces of {piece}");
                if end.is_some() {
                    assert_eq!(content.close(true).1, length, "{text:?} in pieces of {piece}");
                }
            }
        }
    }
}
