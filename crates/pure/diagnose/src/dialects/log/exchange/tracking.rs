//! Message tracking since Exchange 2007: one CSV record for each event of a message.

use smtp::Stage;

use super::{column, csv};
use crate::{
    dialects::{
        log::{
            Record, date,
            line::{Line, excerpt},
            peer,
        },
        quoted,
    },
    happening::What,
    session::{Endpoint, Vantage},
    testimony::{Fate, Speaker, Testimony},
};

/// Recipients of one record that are read.
const RECIPIENTS_MAX: usize = 5_000;

/// Reads a record; `None` if it is none.
pub(super) fn read(
    text: &str,
    number: u64,
    columns: &[String],
    give: &mut dyn FnMut(Record),
) -> Option<()> {
    let fields = csv(text);
    let value = |name: &str| column(&fields, columns, name);
    let event = value("event-id").to_ascii_uppercase();
    if event.is_empty() {
        return None;
    }
    let at = date::iso(value("date-time")).map(|(at, _)| at);
    let line = &Line { at, host: "", program: "", process: 0, text, number };
    let fate = match event.as_str() {
        "FAIL" | "DELIVERFAIL" | "BADMAIL" | "SUBMITFAIL" | "RESUBMITFAIL" => Fate::Failed,
        "DEFER" | "SUBMITDEFER" | "RESUBMITDEFER" => Fate::Deferred,
        "SEND" | "DELIVER" => Fate::Delivered,
        _ => {
            other(line, &event, &value, give);
            return Some(());
        }
    };
    let mut testimony = line.testimony("exchange-2007");
    testimony.fate = fate;
    // Of what it sends Exchange is the client.
    testimony.writer = some(value("client-hostname")).or_else(|| some(value("server-hostname")));
    testimony.message = some(value("message-id")).or_else(|| some(value("internal-message-id")));
    let reverse_path = value("return-path");
    testimony.reverse_path = Some(if reverse_path == "<>" { "" } else { reverse_path }.to_owned());
    // The server's columns name the other end only where there was one; else they are the writer's.
    let server = some(value("server-hostname"));
    if fate == Fate::Delivered || server.as_deref() != testimony.writer.as_deref() {
        let address = peer::address(value("server-ip"), 0);
        testimony.peer = Endpoint { address, name: server };
    }
    let recipients = value("recipient-address").split(';');
    let statuses = statuses(value("recipient-status"));
    for (number, recipient) in recipients.take(RECIPIENTS_MAX).enumerate() {
        let mut testimony = testimony.clone();
        testimony.recipient = some(recipient);
        let status = statuses.get(number).or(statuses.first()).map_or("", String::as_str);
        let words = if status.is_empty() { value("source-context") } else { status };
        interpret(&mut testimony, excerpt(words), value("source"));
        give(Record::Testimony(testimony));
    }
    Some(())
}

