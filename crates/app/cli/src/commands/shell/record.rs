//! What was said, shown, written down, and kept for the findings at the end.
//!
//! Each line is shown as it comes; the transcript (`C:`, `S:`, `--`) holds the same lines and no advice.
//! Secrets are struck out on entry. Output that fails does not stop the session; the first failure is told
//! at its end.

use std::{borrow::Cow, fs::File, io::Write, net::SocketAddr, path::Path, time::Duration};

use diagnose::{
    Party as Acts, Session,
    session::{Ending, Endpoint, Event, Kind, Line, Party, Place, Source, Vantage},
};
use tokio::time::Instant;
use world::Clock;

use crate::{commands::analyze::dialogue::told, output};

/// Octets of content or of a chunk that are kept for the findings.
const KEPT_MAX: usize = 512;
/// Octets of a line that are kept for the findings.
const LINE_KEPT_MAX: usize = 2_048;
/// Lines of a session that are kept for the findings; nobody types so many.
const LINES_MAX: usize = 20_000;
/// Octets of the transcript that a file named later gets.
const SO_FAR_MAX: usize = 32 * 1024 * 1024;

/// Where lines are shown.
pub type Screen = Box<dyn FnMut(&[u8]) -> std::io::Result<()> + Send>;

/// One session's record.
pub struct Record {
    session: Session,
    origin: Instant,
    screen: Screen,
    /// Foreign octets are shown as they are: the output is a file or a pipe.
    is_raw: bool,
    colour: bool,
    transcript: Option<File>,
    /// All of it so far, for a file that is named later.
    so_far: Vec<u8>,
    hex: bool,
    trouble: Option<String>,
}

impl Record {
    /// Nothing yet.
    pub fn new(screen: Screen, is_raw: bool, colour: bool) -> Self {
        let session = Session {
            source: Source::Own,
            vantage: Vantage::Client,
            started: i64::try_from(Clock::Real.now().0).ok().map(|ms| ms.saturating_mul(1_000)),
            ..Session::default()
        };
        Self {
            session,
            origin: Instant::now(),
            screen,
            is_raw,
            colour,
            transcript: None,
            so_far: Vec::new(),
            hex: false,
            trouble: None,
        }
    }

    /// The two ends.
    pub fn ends(&mut self, client: Option<SocketAddr>, server: SocketAddr, name: &str) {
        self.session.client = Endpoint { address: client, name: None };
        self.session.server = Endpoint { address: Some(server), name: Some(name.to_owned()) };
    }

