//! Deliveries: `to=<a@b>, relay=..., delay=..., dsn=5.1.1, status=bounced (words)`, and what the
//! clients `smtp` and `lmtp` say of single hosts meanwhile.

use smtp::Stage;

use super::{field, trouble};
use crate::{
    dialects::{
        log::{Record, line::Line, peer},
        quoted,
    },
    happening::What,
    session::Vantage,
    testimony::{Fate, Speaker, Testimony},
};

/// Reads a delivery's line.
pub(super) fn read(
    line: &Line<'_>,
    daemon: &str,
    id: &str,
    text: &str,
    reverse_path: Option<String>,
    mut give: impl FnMut(Record),
) -> bool {
    let Some(at) = text.find(" status=").or_else(|| text.find("status=")) else { return false };
    let fields = &text[..at];
    let status = text[at..].trim_start().strip_prefix("status=").unwrap_or_default();
    let (status, words) = status.split_once(' ').unwrap_or((status, ""));
    let words = words.strip_prefix('(').unwrap_or(words);
    let words = words.strip_suffix(')').unwrap_or(words);
    let Some(fate) = fate(status) else { return true };
    let mut testimony = line.testimony("postfix");
    testimony.fate = fate;
    testimony.message = Some(id.to_owned());
    testimony.recipient = field(fields, "to=").map(str::to_owned);
    testimony.reverse_path = reverse_path;
    testimony.status = field(fields, "dsn=").and_then(|status| status.parse().ok());
    testimony.words = words.to_owned();
    if let Some((relay, _)) = fields.split_once("relay=").and_then(|(_, at)| peer::bracketed(at)) {
        testimony.peer = relay;
    }
    interpret(&mut testimony, daemon, status);
    give(Record::Testimony(testimony));
    true
}

/// What a client says of a host, while other hosts or attempts are left.
pub(super) fn read_of_host(
    line: &Line<'_>,
    id: Option<&str>,
    text: &str,
    mut give: impl FnMut(Record),
) -> bool {
    if let Some((trust, rest)) = text.split_once(" TLS connection established to ") {
        let mut happening = line.happening("postfix", What::TlsEstablished);
        happening.side = Vantage::Client;
        if let Some((peer, rest)) = peer::bracketed(rest) {
            happening.peer = peer;
            happening.words = format!("{trust}{rest}");
        }
        give(Record::Happening(happening));
        return true;
    }
    let Some(trouble) = trouble::read(text) else {
        return super::warning(line, id, text, give);
    };
    let mut happening = line.happening("postfix", trouble.what);
    happening.side = Vantage::Client;
    happening.peer = trouble.peer;
    happening.message = id.map(str::to_owned);
    happening.stage = trouble.stage;
    happening.reply = trouble.reply;
    happening.words = text.to_owned();
    give(Record::Happening(happening));
    true
}

fn fate(status: &str) -> Option<Fate> {
    match status.trim_end_matches([',', ';']) {
        "sent" | "deliverable" => Some(Fate::Delivered),
        "bounced" | "undeliverable" | "expired" | "force-expired" => Some(Fate::Failed),
        // A soft bounce would fail but for a setting that makes it wait.
        "deferred" | "SOFTBOUNCE" => Some(Fate::Deferred),
        _ => None,
    }
}

/// Stage, speaker and reply, from the words and from the daemon that wrote them.
fn interpret(testimony: &mut Testimony, daemon: &str, status: &str) {
    if testimony.fate == Fate::Delivered {
        return delivered(testimony, daemon, status);
    }
    if let Some(trouble) = trouble::read(&testimony.words) {
        testimony.stage = trouble.stage;
        testimony.stage_is_told = trouble.is_told;
        testimony.speaker = trouble.speaker;
        testimony.reply = trouble.reply;
        if testimony.peer == Default::default() {
            testimony.peer = trouble.peer;
        }
        return;
    }
    testimony.speaker = Speaker::Writer;
    testimony.stage = match daemon {
        "local" | "virtual" | "pipe" => Some(Stage::Mailbox),
        "smtp" | "lmtp" => of_own_limits(&testimony.words),
        _ => None,
    };
    testimony.stage_is_told = testimony.stage == Some(Stage::Mailbox);
}

fn delivered(testimony: &mut Testimony, daemon: &str, status: &str) {
    testimony.reply = quoted::reply(&testimony.words);
    let over_a_wire = matches!(daemon, "smtp" | "lmtp") && testimony.reply.is_some();
    testimony.speaker = match (&testimony.peer.name, over_a_wire) {
        (Some(name), true) => Speaker::Remote(name.clone()),
        (None, true) => Speaker::RemoteUnnamed,
        (_, false) => Speaker::Writer,
    };
    testimony.stage = match (over_a_wire, status) {
        // A probe for an address ends with the reply to RCPT.
        (true, "deliverable") => Some(Stage::Rcpt),
        (true, _) => Some(Stage::EndOfData),
        (false, _) => Some(Stage::Mailbox),
    };
}

/// What `smtp` decides before it asks the server: size and character set, which MAIL would carry.
fn of_own_limits(words: &str) -> Option<Stage> {
    let limits = ["exceeds size limit", "SMTPUTF8 is required", "Message size exceeds"];
    limits.iter().any(|limit| words.contains(limit)).then_some(Stage::Mail)
}
