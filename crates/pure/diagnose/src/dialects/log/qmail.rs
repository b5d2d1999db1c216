//! qmail-send's log: `starting delivery 1: msg 2 to remote a@b`, `delivery 1: failure: ...`.
//!
//! Blanks of a report are underscores there. What rblsmtpd and the many patches of qmail-smtpd write has
//! no common form and is left alone.

use smtp::Stage;

use super::{Record, line::Line, memory::Memory, peer};
use crate::{
    dialects::quoted,
    happening::What,
    session::Endpoint,
    testimony::{Fate, Speaker},
};

/// Deliveries and messages that are remembered.
const REMEMBERED_MAX: usize = 20_000;

/// What is remembered of qmail.
#[derive(Debug)]
pub(super) struct Qmail {
    /// Reverse-paths by message number.
    messages: Memory<String>,
    /// By delivery number: message, recipient, whether it is a remote one.
    deliveries: Memory<(String, String, bool)>,
}

impl Default for Qmail {
    fn default() -> Self {
        Self { messages: Memory::new(REMEMBERED_MAX), deliveries: Memory::new(REMEMBERED_MAX) }
    }
}

/// Whether a program is qmail.
pub(super) fn is_program(program: &str) -> bool {
    program.starts_with("qmail")
}

impl Qmail {
    /// Reads one line; false if it means nothing to us.
    pub fn read(&mut self, line: &Line<'_>, mut give: impl FnMut(Record)) -> bool {
        let text = without_number(line.text);
        if let Some(rest) = text.strip_prefix("info msg ") {
            let (message, rest) = rest.split_once(": ").unwrap_or((rest, ""));
            let reverse_path = rest.split_once("from <").and_then(|(_, path)| path.split_once('>'));
            self.messages.put(message, reverse_path.map_or("", |(path, _)| path).to_owned());
            let mut happening = line.happening("qmail", What::Received);
            happening.message = Some(message.to_owned());
            happening.words = rest.to_owned();
            give(Record::Happening(happening));
            return true;
        }
        if let Some(rest) = text.strip_prefix("starting delivery ") {
            return self.starting(rest);
        }
        if let Some(rest) = text.strip_prefix("delivery ") {
            return self.ended(line, rest, give);
        }
        if let Some(message) = text.strip_prefix("end msg ") {
            self.messages.remove(message);
            return true;
        }
        ["new msg ", "status: ", "bounce msg ", "triple bounce", "warning: ", "alert: "]
            .iter()
            .any(|known| text.starts_with(known))
    }

    /// `1: msg 2 to remote a@b`.
    fn starting(&mut self, rest: &str) -> bool {
        let Some((number, rest)) = rest.split_once(": msg ") else { return false };
        let Some((message, rest)) = rest.split_once(" to ") else { return false };
        let (kind, recipient) = rest.split_once(' ').unwrap_or(("", rest));
        let delivery = (message.to_owned(), recipient.to_owned(), kind == "remote");
        self.deliveries.put(number, delivery);
        true
    }

    /// `1: failure: 192.0.2.1_does_not_like_recipient./Remote_host_said:_550_no/Giving_up_on_192.0.2.1./`.
    fn ended(&mut self, line: &Line<'_>, rest: &str, mut give: impl FnMut(Record)) -> bool {
        let Some((number, rest)) = rest.split_once(": ") else { return false };
        let (result, report) = rest.split_once(": ").unwrap_or((rest.trim_end_matches(':'), ""));
        let (message, recipient, is_remote) = self.deliveries.remove(number).unwrap_or_default();
        let words = report.replace('_', " ");
        let words = words.trim().trim_end_matches('/');
        let mut testimony = line.testimony("qmail");
        testimony.fate = match result {
            "success" => Fate::Delivered,
            "deferral" => Fate::Deferred,
            "failure" => Fate::Failed,
            _ => return false,
        };
        testimony.reverse_path = self.messages.find(&message).cloned();
        testimony.message = (!message.is_empty()).then_some(message);
        testimony.recipient = (!recipient.is_empty()).then_some(recipient);
        // A slash stands for a line end, and for itself: only qmail's own next sentence ends the reply.
        testimony.reply = words.split_once("emote host said: ").and_then(|(_, said)| {
            quoted::reply(said.split("/Giving up").next().unwrap_or_default())
        });
        testimony.status = testimony.reply.as_ref().and_then(|reply| reply.status);
        let host =
            words.split([' ', '/']).find_map(|word| peer::socket(word.trim_end_matches('.')));
        testimony.peer = Endpoint { address: host, name: None };
        testimony.speaker = match (&testimony.reply, host) {
            (Some(_), Some(host)) => Speaker::Remote(host.ip().to_string()),
            (Some(_), None) => Speaker::RemoteUnnamed,
            (None, _) => Speaker::Writer,
        };
        testimony.stage = stage(words, is_remote, testimony.fate);
        testimony.stage_is_told = testimony.stage.is_some();
        testimony.words = words.to_owned();
        give(Record::Testimony(testimony));
        true
    }
}

/// qmail-remote's own words name the step.
fn stage(words: &str, is_remote: bool, fate: Fate) -> Option<Stage> {
    const WORDS: [(&str, Stage); 12] = [
        ("does not like recipient", Stage::Rcpt),
        ("failed on DATA command", Stage::Data),
        ("failed after I sent the message", Stage::EndOfData),
        ("Connected to", Stage::Other),
        ("wasn't able to establish an SMTP connection", Stage::Connect),
        ("unable to establish an SMTP connection", Stage::Connect),
        ("couldn't find any host", Stage::Routing),
        ("couldn't find a mail exchanger", Stage::Routing),
        ("CNAME lookup failed", Stage::Routing),
        ("unable to switch to home directory", Stage::Mailbox),
        ("no mailbox here by that name", Stage::Mailbox),
        ("TLS", Stage::Tls),
    ];
    if fate == Fate::Delivered {
        return Some(if is_remote { Stage::EndOfData } else { Stage::Mailbox });
    }
    match WORDS.into_iter().find(|(known, _)| words.contains(known)) {
        Some((_, Stage::Other)) => connected(words),
        Some((_, stage)) => Some(stage),
        None => (!is_remote && !words.is_empty()).then_some(Stage::Mailbox),
    }
}

/// `Connected to 192.0.2.1 but greeting failed.`, `... but sender was rejected.`
fn connected(words: &str) -> Option<Stage> {
    let steps = [
        ("greeting failed", Stage::Greeting),
        ("my name was rejected", Stage::Ehlo),
        ("sender was rejected", Stage::Mail),
        ("connection died", Stage::Content),
        ("unable to authenticate", Stage::Auth),
    ];
    steps.into_iter().find(|(known, _)| words.contains(known)).map(|(_, stage)| stage)
}

/// `1282142510.123456 `, which splogger puts in front.
fn without_number(text: &str) -> &str {
    match text.split_once(' ') {
        Some((number, rest))
            if number.contains('.')
                && number.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.') =>
        {
            rest
        }
        _ => text,
    }
}
