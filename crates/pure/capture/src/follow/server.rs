//! What the server says: replies, and what they change for the client's octets.

use diagnose::session::{Ending, Kind, Party};

use super::{
    dialogue::{Asked, Dialogue, Wrapping},
    held::Stamp,
    line::{LineReader, Read, WholeLine},
    state::{Blob, Client, Then, Wait},
};
use crate::keys::KeyLog;

/// What is remembered of the server's side.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerSide {
    pub wrapping: Wrapping,
    pub line: LineReader,
    /// It said something that was captured.
    pub was_heard: bool,
    /// Replies may be missing: what comes is not sure to answer what it seems to.
    pub reply_lost: bool,
}

/// The code of a reply's line and whether more lines follow (RFC 5321 section 4.2).
pub(super) fn code_of(line: &[u8]) -> Option<(u16, bool)> {
    let digits = line.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&digits[0]) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match line.get(3) {
        Some(b'-') => Some((code, true)),
        None | Some(b' ' | b'\t' | b'\r') => Some((code, false)),
        Some(_) => None,
    }
}

impl Dialogue {
    pub(super) fn server_octets(&mut self, stamp: Stamp, mut octets: &[u8], keys: &KeyLog) {
        self.server.was_heard = true;
        let outside = self.server.wrapping == Wrapping::Clear;
        while !octets.is_empty() {
            let (used, read) = self.server.line.read(stamp, octets, outside);
            octets = &octets[used..];
            match read {
                Read::Line(line) => {
                    for line in line.at_bare_cr(|text| code_of(text).is_some()) {
                        self.server_line(line, keys);
                    }
                }
                Read::Tls(before) => {
                    self.start_tls(Party::Server);
                    if let Some((stamp, octet)) = before {
                        self.octets(stamp, Party::Server, &[octet], keys);
                    }
                    return self.octets(stamp, Party::Server, octets, keys);
                }
                Read::More => {}
            }
        }
    }

    pub(super) fn server_gap(&mut self, stamp: Stamp, octets: u64) {
        let line = self.server.line.before_gap();
        // Only its LF is missing.
        let is_whole = octets == 1 && line.as_ref().is_some_and(|line| line.ending == Ending::Crlf);
        match line {
            // Code and separator say what it answers with, whatever words are missing.
            Some(line) if line.text.len() > 3 => self.server_line(line, &KeyLog::default()),
            Some(line) => {
                let kind = Kind::Reply(line.ending);
                self.push(Party::Server, kind, line.text, line.first, line.last);
            }
            None => {}
        }
        self.push(Party::Server, Kind::Gap { octets }, Vec::new(), stamp, stamp);
        self.server.reply_lost |= !is_whole;
        // While content comes a server is silent: the content's end is missing, too, if part of it is.
        self.client.state = match std::mem::take(&mut self.client.state) {
            Client::Content(content) if content.had_gap => Client::Peek(Then::Content(content)),
            state => state,
        };
    }

    pub(super) fn server_ends(&mut self) {
        if let Some(line) = self.server.line.rest() {
            self.push(Party::Server, Kind::Reply(line.ending), line.text, line.first, line.last);
        }
    }

    /// The client goes on, so it took what there is of a line for a reply.
    pub(super) fn server_was_heard(&mut self, keys: &KeyLog) {
        if self.server.line.may_end_here()
            && self.asked.len() == 1
            && let Some(line) = self.server.line.rest()
        {
            self.server_line(line, keys);
        }
    }

    fn server_line(&mut self, line: WholeLine, keys: &KeyLog) {
        let code = code_of(&line.text);
        let stamp = line.last;
        self.push(Party::Server, Kind::Reply(line.ending), line.text, line.first, line.last);
        if let Some((code, false)) = code {
            self.server.reply_lost = false;
            self.answered(stamp, code, keys);
        }
    }

