//! OpenSMTPD's log lines: since 6.4 `SESSION smtp failed-command command="..." result="..."`, before
//! that `smtp-in: Failed command on session ...: "..." => 421 4.3.0: ...`.

use smtp::Stage;

use super::{Record, line::Line, peer};
use crate::{
    dialects::quoted,
    happening::What,
    session::{Endpoint, Vantage},
    testimony::{Fate, Speaker, Testimony},
};

/// Whether a program is OpenSMTPD.
pub(super) fn is_program(program: &str) -> bool {
    program == "smtpd" || program == "opensmtpd"
}

/// Reads one line; false if it means nothing to us.
pub(super) fn read(line: &Line<'_>, mut give: impl FnMut(Record)) -> bool {
    let text = line.text;
    if let Some((begin, rest)) = text.split_once(": ") {
        match begin {
            "smtp-in" => return received_before_64(line, rest, give),
            "smtp-out" => return sent_before_64(line, rest, give),
            "delivery" | "relay" => return delivered_before_64(line, rest, give),
            _ => {}
        }
    }
    let Some((session, rest)) = text.split_once(' ') else { return false };
    if session.len() != 16 || !session.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return false;
    }
    let (part, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (what, fields) = rest.split_once(' ').unwrap_or((rest, ""));
    match (part, what) {
        ("smtp", "failed-command") => give(failed_command(line, session, fields)),
        ("mta" | "mda", "delivery") => give(Record::Testimony(delivery(line, part, fields))),
        ("mta" | "smtp", _) => return of_connection(line, session, part, what, fields, give),
        _ => return true,
    }
    true
}

/// `command="RCPT TO:<a@b>" result="550 Invalid recipient"`.
fn failed_command(line: &Line<'_>, session: &str, fields: &str) -> Record {
    let command = field(fields, "command").unwrap_or_default();
    let result = field(fields, "result").unwrap_or_default();
    rejected(line, session, command, result)
}

fn rejected(line: &Line<'_>, session: &str, command: &str, result: &str) -> Record {
    let mut testimony = line.testimony("opensmtpd");
    testimony.fate = Fate::Rejected;
    testimony.speaker = Speaker::Writer;
    testimony.message = Some(session.to_owned());
    // After the content the command that failed is empty or `.`.
    testimony.stage = match command {
        "" | "." => Some(Stage::EndOfData),
        command => quoted::stage(command).or(Some(Stage::Other)),
    };
    testimony.stage_is_told = true;
    let argument = command.split_once('<').and_then(|(_, inside)| inside.split_once('>'));
    let argument = argument.map(|(address, _)| address.to_owned());
    match testimony.stage {
        Some(Stage::Mail) => testimony.reverse_path = argument,
        Some(Stage::Rcpt) => testimony.recipient = argument,
        _ => {}
    }
    // `421 4.3.0: Temporary Error`: the colon is the log's.
    let result = result.replacen(": ", " ", usize::from(has_colon_behind_status(result)));
    testimony.reply = quoted::reply(&result);
    testimony.status = testimony.reply.as_ref().and_then(|reply| reply.status);
    testimony.words = result;
    Record::Testimony(testimony)
}

fn has_colon_behind_status(result: &str) -> bool {
    let status = result.split(' ').nth(1).and_then(|word| word.strip_suffix(':'));
    status.is_some_and(|status| status.parse::<smtp::EnhancedStatus>().is_ok())
}

/// `evpid=... from=<a@b> to=<c@d> rcpt=<-> source="..." relay="192.0.2.1 (mx)" delay=1s result="Ok"
/// stat="250 ok"`.
fn delivery(line: &Line<'_>, part: &str, fields: &str) -> Testimony {
    let mut testimony = line.testimony("opensmtpd");
    testimony.message = field(fields, "evpid").map(str::to_owned);
    testimony.recipient = field(fields, "to").map(str::to_owned);
    testimony.reverse_path = field(fields, "from").map(str::to_owned);
    testimony.peer = field(fields, "relay").map(relay).unwrap_or_default();
    let result = field(fields, "result").unwrap_or_default();
    testimony.words = field(fields, "stat").unwrap_or_default().to_owned();
    interpret(&mut testimony, part == "mda", result);
    testimony
}

