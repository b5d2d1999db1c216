//! The receiving side: what was refused of a client, and what its connection did.

use smtp::Stage;

use crate::{
    dialects::{
        log::{Record, line::Line, peer},
        quoted,
    },
    happening::What,
    session::{Endpoint, Vantage},
    testimony::{Fate, Speaker},
};

/// Reads a line that is none of a delivery.
pub(super) fn read(line: &Line<'_>, id: Option<&str>, give: impl FnMut(Record)) -> bool {
    if line.text.contains(" authenticator failed ") {
        return authentication_failed(line, id, give);
    }
    if let Some((what, stage)) = of_connection(line.text) {
        return happened(line, id, what, stage, give);
    }
    match rejection(line.text) {
        Some(at) => rejected(line, id, at, give),
        None => false,
    }
}

/// Where `rejected` stands that a command or `connection` follows.
fn rejection(text: &str) -> Option<usize> {
    let at = if text.starts_with("rejected ") { 0 } else { text.find(" rejected ")? + 1 };
    // A quoted reply of somebody else may say `rejected`, too: the client stands before ours.
    let before = &text[..at];
    let ours = ["H=", "U=", "F=", "temporarily ", "SMTP protocol"];
    (before.is_empty() || ours.iter().any(|begins| before.starts_with(begins))).then_some(at)
}

/// `H=a (helo) [192.0.2.1] F=<a@b> rejected RCPT <c@d>: words`.
fn rejected(line: &Line<'_>, id: Option<&str>, at: usize, mut give: impl FnMut(Record)) -> bool {
    let (before, what) = (&line.text[..at], &line.text[at + "rejected ".len()..]);
    let mut testimony = line.testimony("exim");
    testimony.fate = Fate::Rejected;
    testimony.speaker = Speaker::Writer;
    testimony.message = id.map(str::to_owned);
    testimony.peer = peer::within(before)
        .or_else(|| peer::within(what))
        .map(|(peer, _)| peer)
        .unwrap_or_default();
    testimony.reverse_path = before.split_once("F=").map(|(_, path)| {
        path.split(' ').next().unwrap_or_default().trim_matches(['<', '>']).to_owned()
    });
    testimony.stage = stage(what);
    testimony.stage_is_told = testimony.stage.is_some();
    if let Some(rcpt) = what.strip_prefix("RCPT ") {
        testimony.recipient = Some(argument(rcpt).to_owned());
    }
    let words = what.split_once(": ").map_or(what, |(_, words)| words);
    testimony.reply = quoted::reply(words);
    testimony.status = testimony.reply.as_ref().and_then(|reply| reply.status);
    // `temporarily` tells what the client heard, 4yz.
    let temporarily = before.ends_with("temporarily ");
    testimony.words = format!("{}rejected {what}", if temporarily { "temporarily " } else { "" });
    give(Record::Testimony(testimony));
    true
}

/// The address behind RCPT, with or without angle brackets.
fn argument(rcpt: &str) -> &str {
    match rcpt.strip_prefix('<') {
        Some(inside) => inside.split_once('>').map_or(inside, |(address, _)| address),
        None => rcpt.split_once(": ").map_or(rcpt, |(address, _)| address),
    }
}

fn stage(what: &str) -> Option<Stage> {
    let what = what.strip_prefix('"').unwrap_or(what);
    // `rejected from <a@b> H=...: message too big`: while the content was read.
    if what.starts_with("from <")
        || what.starts_with("after DATA")
        || what.starts_with("after PRDR")
        || what.starts_with("by local_scan()")
        || what.starts_with("during MIME ACL")
        || what.starts_with("during DKIM ACL")
    {
        return Some(Stage::EndOfData);
    }
    quoted::stage(what)
}

fn authentication_failed(line: &Line<'_>, id: Option<&str>, mut give: impl FnMut(Record)) -> bool {
    let text = line.text;
    let who = ["authenticator failed for ", "authenticator failed "];
    let rest = who.iter().find_map(|who| text.split_once(who).map(|(_, rest)| rest));
    let (peer, words) = rest.and_then(peer::within).unwrap_or((Endpoint::default(), text));
    let mut happening = line.happening("exim", What::AuthenticationFailed);
    happening.side = Vantage::Server;
    happening.stage = Some(Stage::Auth);
    happening.message = id.map(str::to_owned);
    happening.peer = peer;
    happening.reply = words.match_indices(": ").find_map(|(at, _)| quoted::reply(&words[at + 2..]));
    give(Record::Happening(happening));
    true
}