/// One status for each recipient. They are parted by semicolons, which they may also hold: a status is
/// `{[{LED=...};{MSG=...}]}` or begins with a code.
fn statuses(field: &str) -> Vec<String> {
    let mut statuses: Vec<String> = Vec::new();
    let mut depth = 0u32;
    for piece in field.split(';') {
        let begins = depth == 0
            && (quoted::code_at(piece.trim_start_matches(['\'', '"'])).is_some()
                || piece.starts_with(['[', '{'])
                || piece.is_empty()
                || statuses.is_empty());
        match statuses.last_mut() {
            Some(last) if !begins => {
                last.push(';');
                last.push_str(piece);
            }
            _ => statuses.push(piece.to_owned()),
        }
        for octet in piece.bytes() {
            match octet {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    statuses
}

/// Stage, speaker and reply. The log names no command; what is left of it are code and words.
fn interpret(testimony: &mut Testimony, words: &str, source: &str) {
    let words = words.trim_matches(['\'', '"']);
    // `[{LED=550 5.1.1 ...};{MSG=...};{FQDN=mx.a.test};{IP=192.0.2.1};{LRT=...}]`
    let last_error = part(words, "LED=");
    let host = part(words, "FQDN=").and_then(some);
    let reason = last_error.unwrap_or(words);
    testimony.reply = quoted::reply(reason);
    testimony.status = testimony.reply.as_ref().and_then(|reply| reply.status);
    testimony.words = reason.to_owned();
    // `451 4.4.0 Primary target IP address responded with: "421 4.2.1 Unable to connect."`: the inner
    // reply is the other server's, or Exchange's own about the connection.
    if let Some((_, inner)) = reason.split_once("responded with: \"") {
        let inner = inner.split('"').next().unwrap_or_default();
        if let Some(reply) = quoted::reply(inner) {
            testimony.reply = Some(reply);
        }
    }
    if let Some(host) = host {
        testimony.peer.name = Some(host);
    }
    if testimony.fate == Fate::Delivered {
        let over_a_wire = source == "SMTP";
        testimony.stage = Some(if over_a_wire { Stage::EndOfData } else { Stage::Mailbox });
        testimony.stage_is_told = true;
        testimony.speaker = speaker(testimony, over_a_wire);
        return;
    }
    testimony.stage = stage(reason, source);
    let own = matches!(source, "DNS" | "ROUTING" | "STOREDRIVER" | "AGENT" | "QUEUE" | "ADMIN")
        || is_own(reason)
        || matches!(testimony.stage, Some(Stage::Connect | Stage::Routing));
    testimony.speaker = speaker(testimony, !own && testimony.reply.is_some());
}

fn speaker(testimony: &Testimony, is_remote: bool) -> Speaker {
    match (&testimony.peer.name, testimony.peer.address, is_remote) {
        (_, _, false) => Speaker::Writer,
        (Some(name), _, true) => Speaker::Remote(name.clone()),
        (None, Some(address), true) => Speaker::Remote(address.ip().to_string()),
        (None, None, true) => Speaker::RemoteUnnamed,
    }
}

/// Words that only Exchange itself says.
fn is_own(reason: &str) -> bool {
    const OWN: [&str; 7] = [
        "RESOLVER.",
        "ROUTING.",
        "STOREDRV.",
        "QUEUE.",
        "SMTPSEND.",
        "Message Delayed",
        "SMTP; Unable",
    ];
    OWN.iter().any(|known| reason.contains(known))
}

fn stage(reason: &str, source: &str) -> Option<Stage> {
    const WORDS: [(&str, Stage); 15] = [
        ("Unable to connect", Stage::Connect),
        ("unable to connect", Stage::Connect),
        ("Failed to connect", Stage::Connect),
        ("SocketError", Stage::Connect),
        ("SocketTimedout", Stage::Connect),
        ("DNS query failed", Stage::Routing),
        ("SMTPSEND.DNS", Stage::Routing),
        ("ROUTING.", Stage::Routing),
        ("RESOLVER.", Stage::Routing),
        ("STOREDRV.", Stage::Mailbox),
        ("QUEUE.Expired", Stage::Other),
        ("STARTTLS", Stage::StartTls),
        ("Authentication", Stage::Auth),
        ("Recipient", Stage::Rcpt),
        ("Sender", Stage::Mail),
    ];
    let found = WORDS.into_iter().find(|(known, _)| reason.contains(known)).map(|(_, stage)| stage);
    match (found, source) {
        (Some(Stage::Other), _) => None,
        (Some(stage), _) => Some(stage),
        (None, "DNS" | "ROUTING") => Some(Stage::Routing),
        (None, "STOREDRIVER") => Some(Stage::Mailbox),
        (None, _) => None,
    }
}

/// `{NAME=value}`.
fn part<'a>(words: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = words.split_once(name)?;
    Some(value.split_once('}').map_or(value, |(value, _)| value))
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// Events that are about a whole message.
fn other<'a>(
    line: &Line<'_>,
    event: &str,
    value: &impl Fn(&str) -> &'a str,
    give: &mut dyn FnMut(Record),
) {
    let what = match event {
        "RECEIVE" => What::Received,
        "DSN" => What::Reported,
        "POISONMESSAGE" | "DROP" | "MODERATORREJECT" | "THROTTLE" | "SUPPRESSED" => What::Diverted,
        "HAREDIRECTFAIL" => What::Warning,
        _ => return,
    };
    let mut happening = line.happening("exchange-2007", what);
    happening.side = if what == What::Received { Vantage::Server } else { Vantage::Wire };
    happening.writer = some(value("server-hostname"));
    happening.message = some(value("message-id"));
    happening.peer = Endpoint {
        address: peer::address(value("client-ip"), 0),
        name: some(value("client-hostname")),
    };
    happening.words = format!("{event} {}", value("source-context")).trim_end().to_owned();
    give(Record::Happening(happening));
}
