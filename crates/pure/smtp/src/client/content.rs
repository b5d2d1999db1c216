//! Sending the content: framing it for DATA or BDAT, and its end.

use std::time::Duration;

use super::{
    Awaited, Client, Protocol, State,
    progress::{Progress, Step},
};
use crate::{
    outcome::{Stage, Trouble},
    status::EnhancedStatus,
};

/// How the content goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After DATA: dots stuffed, a lone dot ends it (RFC 5321 section 4.5.2).
    Dot,
    /// After `BDAT n LAST`: as it is, and as many octets as announced (RFC 3030).
    Bdat,
}

/// Content under way.
#[derive(Debug)]
pub(super) struct Framer {
    framing: Framing,
    /// Octets of content so far, without stuffing.
    sent: u64,
    last: Last,
}

/// What the octets sent so far end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// CRLF, or nothing was sent yet.
    LineEnd,
    /// A bare LF.
    BareLf,
    Cr,
    Other,
}

impl Framer {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, sent: 0, last: Last::LineEnd }
    }

    /// Whether `piece` can be written as it is: BDAT, or no dot in it stands at the start of a line.
    fn passes(&self, piece: &[u8]) -> bool {
        self.framing == Framing::Bdat
            || !(self.is_at_line_start() && piece.first() == Some(&b'.'))
                && memchr::memmem::find(piece, b"\n.").is_none()
    }

    /// Counts `piece` as sent.
    fn count(&mut self, piece: &[u8]) {
        self.sent += piece.len() as u64;
        self.last = match piece {
            [.., b'\r', b'\n'] => Last::LineEnd,
            [b'\n'] if self.last == Last::Cr => Last::LineEnd,
            [.., b'\n'] => Last::BareLf,
            [.., b'\r'] => Last::Cr,
            [_, ..] => Last::Other,
            [] => self.last,
        };
    }

    /// Appends `piece`, each dot at the start of a line doubled. A line starts behind a bare LF too: no
    /// text that has one should come this far, but if it does, a next hop that takes LF for a line ending
    /// shall not find the end of data in it (SMTP smuggling). It then gets a dot too many instead.
    fn stuff(&self, piece: &[u8], out: &mut Vec<u8>) {
        if self.is_at_line_start() && piece.first() == Some(&b'.') {
            out.push(b'.');
        }
        let mut start = 0;
        for found in memchr::memmem::find_iter(piece, b"\n.") {
            out.extend_from_slice(&piece[start..=found]);
            out.push(b'.');
            start = found + 1;
        }
        out.extend_from_slice(&piece[start..]);
    }

    fn is_at_line_start(&self) -> bool {
        matches!(self.last, Last::LineEnd | Last::BareLf)
    }
}

impl Client {
    /// Appends to `out` what is to be written for a piece of content, under the framing that
    /// [`Output::Content`](super::Output::Content) named. Nothing if no content is due any more.
    pub fn frame(&mut self, now: Duration, piece: &[u8], out: &mut Vec<u8>) {
        if let Some(framer) = self.framer_for(now, piece) {
            match framer.framing {
                Framing::Dot => framer.stuff(piece, out),
                Framing::Bdat => out.extend_from_slice(piece),
            }
            framer.count(piece);
            self.rearm();
        }
    }

    /// Whether `piece` may be written as it stands; then it counts as sent. Spares the copy that
    /// [`frame`](Self::frame) makes: always under BDAT, and where no line begins with a dot.
    pub fn passes_whole(&mut self, now: Duration, piece: &[u8]) -> bool {
        let Some(framer) = self.framer_for(now, piece) else { return false };
        let passes = framer.passes(piece);
        if passes {
            framer.count(piece);
            self.rearm();
        }
        passes
    }

    /// Whether content is due. False once a reply has ended the transaction before its time.
    pub fn wants_content(&self) -> bool {
        matches!(&self.state, State::Transacting(progress) if matches!(progress.step, Step::Content(_)))
    }

