//! SMTP protocol logs of Exchange 2000 and 2003: IIS's W3C extended format, blanks in values as `+`.
//!
//! Of a session in which Exchange is the server there is one record for each command, with the code of
//! the reply in `sc-status` and no text. Of one in which it is the client there is one record for each
//! line, `OutboundConnectionCommand` or `OutboundConnectionResponse`. Nothing numbers the sessions:
//! the other end's address does, and a greeting, EHLO or QUIT parts one from the next.

use std::net::SocketAddr;

use smtp::Party;

use super::column;
use crate::{
    dialects::{
        assembly,
        log::{Record, date, line::Line, peer, sessions::Sessions},
    },
    session::{Endpoint, Event, Kind, Session, Source, Vantage},
};

/// Reads a record; `None` if it is none. `date` is that of the `#Date` line, for logs without the column.
pub(super) fn read(
    text: &str,
    number: u64,
    columns: &[String],
    date: &str,
    sessions: &mut Sessions,
    give: &mut dyn FnMut(Record),
) -> Option<()> {
    let fields: Vec<String> = text.trim_end().split(' ').map(str::to_owned).collect();
    let value = |name: &str| match column(&fields, columns, name) {
        "-" => "",
        value => value,
    };
    let user = value("cs-username");
    let method = value("cs-method");
    if user.is_empty() && method.is_empty() {
        return None;
    }
    let date = if value("date").is_empty() { date } else { value("date") };
    let at = date::iso(&format!("{date} {}", value("time"))).map(|(at, _)| at);
    let line = &Line { at, host: "", program: "", process: 0, text, number };
    let port = value("s-port").parse().unwrap_or(0);
    let entry = Entry {
        peer: peer::address(value("c-ip"), 0),
        own: peer::address(value("s-ip"), port),
        own_name: Some(value("s-computername")).filter(|name| !name.is_empty()),
        port,
        method,
        argument: readable(value("cs-uri-query")),
        status: value("sc-status"),
    };
    match user {
        "OutboundConnectionCommand" => outbound(&entry, true, line, sessions, give),
        "OutboundConnectionResponse" => outbound(&entry, false, line, sessions, give),
        _ => inbound(&entry, user, line, sessions, give),
    }
    Some(())
}

/// What a record says.
struct Entry<'a> {
    peer: Option<SocketAddr>,
    own: Option<SocketAddr>,
    own_name: Option<&'a str>,
    port: u16,
    method: &'a str,
    argument: String,
    status: &'a str,
}

/// Exchange is the client.
fn outbound(
    entry: &Entry<'_>,
    is_command: bool,
    line: &Line<'_>,
    sessions: &mut Sessions,
    give: &mut dyn FnMut(Record),
) {
    let key = format!("w3c out {:?}", entry.peer);
    let begin = |session: &mut Session| {
        set(session, Vantage::Client);
        // The port is the other server's.
        let port = if entry.port == 0 { 25 } else { entry.port };
        let address = entry.peer.map(|address| SocketAddr::new(address.ip(), port));
        session.server = Endpoint { address, name: None };
        session.client = Endpoint { address: None, name: entry.own_name.map(str::to_owned) };
    };
    let said = match (is_command, entry.argument.is_empty()) {
        (true, false) => format!("{} {}", entry.method, entry.argument),
        (true, true) => entry.method.to_owned(),
        (false, _) => entry.argument.clone(),
    };
    sessions.said(&key, is_command, said.as_bytes(), line, begin, give);
}

/// Exchange is the server: command and code on one entry.
fn inbound(
    entry: &Entry<'_>,
    user: &str,
    line: &Line<'_>,
    sessions: &mut Sessions,
    give: &mut dyn FnMut(Record),
) {
    let key = format!("w3c in {:?}", entry.peer);
    let verb = entry.method.to_ascii_uppercase();
    let hello = matches!(verb.as_str(), "EHLO" | "HELO");
    if hello && sessions.session(&key).is_some_and(has_ended) {
        sessions.close(&key, give);
    }
    let begin = |session: &mut Session| {
        set(session, Vantage::Server);
        let name = Some(user.to_owned()).filter(|name| !name.is_empty());
        session.client = Endpoint { address: entry.peer, name };
        session.server = Endpoint { address: entry.own, name: entry.own_name.map(str::to_owned) };
    };
    let argument = entry.argument.trim_start_matches([' ', '+']);
    // After DATA and BDAT the column has the message's id, which was not said.
    let said = match (verb.as_str(), argument.is_empty()) {
        ("DATA" | "QUIT" | "RSET", _) | (_, true) => verb.clone(),
        _ => format!("{verb} {argument}"),
    };
    sessions.said(&key, true, said.as_bytes(), line, begin, give);
    if verb == "DATA" {
        sessions.happened(
            &key,
            Party::Note,
            Event::Remark,
            b"the log has one code for DATA and the end of the content",
            line,
            begin,
            give,
        );
    }
    match entry.status {
        "" | "0" => {}
        // IIS's own number for a farewell; the client heard 221.
        "240" => {
            let text = b"the server closed after QUIT (the log has 240)";
            sessions.happened(&key, Party::Server, Event::Closed, text, line, begin, give);
        }
        code => sessions.said(&key, false, code.as_bytes(), line, begin, give),
    }
    if verb == "QUIT" {
        sessions.close(&key, give);
    }
}

/// Whether a hello can only be another session's: one has been in it, and mail or nothing since.
fn has_ended(session: &Session) -> bool {
    let mut commands = session.lines.iter().filter(|line| matches!(line.kind, Kind::Command(_)));
    // EHLO refused, then HELO; or EHLO once more after STARTTLS: the same session.
    let last = commands.next_back().map(|line| line.text.to_ascii_uppercase());
    last.is_some_and(|last| !last.starts_with(b"EHLO") && !last.starts_with(b"STARTTLS"))
}

fn set(session: &mut Session, vantage: Vantage) {
    let started = session.started;
    *session = assembly::begun(Source::Log("exchange-2003".to_owned()), vantage);
    session.started = started;
}

/// `+` is a blank in values. A plus that was said cannot be told from it.
fn readable(value: &str) -> String {
    value.replace('+', " ")
}
