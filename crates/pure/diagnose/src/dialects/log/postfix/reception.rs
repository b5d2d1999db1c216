//! The receiving side: `smtpd`, `cleanup` and `pickup`.

use smtp::{Reply, Stage};

use super::{field, noted, warning};
use crate::{
    dialects::{
        log::{Record, line::Line, peer},
        quoted,
    },
    happening::What,
    session::{Endpoint, Vantage},
    testimony::{Fate, Speaker},
};

/// Reads a line.
pub(super) fn read(
    line: &Line<'_>,
    daemon: &str,
    id: Option<&str>,
    text: &str,
    give: impl FnMut(Record),
) -> bool {
    let Some(colon) = text.find([':', '=']) else { return of_connection(line, text, give) };
    match &text[..colon] {
        "reject" | "milter-reject" | "proxy-reject" | "END-OF-MESSAGE reject" => {
            rejected(line, daemon, id, &text[colon + 1..], give)
        }
        "reject_warning" => ruled(line, id, What::Warning, text, give),
        "hold"
        | "discard"
        | "redirect"
        | "filter"
        | "milter-hold"
        | "milter-discard"
        | "milter-header-redirect"
        | "quarantine" => ruled(line, id, What::Diverted, text, give),
        "client" if id.is_some() => received(line, id, text, give),
        "uid" if daemon == "pickup" && id.is_some() => noted(line, id, What::Received, text, give),
        "warning" | "error" | "fatal" | "panic" => {
            warned(line, id, text, text[colon + 1..].trim_start(), give)
        }
        _ if id.is_some() => true,
        _ => of_connection(line, text, give),
    }
}

/// `RCPT from a[192.0.2.1]: 550 5.1.1 <x@y>: no; from=<a@b> to=<x@y> proto=ESMTP helo=<c>`; and
/// `header Subject: x from a[192.0.2.1]; from=<a@b> to=<x@y> proto=ESMTP helo=<c>: 5.7.1 no`.
pub(super) fn rejected(
    line: &Line<'_>,
    daemon: &str,
    id: Option<&str>,
    text: &str,
    mut give: impl FnMut(Record),
) -> bool {
    let text = text.trim_start();
    let (head, envelope) = parted(text);
    let mut testimony = line.testimony("postfix");
    testimony.fate = Fate::Rejected;
    testimony.speaker = Speaker::Writer;
    testimony.message = id.map(str::to_owned);
    testimony.recipient = field(envelope, "to=").map(str::to_owned);
    testimony.reverse_path = field(envelope, "from=").map(str::to_owned);
    let of_content = daemon == "cleanup"
        && ["header ", "body ", "mime-header ", "nested-header "]
            .iter()
            .any(|part| head.starts_with(part));
    let words = if of_content {
        testimony.stage = Some(Stage::EndOfData);
        client_at_the_end(head, &mut testimony.peer);
        // The reason stands behind the envelope.
        envelope.rsplit_once(">: ").map_or(head, |(_, words)| words)
    } else {
        let (stage, rest) = head.split_once(' ').unwrap_or((head, ""));
        testimony.stage = quoted::stage(stage);
        match rest.strip_prefix("from ").and_then(peer::bracketed) {
            Some((peer, rest)) => {
                testimony.peer = peer;
                rest.strip_prefix(": ").unwrap_or(rest)
            }
            None => rest.strip_prefix(": ").unwrap_or(head.split_once(": ").map_or("", |(_, w)| w)),
        }
    };
    testimony.stage_is_told = testimony.stage.is_some();
    testimony.reply = quoted::reply(words);
    // Milters and tables of cleanup give a status and no code.
    testimony.status = match &testimony.reply {
        Some(reply) => reply.status,
        None => words.split(' ').next().and_then(|status| status.parse().ok()),
    };
    testimony.words = words.to_owned();
    give(Record::Testimony(testimony));
    true
}

/// What a rule did besides rejecting: `filter: RCPT from a[192.0.2.1]: <b@c>: words; from=<...>`.
fn ruled(
    line: &Line<'_>,
    id: Option<&str>,
    what: What,
    text: &str,
    mut give: impl FnMut(Record),
) -> bool {
    let mut happening = line.happening("postfix", what);
    happening.side = Vantage::Server;
    happening.message = id.map(str::to_owned);
    happening.words = text.to_owned();
    let (head, _) = parted(text.split_once(": ").map_or("", |(_, rest)| rest));
    if let Some((stage, rest)) = head.split_once(" from ") {
        happening.stage = quoted::stage(stage);
        if let Some((peer, rest)) = peer::bracketed(rest) {
            happening.peer = peer;
            happening.reply = rest.strip_prefix(": ").and_then(quoted::reply);
        }
    }
    give(Record::Happening(happening));
    true
}

/// The words, and the envelope behind them.
fn parted(text: &str) -> (&str, &str) {
    let ends = ["; from=<", "; to=<", "; proto="];
    match ends.iter().filter_map(|end| text.rfind(end)).min() {
        Some(at) => (&text[..at], &text[at + 2..]),
        None => (text, ""),
    }
}