fn interpret(testimony: &mut Testimony, is_local: bool, result: &str) {
    testimony.fate = match result {
        "Ok" => Fate::Delivered,
        "TempFail" => Fate::Deferred,
        _ => Fate::Failed,
    };
    let words = &testimony.words;
    testimony.reply = quoted::reply(words);
    testimony.status = testimony.reply.as_ref().and_then(|reply| reply.status);
    let of_server = testimony.reply.is_some() && !is_local && testimony.peer != Endpoint::default();
    testimony.speaker = match (&testimony.peer.name, of_server) {
        (Some(name), true) => Speaker::Remote(name.clone()),
        (None, true) => Speaker::RemoteUnnamed,
        _ => Speaker::Writer,
    };
    testimony.stage = if is_local {
        Some(Stage::Mailbox)
    } else if testimony.fate == Fate::Delivered {
        Some(Stage::EndOfData)
    } else {
        stage(words)
    };
    testimony.stage_is_told = is_local || testimony.fate == Fate::Delivered;
}

/// OpenSMTPD says neither command nor step of a relay's failure; some of its own words leave no other.
fn stage(words: &str) -> Option<Stage> {
    const WORDS: [(&str, Stage); 10] = [
        ("Network error on destination MXs", Stage::Connect),
        ("Connection refused", Stage::Connect),
        ("Connection timeout", Stage::Connect),
        ("No MX found", Stage::Routing),
        ("DNS error", Stage::Routing),
        ("Domain does not exist", Stage::Routing),
        ("Loop detected", Stage::Routing),
        ("Could not retrieve credentials", Stage::Auth),
        ("Domain does not accept mail", Stage::Routing),
        ("TLS", Stage::Tls),
    ];
    WORDS.into_iter().find(|(known, _)| words.contains(known)).map(|(_, stage)| stage)
}

fn of_connection(
    line: &Line<'_>,
    session: &str,
    part: &str,
    what: &str,
    fields: &str,
    mut give: impl FnMut(Record),
) -> bool {
    let what = match what {
        "connected" => What::Connected,
        "disconnected" if field(fields, "reason") == Some("quit") => What::Disconnected,
        "disconnected" => What::Broken,
        "error" if fields.contains("TLS") || fields.contains("handshake") => What::TlsFailed,
        "error" if fields.contains("timeout") => What::TimedOut,
        "error" if fields.contains("Connection refused") => What::NotConnected,
        "error" => What::Broken,
        "tls" | "starttls" => What::TlsEstablished,
        "message" => What::Received,
        "authentication" if fields.contains("result=permfail") || fields.contains("fail") => {
            What::AuthenticationFailed
        }
        _ => return true,
    };
    let mut happening = line.happening("opensmtpd", what);
    happening.side = if part == "mta" { Vantage::Client } else { Vantage::Server };
    happening.message = Some(session.to_owned());
    let host = field(fields, "host").filter(|host| !host.is_empty());
    happening.peer = Endpoint {
        address: field(fields, "address").and_then(|address| peer::socket(address_of(address))),
        name: host.map(str::to_owned),
    };
    give(Record::Happening(happening));
    true
}

/// `smtp://192.0.2.1:25`.
fn address_of(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, address)| address)
}

/// `192.0.2.1 (mx.a.test)`.
fn relay(words: &str) -> Endpoint {
    let (address, name) = words.split_once(" (").unwrap_or((words, ""));
    let name = name.trim_end_matches(')');
    Endpoint { address: peer::socket(address), name: (!name.is_empty()).then(|| name.to_owned()) }
}

