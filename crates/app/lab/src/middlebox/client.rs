//! The client's octets, cut into commands, content and blocks.

use crate::words;

/// A piece of what the client says.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// A line, with its ending.
    Line(Vec<u8>),
    /// Octets of content or of an announced block; whether they end it.
    Octets(Vec<u8>, bool),
}

/// How the client's next octets are to be read.
#[derive(Debug)]
enum Mode {
    Lines,
    /// After 354, up to CRLF.CRLF.
    Content(words::Dot),
    /// So many octets were announced.
    Block(u64),
}

/// What the client says, as it comes.
pub struct Client {
    buffer: Vec<u8>,
    mode: Mode,
}

impl Client {
    pub fn new() -> Self {
        Self { buffer: Vec::new(), mode: Mode::Lines }
    }

    pub fn feed(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// The server said 354: content follows.
    pub fn content_follows(&mut self) {
        self.mode = Mode::Content(words::Dot::default());
    }

    /// So many octets follow, which are no lines.
    pub fn block_follows(&mut self, octets: u64) {
        if octets > 0 {
            self.mode = Mode::Block(octets);
        }
    }

    /// All that is there, whatever it is: TLS.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// The next piece, if it is complete. With `holds`, a content's octets wait for its end.
    pub fn piece(&mut self, holds: bool) -> Option<Piece> {
        if self.buffer.is_empty() {
            return None;
        }
        match &mut self.mode {
            Mode::Lines => {
                let length = words::line_length(&self.buffer)?;
                Some(Piece::Line(self.buffer.drain(..length).collect()))
            }
            Mode::Content(dot) => {
                if holds {
                    // Looked at anew each time; only scenarios of small contents ask for it.
                    let length = words::Dot::default().end(&self.buffer)?;
                    self.mode = Mode::Lines;
                    return Some(Piece::Octets(self.buffer.drain(..length).collect(), true));
                }
                let end = dot.end(&self.buffer);
                let length = end.unwrap_or(self.buffer.len());
                if end.is_some() {
                    self.mode = Mode::Lines;
                }
                Some(Piece::Octets(self.buffer.drain(..length).collect(), end.is_some()))
            }
            Mode::Block(left) => {
                let here = (*left).min(self.buffer.len() as u64);
                *left -= here;
                let ends = *left == 0;
                if ends {
                    self.mode = Mode::Lines;
                }
                let here = usize::try_from(here).unwrap_or(usize::MAX);
                Some(Piece::Octets(self.buffer.drain(..here).collect(), ends))
            }
        }
    }
}