/// What the words tell of a connection, and at which step.
fn of_connection(text: &str) -> Option<(What, Option<Stage>)> {
    const BEGINS: [(&str, What, Option<Stage>); 20] = [
        (
            "SMTP protocol synchronization error (input sent without waiting",
            What::Violation,
            Some(Stage::Greeting),
        ),
        ("SMTP protocol synchronization error", What::Violation, None),
        ("SMTP protocol violation", What::Violation, None),
        ("SMTP protocol error", What::Violation, None),
        ("SMTP syntax error", What::Violation, None),
        ("SMTP call from", What::Violation, None),
        ("SMTP command timeout on", What::TimedOut, None),
        ("SMTP data timeout", What::TimedOut, Some(Stage::Content)),
        ("SMTP command line too long", What::Violation, None),
        ("no MAIL in SMTP connection from", What::Disconnected, None),
        ("unexpected disconnection while reading SMTP command", What::Broken, None),
        ("unexpected ", What::Broken, None),
        ("refused connection from", What::Refused, Some(Stage::Connect)),
        ("Connection from", What::Refused, Some(Stage::Connect)),
        ("rejected HELO from", What::Refused, Some(Stage::Ehlo)),
        ("rejected EHLO from", What::Refused, Some(Stage::Ehlo)),
        ("TLS error on connection", What::TlsFailed, Some(Stage::Tls)),
        ("TLS session failure", What::TlsFailed, Some(Stage::Tls)),
        ("no host name found for IP address", What::Warning, Some(Stage::Connect)),
        ("no IP address found for host", What::Warning, Some(Stage::Connect)),
    ];
    if let Some(&(_, what, stage)) = BEGINS.iter().find(|(begins, ..)| text.starts_with(begins)) {
        // `SMTP protocol error in "AUTH LOGIN" H=...`
        let command = text.split_once(" in \"").and_then(|(_, command)| quoted::stage(command));
        return Some((what, stage.or(command)));
    }
    if text.starts_with("SMTP connection from") {
        return Some(closed(text));
    }
    if let Some((_, rest)) = text.split_once(" sender verify ") {
        let verified = rest.starts_with("fail") || rest.starts_with("defer");
        return verified.then_some((What::Warning, Some(Stage::Mail)));
    }
    const WITHIN: [(&str, What, Option<Stage>); 6] = [
        (" dropped by 'connect' ACL", What::Refused, Some(Stage::Connect)),
        (" incomplete transaction ", What::Broken, None),
        ("SA: Action: ", What::Diverted, Some(Stage::EndOfData)),
        (" discarded by ", What::Diverted, Some(Stage::Rcpt)),
        (" Warning: ", What::Warning, None),
        (" closed by DROP in ACL", What::Refused, None),
    ];
    WITHIN.iter().find(|(part, ..)| text.contains(part)).map(|&(_, what, stage)| (what, stage))
}

/// `SMTP connection from a [192.0.2.1] lost while reading message data`, `... closed by QUIT`.
fn closed(text: &str) -> (What, Option<Stage>) {
    if text.contains("closed by QUIT") {
        (What::Disconnected, None)
    } else if text.contains("closed by DROP") {
        (What::Refused, None)
    } else if text.contains(" lost") || text.contains("closed ") {
        let content = text.contains("message data").then_some(Stage::Content);
        (What::Broken, content)
    } else {
        (What::Connected, Some(Stage::Connect))
    }
}

fn happened(
    line: &Line<'_>,
    id: Option<&str>,
    what: What,
    stage: Option<Stage>,
    mut give: impl FnMut(Record),
) -> bool {
    let mut happening = line.happening("exim", what);
    let outgoing = line.text.starts_with("TLS error on connection to");
    happening.side = if outgoing { Vantage::Client } else { Vantage::Server };
    happening.stage = stage;
    happening.message = id.map(str::to_owned);
    happening.peer = client(line.text);
    give(Record::Happening(happening));
    true
}

/// The host that has an address; in some lines it stands in parentheses as `(host=a [192.0.2.1])`.
fn client(text: &str) -> Endpoint {
    // A quoted command may itself look like a host (`"AUTH LOGIN" H=(x) [192.0.2.9]"`): ours stands last.
    let quoted = text.starts_with("SMTP ") && text.contains(" in \"");
    let text = if quoted { text.rfind("\" H=").map_or(text, |at| &text[at..]) } else { text };
    let found = peer::within(text)
        .or_else(|| text.split_once("host=").and_then(|(_, host)| peer::within(host)))
        .or_else(|| text.split_once("connection from ").and_then(|(_, host)| peer::within(host)));
    if let Some((peer, _)) = found {
        return peer;
    }
    let alone = text.strip_prefix("no host name found for IP address ").unwrap_or_default();
    Endpoint { address: peer::socket(alone.split(' ').next().unwrap_or_default()), name: None }
}
