//! What goes out, with the three things that must stay in step with it: the octets to be written, the
//! replies that they make due, and the lines of the transcript.

use std::{collections::VecDeque, time::Duration};

use super::Awaited;
use crate::{
    extension::xexch50,
    transcript::{Party, Transcript},
};

#[derive(Default)]
pub(super) struct Wire {
    pub(super) now: Duration,
    /// To be written and cleared by the driver.
    pub(super) commands: Vec<u8>,
    /// The replies that the peer owes us, oldest first.
    pub(super) awaited: VecDeque<Awaited>,
    pub(super) transcript: Transcript,
}

impl Wire {
    /// Writes a command; `line` appends it without its CRLF.
    pub(super) fn say(&mut self, awaited: Awaited, line: impl FnOnce(&mut Vec<u8>)) {
        let start = self.commands.len();
        line(&mut self.commands);
        self.transcript.record(self.now, Party::Client, &self.commands[start..]);
        self.commands.extend_from_slice(b"\r\n");
        self.awaited.push_back(awaited);
    }

    /// Writes a line of which the transcript shows something else.
    pub(super) fn say_secretly(&mut self, awaited: Awaited, line: &str, shown: &str) {
        self.commands.extend_from_slice(line.as_bytes());
        self.commands.extend_from_slice(b"\r\n");
        self.transcript.record(self.now, Party::Client, shown);
        self.awaited.push_back(awaited);
    }

    /// Writes the dot that ends content. What reply it makes due is the caller's to say.
    pub(super) fn say_dot(&mut self) {
        self.commands.extend_from_slice(b".\r\n");
        self.transcript.record(self.now, Party::Client, ".");
    }

    /// Writes the octets that XEXCH50 announced. No line ending follows them: it would be one too many.
    pub(super) fn say_properties(&mut self) {
        self.commands.extend_from_slice(xexch50::NO_PROPERTIES);
        self.note(format!("XEXCH50: {} octets", xexch50::NO_PROPERTIES.len()));
        self.awaited.push_back(Awaited::PropertiesSent);
    }

    /// Writes down a remark.
    pub(super) fn note(&mut self, text: impl AsRef<[u8]>) {
        self.transcript.record(self.now, Party::Note, text);
    }
}