    /// All content is written: appends what ends it to `commands`. Under BDAT nothing does, and if it
    /// was not as long as announced, the session is given up as by `content_failed`.
    pub fn content_sent(&mut self, now: Duration) {
        self.wire.now = now;
        let State::Transacting(progress) = &mut self.state else { return };
        let Step::Content(framer) = &progress.step else { return };
        let (sent, size) = (framer.sent, progress.transaction.size);
        if framer.framing == Framing::Bdat && sent != size {
            let text = format!("the content has {sent} octets, {size} were announced");
            return self.content_failed(now, Trouble::Local(EnhancedStatus::new(4, 3, 0), text));
        }
        self.wire.note(format!("content: {sent} octets"));
        if framer.framing == Framing::Dot {
            if framer.last != Last::LineEnd {
                self.wire.commands.extend_from_slice(b"\r\n");
            }
            self.wire.say_dot();
        }
        progress.step = Step::Verdict;
        match self.plan.protocol {
            Protocol::Smtp => self.wire.awaited.push_back(Awaited::EndOfData),
            // RFC 2033 section 4.2: a reply for each recipient that was accepted, in that order.
            Protocol::Lmtp => {
                self.wire.awaited.extend(progress.accepted_recipients().map(Awaited::EndOfDataFor))
            }
        }
        self.rearm();
    }

    /// Our own source failed in mid-content. Nothing ends the content and the connection must be torn
    /// down, so that the next hop does not take a part for the whole.
    pub fn content_failed(&mut self, now: Duration, trouble: Trouble) {
        self.wire.now = now;
        if self.wants_content() {
            self.wire.note(format!("content broken off: {trouble}"));
            self.give_up(Stage::Content, trouble);
        }
    }

    /// Under BDAT the end is where the octets end, whether or not the driver said so yet.
    pub(super) fn end_whole_chunk(&mut self) {
        if let State::Transacting(progress) = &self.state
            && let Step::Content(framer) = &progress.step
            && framer.framing == Framing::Bdat
            && framer.sent == progress.transaction.size
        {
            self.content_sent(self.wire.now);
        }
    }

    /// The framer, if content is due. Under BDAT not one octet more than announced goes out: the next
    /// hop would take it for a command.
    fn framer_for(&mut self, now: Duration, piece: &[u8]) -> Option<&mut Framer> {
        self.wire.now = now;
        let State::Transacting(progress) = &self.state else { return None };
        let (Step::Content(framer), size) = (&progress.step, progress.transaction.size) else {
            return None;
        };
        if framer.framing == Framing::Bdat && framer.sent + piece.len() as u64 > size {
            let text = format!("the content has more octets than the {size} that were announced");
            self.content_failed(now, Trouble::Local(EnhancedStatus::new(4, 3, 0), text));
        }
        match &mut self.state {
            State::Transacting(Progress { step: Step::Content(framer), .. }) => Some(framer),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuffed(content: &[u8], size: usize) -> Vec<u8> {
        let (mut framer, mut out) = (Framer::new(Framing::Dot), Vec::new());
        for piece in content.chunks(size) {
            let passes = framer.passes(piece);
            let start = out.len();
            framer.stuff(piece, &mut out);
            assert_eq!(passes, out[start..] == *piece, "passes_whole must tell the truth");
            framer.count(piece);
        }
        if framer.last != Last::LineEnd {
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    #[test]
    fn dots_at_the_start_of_a_line_are_doubled() {
        for (content, expected) in [
            (&b""[..], &b""[..]),
            (b".", b"..\r\n"),
            (b"..\r\n", b"...\r\n"),
            (b"a.b\r\n.c\r\n", b"a.b\r\n..c\r\n"),
            (b"\r\n.\r\n.\r\n", b"\r\n..\r\n..\r\n"),
            (b"a\r", b"a\r\r\n"), // the CR is content; the line ending is ours
            (b"a\n", b"a\n\r\n"), // a bare LF ends no line of SMTP
            (b"a\n.\n", b"a\n..\n\r\n"), // smuggling: doubled behind a bare LF too
            (b"a\r.b\r\n", b"a\r.b\r\n"),
        ] {
            for size in [usize::MAX, 1, 2, 3, 4] {
                let shown = content.escape_ascii();
                assert_eq!(stuffed(content, size), expected, "{shown} in pieces of {size}");
            }
        }
    }
}