    fn answered(&mut self, stamp: Stamp, code: u16, keys: &KeyLog) {
        let asked = self.take_asked(code).or_else(|| self.client.waits_for());
        if let Client::Waiting(Wait::LooseEnd(end)) = &mut self.client.state {
            end.answered = true;
        }
        match asked {
            Some(Asked::Rcpt) if code / 100 == 2 => self.accepted = self.accepted.saturating_add(1),
            Some(Asked::Data) => self.data_answered(stamp, code),
            Some(Asked::Auth) => self.auth_answered(code),
            Some(Asked::StartTls) => self.start_tls_answered(code),
            Some(Asked::Xexch50) => self.xexch50_answered(code),
            Some(Asked::Bdat { .. }) => self.chunk_answered(code),
            Some(Asked::EndOfContent) => {}
            _ => self.answered_out_of_turn(stamp, code),
        }
        self.client_goes_on(false, keys);
    }

    fn data_answered(&mut self, stamp: Stamp, code: u16) {
        if !matches!(self.client.state, Client::Waiting(Wait::Data)) {
            return;
        }
        self.client.state = match code / 100 {
            3 => Client::Content(Client::content(stamp)),
            // A server that says yes with another code: the next line tells what the client makes of it.
            2 => Client::Peek(Then::Content(Client::content(stamp))),
            _ => Client::Lines,
        };
    }

    fn auth_answered(&mut self, code: u16) {
        match code {
            235 | 334 => self.client.auth_refused = false,
            400.. => self.client.auth_refused = true,
            _ => {}
        }
        if matches!(self.client.state, Client::Waiting(Wait::Auth)) {
            self.client.state = if code == 334 { Client::Sasl } else { Client::Lines };
        }
    }

    fn start_tls_answered(&mut self, code: u16) {
        if matches!(self.client.state, Client::Waiting(Wait::StartTls)) {
            self.client.state = Client::Lines;
        }
        self.client.tls_due = code / 100 == 2;
    }

    fn xexch50_answered(&mut self, code: u16) {
        if let Client::Waiting(Wait::Xexch50(octets)) = self.client.state {
            let blob = Blob::new(octets, Some(Asked::Other));
            let follows = code / 100 == 3 && octets > 0;
            self.client.state = if follows { Client::Blob(blob) } else { Client::Lines };
        }
    }

    /// The reply to a BDAT whose chunk may not be complete: what was refused beforehand may not come
    /// (against RFC 3030 section 2), and what was announced may be too much. The reply to an earlier one of
    /// several that were sent together says nothing of the one that is coming.
    fn chunk_answered(&mut self, code: u16) {
        if self.asked.iter().any(|asked| matches!(asked, Asked::Bdat { .. })) {
            return;
        }
        self.client.state = match std::mem::take(&mut self.client.state) {
            Client::Blob(blob) if code >= 400 || blob.seen > 0 => Client::Peek(Then::Blob(blob)),
            state => state,
        };
    }

    /// A reply to something that was no DATA and no AUTH to us: missing, or written in a way of its own.
    /// What the server asks for with it comes next. While content comes, its end may be missing.
    fn answered_out_of_turn(&mut self, stamp: Stamp, code: u16) {
        let client = &mut self.client;
        let line_begins = !client.line.is_within();
        client.state = match (std::mem::take(&mut client.state), code) {
            (Client::Lines, 354) if line_begins => {
                Client::Peek(Then::Content(Client::content(stamp)))
            }
            (Client::Lines, 334) if line_begins => Client::Sasl,
            (Client::Content(content), _) if content.had_gap => {
                Client::Peek(Then::Content(content))
            }
            (state, _) => state,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        for (line, expected) in [
            ("220 hello", Some((220, false))),
            ("250-SIZE", Some((250, true))),
            ("354", Some((354, false))),
            ("2200 x", None),
            ("***", None),
            ("650 x", None),
        ] {
            assert_eq!(code_of(line.as_bytes()), expected, "{line}");
        }
    }
}