/// `... from a[192.0.2.1]` at the end of a header's quotation.
fn client_at_the_end(head: &str, peer: &mut Endpoint) {
    let client = head.rsplit_once(" from ").and_then(|(_, client)| peer::bracketed(client));
    if let Some((client, _)) = client {
        *peer = client;
    }
}

fn received(line: &Line<'_>, id: Option<&str>, text: &str, mut give: impl FnMut(Record)) -> bool {
    let mut happening = line.happening("postfix", What::Received);
    happening.side = Vantage::Server;
    happening.message = id.map(str::to_owned);
    let client = text.strip_prefix("client=").unwrap_or_default();
    happening.peer = peer::bracketed(client).map(|(peer, _)| peer).unwrap_or_default();
    happening.words = text.to_owned();
    give(Record::Happening(happening));
    true
}

/// `warning: a[192.0.2.1]: SASL LOGIN authentication failed: ...` and what else has a client in it.
fn warned(
    line: &Line<'_>,
    id: Option<&str>,
    text: &str,
    words: &str,
    give: impl FnMut(Record),
) -> bool {
    if let Some((peer, rest)) = peer::bracketed(words)
        && rest.contains("SASL ")
        && rest.contains("authentication failed")
    {
        return of_client(line, What::AuthenticationFailed, Some(Stage::Auth), peer, words, give);
    }
    if let Some(rest) = words.strip_prefix("non-SMTP command from ") {
        let peer = client(rest);
        return of_client(line, What::Violation, Some(Stage::Other), peer, words, give);
    }
    // `Connection rate limit exceeded: 31 from a[192.0.2.1] for service smtp`: the client hears 421.
    if let Some((limit, rest)) = words.split_once(" limit exceeded: ") {
        let peer = rest.split_once(" from ").map(|(_, rest)| client(rest)).unwrap_or_default();
        let stage = if limit.starts_with("Connection") { Stage::Connect } else { Stage::Other };
        return of_client(line, What::Refused, Some(stage), peer, words, give);
    }
    warning(line, id, text, give)
}

/// What smtpd says of the connection itself.
fn of_connection(line: &Line<'_>, text: &str, give: impl FnMut(Record)) -> bool {
    // tlsproxy writes in capitals.
    let connected = text.strip_prefix("connect from ").or(text.strip_prefix("CONNECT from "));
    if let Some(rest) = connected {
        return of_client(line, What::Connected, Some(Stage::Connect), client(rest), text, give);
    }
    let gone = text.strip_prefix("disconnect from ").or(text.strip_prefix("DISCONNECT "));
    if let Some(rest) = gone {
        return of_client(line, What::Disconnected, None, client(rest), text, give);
    }
    if let Some((trust, rest)) = text.split_once(" TLS connection established from ") {
        let (peer, version) = peer::bracketed(rest).unwrap_or_default();
        let words = format!("{trust}{version}");
        return of_client(line, What::TlsEstablished, Some(Stage::Tls), peer, &words, give);
    }
    if let Some(rest) = text.strip_prefix("SSL_accept error from ") {
        return of_client(line, What::TlsFailed, Some(Stage::Tls), client(rest), text, give);
    }
    const ENDS: [(&str, What); 6] = [
        ("lost connection after ", What::Broken),
        ("timeout after ", What::TimedOut),
        ("too many errors after ", What::Violation),
        ("improper command pipelining after ", What::Violation),
        ("bare <LF> received after ", What::Violation),
        ("too many junk commands after ", What::Violation),
    ];
    for (begins, what) in ENDS {
        let Some(rest) = text.strip_prefix(begins) else { continue };
        let (step, peer) = rest.split_once(" from ").unwrap_or((rest, ""));
        return of_client(line, what, after(step), client(peer), text, give);
    }
    warning(line, None, text, give)
}

/// The step behind `after`: `DATA (1234 bytes)` is within the content.
fn after(step: &str) -> Option<Stage> {
    if step.starts_with("DATA (") { Some(Stage::Content) } else { quoted::stage(step) }
}

fn client(words: &str) -> Endpoint {
    peer::bracketed(words).map(|(peer, _)| peer).unwrap_or_default()
}

pub(super) fn of_client(
    line: &Line<'_>,
    what: What,
    stage: Option<Stage>,
    peer: Endpoint,
    words: &str,
    mut give: impl FnMut(Record),
) -> bool {
    let mut happening = line.happening("postfix", what);
    happening.side = Vantage::Server;
    happening.stage = stage;
    happening.peer = peer;
    happening.words = words.to_owned();
    // `... authentication failed: 535 5.7.8 no`: only what begins a clause is a reply.
    happening.reply = words.rsplit(": ").next().and_then(quoted::reply).filter(is_refusal);
    give(Record::Happening(happening));
    true
}

fn is_refusal(reply: &Reply) -> bool {
    reply.is_transient() || reply.is_permanent()
}
