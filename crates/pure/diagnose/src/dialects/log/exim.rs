//! Exim's main, reject and panic log: a date, perhaps a process, perhaps a message's name, then a flag
//! (`<=` came in, `=>` and `->` delivered, `==` deferred, `**` failed) or words.
//!
//! One file each for deliveries, for what their words mean, and for the side that receives.

mod delivery;
mod reception;
mod trouble;

use super::{Record, line::Line, memory::Memory};
use crate::happening::What;

/// Messages of which something is remembered.
const MESSAGES_MAX: usize = 50_000;

/// What is remembered of Exim.
#[derive(Debug)]
pub(super) struct Exim {
    messages: Memory<Message>,
}

/// What is remembered of a message.
#[derive(Clone, Debug, Default)]
struct Message {
    reverse_path: Option<String>,
    /// The last step at which it was held up, for `retry timeout exceeded`, which has no words of its
    /// own.
    stage: Option<smtp::Stage>,
}

impl Default for Exim {
    fn default() -> Self {
        Self { messages: Memory::new(MESSAGES_MAX) }
    }
}

/// Whether a program is Exim.
pub(super) fn is_program(program: &str) -> bool {
    program.starts_with("exim")
}

impl Exim {
    /// Reads one line; false if it means nothing to us.
    pub fn read(&mut self, line: &Line<'_>, mut give: impl FnMut(Record)) -> bool {
        // Under syslog Exim may write its own date, too.
        let own = super::date::iso(line.text).map(|(at, rest)| (at, rest.trim_start()));
        let (at, text) = own.map_or((line.at, line.text), |(at, rest)| (Some(at), rest));
        let text = without_process(text);
        let (id, text) = message_id(text);
        let line = &Line { at, text, ..*line };
        let Some(id) = id else { return reception::read(line, None, give) };
        let Some((flag, rest)) = text.split_once(' ').or(Some((text, ""))) else { return false };
        match flag {
            "<=" => self.received(line, id, rest, give),
            "=>" | "->" | ">>" | "**" | "==" => {
                let known = self.messages.find(id).cloned().unwrap_or_default();
                if let Some(testimony) = delivery::read(line, id, flag, rest, &known) {
                    self.remember(id, testimony.stage);
                    give(Record::Testimony(testimony));
                }
                true
            }
            "Completed" => {
                self.messages.remove(id);
                true
            }
            "Frozen" | "frozen" | "removed" | "cancelled" => {
                let gone = matches!(flag, "removed" | "cancelled");
                let what = if gone { What::Removed } else { What::Diverted };
                let mut happening = line.happening("exim", what);
                happening.message = Some(id.to_owned());
                give(Record::Happening(happening));
                true
            }
            _ => {
                delivery::read_of_host(line, id, &mut give)
                    .inspect(|stage| self.remember(id, *stage))
                    .is_some()
                    || reception::read(line, Some(id), give)
            }
        }
    }

    fn received(
        &mut self,
        line: &Line<'_>,
        id: &str,
        rest: &str,
        mut give: impl FnMut(Record),
    ) -> bool {
        let reverse_path = rest.split(' ').next().unwrap_or_default();
        let reverse_path = if reverse_path == "<>" { "" } else { reverse_path };
        let message = Message { reverse_path: Some(reverse_path.to_owned()), stage: None };
        self.messages.put(id, message);
        let mut happening = line.happening("exim", What::Received);
        happening.message = Some(id.to_owned());
        happening.words = rest.to_owned();
        if rest.contains(" H=") {
            happening.side = crate::session::Vantage::Server;
            happening.peer = super::peer::within(rest).map(|(peer, _)| peer).unwrap_or_default();
        }
        give(Record::Happening(happening));
        true
    }

    fn remember(&mut self, id: &str, stage: Option<smtp::Stage>) {
        if let Some(message) = self.messages.find_mut(id)
            && stage.is_some()
        {
            message.stage = stage;
        }
    }
}

/// `[12345] `, which `log_selector = +pid` puts in front.
fn without_process(text: &str) -> &str {
    let Some(rest) = text.strip_prefix('[') else { return text };
    match rest.split_once("] ") {
        Some((process, rest)) if process.bytes().all(|octet| octet.is_ascii_digit()) => rest,
        _ => text,
    }
}

/// `1Ai79e-0000Dq-8i`, or since 4.97 `1rXKxP-000000005vi-0000`, in front.
fn message_id(text: &str) -> (Option<&str>, &str) {
    for (middle, end) in [(6, 2), (11, 4)] {
        let length = 6 + 1 + middle + 1 + end;
        let Some(id) = text.get(..length) else { continue };
        let fits = id.bytes().enumerate().all(|(at, octet)| match at {
            _ if at == 6 || at == 7 + middle => octet == b'-',
            _ => octet.is_ascii_alphanumeric(),
        });
        match text.as_bytes().get(length) {
            None if fits => return (Some(id), ""),
            Some(b' ') if fits => return (Some(id), &text[length + 1..]),
            _ => {}
        }
    }
    (None, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids() {
        for (text, expected) in [
            ("1Ai79e-0000Dq-8i <= a@b", (Some("1Ai79e-0000Dq-8i"), "<= a@b")),
            ("10HmaX-000000005vi-0000 Completed", (Some("10HmaX-000000005vi-0000"), "Completed")),
            ("Start queue run: pid=1", (None, "Start queue run: pid=1")),
            ("1Ai79e-0000Dq-8ix <= a@b", (None, "1Ai79e-0000Dq-8ix <= a@b")),
        ] {
            assert_eq!(message_id(text), expected, "{text}");
        }
        assert_eq!(without_process("[123] x"), "x");
        assert_eq!(without_process("[192.0.2.1] x"), "[192.0.2.1] x");
    }
}
