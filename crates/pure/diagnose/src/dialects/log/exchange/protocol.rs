//! SMTP protocol logs since Exchange 2007 (`SmtpReceive`, `SmtpSend`): one CSV record for each line.
//!
//! `+` connected, `-` disconnected, `>` said by Exchange, `<` heard by it, `*` a remark.

use smtp::Party;

use super::{column, csv, keywords::unfolded};
use crate::{
    dialects::{
        assembly,
        log::{Record, date, line::Line, peer, sessions::Sessions},
    },
    session::{Endpoint, Event, Session, Source, Vantage},
};

/// The columns where no header names them.
const COLUMNS: [&str; 9] = [
    "date-time",
    "connector-id",
    "session-id",
    "sequence-number",
    "local-endpoint",
    "remote-endpoint",
    "event",
    "data",
    "context",
];

/// Reads a record; `None` if it is none.
pub(super) fn read(
    text: &str,
    number: u64,
    columns: &[String],
    log_type: &str,
    sessions: &mut Sessions,
    give: &mut dyn FnMut(Record),
) -> Option<()> {
    let fields = csv(text);
    let value = |name: &str| match columns {
        [] => COLUMNS
            .iter()
            .position(|column| *column == name)
            .map_or("", |at| fields.get(at).map_or("", String::as_str)),
        columns => column(&fields, columns, name),
    };
    let session_id = value("session-id");
    let event = value("event");
    if session_id.is_empty() || event.is_empty() {
        return None;
    }
    let at = date::iso(value("date-time")).map(|(at, _)| at);
    let line = &Line { at, host: "", program: "", process: 0, text, number };
    let (local, remote) = (value("local-endpoint"), value("remote-endpoint"));
    let vantage = vantage(log_type, value("connector-id"), local, remote);
    let begin = |session: &mut Session| begin(session, vantage, local, remote);
    let key = format!("exchange {session_id}");
    let (data, context) = (value("data"), value("context"));
    let (own, other) = match vantage {
        Vantage::Server => (Party::Server, Party::Client),
        _ => (Party::Client, Party::Server),
    };
    match event {
        ">" | "<" => {
            let by_client = (event == ">") == (own == Party::Client);
            // Records of 2013 and later hold a whole EHLO reply.
            let lines = if by_client { vec![data.to_owned()] } else { unfolded(data) };
            for said in lines {
                sessions.said_within(&key, by_client, said.as_bytes(), line, begin, give);
            }
        }
        "+" => sessions.happened(&key, Party::Client, Event::Connected, b"", line, begin, give),
        // The rest of a session that an older file has.
        "-" if sessions.session(&key).is_none() => {}
        "-" => {
            // The context says who ended it.
            let by = match context.to_ascii_lowercase().as_str() {
                "remote" => other,
                "local" => own,
                _ => Party::Note,
            };
            let text = context.as_bytes();
            sessions.happened(&key, by, Event::Closed, text, line, begin, give);
            sessions.close(&key, give);
        }
        "*" => {
            let (event, text) = remark(data, context);
            let by = if event == Event::Remark { Party::Note } else { own };
            sessions.happened(&key, by, event, text.as_bytes(), line, begin, give);
        }
        _ => return None,
    }
    Some(())
}

fn remark(data: &str, context: &str) -> (Event, String) {
    let both = [context, data].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
    let text = both.join(": ");
    let lower = text.to_ascii_lowercase();
    let event = if lower.contains("tls") && lower.contains("succeeded") {
        Event::TlsEstablished
    } else if lower.contains("failed to connect") || lower.contains("unable to connect") {
        Event::NotConnected
    } else {
        Event::Remark
    };
    // Session permissions and the like may follow a login; they hold no secret.
    (event, text)
}

/// Receive connectors are servers. Where the log's type is not told, the ports tell.
fn vantage(log_type: &str, connector: &str, local: &str, remote: &str) -> Vantage {
    if log_type.contains("receive") {
        return Vantage::Server;
    }
    if log_type.contains("send") {
        return Vantage::Client;
    }
    let port = |endpoint: &str| peer::socket(endpoint).map_or(0, |address| address.port());
    const SMTP: [u16; 8] = [25, 465, 475, 587, 717, 2525, 2526, 26];
    match (SMTP.contains(&port(local)), SMTP.contains(&port(remote))) {
        (true, false) => Vantage::Server,
        (false, true) => Vantage::Client,
        // `SERVER\Default Frontend SERVER` is how receive connectors are named.
        _ if connector.contains('\\') => Vantage::Server,
        _ => Vantage::Client,
    }
}

fn begin(session: &mut Session, vantage: Vantage, local: &str, remote: &str) {
    let started = session.started;
    *session = assembly::begun(Source::Log("exchange-2007".to_owned()), vantage);
    session.started = started;
    let endpoint = |words: &str| Endpoint { address: peer::socket(words), name: None };
    (session.client, session.server) = match vantage {
        Vantage::Server => (endpoint(remote), endpoint(local)),
        _ => (endpoint(local), endpoint(remote)),
    };
}