/// `Failed command on session 1f55: "MAIL FROM:<a@b>" => 421 4.3.0: Temporary Error`.
fn received_before_64(line: &Line<'_>, rest: &str, mut give: impl FnMut(Record)) -> bool {
    let session = rest.split_once("session ").map_or("", |(_, rest)| rest);
    let session = session.split([' ', ':']).next().unwrap_or_default();
    if rest.starts_with("Failed command on session ") {
        let Some((_, command)) = rest.split_once(": \"") else { return false };
        let (command, result) = command.split_once("\" => ").unwrap_or((command, ""));
        give(rejected(line, session, command.trim_end(), result));
        return true;
    }
    let what = if rest.starts_with("New session ") {
        What::Connected
    } else if rest.starts_with("Accepted message ") {
        What::Received
    } else if rest.starts_with("Closing session ") {
        What::Disconnected
    } else if rest.starts_with("Received disconnect ") {
        What::Broken
    } else if rest.starts_with("Disconnecting session ") {
        if rest.contains("timeout") { What::TimedOut } else { What::Broken }
    } else if rest.starts_with("Started TLS ") {
        What::TlsEstablished
    } else if rest.starts_with("Authentication failed ") {
        What::AuthenticationFailed
    } else {
        return true;
    };
    give(of_session(line, session, what, Vantage::Server, rest));
    true
}

fn sent_before_64(line: &Line<'_>, rest: &str, mut give: impl FnMut(Record)) -> bool {
    let session = rest.split_once("session ").map_or("", |(_, rest)| rest);
    let session = session.split([' ', ':', ',']).next().unwrap_or_default();
    let what = if rest.starts_with("Error on session") {
        if rest.contains("timeout") { What::TimedOut } else { What::Broken }
    } else if rest.starts_with("Started TLS ") {
        What::TlsEstablished
    } else if rest.starts_with("Disconnecting ") || rest.starts_with("Closing session") {
        What::Disconnected
    } else {
        return true;
    };
    give(of_session(line, session, what, Vantage::Client, rest));
    true
}

fn of_session(line: &Line<'_>, session: &str, what: What, side: Vantage, words: &str) -> Record {
    let mut happening = line.happening("opensmtpd", what);
    happening.side = side;
    happening.message = Some(session.to_owned());
    happening.words = words.to_owned();
    happening.peer = peer::within(words).map(|(peer, _)| peer).unwrap_or_default();
    Record::Happening(happening)
}

/// `TempFail for 1f55: from=<a@b>, to=<c@d>, ..., relay=192.0.2.1 (mx), delay=1s, stat=450 later`.
fn delivered_before_64(line: &Line<'_>, rest: &str, mut give: impl FnMut(Record)) -> bool {
    let Some((result, rest)) = rest.split_once(" for ") else { return false };
    let (envelope, fields) = rest.split_once(": ").unwrap_or(("", rest));
    let mut testimony = line.testimony("opensmtpd");
    testimony.message = Some(envelope.to_owned());
    testimony.recipient = field(fields, "to").map(str::to_owned);
    testimony.reverse_path = field(fields, "from").map(str::to_owned);
    let relay_field = fields.split_once("relay=").map(|(_, rest)| rest);
    testimony.peer = relay_field
        .map(|rest| relay(rest.split(", ").next().unwrap_or_default()))
        .unwrap_or_default();
    let words = fields.split_once("stat=").map_or("", |(_, words)| words);
    testimony.words = words.to_owned();
    interpret(&mut testimony, relay_field.is_none(), result);
    give(Record::Testimony(testimony));
    true
}

/// A value in quotes, in angle brackets, or up to a blank or comma.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let at = memchr::memmem::find_iter(fields.as_bytes(), name.as_bytes()).find(|&at| {
        let begins = at == 0 || matches!(fields.as_bytes()[at - 1], b' ' | b',');
        begins && fields.as_bytes().get(at + name.len()) == Some(&b'=')
    })?;
    let value = &fields[at + name.len() + 1..];
    let within = |open: char, close: char| {
        value
            .strip_prefix(open)
            .map(|inside| inside.split_once(close).map_or(inside, |(value, _)| value))
    };
    within('"', '"')
        .or_else(|| within('<', '>'))
        .or_else(|| Some(value.split([' ', ',']).next().unwrap_or_default()))
}