    /// Writes the transcript into that file too, from the session's beginning.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write_into(&mut self, path: &Path) -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&self.so_far)?;
        self.transcript = Some(file);
        Ok(())
    }

    /// Shows octets, or no longer. Gives whether it does now.
    pub fn toggle_hex(&mut self) -> bool {
        self.hex = !self.hex;
        self.hex
    }

    /// A command line that was sent. `is_typed`: it stands on the screen already.
    pub fn command(&mut self, line: &[u8], ending: Ending, is_typed: bool) {
        let shown = struck(line);
        self.keep(Party::Client, Kind::Command(ending), &shown);
        self.line("C:", &shown, is_typed);
    }

    /// A response within a login; its text never gets here.
    pub fn response(&mut self) {
        self.keep(Party::Client, Kind::SaslResponse, b"****");
        self.line("C:", b"****", false);
    }

    /// One line of a server's reply.
    pub fn reply(&mut self, line: &[u8], ending: Ending) {
        self.keep(Party::Server, Kind::Reply(ending), line);
        self.line("S:", line, false);
    }

    /// A line of the content; it is kept by [`Record::content`].
    pub fn content_line(&mut self, line: &[u8], is_typed: bool) {
        self.line("C:", line, is_typed);
    }

    /// A content that was sent: its first octets, its length, whether the final dot was sent.
    pub fn content(&mut self, start: &[u8], octets: u64, finished: bool) {
        let start = &start[..start.len().min(KEPT_MAX)];
        self.keep(Party::Client, Kind::Content { octets, finished }, start);
    }

    /// Octets that BDAT or XEXCH50 announced.
    pub fn blob(&mut self, chunk: &[u8], announced: u64) {
        let octets = chunk.len() as u64;
        let start = &chunk[..chunk.len().min(KEPT_MAX)];
        self.keep(Party::Client, Kind::Blob { octets, announced }, start);
    }

    /// Something that happened to the connection, or a remark of the transcript.
    pub fn note(&mut self, by: Party, event: Event, text: &str) {
        let text = output::clean(text);
        self.keep(by, Kind::Event(event), text.as_bytes());
        self.line("--", text.as_bytes(), false);
    }

    /// Advice: shown only.
    pub fn aside(&mut self, text: &str) {
        let (dim, end) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        let text = output::clean(text);
        self.show(format!("   | {dim}{text}{end}\n").as_bytes());
    }

    /// The findings on the whole session, shown.
    pub fn findings(&mut self) {
        let mut findings = diagnose::inspect(&self.session);
        for finding in &mut findings {
            // The sending side is the one who types, no server of ours.
            if finding.who == Acts::Us {
                finding.who = Acts::Client;
            }
        }
        let mut page = String::new();
        for finding in &findings {
            page.push('\n');
            if let Some(line) = finding.line.and_then(|line| self.session.lines.get(line)) {
                page.push_str(&format!("   at: {}\n", output::clean(&line.lossy())));
            }
            told(&mut page, finding, 3, self.colour);
        }
        self.show(page.as_bytes());
    }

    /// Text that belongs to no session: help.
    pub fn page(&mut self, text: &str) {
        self.show(text.as_bytes());
    }

    /// The first failure to write, if there was one.
    pub fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    fn keep(&mut self, by: Party, kind: Kind, text: &[u8]) {
        if self.session.lines.len() < LINES_MAX {
            let number = self.session.lines.len() as u64 + 1;
            let at: Duration = self.origin.elapsed();
            let place = Place::at(number);
            let text = text[..text.len().min(LINE_KEPT_MAX)].to_vec();
            self.session.lines.push(Line { at, by, kind, text, place });
        }
    }

    /// A marked line, on the screen (unless it was typed there) and in the transcript.
    fn line(&mut self, mark: &str, text: &[u8], is_typed: bool) {
        let mut line = format!("{mark} ").into_bytes();
        line.extend_from_slice(text);
        line.push(b'\n');
        if self.so_far.len() + line.len() <= SO_FAR_MAX {
            self.so_far.extend_from_slice(&line);
        }
        if let Some(file) = &mut self.transcript
            && let Err(error) = file.write_all(&line)
        {
            self.trouble.get_or_insert(format!("cannot write the transcript: {error}"));
            self.transcript = None;
        }
        if !is_typed {
            match self.is_raw {
                true => self.show(&line),
                false => {
                    let text = output::clean(&String::from_utf8_lossy(text));
                    self.show(format!("{mark} {text}\n").as_bytes());
                }
            }
        }
        if self.hex {
            let dump = dump(text);
            self.show(dump.as_bytes());
        }
    }

    fn show(&mut self, text: &[u8]) {
        if let Err(error) = (self.screen)(text) {
            self.trouble.get_or_insert(format!("cannot write the output: {error}"));
        }
    }
}

/// A command line without what nobody else may read: what follows the mechanism of AUTH.
pub fn struck(line: &[u8]) -> Cow<'_, [u8]> {
    let text = String::from_utf8_lossy(line);
    let mut words = text.splitn(3, ' ');
    let (verb, mechanism) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_login = ["AUTH", "X-EXPS"].iter().any(|login| verb.eq_ignore_ascii_case(login));
    match words.next() {
        Some(secret) if is_login && !secret.trim().is_empty() => {
            Cow::Owned(format!("{verb} {mechanism} ****").into_bytes())
        }
        _ => Cow::Borrowed(line),
    }
}

/// `0000  45 48 4c 4f  EHLO`, sixteen octets a line.
fn dump(octets: &[u8]) -> String {
    let mut page = String::new();
    for (row, chunk) in octets.chunks(16).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|octet| format!("{octet:02x}")).collect();
        let text: String =
            chunk
                .iter()
                .map(|octet| {
                    if octet.is_ascii_graphic() || *octet == b' ' {
                        char::from(*octet)
                    } else {
                        '.'
                    }
                })
                .collect();
        page.push_str(&format!("   | {:04x}  {:<47}  {text}\n", row * 16, hex.join(" ")));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_struck_out() {
        for (line, shown) in [
            ("AUTH PLAIN AGEAYg==", "AUTH PLAIN ****"),
            ("auth login YQ==", "auth login ****"),
            ("AUTH LOGIN", "AUTH LOGIN"),
            ("MAIL FROM:<a@a.test> AUTH=<>", "MAIL FROM:<a@a.test> AUTH=<>"),
        ] {
            assert_eq!(struck(line.as_bytes()), shown.as_bytes(), "{line}");
        }
    }

    #[test]
    fn octets_in_rows() {
        let page = dump(b"EHLO a.test\xff\0 and more");
        assert!(page.starts_with("   | 0000  45 48 4c 4f 20 61"), "{page}");
        assert!(page.contains("EHLO a.test.. an\n   | 0010  64 20 6d"), "{page}");
    }
}
