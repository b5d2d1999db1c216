//! Content: typed, from a file by DATA or BDAT, or octets as they are.

use std::path::Path;

use diagnose::{
    sequence::State,
    session::{Ending, Event, Party},
};

use super::{dialogue::Dialogue, progress::Sent};

/// Lines of a file that the transcript has; of a longer one it says how many were left out.
const LINES_SHOWN_MAX: usize = 40;

/// Content that is being typed.
#[derive(Debug, Default)]
pub struct Typed {
    start: Vec<u8>,
    octets: u64,
}

impl Dialogue {
    /// A line while the server waits for content. It goes as it is; `:data FILE` in its first line sends a
    /// file.
    pub(super) async fn content_typed(&mut self, line: &[u8]) {
        if self.content.is_none()
            && let Some(file) = line.strip_prefix(b":data ")
        {
            let file = String::from_utf8_lossy(file).trim().to_owned();
            return self.data(Path::new(&file)).await;
        }
        self.record.content_line(line, self.typist.is_person);
        let mut octets = line.to_vec();
        octets.extend_from_slice(b"\r\n");
        self.send(&octets).await;
        if line == b"." {
            self.content.get_or_insert_default();
            self.content_ends(true);
            self.progress.sent(Sent::Dot);
            self.replies().await;
            return;
        }
        let content = self.content.get_or_insert_default();
        content.octets += octets.len() as u64;
        if content.start.len() < 512 {
            content.start.extend_from_slice(&octets);
        }
    }

    /// Records what was typed of a content, if anything was.
    pub(super) fn content_ends(&mut self, finished: bool) {
        if let Some(content) = self.content.take() {
            self.record.content(&content.start, content.octets, finished);
        }
    }

    /// A file by DATA; the command is left out where the server waits for the content already.
    pub(super) async fn data(&mut self, file: &Path) {
        let Some(content) = self.file(file) else { return };
        if self.progress.state != State::Content {
            self.send_line(b"DATA", false).await;
            self.replies().await;
            if self.progress.state != State::Content {
                return;
            }
        }
        let stuffed = stuffed(&content);
        let lines: Vec<&[u8]> = stuffed.split_inclusive(|&octet| octet == b'\n').collect();
        for line in lines.iter().take(LINES_SHOWN_MAX) {
            self.record.content_line(line.strip_suffix(b"\r\n").unwrap_or(line), false);
        }
        self.record.content(&stuffed, stuffed.len() as u64, true);
        if lines.len() > LINES_SHOWN_MAX {
            let text = format!(
                "{} more lines; {} octets in all",
                lines.len() - LINES_SHOWN_MAX,
                stuffed.len()
            );
            self.record.aside(&text);
        }
        self.record.content_line(b".", false);
        self.send(&stuffed).await;
        self.send(b".\r\n").await;
        self.progress.sent(Sent::Dot);
        self.replies().await;
    }

    /// A file as it is, by BDAT; stops at the first chunk that is refused.
    pub(super) async fn bdat(&mut self, file: &Path, chunk: Option<usize>) {
        let Some(content) = self.file(file) else { return };
        if has_bare_line_feed(&content) {
            self.record.aside("the file has line feeds without CR; they go as they are");
        }
        let mut chunks: Vec<&[u8]> = content.chunks(chunk.unwrap_or(usize::MAX)).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let count = chunks.len();
        for (index, chunk) in chunks.into_iter().enumerate() {
            let last = if index + 1 == count { " LAST" } else { "" };
            self.send_line(format!("BDAT {}{last}", chunk.len()).as_bytes(), false).await;
            self.owed = 0;
            self.record.blob(chunk, chunk.len() as u64);
            self.record.aside(&format!("{} octets of {}", chunk.len(), file.display()));
            self.send(chunk).await;
            match self.replies().await {
                Some(heard) if heard.code / 100 == 2 => {}
                _ => return,
            }
        }
    }

    /// Whether a chunk that BDAT announced is still to come.
    pub(super) fn owes_chunk(&self) -> bool {
        self.owed > 0
    }

    /// A line while octets of a chunk are due: it is theirs, CRLF too. What is longer than the chunk, the server
    /// takes for a command.
    pub(super) async fn chunk(&mut self, mut line: Vec<u8>) {
        line.extend_from_slice(b"\r\n");
        let more = (line.len() as u64).saturating_sub(self.owed);
        if more > 0 {
            self.record.aside(&format!(
                "the last {more} octets are more than BDAT announced: the server takes them for a command"
            ));
        }
        self.raw(&line).await;
    }

    /// Octets as they are. A reply is due for what ends with a line feed, or completes a chunk.
    pub(super) async fn raw(&mut self, octets: &[u8]) {
        let pays = self.owed.min(octets.len() as u64);
        self.owed -= pays;
        let (blob, rest) = octets.split_at(usize::try_from(pays).unwrap_or(octets.len()));
        if !blob.is_empty() {
            self.record.blob(blob, pays);
            self.record.aside(&format!("{} octets of a chunk", blob.len()));
        }
        for line in rest.split_inclusive(|&octet| octet == b'\n') {
            let (text, ending) = match line {
                [text @ .., b'\r', b'\n'] => (text, Ending::Crlf),
                [text @ .., b'\n'] => (text, Ending::Lf),
                text => (text, Ending::Missing),
            };
            self.record.command(text, ending, false);
            if ending == Ending::Missing {
                let text = "no line ending was sent";
                self.record.note(Party::Note, Event::Remark, text);
            } else {
                self.progress.sent(Sent::command(text));
                self.owed += announced(text);
            }
        }
        self.send(octets).await;
        self.replies().await;
    }

    fn file(&mut self, file: &Path) -> Option<Vec<u8>> {
        match std::fs::read(file) {
            Ok(octets) => Some(octets),
            Err(error) => {
                let why = self.failed(format!("cannot read `{}`: {error}", file.display()));
                self.record.aside(&why);
                None
            }
        }
    }
}

/// How many octets a command announces that follow it at once.
pub fn announced(line: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some(verb), Some(size)) if verb.eq_ignore_ascii_case("BDAT") => size.parse().unwrap_or(0),
        _ => 0,
    }
}

/// With CRLF at the end of each line, and a dot before each line that begins with one (RFC 5321 section
/// 4.5.2). A CR that is no part of a line's end stays.
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 32);
    for line in content.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn has_bare_line_feed(octets: &[u8]) -> bool {
    let is_bare = |at: usize| octets[at] == b'\n' && (at == 0 || octets[at - 1] != b'\r');
    (0..octets.len()).any(is_bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_as_they_go_over_the_wire() {
        for (content, wire) in [
            ("", ""),
            ("a\nb", "a\r\nb\r\n"),
            ("a\r\n.\r\n..b\r\n", "a\r\n..\r\n...b\r\n"),
            ("\u{ff}\r\rx\n\n", "\u{ff}\r\rx\r\n\r\n"),
        ] {
            assert_eq!(stuffed(content.as_bytes()), wire.as_bytes(), "{content:?}");
        }
    }

    #[test]
    fn chunks_that_are_announced() {
        for (line, octets) in [("BDAT 86 LAST", 86), ("bdat 5", 5), ("BDAT x", 0), ("DATA", 0)] {
            assert_eq!(announced(line.as_bytes()), octets, "{line}");
        }
        assert!(has_bare_line_feed(b"a\r\nb\n") && !has_bare_line_feed(b"a\r\n\r"));
    }
}
