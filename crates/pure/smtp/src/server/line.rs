//! Command lines out of octets: whole ones, never more than one at a time, never more than a limit.
//!
//! Only CRLF ends a line. A line that is too long, or has a bare LF in it, is thrown away up to its
//! CRLF, so that each line gets one reply, and nothing in it is ever taken for a command.

use memchr::memchr;

/// The start of a line whose end has not come yet. Empty between lines: an idle session holds none.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    start: Vec<u8>,
    discard: Option<Discard>,
}

/// A line that is being thrown away.
#[derive(Debug)]
struct Discard {
    length: usize,
    /// The last octet was a CR.
    cr: bool,
    /// It is one of AUTH's.
    of_auth: bool,
    /// It was thrown away for a bare LF, and the client has heard so.
    answered: bool,
}

/// What the octets came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All were taken, no line is complete.
    Taken,
    /// A line is complete, without its CRLF; so many octets were taken.
    Line(usize),
    /// There is a bare LF. The rest of the line is thrown away; to be answered now.
    BareLf(usize),
    /// The end of a line of that length, too long. To be answered now.
    TooLong { taken: usize, length: usize, of_auth: bool },
    /// The end of a line that was answered before.
    Discarded(usize),
    /// No end within the limit of what is thrown away.
    Endless,
}

/// How long lines may be, CRLF included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) line: usize,
    pub(super) discard: usize,
    /// The line that begins is one of AUTH's.
    pub(super) of_auth: bool,
}

impl LineBuffer {
    /// The octets of the line so far, where they had to be kept.
    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }

    /// Whether the next octet is the first of a line.
    pub(super) fn is_at_start(&self) -> bool {
        self.start.is_empty() && self.discard.is_none()
    }

    /// Looks for the end of the line. After [`Step::Line`], get it by [`LineBuffer::line`].
    pub(super) fn take(&mut self, octets: &[u8], limits: Limits) -> Step {
        if self.discard.is_some() {
            return self.throw_away(octets, limits);
        }
        // A window: what is beyond the limit need not be searched for the end of the line.
        let window = octets.len().min((limits.line + 1).saturating_sub(self.start.len()));
        let Some(at) = memchr(b'\n', &octets[..window]) else {
            if self.start.len() + octets.len() <= limits.line {
                self.start.extend_from_slice(octets);
                return Step::Taken;
            }
            return self.begin_throwing_away(octets, limits);
        };
        if self.start.len() + at + 1 > limits.line {
            return self.begin_throwing_away(octets, limits);
        }
        let before = if at == 0 { self.start.last() } else { octets.get(at - 1) };
        if before == Some(&b'\r') {
            return Step::Line(at + 1);
        }
        let length = self.start.len() + at + 1;
        self.start = Vec::new();
        self.discard = Some(Discard { length, cr: false, of_auth: limits.of_auth, answered: true });
        Step::BareLf(at + 1)
    }

    /// The complete line, without CRLF: `octets` and `taken` are those of [`Step::Line`]. In the slice
    /// itself where it is whole there; else in `whole`, which is the kept start and what was missing.
    pub(super) fn line<'a>(
        &mut self,
        octets: &'a [u8],
        taken: usize,
        whole: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        if self.start.is_empty() {
            return &octets[..taken - 2];
        }
        *whole = std::mem::take(&mut self.start);
        whole.extend_from_slice(&octets[..taken]);
        &whole[..whole.len() - 2]
    }

    fn begin_throwing_away(&mut self, octets: &[u8], limits: Limits) -> Step {
        let start = std::mem::take(&mut self.start);
        let cr = start.last() == Some(&b'\r');
        let of_auth = limits.of_auth;
        self.discard = Some(Discard { length: start.len(), cr, of_auth, answered: false });
        self.throw_away(octets, limits)
    }

    fn throw_away(&mut self, octets: &[u8], limits: Limits) -> Step {
        let Some(discard) = &mut self.discard else { return Step::Taken };
        let room = limits.discard.saturating_sub(discard.length);
        let window = octets.len().min(room);
        let mut at = 0;
        loop {
            let Some(found) = memchr(b'\n', &octets[at..window]) else {
                if octets.len() > room || room == 0 {
                    return Step::Endless;
                }
                discard.length += octets.len();
                discard.cr = octets.last().map_or(discard.cr, |&octet| octet == b'\r');
                return Step::Taken;
            };
            let end = at + found;
            let cr = if end == 0 { discard.cr } else { octets[end - 1] == b'\r' };
            at = end + 1;
            if cr {
                let Discard { of_auth, answered, .. } = *discard;
                let length = discard.length + at;
                self.discard = None;
                return match answered {
                    true => Step::Discarded(at),
                    false => Step::TooLong { taken: at, length, of_auth },
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { line: 8, discard: 40, of_auth: false };

    fn steps(octets: &[u8], piece: usize) -> Vec<String> {
        let mut buffer = LineBuffer::default();
        let mut found = Vec::new();
        for mut octets in octets.chunks(piece) {
            while !octets.is_empty() {
                let step = buffer.take(octets, LIMITS);
                let taken = match step {
                    Step::Taken => octets.len(),
                    Step::Line(taken) => {
                        let mut whole = Vec::new();
                        let line = buffer.line(octets, taken, &mut whole);
                        found.push(String::from_utf8_lossy(line).into_owned());
                        taken
                    }
                    Step::BareLf(taken) => {
                        found.push("<bare LF>".into());
                        taken
                    }
                    Step::TooLong { taken, length, .. } => {
                        found.push(format!("<too long: {length}>"));
                        taken
                    }
                    Step::Discarded(taken) => taken,
                    Step::Endless => {
                        found.push("<endless>".into());
                        return found;
                    }
                };
                octets = &octets[taken..];
            }
        }
        found
    }

    #[test]
    fn lines_and_what_is_none() {
        for (octets, expected) in [
            (&b"NOOP\r\nQUIT\r\n"[..], &["NOOP", "QUIT"][..]),
            (b"\r\n\r\n", &["", ""]),
            (b"123456\r\n", &["123456"]), // the limit counts CRLF
            (b"1234567\r\nQUIT\r\n", &["<too long: 9>", "QUIT"]),
            (b"A\rB\r\n", &["A\rB"]), // a bare CR is left to whoever reads the line
            (b"A\nB\nC\r\nD\r\n", &["<bare LF>", "D"]), // one line, one answer
            (b"A\n\r\nB\r\n", &["<bare LF>", "B"]),
            (b"123456789\nNOOP\r\nQUIT\r\n", &["<too long: 16>", "QUIT"]),
            (b"NOOP\r", &[]),
            (&[b'x'; 100], &["<endless>"]),
        ] {
            for piece in (1..9).chain([octets.len()]) {
                assert_eq!(steps(octets, piece), expected, "pieces of {piece}");
            }
        }
    }
}
