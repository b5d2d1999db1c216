//! sendmail's log lines: `QUEUEID: to=<a@b>, ..., dsn=5.1.1, stat=User unknown`,
//! `ruleset=check_rcpt, arg1=<a@b>, relay=..., reject=550 5.7.1 ...`.

use smtp::{Reply, Stage};

use super::{
    Record,
    line::{Line, excerpt},
    memory::Memory,
    peer,
};
use crate::{
    dialects::quoted,
    happening::What,
    session::{Endpoint, Vantage},
    testimony::{Fate, Speaker, Testimony},
};

/// Messages whose reverse-path is remembered.
const MESSAGES_MAX: usize = 50_000;

/// What is remembered of sendmail.
#[derive(Debug)]
pub(super) struct Sendmail {
    /// Reverse-paths by queue id.
    messages: Memory<String>,
}

impl Default for Sendmail {
    fn default() -> Self {
        Self { messages: Memory::new(MESSAGES_MAX) }
    }
}

/// Whether a program is sendmail.
pub(super) fn is_program(program: &str) -> bool {
    program.starts_with("sendmail") || program.starts_with("sm-m")
}

impl Sendmail {
    /// Reads one line; false if it means nothing to us.
    pub fn read(&mut self, line: &Line<'_>, mut give: impl FnMut(Record)) -> bool {
        let (id, text) = queue_id(line.text);
        if let Some(record) = rejection(line, id, text) {
            give(record);
            return true;
        }
        let Some(id) = id else { return of_connection(line, None, text, give) };
        if let Some(reverse_path) = text.strip_prefix("from=").and_then(|_| field(text, "from")) {
            self.messages.put(id, bare(reverse_path).to_owned());
            give(received(line, id, text));
            return true;
        }
        if text.starts_with("to=") && text.contains("stat=") {
            let reverse_path = self.messages.find(id).cloned();
            for testimony in delivery(line, id, text, reverse_path) {
                give(Record::Testimony(testimony));
            }
            return true;
        }
        if text == "done" || text.starts_with("done;") {
            self.messages.remove(id);
            return true;
        }
        of_connection(line, Some(id), text, give)
    }
}

/// One testimony for each recipient that the line names.
fn delivery(line: &Line<'_>, id: &str, text: &str, reverse_path: Option<String>) -> Vec<Testimony> {
    let words = excerpt(text.split_once("stat=").map_or("", |(_, words)| words));
    let relay = field(text, "relay").map(relay).unwrap_or_default();
    let mailer = field(text, "mailer").unwrap_or_default();
    let recipients = field(text, "to").unwrap_or_default();
    let mut testimony = line.testimony("sendmail");
    testimony.message = Some(id.to_owned());
    testimony.reverse_path = reverse_path;
    testimony.status = field(text, "dsn").and_then(|status| status.parse().ok());
    testimony.peer = relay;
    testimony.words = words.to_owned();
    interpret(&mut testimony, mailer, field(text, "reply"));
    recipients
        .split(',')
        .take(1_000)
        .map(|recipient| Testimony {
            recipient: Some(bare(recipient).to_owned()),
            ..testimony.clone()
        })
        .collect()
}

/// Fate, stage and speaker from `stat=`. sendmail names no command, so a stage follows from its words.
fn interpret(testimony: &mut Testimony, mailer: &str, reply: Option<&str>) {
    let words = testimony.words.clone();
    let deferred = words.strip_prefix("Deferred").map(|rest| rest.trim_start_matches(": "));
    testimony.fate = match testimony.status.map(|status| status.class) {
        _ if deferred.is_some() || words.starts_with("queued") => Fate::Deferred,
        _ if words.starts_with("Sent") => Fate::Delivered,
        Some(4) => Fate::Deferred,
        Some(2) => Fate::Delivered,
        _ => Fate::Failed,
    };
    let reason = deferred.unwrap_or(&words);
    testimony.reply = reply.and_then(quoted::reply).or_else(|| quoted::reply(reason));
    let of_server =
        testimony.reply.is_some() || testimony.fate == Fate::Delivered && !is_local(mailer);
    testimony.speaker = match (&testimony.peer.name, of_server) {
        (Some(name), true) => Speaker::Remote(name.clone()),
        (None, true) => Speaker::RemoteUnnamed,
        _ if is_local(mailer) => Speaker::Writer,
        // `User unknown` may be a server's word in sendmail's translation.
        (_, false) => Speaker::Unknown,
    };
    (testimony.stage, testimony.stage_is_told) = stage(testimony, reason, mailer);
    if matches!(testimony.stage, Some(Stage::Connect | Stage::Routing)) {
        testimony.speaker = Speaker::Writer;
    }
}

fn stage(testimony: &Testimony, reason: &str, mailer: &str) -> (Option<Stage>, bool) {
    const WORDS: [(&str, Stage); 16] = [
        ("Connection refused", Stage::Connect),
        ("Connection timed out", Stage::Connect),
        ("Operation timed out", Stage::Connect),
        ("No route to host", Stage::Connect),
        ("Network is unreachable", Stage::Connect),
        ("Name server", Stage::Routing),
        ("Host unknown", Stage::Routing),
        ("host name lookup failure", Stage::Routing),
        ("mail loops back to me", Stage::Routing),
        ("Local configuration error", Stage::Routing),
        ("TLS handshake", Stage::Tls),
        ("User unknown", Stage::Rcpt),
        ("while talking", Stage::Other),
        ("reply: read error", Stage::Other),
        ("Connection reset by", Stage::Other),
        ("Data format error", Stage::EndOfData),
    ];
    if is_local(mailer) {
        return (Some(Stage::Mailbox), true);
    }
    if testimony.fate == Fate::Delivered {
        return (Some(Stage::EndOfData), true);
    }
    let found = WORDS.into_iter().find(|(words, _)| reason.contains(words));
    match found {
        // These say that something happened, not where.
        Some((_, Stage::Other)) => (None, false),
        Some((_, stage)) => (Some(stage), matches!(stage, Stage::Connect | Stage::Routing)),
        None => match testimony.status.map(|status| (status.subject, status.detail)) {
            Some((1, 1..=3 | 6)) => (Some(Stage::Rcpt), false),
            Some((1, 7 | 8)) => (Some(Stage::Mail), false),
            Some((6, _)) => (Some(Stage::EndOfData), false),
            _ => (None, false),
        },
    }
}

/// `ruleset=check_rcpt, arg1=<a@b>, relay=x [192.0.2.1], reject=550 5.7.1 <a@b>... no`, and
/// `Milter: data, reject=554 5.7.1 no`.
fn rejection(line: &Line<'_>, id: Option<&str>, text: &str) -> Option<Record> {
    let (before, reject) = text.split_once("reject=")?;
    let ruleset = field(text, "ruleset");
    let milter = text.starts_with("Milter");
    if ruleset.is_none() && !milter {
        return None;
    }
    let mut testimony = line.testimony("sendmail");
    testimony.fate = Fate::Rejected;
    testimony.speaker = Speaker::Writer;
    testimony.message = id.map(str::to_owned);
    testimony.peer = field(text, "relay").map(relay).unwrap_or_default();
    testimony.reply = quoted::reply(reject);
    testimony.status = testimony.reply.as_ref().and_then(|reply| reply.status);
    testimony.words = reject.to_owned();
    testimony.stage = match ruleset {
        Some("check_relay" | "check_rate" | "check_conn") => Some(Stage::Connect),
        Some("check_mail" | "checkmail") => Some(Stage::Mail),
        Some("check_rcpt" | "check_compat" | "checkrcpt") => Some(Stage::Rcpt),
        Some("check_data" | "check_eoh" | "check_eom") => Some(Stage::EndOfData),
        Some("check_etrn" | "check_vrfy" | "check_expn") => Some(Stage::Other),
        Some("trust_auth") => Some(Stage::Auth),
        Some("tls_client" | "tls_server" | "tls_rcpt") => Some(Stage::Tls),
        Some(_) => None,
        None => of_milter(before),
    };
    testimony.stage_is_told = testimony.stage.is_some();
    let argument = field(text, "arg1").or_else(|| field(text, "to")).map(bare);
    match testimony.stage {
        Some(Stage::Mail) => testimony.reverse_path = argument.map(str::to_owned),
        Some(Stage::Rcpt) => testimony.recipient = argument.map(str::to_owned),
        _ => {}
    }
    Some(Record::Testimony(testimony))
}

/// `Milter: to=<a@b>, `, `Milter: data, `, `Milter: connect: host=...`.
fn of_milter(before: &str) -> Option<Stage> {
    let step = before.split_once(": ").map_or("", |(_, step)| step);
    let steps = [
        ("to=", Stage::Rcpt),
        ("from=", Stage::Mail),
        ("helo", Stage::Ehlo),
        ("connect", Stage::Connect),
        ("data", Stage::EndOfData),
        ("eom", Stage::EndOfData),
        ("eoh", Stage::EndOfData),
        ("header", Stage::EndOfData),
        ("body", Stage::EndOfData),
    ];
    steps.into_iter().find(|(begins, _)| step.starts_with(begins)).map(|(_, stage)| stage)
}

fn received(line: &Line<'_>, id: &str, text: &str) -> Record {
    let mut happening = line.happening("sendmail", What::Received);
    happening.side = Vantage::Server;
    happening.message = Some(id.to_owned());
    happening.peer = field(text, "relay").map(relay).unwrap_or_default();
    happening.words = text.to_owned();
    Record::Happening(happening)
}

/// What the connection did, in words.
fn of_connection(
    line: &Line<'_>,
    id: Option<&str>,
    text: &str,
    mut give: impl FnMut(Record),
) -> bool {
    let (what, side, stage) = if text.starts_with("lost input channel from ") {
        let stage = text.split_once(" after ").and_then(|(_, step)| quoted::stage(step));
        (What::Broken, Vantage::Server, stage)
    } else if text.starts_with("timeout waiting for input from ") {
        let stage = text.split_once(" during ").and_then(|(_, step)| stage_of(step));
        (What::TimedOut, Vantage::Server, stage)
    } else if text.contains("did not issue MAIL/EXPN/VRFY/ETRN") {
        (What::Disconnected, Vantage::Server, None)
    } else if text.starts_with("AUTH failure") {
        (What::AuthenticationFailed, Vantage::Server, Some(Stage::Auth))
    } else if text.starts_with("rejecting commands from ") {
        (What::Violation, Vantage::Server, text.contains("pre-greeting").then_some(Stage::Greeting))
    } else if text.starts_with("STARTTLS") && text.contains("error") {
        (What::TlsFailed, Vantage::Wire, Some(Stage::Tls))
    } else if text.starts_with("STARTTLS=") {
        let client = text.starts_with("STARTTLS=client");
        let side = if client { Vantage::Client } else { Vantage::Server };
        (What::TlsEstablished, side, Some(Stage::Tls))
    } else if text.starts_with("SYSERR") || text.starts_with("NOQUEUE: SYSERR") {
        (What::Warning, Vantage::Wire, None)
    } else {
        return id.is_some();
    };
    let mut happening = line.happening("sendmail", what);
    happening.side = side;
    happening.stage = stage;
    happening.message = id.map(str::to_owned);
    happening.peer = field(text, "relay")
        .map(relay)
        .or_else(|| text.split_once(" from ").map(|(_, host)| relay(host)))
        .or_else(|| peer::within(text).map(|(peer, _)| peer))
        .unwrap_or_default();
    happening.words = text.to_owned();
    happening.reply = text.rsplit(": ").next().and_then(quoted::reply).filter(Reply::is_permanent);
    give(Record::Happening(happening));
    true
}

/// `server cmd read`, `message collect`.
fn stage_of(step: &str) -> Option<Stage> {
    if step.contains("collect") { Some(Stage::Content) } else { None }
}

/// `mx.a.test. [192.0.2.1]`, `[192.0.2.1]`.
fn relay(words: &str) -> Endpoint {
    match peer::within(words) {
        Some((peer, _)) => peer,
        None => {
            let name = words.split([' ', ',']).next().unwrap_or_default().trim_end_matches('.');
            let named = !name.is_empty() && !name.starts_with('[') && name != "local";
            Endpoint { address: None, name: named.then(|| name.to_owned()) }
        }
    }
}

/// The value of a field; commas part fields, yet `to=<a@b>,<c@d>` has some of its own.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = memchr::memmem::find_iter(text.as_bytes(), name.as_bytes()).find(|&at| {
        let begins = at == 0 || text[..at].ends_with(", ") || text[..at].ends_with(": ");
        begins && text.as_bytes().get(at + name.len()) == Some(&b'=')
    })?;
    let value = &text[at + name.len() + 1..];
    Some(value.split(", ").next().unwrap_or(value))
}

fn bare(address: &str) -> &str {
    let address = address.trim();
    address.strip_prefix('<').and_then(|inside| inside.strip_suffix('>')).unwrap_or(address)
}

/// sendmail's queue id: the time in its own letters, then the process: `l8FE1xYz012345`.
fn queue_id(text: &str) -> (Option<&str>, &str) {
    let end = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    match text[end..].strip_prefix(": ") {
        Some(rest) if (12..=16).contains(&end) => (Some(&text[..end]), rest),
        Some(rest) if &text[..end] == "NOQUEUE" => (None, rest),
        _ => (None, text),
    }
}

fn is_local(mailer: &str) -> bool {
    matches!(mailer, "local" | "prog" | "*file*" | "*include*" | "cyrusv2" | "procmail")
}
